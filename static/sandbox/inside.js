// The panel: the steps of one message inside Jeevo, drawn again only when they have changed.

import { ask } from "./api.js";
import { byId, element, icon } from "./dom.js";

const MARKS = {
  done: ["M5 12.5l4.5 4.5L19 7.5", "Done"],
  now: ["M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7Z", "Happening now"],
  waiting: ["M7 12h10", "Still to come"],
  failed: ["M7 7l10 10M17 7L7 17", "Failed"],
};
const NOTES = {
  empty: "Send a message and watch it take this path.",
  away: "Not stored yet. WhatsApp keeps a message and delivers it again until Jeevo takes it.",
  here: "Times count from the moment it arrived. Choose another of your messages to see its path.",
};

// What is shown before anything was sent.
const PATH = [
  "Stored before WhatsApp is told it arrived",
  "Checked for an emergency, by rules that a clinician can read",
  "Passages looked for in the library",
  "A reply written from these passages only",
  "Every sentence checked against its source",
  "Handed to WhatsApp, once",
  "Arrived on the phone",
  "Read",
].map((label) => ({ label, state: "waiting", details: [], milliseconds: null }));

let wamid = "";
let words = "";
let shown = "";
let complete = false;
let rounds = 0;

export function follow(id, said = "") {
  wamid = id;
  words = said;
  shown = "";
  complete = false;
  rounds = 0;
  draw({ steps: [], problem: "" });
}

export const followed = () => wamid;

export async function refresh() {
  rounds += 1;
  // A finished message may still change (a report that comes late), so it is looked at now and then.
  if (!wamid || (complete && rounds % 8)) return;
  const asked = wamid;
  const found = await ask("inside", { wamid: asked });
  if (asked !== wamid) return;
  const states = found.steps.map((step) => step.state);
  complete = states.length > 0 && !states.includes("now") && (!states.includes("waiting") || states.includes("failed"));
  if (JSON.stringify(found) !== shown) draw(found);
  shown = JSON.stringify(found);
}

function draw({ steps, problem }) {
  byId("about").textContent = words.length > 140 ? `${words.slice(0, 140)}…` : words;
  byId("about").hidden = !words;
  byId("inside-note").textContent = problem || (steps.length ? NOTES.here : wamid ? NOTES.away : NOTES.empty);
  byId("inside-note").classList.toggle("bad", Boolean(problem));
  byId("steps").replaceChildren(...(wamid ? steps : PATH).map(row));
}

function row(step) {
  const [path, state] = MARKS[step.state];
  const mark = element("span", { class: "mark", title: state }, icon(path), element("span", { class: "hidden-text" }, state));
  const time = step.milliseconds == null ? null : element("span", { class: "passed" }, passed(step.milliseconds));
  if (time && step.at) time.title = new Date(step.at).toLocaleString();
  const details = element("ul", {}, ...step.details.map((line) => element("li", {}, line)));
  const head = element("div", { class: "step-head" }, element("strong", {}, step.label), time);
  const words = element("div", { class: "step-words" }, head, step.details.length ? details : null);
  return element("li", { class: `step ${step.state}` }, mark, words);
}

function passed(milliseconds) {
  if (milliseconds < 1000) return `${milliseconds} ms`;
  if (milliseconds < 60000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.floor(milliseconds / 60000)} min ${Math.round((milliseconds % 60000) / 1000)} s`;
}
