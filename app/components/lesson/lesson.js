// A figure of a lesson: controls at the side, a canvas that follows them while they move, a guess before the answer.

const FIGURES = {}; // a figure's name: { draw(pen, lesson), say(lesson), drag?(lesson, x, y) }
const LESSONS = new WeakMap();
const ARRAYS = { u8: Uint8Array, u16: Uint16Array, f32: Float32Array };

class Lesson {
  constructor(root) {
    this.root = root;
    this.side = put(root, "div", "side");
    const main = put(root, "div", "main");
    this.canvas = put(main, "canvas", "figure");
    this.canvas.setAttribute("role", "img");
    this.says = put(main, "p", "says");
    this.says.setAttribute("aria-live", "polite");
    this.pen = new Pen(this.canvas);
    this.values = {};
    this.guess = null;
    this.observer = new ResizeObserver(() => this.ask());
    this.observer.observe(this.canvas);
    this.listen();
  }

  load(data, send) {
    this.send = send;
    if (this.stamp === data.meta.stamp) return;
    this.stamp = data.meta.stamp;
    Object.assign(this, { kind: data.meta.kind, meta: data.meta, content: data.meta.content });
    this.figure = FIGURES[this.kind];
    HEAT = data.meta.heat;
    this.blob = data.blob && data.blob.getChildAt ? data.blob.getChildAt(0).toArray() : data.blob;
    this.values = { ...data.meta.values };
    this.guess = data.meta.guess ? data.meta.guess.committed : null;
    this.pictures = (data.meta.pictures || []).map((span) => this.open(span));
    this.cache = {};
    this.build();
    this.ask();
  }

  // The array that a part of the blob holds.
  array({ at, n, type }) {
    const start = this.blob.byteOffset + at;
    return new ARRAYS[type](this.blob.buffer.slice(start, start + n * ARRAYS[type].BYTES_PER_ELEMENT));
  }

  open(span) {
    const picture = new Image();
    picture.src = URL.createObjectURL(new Blob([this.array(span)], { type: "image/jpeg" }));
    picture.decode().then(() => this.ask(), () => {});
    return picture;
  }

  get isOpen() { return !this.meta.guess || this.guess !== null; }

  build() {
    this.side.replaceChildren();
    if (this.meta.guess) buildGuess(this, this.meta.guess);
    const box = put(this.side, "fieldset", "controls");
    box.disabled = Boolean(this.meta.guess && this.meta.guess.locks && !this.isOpen);
    if (box.disabled) put(box, "p", "locked", "These move once your guess is committed.");
    for (const control of this.meta.controls) (control.options ? buildChoice : buildSlider)(this, control, box);
  }

  set(name, value, isDone) {
    this.values[name] = value;
    this.ask();
    if (isDone) this.send("settings", { ...this.values });
  }

  // Set several controls at once, as a button does.
  take(values) {
    Object.assign(this.values, values);
    this.build();
    this.ask();
    this.send("settings", { ...this.values });
  }

  commit(value) {
    this.guess = value;
    this.build();
    this.ask();
    this.send("guess", value);
  }

  ask() {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  draw() {
    if (!this.figure || !this.canvas.clientWidth) return;
    this.pen.begin();
    this.figure.draw(this.pen, this);
    const text = this.figure.say(this);
    this.says.textContent = text;
    this.canvas.setAttribute("aria-label", text);
    this.root.dataset.drawn = String(Number(this.root.dataset.drawn || 0) + 1);
  }

  listen() {
    let isHeld = false;
    const move = (event, isDone) => {
      const box = this.canvas.getBoundingClientRect();
      if (this.figure && this.figure.drag) this.figure.drag(this, event.clientX - box.left, event.clientY - box.top, isDone);
    };
    this.canvas.onpointerdown = (event) => {
      isHeld = true;
      this.canvas.setPointerCapture(event.pointerId);
      move(event, false);
    };
    this.canvas.onpointermove = (event) => { if (isHeld) move(event, false); };
    this.canvas.onpointerup = this.canvas.onpointercancel = (event) => {
      if (isHeld) move(event, true);
      isHeld = false;
    };
  }

  stop() {
    this.observer.disconnect();
    for (const picture of this.pictures || []) URL.revokeObjectURL(picture.src);
    this.root.replaceChildren();
  }
}

function writeValue(value, { step, unit = "", names = null }) {
  if (names) return names[Math.round(value)];
  return value.toFixed(step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3) + unit;
}

function buildRange(parent, spec, value, act) {
  const field = put(parent, "label", "field");
  put(field, "span", "label", spec.label);
  const output = put(field, "output", "", writeValue(value, spec));
  const range = put(field, "input", "");
  Object.assign(range, { type: "range", min: spec.low, max: spec.high, step: spec.step });
  range.value = value;
  range.setAttribute("aria-label", spec.label);
  const follow = (isDone) => {
    output.textContent = writeValue(Number(range.value), spec);
    act(Number(range.value), isDone);
  };
  range.oninput = () => follow(false);
  range.onchange = () => follow(true);
  if (spec.ends) {
    const ends = put(field, "span", "ends");
    for (const end of spec.ends) put(ends, "span", "", end);
  }
  return range;
}

function buildSlider(lesson, control, box) {
  buildRange(box, control, lesson.values[control.name], (value, isDone) => lesson.set(control.name, value, isDone));
}

function buildChoice(lesson, control, box) {
  const field = put(box, "div", "field");
  put(field, "span", "label", control.label);
  const row = put(field, "div", "options");
  row.setAttribute("role", "radiogroup");
  row.setAttribute("aria-label", control.label);
  control.options.forEach((option, index) => {
    const button = put(row, "button", "option", option);
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(lesson.values[control.name] === index));
    button.onclick = () => {
      for (const [i, other] of [...row.children].entries()) other.setAttribute("aria-checked", String(i === index));
      if (control.takes) lesson.take({ ...control.takes[index], [control.name]: index });
      else lesson.set(control.name, index, true);
    };
  });
}

// The guess: a question with a mark to drag; once it is committed, the truth lies over it.
function buildGuess(lesson, guess) {
  const box = put(lesson.side, "div", "guess");
  put(box, "p", "question", guess.question);
  if (lesson.guess === null) {
    const start = guess.low + Math.round((guess.high - guess.low) / 2 / guess.step) * guess.step;
    const range = buildRange(box, { ...guess, label: "Your guess" }, start, () => {});
    const commit = put(box, "button", "commit", "Commit my guess");
    commit.type = "button";
    commit.onclick = () => lesson.commit(Number(range.value));
    return;
  }
  const strip = put(box, "div", "strip");
  const place = (value) => `${Math.max(0, Math.min(1, (value - guess.low) / (guess.high - guess.low))) * 100}%`;
  for (const [className, value, word] of [["mine", lesson.guess, "you"], ["truth", guess.truth, "it is"]]) {
    const mark = put(strip, "span", className, `${word} ${writeValue(value, guess)}`);
    mark.style.left = place(value);
  }
  put(box, "p", "answer", guess.answer);
}
