// A message as a bubble: words, media, buttons, time and ticks.

import { element, icon, worded } from "./dom.js";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

const ONE_TICK = "M3.5 6.6 6.7 9.8 13 2.6";
const TWO_TICKS = "M1 6.6 4.2 9.8 10.4 2.6M8.8 9.2l.6.6L16 2.4";
const TICKS = {
  sent: [ONE_TICK, "Sent"],
  delivered: [TWO_TICKS, "Delivered"],
  read: [TWO_TICKS, "Read"],
};
const MEDIA = {
  audio: ["M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM6 11v1a6 6 0 0 0 12 0v-1M12 18v3", "Voice note"],
  image: ["M4 5h16v14H4zM4 16l4.5-4.5 3.5 3.5 3-3 5 5M15.5 9.5h.01", "Picture"],
  document: ["M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6", "Document"],
  sticker: ["M5 4h14v9l-6 7H5zM13 20v-7h6", "Sticker"],
  location: ["M12 21s6.5-6 6.5-11a6.5 6.5 0 0 0-13 0c0 5 6.5 11 6.5 11ZM12 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z", "Place"],
};

export function day(at) {
  const then = new Date(at * 1000);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(then).setHours(0, 0, 0, 0)) / 86400000);
  return days === 0 ? "Today" : days === 1 ? "Yesterday" : DAY.format(then);
}

export function separator(label) {
  return element("li", { class: "day" }, element("span", {}, label));
}

export function ticks(status) {
  const [path, label] = TICKS[status];
  const mark = element("span", { class: `ticks ${status}`, title: label }, icon(path, "0 0 17 12"));
  mark.append(element("span", { class: "hidden-text" }, label));
  return mark;
}

function media(message) {
  const [path, label] = MEDIA[message.kind];
  return element("span", { class: "media" }, icon(path), element("span", {}, message.filename || label));
}

function meta(message) {
  const at = new Date(message.at * 1000);
  const time = element("time", { datetime: at.toISOString(), title: EXACT.format(at) }, TIME.format(at));
  return element("span", { class: "meta" }, time, message.mine ? ticks(message.status) : null);
}

function replies(message, press) {
  if (!message.buttons.length) return null;
  const row = element("div", { class: "replies" });
  for (const { id, title } of message.buttons) {
    const button = element("button", { type: "button" }, title);
    button.addEventListener("click", () => press(message, id));
    row.append(button);
  }
  return row;
}

// A message in a few words.
export function brief(message) {
  return message.text || MEDIA[message.kind]?.[1] || "";
}

function quote(quoted) {
  const words = quoted ? brief(quoted) : "";
  return words ? element("span", { class: "quote" }, words.slice(0, 160)) : null;
}

// `choose` shows the way of this message in the panel; `press` presses one of its buttons.
export function bubble(message, { quoted, press, choose }) {
  const said = element("span", { class: "hidden-text" }, message.mine ? "You: " : "Jeevo: ");
  const words = element("span", { class: "words" }, ...worded(message.text));
  const footer = message.footer ? element("span", { class: "footer" }, message.footer) : null;
  const body = element(
    "div",
    { class: `bubble ${message.mine ? "mine" : "theirs"}` },
    said,
    quote(quoted),
    message.kind in MEDIA ? media(message) : null,
    message.text ? words : null,
    footer,
    meta(message),
  );
  const row = element("li", { class: `row ${message.mine ? "mine" : "theirs"}`, "data-wamid": message.wamid }, body);
  const buttons = replies(message, press);
  if (buttons) row.append(buttons);
  if (message.mine) {
    const look = element("button", { type: "button", class: "look", "aria-pressed": "false" }, "Inside");
    look.title = "Show what happened inside Jeevo for this message";
    look.addEventListener("click", () => choose(message.wamid));
    body.addEventListener("click", (event) => event.target.closest("a") || choose(message.wamid));
    row.append(look);
  }
  return row;
}

export function update(row, message) {
  const mark = row.querySelector(".ticks");
  if (mark && !mark.classList.contains(message.status)) mark.replaceWith(ticks(message.status));
}
