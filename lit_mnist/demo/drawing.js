// The drawing: strokes of a pen that mouse, finger or keyboard moves, or a picture in their place.

import { fit, ink, ring, SIDE } from "./paint.js";

const STEP = 10; // of the keyboard's pen
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

export class Drawing extends EventTarget {
  // Events: "change" after each; "pen" when the keyboard's pen is put down or lifted

  #canvas;
  #strokes = []; // each a list of points [x, y]
  #stroke = null; // which grows
  #picture = null; // a file, and a bitmap of it if the browser knows its format
  #held = new Set(); // arrows
  #pen = [SIDE / 2, SIDE / 2];
  #keyboard = false; // whether its pen is shown
  down = false;

  constructor(canvas) {
    super();
    this.#canvas = canvas;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.#end(event));
    }
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("keyup", (event) => this.#held.delete(event.key));
    canvas.addEventListener("blur", () => this.#leave());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  get empty() {
    return !this.#picture && !this.#strokes.length;
  }

  get picture() {
    return this.#picture;
  }

  clear() {
    this.#lift();
    this.#strokes = [];
    this.#picture = null;
    this.#changed();
  }

  undo() {
    this.#lift();
    if (this.#picture) this.#picture = null;
    else this.#strokes.pop();
    this.#changed();
  }

  async show(file) {
    const bitmap = await createImageBitmap(file).catch(() => null); // a TIFF, or no image at all
    this.clear();
    this.#picture = { file, bitmap };
    this.#changed();
  }

  // What is to be read: the file itself, or the strokes, black on white whatever the page's colours
  async blob() {
    if (this.#picture) return this.#picture.file;
    const sheet = new OffscreenCanvas(SIDE, SIDE);
    const context = sheet.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, SIDE, SIDE);
    ink(context, this.#strokes, "black");
    return sheet.convertToBlob({ type: "image/png" });
  }

  #begin(event) {
    if (!event.isPrimary || event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#keyboard = false;
    this.#lift();
    this.#start(this.#point(event));
  }

  #move(event) {
    if (!this.#stroke || !event.isPrimary || this.down) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    this.#stroke.push(...(passed.length ? passed : [event]).map((each) => this.#point(each)));
    this.#changed();
  }

  #end(event) {
    if (event.isPrimary && !this.down) this.#stroke = null;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key !== "z" || event.altKey) return;
      this.undo();
    } else if (event.key in ARROWS) this.#step(event.key);
    else if (event.key === " ") this.#toggle(event.repeat);
    else if (event.key === "Backspace") this.undo();
    else if (event.key === "Delete") this.clear();
    else return;
    event.preventDefault();
  }

  #step(key) {
    this.#held.add(key);
    this.#keyboard = true;
    const ways = [...this.#held].map((held) => ARROWS[held]);
    this.#pen = this.#pen.map((place, axis) => {
      const way = ways.reduce((sum, each) => sum + each[axis], 0);
      return Math.min(SIDE, Math.max(0, place + STEP * way));
    });
    if (!this.down) return this.#paint();
    this.#stroke.push(this.#pen);
    this.#changed();
  }

  #toggle(repeated) {
    if (repeated) return;
    this.#keyboard = true;
    if (this.down) return this.#lift();
    this.down = true;
    this.#start(this.#pen);
    this.dispatchEvent(new Event("pen"));
  }

  #lift() {
    this.#stroke = null;
    if (!this.down) return;
    this.down = false;
    this.#paint();
    this.dispatchEvent(new Event("pen"));
  }

  #leave() {
    this.#held.clear();
    this.#lift();
    this.#keyboard = false;
    this.#paint();
  }

  #start(point) {
    this.#picture = null;
    this.#stroke = [point];
    this.#strokes.push(this.#stroke);
    this.#changed();
  }

  #point(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [(event.clientX - box.x) / box.width, (event.clientY - box.y) / box.height].map(
      (part) => part * SIDE,
    );
  }

  #changed() {
    this.#paint();
    this.dispatchEvent(new Event("change"));
  }

  #paint() {
    const { width, height } = this.#canvas;
    const context = this.#canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const colour = getComputedStyle(this.#canvas).color;
    if (this.#picture?.bitmap) fit(context, this.#picture.bitmap, width, height);
    context.setTransform(width / SIDE, 0, 0, height / SIDE, 0, 0);
    ink(context, this.#strokes, colour);
    if (this.#keyboard) ring(context, this.#pen, colour, this.down);
  }
}
