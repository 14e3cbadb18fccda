// The figures of images as rows: those of the threshold follow it in the browser, the order is made when the hand lets go.

const TABLES = new WeakMap();
const TALL = 30;
const SPARE = 8;
const STEPS = 201;
const UNDEFINED = 65535;
const DASH = "–";

class FigureTable {
  constructor(root) {
    this.root = root;
    this.bench = getBench();
    this.window = root.querySelector(".window");
    this.rows = root.querySelector(".rows");
    this.marked = new Set();
    this.window.onscroll = () => this.fill();
    this.follow = () => (this.sortedAt === null ? this.sort() : this.update());
    this.settle = () => this.sort();
    this.bench.addEventListener("move", this.follow);
    this.bench.addEventListener("release", this.settle);
  }

  // columns: {name, title, help, digits, sign, sort, cells}; a column "miou" or "regret" is read from `live`.
  load({ table, live, best }, send) {
    this.send = send;
    if (this.revision === table.revision) return;
    Object.assign(this, table);
    this.live = live.getChildAt(0).toArray();
    this.best = best.getChildAt(0).toArray();
    this.marked = new Set([...this.marked].filter((name) => this.names.includes(name)));
    this.root.style.setProperty("--columns", this.columns.length);
    this.root.querySelector(".all").style.height = `${this.names.length * TALL}px`;
    this.buildHeads();
    this.sort();
  }

  valueOf(i, name) {
    if (name === "image") return this.names[i];
    const column = this.columns.find((one) => one.name === name);
    if (column.cells) return column.cells[i];
    const now = this.live[i * STEPS + (this.bench.index ?? 0)];
    if (now === UNDEFINED || this.best[i] === UNDEFINED) return null;
    return (name === "miou" ? now : this.best[i] - now) / 100;
  }

  // Undefined last, and images that no threshold can be right for where a figure ranks them.
  sort() {
    const { name, isUp, isRanked } = this.order;
    this.sortedAt = this.bench.index;
    const values = this.names.map((_, i) => this.valueOf(i, name));
    const isLast = (i) => (isRanked && this.degenerate.includes(i) ? 2 : values[i] === null ? 1 : 0);
    this.places = this.names.map((_, i) => i).sort((a, b) => {
      if (isLast(a) || isLast(b)) return isLast(a) - isLast(b) || a - b;
      return values[a] === values[b] ? a - b : (values[a] < values[b] ? -1 : 1) * (isUp ? 1 : -1);
    });
    this.fill();
  }

  buildHeads() {
    const heads = this.root.querySelector(".heads");
    const all = [{ name: "", title: "" }, { name: "image", title: "Image", sort: "name" }, { name: "", title: "Classes" }, ...this.columns];
    heads.replaceChildren(...all.map(({ name, title, help, sort }, i) => {
      const head = document.createElement("span");
      head.setAttribute("role", "columnheader");
      if (i < 3) head.className = "left";
      const isSorted = sort && name === this.order.name;
      head.setAttribute("aria-sort", isSorted ? (this.order.isUp ? "ascending" : "descending") : "none");
      if (!title) return head;
      const button = put(head, "button", "", title + (isSorted ? (this.order.isUp ? " ↑" : " ↓") : ""));
      button.type = "button";
      button.title = help || "";
      button.disabled = !sort;
      button.onclick = () => this.send("sort", { sort, isUp: isSorted ? !this.order.isUp : sort === "name" });
      return head;
    }));
  }

  fill() {
    const first = Math.max(0, Math.floor(this.window.scrollTop / TALL) - SPARE);
    const last = Math.min(this.names.length, first + Math.ceil(this.window.clientHeight / TALL) + 2 * SPARE);
    this.rows.style.transform = `translateY(${first * TALL}px)`;
    this.rows.replaceChildren(...this.places.slice(first, last).map((i) => this.buildRow(i)));
  }

  buildRow(i) {
    const row = document.createElement("div");
    const name = this.names[i];
    row.className = this.marked.has(name) ? "line marked" : "line";
    row.setAttribute("role", "row");
    row.dataset.at = i;
    const mark = put(row, "input", "mark");
    Object.assign(mark, { type: "checkbox", checked: this.marked.has(name), ariaLabel: `Mark ${name}` });
    mark.onchange = () => this.mark(name, mark.checked);
    const open = put(put(row, "span", "left"), "button", "open", name);
    open.type = "button";
    open.title = `Open ${name} in Explore`;
    open.onclick = () => this.send("open", name);
    put(row, "span", "left", this.classes[i]).title = this.classes[i];
    for (const column of this.columns) put(row, "span", column.cells ? "" : "live", this.write(i, column));
    return row;
  }

  write(i, { name, digits, sign }) {
    const value = this.valueOf(i, name);
    if (value === null) return DASH;
    return (sign && value > 0 ? "+" : "") + value.toFixed(digits);
  }

  update() {
    for (const row of this.rows.children) {
      [...row.children].slice(3).forEach((cell, k) => {
        if (this.columns[k].cells) return;
        const text = this.write(Number(row.dataset.at), this.columns[k]);
        if (cell.textContent !== text) cell.textContent = text;
      });
    }
  }

  mark(name, isMarked) {
    if (isMarked) this.marked.add(name);
    else this.marked.delete(name);
    this.fill();
    this.send("marked", [...this.marked]);
  }

  stop() {
    this.bench.removeEventListener("move", this.follow);
    this.bench.removeEventListener("release", this.settle);
  }
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".figures");
  if (!TABLES.has(root)) TABLES.set(root, new FigureTable(root));
  const table = TABLES.get(root);
  table.load(data, (name, value) => (name === "marked" ? setStateValue : setTriggerValue)(name, value));
  return () => {
    table.stop();
    TABLES.delete(root);
  };
}
