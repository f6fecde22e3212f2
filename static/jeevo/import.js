// Files one after the other with their progress, and an import's page that follows what happens.
// Without it the form sends all files at once, and the page is loaded again by hand.

const form = document.querySelector("[data-bring]");
if (form && window.XMLHttpRequest && window.DataTransfer) bring(form);
document.querySelectorAll("[data-progress]").forEach(follow);

function bring(form) {
  const input = form.querySelector("input[type=file]");
  const drop = form.querySelector("[data-drop]");
  const list = form.querySelector("[data-chosen]");
  const said = form.querySelector("[data-said]");
  const go = form.querySelector("[data-go]");
  const problem = document.querySelector("[data-problem]");
  const limit = Number(form.dataset.limit);
  const single = form.hasAttribute("data-one");
  let chosen = [];
  let sending = false;
  let place = null;

  input.required = false;
  form.querySelector("[data-hint]").hidden = false;

  function complain(words) {
    problem.replaceChildren();
    problem.hidden = !words;
    if (words) problem.append(element("p", words));
  }

  function add(files) {
    for (const file of files) {
      if (chosen.some((each) => each.file.name === file.name && each.file.size === file.size && !each.state)) continue;
      if (single) chosen.splice(0).forEach((each) => each.row.remove());
      chosen.push(entry(file));
    }
    show();
  }

  function entry(file) {
    const row = document.createElement("li");
    const each = { file, row, state: "", note: element("p", "", "why") };
    const remove = element("button", "Remove");
    remove.type = "button";
    remove.setAttribute("aria-label", `Remove ${file.name}`);
    remove.addEventListener("click", () => {
      chosen = chosen.filter((other) => other !== each);
      row.remove();
      show();
      input.focus();
    });
    const name = document.createElement("span");
    name.append(file.name, " ", element("span", size(file.size), "quiet"));
    row.append(name, remove, each.note);
    if (file.size > limit) {
      each.state = "refused";
      each.note.textContent = `It is larger than ${form.dataset.limitSaid}, so it is left out. Split it into smaller files.`;
    }
    list.append(row);
    return each;
  }

  function show() {
    const ready = chosen.filter((each) => !each.state).length;
    list.hidden = !chosen.length;
    said.textContent = ready ? `${ready} ${ready === 1 ? "file" : "files"} chosen.` : "";
    if (ready) complain("");
  }

  input.addEventListener("change", () => {
    add(input.files);
    input.value = "";
  });

  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      if (!sending) drop.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (!sending) add(await dropped(event.dataTransfer));
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const waiting = chosen.filter((each) => !each.state);
    if (!waiting.length) {
      complain("Choose at least one file.");
      input.focus();
      return;
    }
    complain("");
    sending = true;
    go.disabled = input.disabled = true;
    window.addEventListener("beforeunload", ask);
    for (const [number, each] of waiting.entries()) {
      said.textContent = `Uploading ${number + 1} of ${waiting.length}: ${each.file.name}`;
      await send(each, waiting.length > 1);
    }
    window.removeEventListener("beforeunload", ask);
    sending = false;
    const failed = chosen.filter((each) => each.state === "refused").length;
    if (place && !failed) {
      window.location.assign(place.page);
      return;
    }
    go.disabled = input.disabled = false;
    said.textContent = "";
    if (place) {
      said.append(`${waiting.filter((each) => each.state === "sent").length} uploaded, ${failed} not. `);
      const link = element("a", "See what becomes of them");
      link.href = place.page;
      said.append(link);
    }
  });

  // One file: the first brings the form and begins the import, the others join it.
  function send(each, more) {
    const body = place ? new FormData() : new FormData(form);
    body.delete("documents");
    body.append("documents", each.file, each.file.name);
    if (more) body.append("more", "1");
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", `Upload of ${each.file.name}`);
    each.row.querySelector("button")?.remove();
    each.row.append(bar);
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("POST", place ? place.more : window.location.href);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-CSRFToken", form.querySelector("[name=csrfmiddlewaretoken]").value);
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) bar.value = event.loaded / event.total;
      });
      request.addEventListener("loadend", () => {
        const answer = parsed(request.responseText);
        if (request.status === 201 && answer) {
          place = answer;
          each.state = "sent";
          bar.value = 1;
          each.note.textContent = "Uploaded.";
        } else {
          bar.remove();
          each.state = "refused";
          each.note.textContent = answer?.error || "It could not be uploaded. Check the connection, then choose it again.";
          if (request.status === 400) complain(each.note.textContent);
        }
        resolve();
      });
      request.send(body);
    });
  }
}

function ask(event) {
  event.preventDefault();
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function element(name, words, look = "") {
  const made = document.createElement(name);
  made.textContent = words;
  if (look) made.className = look;
  return made;
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < 1048576) return `${Math.round(bytes / 1024)} KB`;
  return `${(bytes / 1048576).toFixed(1)} MB`;
}

// Folders are opened, hidden files left out.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const files = [];
  for (const each of entries) await collect(each, files);
  return files;
}

async function collect(entry, files) {
  if (entry.name.startsWith(".")) return;
  if (entry.isFile) {
    files.push(await new Promise((resolve, reject) => { entry.file(resolve, reject); }));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) return;
    for (const each of some) await collect(each, files);
  }
}

function follow(region) {
  const EVERY = 2000;
  const note = document.querySelector("[data-progress-note]");
  let timer = 0;

  function isQuiet() {
    return Boolean(region.querySelector("[data-quiet]"));
  }

  async function look() {
    timer = 0;
    try {
      const answer = await fetch(region.dataset.progress, { redirect: "error", cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const html = await answer.text();
      if (document.getSelection().isCollapsed) replace(html);
      note.textContent = "";
    } catch {
      note.textContent = "The progress could not be read just now. The import goes on; this page tries again.";
    }
    start();
  }

  function replace(html) {
    const open = [...region.querySelectorAll("details[id][open]")].map((each) => each.id);
    const focused = region.contains(document.activeElement) ? document.activeElement.closest("form")?.action : "";
    region.innerHTML = html;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) [...region.querySelectorAll("form")].find((each) => each.action === focused)?.querySelector("button").focus();
  }

  function start() {
    if (!timer && !document.hidden && !isQuiet()) timer = window.setTimeout(look, EVERY);
  }

  document.addEventListener("visibilitychange", () => {
    window.clearTimeout(timer);
    timer = 0;
    if (!document.hidden && !isQuiet()) look();
  });
  start();
}
