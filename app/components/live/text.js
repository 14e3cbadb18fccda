// Sentences that follow the threshold: one for each of its steps, made by the server from the same numbers as ever.

const SENTENCES = new WeakMap();

class Sentence {
  constructor(root) {
    this.root = root;
    this.bench = getBench();
    this.follow = () => this.show();
    this.bench.addEventListener("move", this.follow);
  }

  load({ texts, index, look }) {
    this.texts = texts.split("\n");
    this.start = index;
    this.root.className = `sentence ${look}`;
    this.show();
  }

  show() {
    const text = this.texts[this.bench.index ?? this.start] ?? "";
    if (this.root.textContent !== text) this.root.textContent = text;
  }

  stop() {
    this.bench.removeEventListener("move", this.follow);
  }
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".sentence");
  if (!SENTENCES.has(root)) SENTENCES.set(root, new Sentence(root));
  const sentence = SENTENCES.get(root);
  sentence.load(data);
  return () => {
    sentence.stop();
    SENTENCES.delete(root);
  };
}
