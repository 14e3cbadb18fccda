"""Lesson: a plateau's width depends on the scale of the maps, unless it is measured in shares of pixels."""

import numpy as np

from amn_core.formats.runs import Run
from app.cache import runs as cached
from app.charts.styles import RunStyle
from app.components.lesson import Figure, Guess, Slider
from app.lessons import data, page

NAME = "how_wide"
CONTROLS = (
    Slider("bend", "Bend the maps: value to the power of", 0.3, 3.0, 0.05, ends=("lifts the weak", "presses the weak")),
    Slider("tolerance", "Near the peak: within", 1.0, 10.0, 0.5, " % of it"),
)


def describe_curve(run: Run, style: RunStyle) -> dict:
    """Describe the curve of a run: thresholds, mIoU in percent, and the share of pixels called object."""
    from amn_core.sweep import score_confusion

    confusion = score_confusion(cached.load_counts(run))
    share = confusion[..., 1:].sum(axis=(1, 2)) / confusion.sum(axis=(1, 2))
    summary = cached.load_summary(run, "union")
    return {"label": style.label, "colour": style.colour, "dash": [] if style.dash == "solid" else [7, 4],
            "thresholds": summary.thresholds.tolist(), "miou": (summary.miou * 100).tolist(), "share": share.tolist()}


def measure_widths(curve: dict, bend: float, tolerance: float) -> tuple[float, float]:
    """Measure the plateau of a curve in thresholds, after bending its maps, and in shares of pixels.

    Args:
        bend: every value is raised to this power, and so is every threshold. tolerance: percent of the peak.
    """
    miou = np.array(curve["miou"])
    is_near = miou >= miou.max() * (1 - tolerance / 100)
    peak = int(miou.argmax())
    low, high = peak, peak
    while low > 0 and is_near[low - 1]:
        low -= 1
    while high < len(miou) - 1 and is_near[high + 1]:
        high += 1
    at = np.array(curve["thresholds"]) ** bend
    return float(at[high] - at[low]), float(curve["share"][low] - curve["share"][high])


def build_figure(material: data.Material) -> Figure:
    """Build the figure from CAM and AMN of one data set."""
    curves = [describe_curve(material.runs[m], material.styles[m]) for m in ("cam", "amn") if m in material.runs]
    return Figure("width", {"runs": curves})


def build_guess(figure: Figure) -> Guess:
    """Build the guess: how much wider a bend makes the plateau of CAM."""
    curve = figure.content["runs"][0]
    before, after = (measure_widths(curve, bend, 2.0)[0] for bend in (1.0, 0.5))
    return Guess(
        f"Raise every value of {curve['label']} to the power 0.5. Its plateau was {before:.3f} wide in thresholds: how "
        "wide is it then?", 0.0, 0.5, 0.005, round(after, 3),
        "No pixel changed its place in the order, no mask became better: the ruler was bent.", locks=True)


def render() -> None:
    """Render the lesson."""
    page.render_head(
        NAME,
        "A **plateau** is the range of thresholds that are nearly as good as the best. Its width in thresholds changes "
        "when the maps are merely rescaled. Its width in **shares of pixels** does not, and cannot be bought.",
        "Drag *Bend the maps* from end to end: the left bands stretch and shrink, the right ones stand still.")
    material = data.find_material("voc")
    if material is None:
        data.render_missing()
        return
    figure = data.remember(NAME, material, lambda: build_figure(material))
    is_open = page.render_figure(figure, CONTROLS, build_guess(figure))
    page.render_text(
        "Both charts show the same runs. **mIoU** is the IoU (lesson 2) averaged "
        "over the classes. At the left it is drawn against the threshold, at the right against what the threshold "
        "does: the share of all pixels that it calls object.",
        "How near counts as *nearly as good* matters, too: within one point is generous to a low curve, since one "
        "point is more of 40 than of 60. So the width is measured here relative to the peak: within so many percent "
        "**of it**.")
    page.render_answer(is_open, write_answer(figure, material))
    page.render_way_on(NAME)


def write_answer(figure: Figure, material: data.Material) -> str:
    """Write the widths of the runs on both scales."""
    parts = []
    for curve in figure.content["runs"]:
        (plain, share), (bent, _) = measure_widths(curve, 1.0, 2.0), measure_widths(curve, 0.5, 2.0)
        parts.append(f"**{curve['label']}**: {plain:.3f} in thresholds, {bent:.3f} after the power 0.5, "
                     f"{share * 100:.1f} % of the pixels before and after")
    return (f"{'; '.join(parts)} ({material.title}). So compare plateaus of two methods in shares of pixels, and say "
            "how the maps were normalised wherever you print one in thresholds.")


if __name__ == "__main__":
    render()
