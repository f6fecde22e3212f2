// Turning pages with the arrow keys, and a page that shows what a worker has done meanwhile. Every page works without it.

const EVERY = 3000;

function typing(element) {
  return element.closest("input, textarea, select, [contenteditable]") !== null;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || typing(event.target)) return;
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  document.querySelector(`.turn-page a[rel="${rel}"]`)?.click();
});

function watch(region) {
  async function look() {
    // Nothing that somebody types or selects is lost.
    const busy = document.hidden || typing(document.activeElement) || !document.getSelection().isCollapsed;
    if (!busy) {
      const answer = await fetch(region.dataset.untilChanged, { redirect: "error", cache: "no-store" }).catch(() => null);
      if (answer?.ok && (await answer.text()) !== region.dataset.mark) return window.location.reload();
    }
    return window.setTimeout(look, EVERY);
  }
  window.setTimeout(look, EVERY);
}

document.querySelectorAll("[data-until-changed]").forEach(watch);
