// Questions one after another. The next ones are here already, decoded, so an answer paints at once.

const ZOOM = 8;
const BACKS = 20;
const LABELLERS = new WeakMap();

class Labeller {
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(`.${name}`);
    this.curve = new Curve(this.find("curve"));
    this.queue = [];
    this.past = [];
    this.known = new Map();
    this.answers = [];
    this.number = 0;
    this.press = (event) => this.handleKey(event);
    this.resize = () => { this.paint(); if (this.curve.shown) this.curve.draw(this.curve.shown); };
    globalThis.addEventListener("keydown", this.press);
    globalThis.addEventListener("resize", this.resize);
  }

  load({ meta, blob }, send) {
    this.send = send;
    const bytes = blob.getChildAt ? blob.getChildAt(0).toArray() : blob;
    this.number = Math.max(this.number, meta.kept);
    this.answers = this.answers.filter((one) => one.number > meta.kept);
    for (const question of meta.questions) if (!this.known.has(question.id)) this.add(question, bytes);
    if (!this.current) this.next();
    this.standing = meta.standing;
    this.find("verdict").textContent = meta.standing.sentence;
    this.find("after").textContent = meta.standing.after;
    this.root.dataset.kept = meta.kept;
    this.curve.load(meta.standing);
    this.tell();
  }

  add(question, bytes) {
    const [start, length] = question.span;
    const url = URL.createObjectURL(new Blob([bytes.slice(start, start + length)], { type: "image/jpeg" }));
    const picture = new Image();
    picture.src = url;
    const entry = { ...question, picture, url };
    picture.decode().then(() => { if (this.current === entry) this.paint(); }, () => {});
    this.known.set(question.id, entry);
    this.queue.push(entry);
  }

  next() {
    this.current = this.queue.shift() || null;
    this.buildKeys();
    this.paint();
    this.tell();
  }

  answer(value) {
    if (!this.current) return;
    const started = performance.now();
    this.report(this.current.id, value);
    this.past.push(this.current);
    if (this.past.length > BACKS) URL.revokeObjectURL(this.past.shift().url);
    this.next();
    this.root.dataset.painted = (performance.now() - started).toFixed(1);
  }

  back() {
    if (!this.past.length) return;
    if (this.current) this.queue.unshift(this.current);
    this.current = this.past.pop();
    this.report(this.current.id, "back");
    this.buildKeys();
    this.paint();
    this.tell();
  }

  report(question, answer) {
    this.number += 1;
    this.answers.push({ number: this.number, question, answer });
    this.send([...this.answers]);
  }

  tell() {
    const image = this.current;
    const count = this.standing ? this.standing.answers + this.answers.filter((one) => one.answer !== "back").length : 0;
    const classes = image ? image.classes.map((one) => one.name).join(", ") : "";
    this.find("what").textContent = image
      ? `Question ${count + 1} · ${image.image} · ${classes}: what is at the ring?` : "The next question is on its way…";
  }

  options() {
    const classes = this.current ? this.current.classes : [];
    return [
      { key: "b", text: "background", answer: "background" },
      ...classes.map((one) => ({ key: one.key, text: one.name, answer: `object:${one.name}` })),
      { key: "o", text: "another object", answer: "other" },
      { key: "u", text: "unsure", answer: "unsure" },
    ];
  }

  buildKeys() {
    const box = this.find("keys");
    const buttons = this.options().map((option) => buildButton(option.key.toUpperCase(), option.text,
      () => this.answer(option.answer)));
    const gap = document.createElement("span");
    gap.className = "gap";
    box.replaceChildren(...buttons, gap, buildButton("←", "back", () => this.back()));
  }

  handleKey(event) {
    const target = event.composedPath()[0];
    const isTyping = target instanceof HTMLElement && (target.isContentEditable || /INPUT|TEXTAREA|SELECT/.test(target.tagName));
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "ArrowLeft" || event.key === "Backspace") {
      event.preventDefault();
      this.back();
      return;
    }
    const option = this.options().find((one) => one.key && one.key === event.key.toLowerCase());
    if (!option) return;
    event.preventDefault();
    event.stopPropagation();
    this.answer(option.answer);
  }

  paint() {
    for (const [name, zoom] of [["whole", 0], ["close", ZOOM]]) {
      const canvas = this.find(name);
      const { context, width, height } = fitCanvas(canvas);
      if (!this.current || !this.current.picture.complete) continue;
      drawPhoto(context, this.current, width, height, zoom);
      canvas.setAttribute("aria-label", `${this.current.image}, marked pixel`);
    }
    this.root.dataset.question = this.current ? this.current.id : "";
    this.root.dataset.at = this.current ? `${this.current.image} ${this.current.x} ${this.current.y}` : "";
  }

  stop() {
    globalThis.removeEventListener("keydown", this.press);
    globalThis.removeEventListener("resize", this.resize);
    for (const entry of this.known.values()) URL.revokeObjectURL(entry.url);
  }
}

function buildButton(key, text, act) {
  const button = document.createElement("button");
  const cap = document.createElement("kbd");
  cap.textContent = key;
  button.append(cap, text);
  button.onclick = act;
  return button;
}

function drawPhoto(context, question, width, height, zoom) {
  const { picture, x, y } = question;
  const fit = Math.min(width / question.width, height / question.height);
  const scale = zoom ? Math.max(zoom, zoom * fit) : fit;
  const left = zoom ? width / 2 - x * question.width * scale : (width - question.width * scale) / 2;
  const top = zoom ? height / 2 - y * question.height * scale : (height - question.height * scale) / 2;
  context.imageSmoothingEnabled = !zoom;
  context.drawImage(picture, left, top, question.width * scale, question.height * scale);
  const at = [left + x * question.width * scale, top + y * question.height * scale];
  for (const [colour, line] of [["#000", 5], ["#fff", 2.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.beginPath();
    if (zoom) context.rect(at[0] - scale / 2, at[1] - scale / 2, scale, scale);
    else context.arc(at[0], at[1], 11, 0, 2 * Math.PI);
    context.stroke();
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".labeller");
  if (!LABELLERS.has(root)) LABELLERS.set(root, new Labeller(root));
  const labeller = LABELLERS.get(root);
  labeller.load(data, (answers) => setStateValue("answers", answers));
  return () => {
    labeller.stop();
    LABELLERS.delete(root);
  };
}
