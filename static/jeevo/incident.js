// The page of one incident: says aloud what became late while the page was open, and opens the form a link points to.
// The page works without it.

const said = document.getElementById("breaches");
const known = new Set();

function late() {
  return [...document.querySelectorAll("#now [data-breach]")];
}

late().forEach((each) => known.add(each.dataset.breach));
document.getElementById("now")?.addEventListener("refreshed", () => {
  const fresh = late().filter((each) => !known.has(each.dataset.breach));
  fresh.forEach((each) => known.add(each.dataset.breach));
  if (fresh.length) said.textContent = fresh.map((each) => each.dataset.breachSaid).join(" ");
});

function openNamed() {
  const wanted = window.location.hash && document.getElementById(window.location.hash.slice(1));
  if (!(wanted instanceof HTMLDetailsElement)) return;
  wanted.open = true;
  wanted.scrollIntoView();
  wanted.querySelector("input:not([type=hidden]), select, textarea")?.focus({ preventScroll: true });
}

window.addEventListener("hashchange", openNamed);
openNamed();
