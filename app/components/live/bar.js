// The threshold as a bar: its value in large type, plateaus above the line, peaks below it to snap to.

const SNAP = 6; // pixels
const SCALE = [0, 0.2, 0.4, 0.6, 0.8, 1];

class ThresholdBar {
  // release: called when the hand lets go, and after a key. moveLow: called with the low cut while it is dragged.
  constructor(host, bench, release, moveLow = null) {
    Object.assign(this, { host, bench, release, moveLow, low: null, peaks: [] });
    host.classList.add("threshold");
    this.value = put(host, "output", "threshold-value");
    this.track = put(host, "div", "threshold-track");
    const { track } = this;
    track.tabIndex = 0;
    for (const [name, value] of Object.entries({
      role: "slider", "aria-label": "Threshold", "aria-valuemin": "0", "aria-valuemax": "1",
    })) track.setAttribute(name, value);
    this.bands = put(track, "div", "threshold-bands");
    put(track, "div", "threshold-line");
    this.ticks = put(track, "div", "threshold-ticks");
    this.unsure = put(track, "div", "threshold-unsure");
    this.handle = put(track, "div", "threshold-handle");
    this.lowHandle = put(track, "div", "threshold-low");
    this.lowHandle.title = "Low cut: background up to here, unsure from here to the threshold";
    this.scale = put(track, "div", "threshold-scale");
    for (const share of SCALE) put(this.scale, "span", "", share.toFixed(1)).style.left = `${share * 100}%`;
    this.follow = (event) => this.show(event.detail);
    bench.addEventListener("move", this.follow);
    this.listen();
    this.listenToLow();
    this.showLow(null);
  }

  // peaks: {index, label, colour, text}. plateaus: {from, to, label, colour}, thresholds by index.
  load({ peaks, plateaus }) {
    this.peaks = peaks;
    const tall = plateaus.length > 6 ? 2 : 4;
    this.bands.replaceChildren();
    for (const { from, to, label, colour } of plateaus) {
      const band = put(this.bands, "div", "threshold-band");
      const inner = put(band, "i", "");
      band.style.height = `${tall}px`;
      inner.style.cssText = `left:${this.place(from)}%;width:max(2px, ${this.place(to) - this.place(from)}%);background:${colour}`;
      inner.title = `Plateau of ${label}: ${this.write(from)} to ${this.write(to)}`;
    }
    this.ticks.replaceChildren();
    for (const peak of peaks) {
      const tick = put(this.ticks, "button", "threshold-tick");
      tick.type = "button";
      tick.tabIndex = -1;
      tick.title = peak.text;
      tick.setAttribute("aria-label", peak.text);
      tick.style.cssText = `left:${this.place(peak.index)}%;--method:${peak.colour}`;
      tick.onpointerdown = (event) => event.stopPropagation();
      tick.onclick = () => { this.bench.move(peak.index); this.release(); };
    }
    if (this.bench.index !== null) this.show(this.bench.index);
  }

  place(index) {
    return (index / this.bench.last) * 100;
  }

  write(index) {
    return (index / this.bench.last).toFixed(3);
  }

  show(index) {
    const text = this.write(index);
    this.value.textContent = text;
    this.handle.style.left = `${this.place(index)}%`;
    if (this.low !== null) this.showLow(Math.min(this.low, index));
    const here = this.peaks.filter((peak) => peak.index === index).map((peak) => peak.label);
    this.track.setAttribute("aria-valuenow", text);
    this.track.setAttribute("aria-valuetext", here.length ? `${text}, the peak of ${here.join(" and ")}` : text);
  }

  // The low cut of two, with the band of unsure pixels up to the threshold; null where there is one cut.
  showLow(low) {
    this.low = low;
    this.unsure.hidden = this.lowHandle.hidden = low === null;
    if (low === null) return;
    this.lowHandle.style.left = this.unsure.style.left = `${this.place(low)}%`;
    this.unsure.style.width = `${Math.max(0, this.place((this.bench.index ?? low) - low))}%`;
  }

  listenToLow() {
    const { lowHandle } = this;
    lowHandle.onpointerdown = (event) => {
      event.stopPropagation();
      lowHandle.setPointerCapture(event.pointerId);
    };
    lowHandle.onpointermove = (event) => {
      event.stopPropagation();
      if (lowHandle.hasPointerCapture(event.pointerId)) this.moveLow?.(Math.round(this.indexAt(event)));
    };
    lowHandle.onpointerup = (event) => { event.stopPropagation(); this.release(); };
  }

  indexAt(event) {
    const box = this.track.getBoundingClientRect();
    const step = box.width / this.bench.last;
    const x = event.clientX - box.left;
    const near = this.peaks.map((peak) => [Math.abs(peak.index * step - x), peak.index]).sort((a, b) => a[0] - b[0])[0];
    return near && near[0] < SNAP && !event.shiftKey ? near[1] : x / step;
  }

  listen() {
    const { track, bench } = this;
    let isHeld = false;
    track.onpointerdown = (event) => {
      isHeld = true;
      const begun = performance.now();
      track.setPointerCapture(event.pointerId);
      track.focus({ preventScroll: true });
      event.preventDefault();
      bench.move(this.indexAt(event), begun);
    };
    track.onpointermove = (event) => { if (isHeld) bench.move(this.indexAt(event), performance.now()); };
    track.onpointerup = track.onpointercancel = () => {
      if (isHeld) this.release();
      isHeld = false;
    };
    track.onkeydown = (event) => {
      if (!stepByKey(bench, event, true)) return;
      event.preventDefault();
      event.stopPropagation();
    };
    track.onkeyup = (event) => { if (STEPS_OF_KEYS[event.key]) this.release(); };
  }

  stop() {
    this.bench.removeEventListener("move", this.follow);
    this.host.replaceChildren();
  }
}

const STEPS_OF_KEYS = {
  ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -1000, End: 1000,
};

// Move by the step of a key; a shift makes it ten times as long.
function stepByKey(bench, event, hasPages) {
  const step = STEPS_OF_KEYS[event.key];
  if (!step || bench.index === null || (!hasPages && event.key.startsWith("Page"))) return false;
  bench.move(bench.index + step * (event.shiftKey ? 10 : 1));
  return true;
}

// The peak after this one, and the first again after the last.
function stepToPeak(bench, peaks) {
  const places = [...new Set(peaks.map((peak) => peak.index))].sort((a, b) => a - b);
  if (places.length) bench.move(places.find((index) => index > bench.index) ?? places[0]);
}
