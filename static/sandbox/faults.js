// The drawer of faults: a switch each, how long or which, and how often.

import { ask, tell } from "./api.js";
import { byId, element } from "./dom.js";

const OFTEN = [
  ["", "until switched off"],
  ["1", "once"],
  ["5", "5 times"],
];
const CODES = [
  ["131000", "error 131000"],
  ["1", "error 1"],
];
let report = () => {};

export function prepare(onTrouble) {
  report = onTrouble;
  const drawer = byId("faults");
  for (const id of ["open-faults", "open-faults-narrow"]) byId(id).addEventListener("click", open);
  byId("close-faults").addEventListener("click", () => drawer.close());
  drawer.addEventListener("click", (event) => event.target === drawer && drawer.close());
  byId("all-off").addEventListener("click", () => change({ all: false }));
  refresh();
}

async function open() {
  await refresh(true);
  byId("faults").showModal();
}

// Counts that run down are shown while the drawer is open; what somebody types in is not taken away.
export async function refresh(all = byId("faults").open) {
  const found = await ask("faults").catch(() => null);
  if (found) draw(found.faults, all);
}

async function change(body) {
  try {
    draw((await tell("faults", body)).faults, true);
  } catch (error) {
    report(error.message);
    refresh(true);
  }
}

function draw(faults, all) {
  const on = faults.filter((fault) => fault.on).length;
  byId("faults-on").textContent = on;
  byId("faults-on").title = `${on} switched on`;
  byId("faults-on").hidden = !on;
  byId("all-off").disabled = !on;
  const list = byId("fault-list");
  if (!all || list.contains(document.activeElement) && document.activeElement.matches("input[type=number], select")) return;
  const focused = document.activeElement?.id;
  list.replaceChildren(...faults.map(row));
  if (focused && list.querySelector(`#${CSS.escape(focused)}`)) byId(focused).focus();
}

function row(fault) {
  const id = `fault-${fault.name}`;
  const box = element("input", { type: "checkbox", role: "switch", id, "aria-describedby": `${id}-words` });
  box.checked = fault.on;
  const often = choice(OFTEN, String(fault.remaining ?? ""), "How often");
  const value = fault.unit === "s" ? seconds(fault.value) : fault.unit === "code" ? choice(CODES, String(fault.value), "Error") : null;
  const send = () =>
    change({
      name: fault.name,
      on: box.checked,
      value: value ? Number(value.value) : null,
      remaining: often.value ? Number(often.value) : null,
    });
  for (const control of [box, often, value]) control?.addEventListener("change", () => (control === box || box.checked) && send());
  const unit = fault.unit === "s" ? element("label", {}, "for ", value, " seconds") : value;
  return element(
    "div",
    { class: "fault" },
    element("label", { class: "fault-name", for: id }, box, element("span", { class: "switch", "aria-hidden": "true" }), element("strong", {}, fault.label)),
    element("p", { id: `${id}-words` }, fault.explains),
    element("div", { class: "fault-how" }, unit, often),
  );
}

function seconds(value) {
  const input = element("input", { type: "number", min: "0", max: "120", step: "1", "aria-label": "Seconds" });
  input.value = value;
  return input;
}

function choice(options, now, label) {
  const select = element("select", { "aria-label": label });
  const known = options.some(([value]) => Number(value) === Number(now) && (value === "") === (now === ""));
  for (const [value, words] of known ? options : [...options, [now, `${now} more times`]]) {
    select.append(element("option", { value, selected: Number(value) === Number(now) && (value === "") === (now === "") }, words));
  }
  return select;
}
