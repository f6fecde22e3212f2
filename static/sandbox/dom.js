// Small pieces of DOM. Text is only ever set as text.

export const byId = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null && child !== ""));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(path, box = "0 0 24 24") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", box);
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

const LINK = /https?:\/\/[^\s<>"]+[^\s<>".,;:)\]]/g;
const MARKED = /(?<![\p{L}\p{N}])(?:\*([^*\n]+)\*|_([^_\n]+)_)(?![\p{L}\p{N}])/gu;

// Links that can be followed, and WhatsApp's *bold* and _italic_.
export function worded(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    parts.push(...marked(text.slice(from, match.index)));
    const link = element("a", { href: match[0], target: "_blank", rel: "noopener noreferrer" }, match[0]);
    parts.push(link);
    from = match.index + match[0].length;
  }
  return [...parts, ...marked(text.slice(from))];
}

function marked(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(MARKED)) {
    parts.push(text.slice(from, match.index));
    parts.push(element(match[1] ? "strong" : "em", {}, match[1] || match[2]));
    from = match.index + match[0].length;
  }
  return [...parts, text.slice(from)];
}

// A button that opens a short menu: Escape closes it, arrows move in it, a click elsewhere closes it.
export function menu(button, list) {
  const items = () => [...list.querySelectorAll("[role=menuitem]")];
  const show = (open) => {
    list.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) items()[0]?.focus();
  };
  button.addEventListener("click", () => show(list.hidden));
  document.addEventListener("click", (event) => {
    if (!list.hidden && !list.contains(event.target) && !button.contains(event.target)) show(false);
  });
  list.addEventListener("click", () => show(false));
  list.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(document.activeElement);
    if (event.key === "Escape") {
      show(false);
      button.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      all[(at + (event.key === "ArrowDown" ? 1 : all.length - 1)) % all.length].focus();
    }
  });
}
