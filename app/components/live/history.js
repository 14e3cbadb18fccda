// Steps of history: an image, a layer, a data set, a chart or a screen is one; a threshold is none.

// The first mount decides for the tab. steps: names in the address whose change is a step.
function keepHistory(steps) {
  if (globalThis.amnHistory) return;
  globalThis.amnHistory = true;
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    if (isStep(String(url ?? ""), steps)) push(state, title, url);
    else history.replaceState(state, title, url);
  };
}

function isStep(url, steps) {
  const [to, from] = [new URL(url, document.location.href), new URL(document.location.href)];
  if (to.pathname !== from.pathname) return true;
  if (!from.search) return false; // the page has just been opened and says where it is
  return steps.some((name) => (to.searchParams.get(name) ?? "") !== (from.searchParams.get(name) ?? ""));
}

export default function ({ data }) {
  keepHistory(data.steps);
}
