// Every text on the page whose contrast with what lies behind it is below the bound: [ratio, text, colour, background].
(least) => {
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 })
    .getContext("2d", { willReadFrequently: true });
  const read = (css) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = css;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const channel = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parentOf = (one) => one.parentElement || one.getRootNode().host || null;
  // icons are no text, and labels among the marks of a chart lie on its colours, which are no box of the page
  const isIcon = (one) => one.closest?.("[data-testid=stIconMaterial], [translate=no], .modebar, .cartesianlayer :is(.plot, .overplot, .contourlayer, .scatterlayer)");
  const isOff = (one) => one.closest?.("[disabled], [aria-disabled=true], [aria-hidden=true]");

  function behind(element) {
    const layers = [];
    for (let one = element; one; one = parentOf(one)) {
      const style = getComputedStyle(one);
      if (style.backgroundImage !== "none" && one !== document.body) return null;
      const colour = read(style.backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, colour) => over(colour, below), [255, 255, 255, 1]);
  }

  function fade(element) {
    let opacity = 1;
    for (let one = element; one; one = parentOf(one)) opacity *= Number(getComputedStyle(one).opacity);
    return opacity;
  }

  const found = [];
  const check = (text) => {
    const element = text.parentElement || text.getRootNode().host;
    if (!text.textContent.trim() || !element || isIcon(element) || isOff(element)) return;
    if (["STYLE", "SCRIPT", "TITLE", "NOSCRIPT"].includes(element.tagName)) return;
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    if (style.visibility === "hidden" || box.width < 2 || box.height < 2 || box.right < 0 || box.bottom < 0) return;
    const back = behind(element), opacity = fade(element);
    if (!back || opacity < 0.05) return;
    const isDrawn = element instanceof SVGElement;
    const colour = read(isDrawn ? style.fill : style.color);
    colour[3] *= opacity * (isDrawn ? Number(style.fillOpacity) : 1);
    const [high, low] = [luminance(over(colour, back)), luminance(back)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < least) found.push([ratio.toFixed(2), text.textContent.trim().slice(0, 60), isDrawn ? style.fill : style.color, back.map(Math.round).join()]);
  };
  const walk = (root) => {
    const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) check(node);
      else if (node.shadowRoot) walk(node.shadowRoot);
    }
  };
  walk(document.body);
  return found;
}
