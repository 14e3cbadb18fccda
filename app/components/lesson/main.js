// The entry: one lesson an element, kept over reruns.

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".lesson");
  if (!LESSONS.has(root)) LESSONS.set(root, new Lesson(root));
  const lesson = LESSONS.get(root);
  lesson.load(data, (name, value) => setStateValue(name, value));
  return () => {
    lesson.stop();
    LESSONS.delete(root);
  };
}
