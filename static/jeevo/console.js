// The live parts of the console: lists that refresh themselves, a countdown, and buttons that send once.
// Every page works without it.

const EVERY = 5000;
const main = document.getElementById("content-start");

function remember(region) {
  return {
    open: [...region.querySelectorAll("details[id][open]")].map((each) => each.id),
    focus: region.contains(document.activeElement) ? document.activeElement.id : "",
  };
}

function restore(region, state) {
  for (const id of state.open) region.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
  if (state.focus) document.getElementById(state.focus)?.focus({ preventScroll: true });
}

function atEnd() {
  return window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 160;
}

function toEnd() {
  window.scrollTo(0, document.documentElement.scrollHeight);
}

function live(region) {
  let shown = null;
  let mark = region.dataset.mark;
  let timer = 0;
  const note = document.querySelector("[data-refresh-note]");

  function replace(html) {
    const state = remember(region);
    const follow = region.hasAttribute("data-follow") && atEnd();
    region.innerHTML = html;
    restore(region, state);
    region.dispatchEvent(new CustomEvent("refreshed"));
    if (follow) toEnd();
  }

  async function refresh() {
    timer = 0;
    if (document.hidden) return;
    try {
      const headers = { "X-Requested-With": "fetch", ...(mark && { "If-None-Match": mark }) };
      const answer = await fetch(region.dataset.refresh, { redirect: "error", cache: "no-store", headers });
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(String(answer.status));
        const html = await answer.text();
        // Nothing is touched while somebody selects text, or when nothing changed.
        if (html !== shown && document.getSelection().isCollapsed) {
          replace(html);
          shown = html;
          mark = answer.headers.get("ETag");
        }
      }
      region.classList.remove("stale");
    } catch {
      region.classList.add("stale");
      if (note) note.textContent = "This list could not be refreshed. Load the page again.";
    }
    start();
  }

  function start() {
    if (!timer && !document.hidden) timer = window.setTimeout(refresh, EVERY);
  }

  document.addEventListener("visibilitychange", () => {
    window.clearTimeout(timer);
    timer = 0;
    if (!document.hidden) refresh();
  });
  start();
}

function spoken(milliseconds) {
  const minutes = Math.floor(milliseconds / 60000);
  if (minutes < 1) return "less than a minute";
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
}

function countDown(time) {
  const until = Date.parse(time.dataset.until);
  window.setInterval(() => {
    time.textContent = spoken(Math.max(0, until - Date.now()));
  }, 20000);
}

document.querySelectorAll("[data-refresh]").forEach(live);
document.querySelectorAll("[data-until]").forEach(countDown);
function enable(form, on) {
  form.toggleAttribute("data-sent", !on);
  form.querySelectorAll("button").forEach((button) => { button.disabled = !on; });
}

// On the document: a form in a part that was refreshed is another element than the one that was there at first.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-once]")) return undefined;
  if (form.hasAttribute("data-sent")) return event.preventDefault();
  form.toggleAttribute("data-sent", true);
  // A button that is disabled now would not be sent, and with it which of two buttons was pressed.
  return window.setTimeout(() => enable(form, false));
});
// A page that comes back from the browser's cache may be used again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-once]").forEach((form) => enable(form, true));
});
if (main && document.querySelector("[data-follow]") && !window.location.hash) toEnd();
