"""Lesson: take real maps, bend them, and watch what moves and what does not."""

import numpy as np

from amn_core.formats.runs import Run
from app.cache import runs as cached
from app.components.lesson import Figure, Guess, Pack, Slider, Switch
from app.lessons import data, page
from app.lessons.bent_counts import CELLS, count_bent, shrink_bins
from app.lessons.manipulation import Manipulation

NAME = "sandbox"
NEUTRAL = {"gamma": 1.0, "clip": 1.0, "sharpness": 0.0, "suppression": 0.0}
PRESETS = {
    "as it was": {}, "lift weak": {"gamma": 0.4}, "press weak": {"gamma": 2.0}, "two levels": {"sharpness": 20.0},
    "clip hot": {"clip": 0.5}, "cheat": {"suppression": 0.5},
}
CONTROLS = (
    Switch("preset", "Bend the maps", tuple(PRESETS), tuple({**NEUTRAL, **values} for values in PRESETS.values())),
    Slider("gamma", "Power (below 1 lifts the weak)", 0.2, 3.0, 0.1),
    Slider("clip", "Cut off above", 0.4, 1.0, 0.05),
    Slider("sharpness", "Sharpen into two levels", 0.0, 40.0, 1.0),
    Slider("suppression", "Turn true background down (cheats)", 0.0, 1.0, 0.1),
)
SHOWN = Manipulation(**PRESETS["two levels"])


def build_figure(run: Run) -> Figure:
    """Build the figure: every image's counts in `CELLS` cells, and one image to look at."""
    pack, counts = Pack(), cached.load_counts(run)
    spans = [pack.add(table.astype(np.float32)) for table in shrink_bins(counts)]
    images: list[list] = [[] for _ in counts.image_ids]
    for row, image in enumerate(counts.decision_image):
        images[image].append([int(counts.decision_gt[row]), int(counts.decision_class[row]), row])
    sample = max(data.ask_samples(run), key=lambda s: len(s.class_ids) == 1 and (s.parts > 0).mean())
    content = {
        "images": images, "tables": spans, "map": pack.add(sample.top),
        "isBackground": (sample.gt == 0).ravel().tolist(), "side": sample.top.shape[0]}
    return Figure("sandbox", content, pack, [pack.add_picture(sample.image)])


def build_guess(run: Run) -> Guess:
    """Build the guess: what sharpening into two levels does to the peak."""
    counts = cached.load_counts(run)
    before, after = count_bent(counts, Manipulation()), count_bent(counts, SHOWN)
    return Guess(
        f"The peak is {before.peak:.1f}. Sharpen every map into two levels, as AMN's are. Where is the peak then?",
        20, 80, 0.5, round(after.peak, 1),
        f"It stays. The plateau goes from {before.plateau:.2f} to {after.plateau:.2f}, for nothing.", locks=True)


def render() -> None:
    """Render the lesson."""
    page.render_head(
        NAME,
        "If even activation and a wide gap are good, why not just **make** them by bending the maps? Because then the "
        "curve is only stretched along its axis: the peak, and what one threshold costs, stay where they were.",
        "Press *two levels*, then *lift weak*: the plateau changes, the peak does not. Then press *cheat*.")
    material = data.find_material("scenes", has_images=True)
    if material is None or "cam" not in material.runs or not material.runs["cam"].has_maps:
        data.render_missing()
        return
    run = material.runs["cam"]
    figure = data.remember(NAME, material, lambda: build_figure(run))
    guess = data.remember(f"{NAME}:guess", material, lambda: build_guess(run))
    is_open = page.render_figure(figure, CONTROLS, guess)
    page.render_text(
        "Every pixel of every map is counted again while you drag. The dashed curve is the run as it came, the "
        "solid one "
        "the bent run; the shaded band is the **plateau**, the thresholds within one point of the peak; the "
        "dotted line "
        f"is the oracle, every image at its own best threshold. Values are counted in steps of {1 / (CELLS - 1):g}.",
        "A power, a cut above the best threshold or a step moves all values and leaves the order of the pixels as it "
        "was. So every mask that could be had before can still be had, at another threshold. The last slider changes "
        "the order, and needs the true masks: no method has them.")
    page.render_answer(is_open, data.remember(f"{NAME}:answer", material, lambda: write_answer(run)))
    page.render_way_on(NAME)


def write_answer(run: Run) -> str:
    """Write what the buttons do to peak and plateau."""
    counts, told = cached.load_counts(run), []
    for name, values in PRESETS.items():
        curve = count_bent(counts, Manipulation(**values))
        told.append(f"*{name}*: peak **{curve.peak:.1f}**, plateau {curve.plateau:.2f}")
    return ("; ".join(told) + ". So a wider plateau, or a larger gap, is no proof of better maps. Look for "
                              "what cannot be "
            "bought: the peak, AUC, oracle − peak, and a plateau measured in shares of pixels.")


if __name__ == "__main__":
    render()
