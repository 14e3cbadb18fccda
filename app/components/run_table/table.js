// Rows of runs. Sorting and the score of now are the browser's; only a run switched on or off is told to the server.

const TABLES = new WeakMap();
const DASH = "–";
const LINE = "http://www.w3.org/2000/svg";

class RunTable {
  constructor(root) {
    this.root = root;
    this.bench = getBench();
    this.sort = null;
    this.follow = () => this.paint();
    this.bench.addEventListener("move", this.follow);
  }

  load({ heads, rows }, send) {
    this.send = send;
    this.heads = [{ name: "label", title: "Run" }, { name: "now", title: "Now", help: "mIoU at the current threshold, %" }, ...heads];
    this.rows = rows;
    this.build();
  }

  build() {
    this.root.querySelector("thead").replaceChildren(this.buildHead());
    const ordered = this.order();
    const best = this.findBest();
    this.cells = [];
    this.root.querySelector("tbody").replaceChildren(...ordered.map((row) => this.buildRow(row, best)));
    this.paint();
  }

  buildHead() {
    const line = document.createElement("tr");
    for (const { name, title, help, oracle } of this.heads) {
      const head = put(line, "th", name === "label" ? "name" : "");
      head.setAttribute("aria-sort", this.sort?.name === name ? (this.sort.isUp ? "ascending" : "descending") : "none");
      const button = put(head, "button", oracle ? "oracle" : "", title);
      button.type = "button";
      button.title = oracle ? `${help} ○ chosen on the ground truth of these images.` : help || "";
      button.onclick = () => this.sortBy(name);
    }
    return line;
  }

  sortBy(name) {
    const isSame = this.sort?.name === name;
    this.sort = isSame && this.sort.isUp === (name !== "label") ? null : { name, isUp: isSame ? !this.sort.isUp : name === "label" };
    this.build();
  }

  valueOf(row, name) {
    if (name === "label") return row.label;
    if (name === "now") return row.now ? row.now[this.bench.index ?? 0] : null;
    return row.cells[name] ? row.cells[name][1] : null;
  }

  order() {
    if (!this.sort) return this.rows;
    const { name, isUp } = this.sort;
    const known = this.rows.filter((row) => this.valueOf(row, name) !== null);
    known.sort((a, b) => (this.valueOf(a, name) < this.valueOf(b, name) ? -1 : 1) * (isUp ? 1 : -1));
    return [...known, ...this.rows.filter((row) => this.valueOf(row, name) === null)];
  }

  // The best of the shown runs, where a rescaling of the maps cannot change who that is.
  findBest() {
    const best = {};
    for (const { name, better } of this.heads) {
      const values = this.rows.filter((row) => row.shown).map((row) => this.valueOf(row, name)).filter((value) => value !== null);
      if (better && values.length > 1) best[name] = better > 0 ? Math.max(...values) : Math.min(...values);
    }
    return best;
  }

  buildRow(row, best) {
    const line = document.createElement("tr");
    line.classList.toggle("off", !row.shown);
    const name = put(line, "th", "name");
    name.scope = "row";
    this.buildToggle(name, row);
    if (row.note) put(name, "span", "note", row.note);
    this.cells.push([row, put(line, "td", "now")]);
    for (const head of this.heads.slice(2)) {
      const [text, value] = row.cells[head.name] || [DASH, null];
      put(line, "td", row.shown && value !== null && value === best[head.name] ? "best" : "", text);
    }
    return line;
  }

  buildToggle(parent, row) {
    const toggle = put(parent, "button", "toggle");
    toggle.type = "button";
    toggle.setAttribute("role", "switch");
    toggle.setAttribute("aria-checked", String(row.shown));
    toggle.title = row.shown ? "Switch off" : "Switch on";
    toggle.style.setProperty("--method", row.colour);
    const mark = put(toggle, "span", "mark");
    if (row.shown) mark.append(drawLine("M2 6.5 5 9.5 10 3", 12, "#fff", ""));
    if (!row.masks) toggle.append(drawLine("M0 6H26", 26, row.colour, row.dash));
    put(toggle, "span", "", row.label);
    toggle.onclick = () => this.toggle(row);
  }

  toggle(row) {
    const shown = this.rows.filter((one) => (one === row ? !one.shown : one.shown));
    if (!shown.length) return;
    row.shown = !row.shown;
    this.build();
    this.send(shown.map(({ key }) => key));
  }

  paint() {
    const { index } = this.bench;
    if (index === null || !this.cells) return;
    for (const [row, cell] of this.cells) {
      const value = row.now ? row.now[index] : null;
      const text = value === null ? DASH : value.toFixed(1);
      if (cell.textContent !== text) cell.textContent = text;
    }
  }

  stop() {
    this.bench.removeEventListener("move", this.follow);
  }
}

function drawLine(path, width, colour, dash) {
  const svg = document.createElementNS(LINE, "svg");
  svg.setAttribute("class", "line");
  svg.setAttribute("viewBox", `0 0 ${width} 12`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", 12);
  const line = document.createElementNS(LINE, "path");
  const look = { d: path, stroke: colour, "stroke-width": 2.4, fill: "none", "stroke-dasharray": dash };
  for (const [name, value] of Object.entries(look)) line.setAttribute(name, value);
  svg.append(line);
  return svg;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".runs");
  if (!TABLES.has(root)) TABLES.set(root, new RunTable(root));
  const table = TABLES.get(root);
  table.load(data, (shown) => setTriggerValue("shown", shown));
  return () => {
    table.stop();
    TABLES.delete(root);
  };
}
