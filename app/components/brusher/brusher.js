// A mask is a byte for each pixel of the photograph; the overlay is drawn from it, so both always agree.

const UNDOS = 20;
const OPACITY = 150;
const BRUSHERS = new WeakMap();

class Brusher {
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(name);
    this.canvas = this.find("canvas");
    this.size = this.find(".size input");
    this.overlay = document.createElement("canvas");
    this.press = (event) => this.handleKey(event);
    this.resize = () => this.paint();
    globalThis.addEventListener("keydown", this.press);
    globalThis.addEventListener("resize", this.resize);
    this.canvas.onpointerdown = (event) => this.start(event);
    this.canvas.onpointermove = (event) => this.move(event);
    this.canvas.onpointerup = () => { this.last = null; };
    this.canvas.onpointerleave = () => { this.hover = null; this.paint(); };
    this.find(".undo").onclick = () => this.undo();
    this.find(".keep").onclick = () => this.keep();
  }

  load({ sheet, blob }, send) {
    this.send = send;
    if (this.sheet && this.sheet.id === sheet.id) return;
    const bytes = blob.getChildAt ? blob.getChildAt(0).toArray() : blob;
    this.sheet = sheet;
    this.mask = new Uint8Array(sheet.width * sheet.height);
    this.past = [];
    Object.assign(this.overlay, { width: sheet.width, height: sheet.height });
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    this.picture = new Image();
    this.picture.onload = () => this.paint();
    this.picture.src = this.url;
    this.find(".what").textContent = `${sheet.image}: paint every object of these classes; what is left is background`;
    this.buildLabels();
    this.choose(sheet.labels[Math.min(1, sheet.labels.length - 1)]);
    this.root.dataset.sheet = sheet.id;
    this.root.dataset.image = sheet.image;
  }

  buildLabels() {
    this.find(".labels").replaceChildren(...this.sheet.labels.map((label) => {
      const button = document.createElement("button");
      const [cap, swatch] = [document.createElement("kbd"), document.createElement("span")];
      cap.textContent = label.key.toUpperCase();
      swatch.className = "swatch";
      swatch.style.background = `rgb(${label.colour})`;
      button.append(cap, swatch, label.name);
      button.setAttribute("role", "radio");
      button.onclick = () => this.choose(label);
      return button;
    }));
  }

  choose(label) {
    this.label = label;
    [...this.find(".labels").children].forEach((button, i) =>
      button.setAttribute("aria-checked", this.sheet.labels[i] === label));
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const { scale, left, top } = this.fit(box.width, box.height);
    return [(event.clientX - box.left - left) / scale, (event.clientY - box.top - top) / scale];
  }

  fit(width, height) {
    const scale = Math.min(width / this.sheet.width, height / this.sheet.height);
    return { scale, left: (width - this.sheet.width * scale) / 2, top: (height - this.sheet.height * scale) / 2 };
  }

  start(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.past.push(this.mask.slice());
    if (this.past.length > UNDOS) this.past.shift();
    this.last = this.place(event);
    this.draw(this.last, this.last);
  }

  move(event) {
    this.hover = this.place(event);
    if (this.last) {
      this.draw(this.last, this.hover);
      this.last = this.hover;
    } else this.paint();
  }

  draw([x0, y0], [x1, y1]) {
    const steps = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / Math.max(1, this.radius() / 3)));
    for (let i = 0; i <= steps; i++) this.dab(x0 + ((x1 - x0) * i) / steps, y0 + ((y1 - y0) * i) / steps);
    this.refresh();
  }

  radius() { return Number(this.size.value); }

  dab(x, y) {
    const { width, height } = this.sheet, r = this.radius();
    for (let row = Math.max(0, Math.floor(y - r)); row <= Math.min(height - 1, Math.ceil(y + r)); row++) {
      const half = Math.sqrt(Math.max(0, r * r - (row + 0.5 - y) ** 2));
      const from = Math.max(0, Math.ceil(x - half - 0.5)), to = Math.min(width, Math.floor(x + half - 0.5) + 1);
      if (to > from) this.mask.fill(this.label.value, row * width + from, row * width + to);
    }
  }

  refresh() {
    const context = this.overlay.getContext("2d");
    const image = context.createImageData(this.sheet.width, this.sheet.height);
    const colours = new Map(this.sheet.labels.map((one) => [one.value, one.colour]));
    for (let i = 0; i < this.mask.length; i++) {
      if (!this.mask[i]) continue;
      image.data.set(colours.get(this.mask[i]), 4 * i);
      image.data[4 * i + 3] = OPACITY;
    }
    context.putImageData(image, 0, 0);
    this.root.dataset.painted = this.mask.reduce((sum, value) => sum + (value > 0), 0);
    this.paint();
  }

  paint() {
    const { width, height } = this.canvas.getBoundingClientRect(), ratio = globalThis.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    const context = this.canvas.getContext("2d"), { scale, left, top } = this.fit(width, height);
    context.scale(ratio, ratio);
    if (!this.picture.complete) return;
    for (const layer of [this.picture, this.overlay]) {
      context.imageSmoothingEnabled = layer === this.picture;
      context.drawImage(layer, left, top, this.sheet.width * scale, this.sheet.height * scale);
    }
    this.canvas.setAttribute("aria-label", `${this.sheet.image}, to be painted`);
    if (!this.hover) return;
    for (const [colour, line] of [["#000", 3], ["#fff", 1.5]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: line });
      context.beginPath();
      context.arc(left + this.hover[0] * scale, top + this.hover[1] * scale, this.radius() * scale, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  undo() {
    if (!this.past.length) return;
    this.mask = this.past.pop();
    this.refresh();
  }

  keep() {
    const lengths = [];
    for (let i = 0, from = 0; i < this.mask.length; i++) {
      if (i + 1 < this.mask.length && this.mask[i + 1] === this.mask[from]) continue;
      lengths.push(this.mask[from], i + 1 - from);
      from = i + 1;
    }
    this.send({ id: this.sheet.id, lengths });
  }

  handleKey(event) {
    const target = event.composedPath()[0];
    const isTyping = target instanceof HTMLElement && (target.isContentEditable || /TEXTAREA|SELECT/.test(target.tagName)
      || (target.tagName === "INPUT" && target.type !== "range"));
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const key = event.key.toLowerCase(), label = this.sheet.labels.find((one) => one.key && one.key === key);
    const step = { "[": -4, "]": 4 }[key];
    if (label) this.choose(label);
    else if (key === "z") this.undo();
    else if (key === "enter" && target.tagName !== "BUTTON") this.keep();
    else if (step) this.size.value = this.radius() + step;
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.paint();
  }

  stop() {
    globalThis.removeEventListener("keydown", this.press);
    globalThis.removeEventListener("resize", this.resize);
    URL.revokeObjectURL(this.url);
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".brusher");
  if (!BRUSHERS.has(root)) BRUSHERS.set(root, new Brusher(root));
  const brusher = BRUSHERS.get(root);
  brusher.load(data, (mask) => setStateValue("mask", mask));
  return () => {
    brusher.stop();
    BRUSHERS.delete(root);
  };
}
