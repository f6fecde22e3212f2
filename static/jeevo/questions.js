// A result that a worker is about to write: asked for three times a second while the page is seen, until it is there.
// Without scripts the link "Look again" does the same.

const EVERY = 300;
const LONGEST = 3000;

function follow(region) {
  let wait = EVERY;
  let timer = 0;

  async function look() {
    timer = 0;
    if (document.hidden) return;
    try {
      const answer = await fetch(region.dataset.untilDone, { redirect: "error", cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const html = await answer.text();
      const part = document.createElement("template");
      part.innerHTML = html;
      if (part.innerHTML !== region.dataset.shown) {
        region.dataset.shown = part.innerHTML;
        region.replaceChildren(part.content);
      }
      wait = EVERY;
      if (!region.querySelector("[data-open]")) return done();
    } catch {
      // The service is away for a moment: ask less often until it is back.
      wait = Math.min(LONGEST, wait * 2);
    }
    start();
  }

  function start() {
    if (!timer && !document.hidden) timer = window.setTimeout(look, wait);
  }

  function seen() {
    window.clearTimeout(timer);
    timer = 0;
    if (!document.hidden) look();
  }

  function done() {
    document.removeEventListener("visibilitychange", seen);
    delete region.dataset.untilDone;
  }

  document.addEventListener("visibilitychange", seen);
  start();
}

document.querySelectorAll("[data-until-done]").forEach(follow);
