// A list of any length: only the rows in the window exist. It follows the canvas without asking the server.

const TALL = 26;
const SPARE = 6;
const LISTS = new WeakMap();

const STEPS = 201;
const UNDEFINED = 65535;
const AHEAD = [1, -1, 2];

class ImageList {
  constructor(root) {
    this.root = root;
    this.bench = getBench();
    this.bench.list = this;
    this.window = root.querySelector(".window");
    this.rows = root.querySelector(".rows");
    this.window.onscroll = () => this.fill();
    this.window.onkeydown = (event) => this.handleKey(event);
    this.follow = (event) => this.select(event.detail, true);
    this.move = () => { if (this.live) this.update(); };
    this.settle = () => { if (this.live) this.sort(); };
    this.resize = () => { this.fit(); this.fill(); };
    this.bench.addEventListener("image", this.follow);
    this.bench.addEventListener("move", this.move);
    this.bench.addEventListener("release", this.settle);
    globalThis.addEventListener("resize", this.resize);
  }

  load(data, pick) {
    const { names, figures, label, of, isAscending, selected, revision, index } = data.list;
    this.pick = pick;
    if (this.revision === revision) return;
    Object.assign(this, { revision, label, of, isAscending, start: index });
    this.ids = names ? names.split("\n") : [];
    this.figures = figures.split("\n");
    this.live = data.live ? data.live.getChildAt(0).toArray() : null;
    this.order = this.ids.map((_, i) => i);
    this.root.querySelector(".count").textContent = `${this.ids.length} image${this.ids.length === 1 ? "" : "s"}`;
    this.root.querySelector(".all").style.height = `${this.ids.length * TALL}px`;
    this.fit();
    if (this.live) this.sort();
    else this.tell();
    this.select(this.selected && this.ids.includes(this.selected) ? this.selected : selected, true);
    this.fill();
  }

  get index() {
    return this.bench.index ?? this.start;
  }

  get length() {
    return this.ids.length;
  }

  // The order is that of the threshold at which the hand let go; images without a figure come last.
  sort() {
    const value = (i) => this.live[i * STEPS + this.index];
    const sign = this.isAscending ? 1 : -1;
    this.sortedAt = this.index;
    this.order = this.ids.map((_, i) => i).sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === UNDEFINED || y === UNDEFINED) return (x === UNDEFINED) - (y === UNDEFINED) || a - b;
      return (x - y) * sign || a - b;
    });
    this.tell();
    this.fill();
  }

  // The head says by what, of whom and at which threshold; the canvas hears where its image stands.
  tell() {
    this.places = new Map(this.order.map((i, place) => [this.ids[i], place]));
    const at = this.live ? ` at ${(this.sortedAt / (STEPS - 1)).toFixed(3)}` : "";
    this.root.querySelector(".figure").textContent = this.label ? `${this.label}${at}${this.of ? `, of ${this.of}` : ""}` : "";
    this.bench.dispatchEvent(new CustomEvent("list"));
  }

  find(name) {
    return this.places.get(name) ?? -1;
  }

  figure(i) {
    if (!this.live) return this.figures[i] || "";
    const value = this.live[i * STEPS + this.index];
    return value === UNDEFINED ? this.figures[i] : (value / 100).toFixed(1);
  }

  update() {
    for (const row of this.rows.children) {
      const text = this.figure(Number(row.dataset.at));
      if (row.lastChild.textContent !== text) row.lastChild.textContent = text;
    }
  }

  fit() {
    const room = globalThis.innerHeight - this.window.getBoundingClientRect().top - 24;
    this.root.style.setProperty("--tall", `${Math.max(180, Math.min(room, 720))}px`);
  }

  fill() {
    const first = Math.max(0, Math.floor(this.window.scrollTop / TALL) - SPARE);
    const last = Math.min(this.ids.length, first + Math.ceil(this.window.clientHeight / TALL) + 2 * SPARE);
    this.rows.style.transform = `translateY(${first * TALL}px)`;
    const rows = [];
    for (let i = first; i < last; i++) rows.push(this.buildRow(i));
    this.rows.replaceChildren(...rows);
  }

  buildRow(place) {
    const i = this.order[place];
    const row = document.createElement("div");
    row.className = "row";
    row.dataset.at = i;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(this.ids[i] === this.selected));
    row.setAttribute("aria-posinset", String(place + 1));
    row.setAttribute("aria-setsize", String(this.ids.length));
    row.title = this.ids[i];
    for (const text of [this.ids[i], this.figure(i)]) {
      const cell = document.createElement("span");
      cell.textContent = text;
      row.append(cell);
    }
    row.onclick = () => this.choose(place);
    return row;
  }

  // Go to the image so many places on, around the ends, in the order that is on the screen.
  step(direction) {
    const n = this.ids.length;
    if (n > 1) this.choose((Math.max(0, this.find(this.selected)) + direction + n) % n);
  }

  choose(place) {
    const n = this.ids.length;
    if (place < 0 || place >= n) return;
    const name = this.ids[this.order[place]];
    this.select(name, true);
    this.pick({ name, next: AHEAD.map((ahead) => this.ids[this.order[(place + ahead + n) % n]]) });
  }

  select(name, isScrolled) {
    this.selected = name;
    const top = this.find(name) * TALL;
    const { scrollTop, clientHeight } = this.window;
    if (isScrolled && top >= 0 && (top < scrollTop || top + TALL > scrollTop + clientHeight)) {
      this.window.scrollTop = Math.max(0, top - clientHeight / 2);
    }
    this.fill();
  }

  handleKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(this.find(this.selected) + step);
  }

  stop() {
    this.bench.removeEventListener("image", this.follow);
    this.bench.removeEventListener("move", this.move);
    this.bench.removeEventListener("release", this.settle);
    globalThis.removeEventListener("resize", this.resize);
    if (this.bench.list === this) this.bench.list = null;
    this.bench.dispatchEvent(new CustomEvent("list"));
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".images");
  if (!LISTS.has(root)) LISTS.set(root, new ImageList(root));
  const list = LISTS.get(root);
  list.load(data, (picked) => setTriggerValue("pick", picked));
  return () => {
    list.stop();
    LISTS.delete(root);
  };
}
