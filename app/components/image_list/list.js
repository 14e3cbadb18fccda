// A list of any length: only the rows in the window exist. It follows the canvas without asking the server.

const TALL = 26;
const SPARE = 6;
const LISTS = new WeakMap();

class ImageList {
  constructor(root) {
    this.root = root;
    this.window = root.querySelector(".window");
    this.rows = root.querySelector(".rows");
    this.window.onscroll = () => this.fill();
    this.window.onkeydown = (event) => this.handleKey(event);
    this.follow = (event) => this.select(event.detail, true);
    this.resize = () => { this.fit(); this.fill(); };
    globalThis.addEventListener("amn-image", this.follow);
    globalThis.addEventListener("resize", this.resize);
  }

  load({ names, figures, label, selected, revision }, pick) {
    this.pick = pick;
    if (this.revision === revision) return;
    this.revision = revision;
    this.names = names ? names.split("\n") : [];
    this.figures = figures.split("\n");
    this.root.querySelector(".count").textContent = `${this.names.length} image${this.names.length === 1 ? "" : "s"}`;
    this.root.querySelector(".figure").textContent = label;
    this.root.querySelector(".all").style.height = `${this.names.length * TALL}px`;
    this.fit();
    this.select(this.selected && this.names.includes(this.selected) ? this.selected : selected, true);
    this.fill();
  }

  fit() {
    const room = globalThis.innerHeight - this.window.getBoundingClientRect().top - 24;
    this.root.style.setProperty("--tall", `${Math.max(180, Math.min(room, 720))}px`);
  }

  fill() {
    const first = Math.max(0, Math.floor(this.window.scrollTop / TALL) - SPARE);
    const last = Math.min(this.names.length, first + Math.ceil(this.window.clientHeight / TALL) + 2 * SPARE);
    this.rows.style.transform = `translateY(${first * TALL}px)`;
    const rows = [];
    for (let i = first; i < last; i++) rows.push(this.buildRow(i));
    this.rows.replaceChildren(...rows);
  }

  buildRow(i) {
    const row = document.createElement("div");
    row.className = "row";
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(this.names[i] === this.selected));
    row.setAttribute("aria-posinset", String(i + 1));
    row.setAttribute("aria-setsize", String(this.names.length));
    row.title = this.names[i];
    for (const text of [this.names[i], this.figures[i] || ""]) {
      const cell = document.createElement("span");
      cell.textContent = text;
      row.append(cell);
    }
    row.onclick = () => this.choose(i);
    return row;
  }

  choose(i) {
    if (i < 0 || i >= this.names.length) return;
    this.select(this.names[i], true);
    this.pick(this.names[i]);
  }

  select(name, isScrolled) {
    this.selected = name;
    const i = this.names.indexOf(name);
    const top = i * TALL;
    const { scrollTop, clientHeight } = this.window;
    if (isScrolled && i >= 0 && (top < scrollTop || top + TALL > scrollTop + clientHeight)) {
      this.window.scrollTop = Math.max(0, top - clientHeight / 2);
    }
    this.fill();
  }

  handleKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(this.names.indexOf(this.selected) + step);
  }

  stop() {
    globalThis.removeEventListener("amn-image", this.follow);
    globalThis.removeEventListener("resize", this.resize);
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".images");
  if (!LISTS.has(root)) LISTS.set(root, new ImageList(root));
  const list = LISTS.get(root);
  list.load(data, (name) => setTriggerValue("pick", name));
  return () => {
    list.stop();
    LISTS.delete(root);
  };
}
