// The chat page: who writes, what was said, and one round of questions to the sandbox every 700 ms
// while the page can be seen.

import { ask, tell } from "./api.js";
import { brief, bubble, day, separator, update } from "./bubbles.js";
import { byId, element, menu } from "./dom.js";
import * as faults from "./faults.js";
import * as inside from "./inside.js";

const EVERY = 700;
const NARROW = "(max-width: 899px)";
const KEPT = "jeevo-sandbox-person";
const state = { person: "", since: 0, messages: new Map(), lastDay: "", first: true, asking: false, chosen: false };
let timer = 0;

function trouble(words = "") {
  byId("trouble").textContent = words;
  byId("trouble").hidden = !words;
}

// People

function formatted(phone) {
  return phone.replace(/^(\d\d)(\d{5})(\d{5})$/, "+$1 $2 $3");
}

async function loadPeople() {
  const { people } = await ask("people");
  const words = ({ phone, name }) => (matchMedia(NARROW).matches ? name : `${name}, ${formatted(phone)}`);
  const options = people.map((each) => element("option", { value: each.phone, title: formatted(each.phone) }, words(each)));
  byId("person").replaceChildren(...options, element("option", { value: "new" }, "New person"));
  const kept = localStorage.getItem(KEPT);
  become(people.some((each) => each.phone === kept) ? kept : people[0]?.phone);
}

function become(phone) {
  Object.assign(state, { person: phone, since: 0, messages: new Map(), lastDay: "", first: true, chosen: false });
  localStorage.setItem(KEPT, phone);
  byId("person").value = phone;
  byId("messages").replaceChildren();
  byId("empty").hidden = true;
  byId("latest").hidden = true;
  inside.follow("");
  show("");
  poll();
}

async function choosePerson() {
  const chosen = byId("person").value;
  if (chosen !== "new") return become(chosen);
  // Words typed meanwhile would go out under the person before.
  byId("text").disabled = true;
  try {
    const { person } = await tell("people");
    localStorage.setItem(KEPT, person.phone);
    await loadPeople();
  } catch (error) {
    byId("person").value = state.person;
    trouble(error.message);
  } finally {
    byId("text").disabled = false;
    byId("text").focus();
  }
}

// Messages

function nearEnd() {
  const scroll = byId("scroll");
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
}

function toEnd() {
  byId("scroll").scrollTop = byId("scroll").scrollHeight;
  byId("latest").hidden = true;
}

function show(wamid) {
  for (const row of byId("messages").querySelectorAll(".row.mine")) {
    const here = row.dataset.wamid === wamid;
    row.classList.toggle("chosen", here);
    row.querySelector(".look").setAttribute("aria-pressed", String(here));
  }
  byId("open-inside").hidden = !wamid;
}

function choose(wamid, byHand = true) {
  state.chosen = byHand;
  inside.follow(wamid, brief(state.messages.get(wamid)));
  show(wamid);
  inside.refresh().catch(() => {});
  if (byHand && matchMedia(NARROW).matches) openPanel();
}

function add(message) {
  state.since = Math.max(state.since, message.changed);
  const known = state.messages.has(message.wamid);
  state.messages.set(message.wamid, message);
  const list = byId("messages");
  if (known) {
    const row = list.querySelector(`[data-wamid="${CSS.escape(message.wamid)}"]`);
    if (row) update(row, message);
    return false;
  }
  if (day(message.at) !== state.lastDay) {
    state.lastDay = day(message.at);
    list.append(separator(state.lastDay));
  }
  list.append(bubble(message, { quoted: state.messages.get(message.context), press, choose }));
  return true;
}

function take({ messages, typing }) {
  const follows = nearEnd() || state.first;
  // History is not read out as if it had just arrived.
  byId("messages").setAttribute("aria-live", state.first ? "off" : "polite");
  const fresh = messages.filter(add);
  byId("empty").hidden = state.messages.size > 0;
  const appears = typing && byId("typing").hidden;
  byId("typing").hidden = !typing;
  byId("presence").textContent = typing ? "typing…" : "Health helpline";
  const last = fresh.findLast((message) => message.mine);
  if (last && (!state.chosen || !state.first)) choose(last.wamid, false);
  if (follows && (fresh.length || appears)) toEnd();
  else if (fresh.some((message) => !message.mine)) byId("latest").hidden = false;
  state.first = false;
}

async function poll() {
  clearTimeout(timer);
  if (document.hidden || !state.person) return;
  if (!state.asking) {
    state.asking = true;
    const { person } = state;
    try {
      const found = await ask("messages", { person, since: state.since });
      if (person === state.person) take(found);
      await inside.refresh();
      if (byId("faults").open) await faults.refresh();
      if (byId("trouble").dataset.lost) lost(false);
    } catch {
      lost(true);
    } finally {
      state.asking = false;
    }
    if (person !== state.person) return poll();
  }
  clearTimeout(timer);
  timer = setTimeout(poll, EVERY);
}

function lost(away) {
  trouble(away ? "The sandbox does not answer. Is it still running? This page tries again by itself." : "");
  byId("trouble").toggleAttribute("data-lost", away);
  if (away) byId("trouble").dataset.lost = "1";
}

// Writing

async function write(body) {
  try {
    await tell("send", { from: state.person, ...body });
    trouble();
    toEnd();
    poll();
    return true;
  } catch (error) {
    trouble(error.message);
    return false;
  }
}

function press(message, id) {
  return write({ press: id, message: message.wamid });
}

async function submit(event) {
  event.preventDefault();
  const box = byId("text");
  const text = box.value.trim();
  if (!text) return;
  box.value = "";
  fit();
  if (!(await write({ text }))) box.value = text;
  fit();
  box.focus();
}

function fit() {
  const box = byId("text");
  box.rows = 1;
  while (box.rows < 5 && box.scrollHeight > box.clientHeight) box.rows += 1;
}

function keyed(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("composer").requestSubmit();
}

// The panel on a phone

function openPanel() {
  document.body.classList.add("panel-open");
  byId("close-inside").focus();
}

function closePanel() {
  document.body.classList.remove("panel-open");
  byId("open-inside").focus();
}

function listen() {
  byId("person").addEventListener("change", choosePerson);
  byId("composer").addEventListener("submit", submit);
  byId("text").addEventListener("keydown", keyed);
  byId("text").addEventListener("input", fit);
  byId("latest").addEventListener("click", toEnd);
  byId("scroll").addEventListener("scroll", () => nearEnd() && (byId("latest").hidden = true), { passive: true });
  byId("open-inside").addEventListener("click", openPanel);
  byId("close-inside").addEventListener("click", closePanel);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.classList.contains("panel-open")) closePanel();
  });
  document.addEventListener("visibilitychange", poll);
  for (const item of byId("attach-list").children) item.addEventListener("click", () => write({ kind: item.dataset.kind }));
  for (const each of document.querySelectorAll(".suggestion")) each.addEventListener("click", () => write({ text: each.textContent }));
  menu(byId("attach"), byId("attach-list"));
  menu(byId("menu"), byId("menu-list"));
}

listen();
faults.prepare(trouble);
loadPeople().catch(() => {
  lost(true);
  setTimeout(() => location.reload(), 3000);
});
