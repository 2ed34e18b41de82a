// Asks the server to read the drawing whenever it changes, and shows the answer.

import { prepare, show } from "./answer.js";
import { Drawing } from "./drawing.js";

const byId = (id) => document.getElementById(id);
const drawing = new Drawing(byId("drawing"));
const about = await (await fetch("about.json")).json();
let asking = false;
let changed = false;

// One question at a time: while it is under way, the drawing goes on, and its last state is asked
async function ask() {
  changed = true;
  if (asking) return;
  asking = true;
  while (changed) {
    changed = false;
    try {
      const answer = drawing.empty ? null : await read(await drawing.blob());
      if (!drawing.empty || answer === null) show(answer);
      tell("");
    } catch (error) {
      show(null);
      tell(error instanceof TypeError ? "no answer: is the program still running?" : error.message);
    }
  }
  asking = false;
}

async function read(picture) {
  if (picture.size > about.most_bytes) throw new Error("this picture's file is too large; shrink it");
  const response = await fetch("read", { method: "POST", body: picture });
  if (response.ok) return response.json();
  throw new Error(await response.text());
}

function tell(problem) {
  byId("problem").textContent = problem;
  byId("problem").hidden = !problem;
}

function open(files) {
  if (files.length) drawing.show(files[0]);
}

drawing.addEventListener("change", () => {
  byId("invitation").hidden = !drawing.empty;
  byId("undo").disabled = byId("clear").disabled = drawing.empty;
  ask();
});
drawing.addEventListener("pen", () => {
  byId("pen").textContent = drawing.down ? "pen down" : "pen up";
});

for (const [id, action] of [["undo", "undo"], ["clear", "clear"]]) {
  byId(id).addEventListener("click", () => {
    drawing[action]();
    byId("drawing").focus(); // a button that is disabled now would lose it
  });
}
byId("open").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", (event) => {
  open(event.target.files);
  event.target.value = ""; // so that the same file can be opened again
});
document.addEventListener("paste", (event) => open(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("drop");
});
document.addEventListener("dragleave", () => document.body.classList.remove("drop"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("drop");
  open(event.dataTransfer.files);
});

prepare(about);
