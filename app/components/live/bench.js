// What all parts of a page share in the browser: one threshold, and the keys. Nothing here asks the server.

const TIMES = 240;

// The first part that loads makes it; the others find it. "move" is heard once a frame, with the index as its detail.
class Bench extends EventTarget {
  constructor() {
    super();
    this.last = 200;
    this.index = null;
    this.spent = 0;
    this.times = [];
    this.keys = new Map();
    document.addEventListener("keydown", (event) => pressKey(this, event));
    addSkipLink();
    document.addEventListener("keyup", (event) => this.dispatchEvent(new CustomEvent("key-up", { detail: event.key })));
  }

  // Moves of one frame are painted together, in the order in which the parts were put on the page.
  move(index, begun = performance.now()) {
    const bound = Math.min(this.last, Math.max(0, Math.round(index)));
    if (bound === this.index) return;
    this.index = bound;
    this.spent += performance.now() - begun;
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      const start = performance.now();
      this.dispatchEvent(new CustomEvent("move", { detail: this.index }));
      this.times.push(this.spent + performance.now() - start);
      this.spent = 0;
      if (this.times.length > TIMES) this.times.shift();
    });
  }

  // Our own code from the events of a frame to the end of its drawing, in milliseconds.
  percentile(share) {
    const sorted = [...this.times].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  }

  // owner: who takes the keys back again. entries: {keys: [...], text, run(event)}; a later owner goes first.
  setKeys(owner, entries) {
    this.keys.delete(owner);
    this.keys.set(owner, entries);
  }

  dropKeys(owner) {
    this.keys.delete(owner);
  }
}

// The first stop of the tabulator: from here one key leads to the threshold.
function addSkipLink() {
  const link = document.createElement("button");
  link.textContent = "To the threshold (? lists the keys)";
  link.className = "amn-skip";
  link.style.cssText = "position:fixed;left:8px;top:-60px;z-index:1000000;padding:8px 14px;border-radius:6px;border:2px solid;background:Canvas;color:CanvasText;font:600 14px sans-serif";
  link.onfocus = () => { link.style.top = "8px"; };
  link.onblur = () => { link.style.top = "-60px"; };
  link.onclick = () => findTrack(document)?.focus();
  document.body.prepend(link);
}

function findTrack(root) {
  for (const element of root.querySelectorAll("*")) {
    if (element.matches(".threshold-track")) return element;
    const found = element.shadowRoot && findTrack(element.shadowRoot);
    if (found) return found;
  }
  return null;
}

function getBench() {
  globalThis.amnBench ??= new Bench();
  return globalThis.amnBench;
}

const FIELDS = ["INPUT", "SELECT", "TEXTAREA"];
const SLIDERS = "[role=slider], [role=listbox]";
const WIDGETS = `${SLIDERS}, [role=option], [role=radio], [role=radiogroup], [role=tab], [role=menu], [role=dialog], [role=grid], [data-baseweb=select], canvas[tabindex]`;

// Keys count wherever the focus is, except where somebody types or where arrows have a use of their own.
function pressKey(bench, event) {
  const target = event.composedPath()[0];
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (FIELDS.includes(target.tagName) && target.type !== "checkbox" && target.type !== "radio") return;
  if (target.isContentEditable) return;
  if (document.querySelector(".amn-help")) {
    if (event.key === "Escape" || event.key === "?") { hideHelp(); event.preventDefault(); }
    return;
  }
  const own = target.getRootNode?.() === document ? WIDGETS : SLIDERS;
  if (/^(Arrow|Page|Home|End)/.test(event.key) && target.closest?.(own)) return;
  if (event.key === "?") { showHelp(bench); event.preventDefault(); return; }
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  for (const entries of [...bench.keys.values()].reverse()) {
    const found = entries.find((entry) => entry.keys.includes(name));
    if (!found) continue;
    if (found.run(event) !== false) event.preventDefault();
    return;
  }
}

const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", PageUp: "Page ↑", PageDown: "Page ↓" };

// It goes with the key itself: a dialog's own closing is an event that a busy page hears late.
function hideHelp() {
  const dialog = document.querySelector(".amn-help");
  dialog?.close(); // gives the focus back
  dialog?.remove();
}

function showHelp(bench) {
  const dialog = document.createElement("dialog");
  dialog.className = "amn-help";
  const look = getComputedStyle(document.querySelector("[data-testid=stApp]") || document.body);
  dialog.style.cssText = `color:${look.color};background:${look.backgroundColor};font:${look.font};border:1px solid #8886;`
    + "border-radius:8px;padding:18px 24px 20px;max-width:min(760px, 92vw);max-height:84vh;overflow:auto";
  const rows = [...bench.keys.values()].flat().filter((entry) => entry.text)
    .map(({ keys, text }) => [keys.map((key) => NAMES[key] || key.toUpperCase()).join("  "), text]);
  dialog.append(buildHelp([...rows, ["?", "This list"], ["Esc", "Close it"]]));
  dialog.onclick = hideHelp;
  dialog.onclose = () => dialog.remove();
  document.body.append(dialog);
  dialog.showModal();
}

function buildHelp(rows) {
  const list = document.createElement("dl");
  list.style.cssText = "display:grid;grid-template-columns:max-content 1fr;gap:7px 22px;margin:0;font-size:14px";
  for (const [keys, text] of rows) {
    const [name, what] = [document.createElement("dt"), document.createElement("dd")];
    name.textContent = keys;
    name.style.fontWeight = "650";
    what.textContent = text;
    what.style.margin = "0";
    list.append(name, what);
  }
  return list;
}
