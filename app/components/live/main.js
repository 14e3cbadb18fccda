// The bar on a page by itself: it moves the charts and tables beside it, and tells the server on release.

const BARS = new WeakMap();
const PAGE_KEYS = "threshold";

class Threshold {
  constructor(root) {
    this.bench = getBench();
    this.bar = new ThresholdBar(root, this.bench, () => this.send());
    this.root = root;
    this.paint = () => {
      if (this.bench.index === null) return;
      paintCharts(this.bench.index, this.bench.last);
      root.dataset.threshold = this.bar.write(this.bench.index);
    };
    this.follow = () => {
      this.paint();
      root.dataset.repaints = String(Number(root.dataset.repaints || 0) + 1);
    };
    this.released = (event) => { if (STEPS_OF_KEYS[event.detail]) this.send(); };
    this.bench.addEventListener("move", this.follow);
    this.bench.addEventListener("key-up", this.released);
    this.unwatch = watchCharts(this.paint);
  }

  load(data, send) {
    this.sendUp = send;
    if (this.stamp !== data.stamp) {
      this.stamp = data.stamp;
      this.sent = data.index;
      this.bench.index = null; // also the same place is painted
      this.bench.move(data.index);
    }
    this.bar.load(data);
    this.bench.setKeys(PAGE_KEYS, [
      { keys: ["ArrowLeft", "ArrowRight"], text: "Threshold by 0.005, with Shift by 0.050", run: (event) => stepByKey(this.bench, event, false) },
      { keys: ["Home", "End"], run: (event) => stepByKey(this.bench, event, false) },
      { keys: ["p"], text: "To the next peak of a run", run: () => { stepToPeak(this.bench, data.peaks); this.send(); } },
    ]);
  }

  send() {
    if (this.bench.index === null || this.sent === this.bench.index) return;
    this.sent = this.bench.index;
    this.bench.dispatchEvent(new CustomEvent("release"));
    this.sendUp(this.sent);
  }

  stop() {
    this.unwatch();
    this.bench.removeEventListener("move", this.follow);
    this.bench.removeEventListener("key-up", this.released);
    this.bench.dropKeys(PAGE_KEYS);
    this.bar.stop();
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".place");
  if (!BARS.has(root)) BARS.set(root, new Threshold(root));
  const threshold = BARS.get(root);
  threshold.load(data, (index) => setTriggerValue("index", index));
  return () => {
    threshold.stop();
    BARS.delete(root);
  };
}
