"""Lesson: every image has a threshold of its own, and all get one."""

import numpy as np

from amn_core.formats.runs import Run
from app.cache import runs as cached
from app.charts.styles import RunStyle
from app.components.lesson import Figure, Guess, Pack, Slider, Switch
from app.lessons import data, page

NAME = "one_threshold"
SHOWN = 12
STEPS = 101
METHODS = ("cam", "amn")


def choose_images(run: Run) -> list[int]:
    """Choose a crowd by a rule: sorted by their own best thresholds, images at even distances from first to last.

    Returns:
        Indices into the images of the run's counts.
    """
    scores = cached.load_image_scores(run)
    known = [i for i in np.argsort(scores.best_threshold, kind="stable") if np.isfinite(scores.best_miou[i])]
    places = np.linspace(0, len(known) - 1, min(SHOWN, len(known))).round().astype(int)
    return [known[place] for place in places]


def describe_crowd(run: Run, style: RunStyle, ids: list[str], pack: Pack) -> dict:
    """Describe how a run does on a crowd: curves of the images in percent at `STEPS` thresholds, and of their mean."""
    scores = cached.load_image_scores(run)
    rows = [scores.image_ids.index(image_id) for image_id in ids]
    nearest = np.abs(scores.thresholds[None] - np.linspace(0, 1, STEPS)[:, None]).argmin(axis=1)
    curves = (scores.miou[rows][:, nearest] * 100).astype(np.float32)
    mean, best = curves.mean(axis=0), curves.argmax(axis=1)
    shared = int(mean.argmax())
    samples = {sample.image_id: sample for sample in data.ask_samples(run)}
    return {
        "label": style.label, "colour": style.colour, "mean": mean.round(3).tolist(),
        "curves": [pack.add(curve) for curve in curves], "maps": [pack.add(samples[i].top) for i in ids],
        "best": [{"threshold": k / (STEPS - 1), "miou": float(curve[k])} for k, curve in zip(best, curves)],
        "shared": {"threshold": shared / (STEPS - 1), "miou": float(mean[shared])},
        "oracle": float(curves.max(axis=1).mean()),
    }


def build_figure(material: data.Material) -> Figure:
    """Build the figure: a crowd of images of the CAM, with every method's maps of them."""
    pack = Pack()
    first = material.runs["cam"]
    ids = [cached.load_counts(first).image_ids[i] for i in choose_images(first)]
    samples = {sample.image_id: sample for sample in data.ask_samples(first)}
    pictures = [pack.add_picture(samples[i].image) for i in ids]
    runs = [describe_crowd(material.runs[m], material.styles[m], ids, pack) for m in METHODS if m in material.runs]
    side = samples[ids[0]].top.shape[0]
    return Figure("crowd", {"images": ids, "runs": runs, "side": side}, pack, pictures)


def build_controls(figure: Figure) -> tuple[Slider | Switch, ...]:
    """Build the controls: the line, and whose maps."""
    return (Slider("t", "The one threshold", 0.0, 1.0, 0.01),
            Switch("method", "Maps of", tuple(run["label"] for run in figure.content["runs"])))


def build_guess(figure: Figure) -> Guess:
    """Build the guess: what the best shared line costs the crowd of the CAM."""
    run = figure.content["runs"][0]
    cost = run["oracle"] - run["shared"]["miou"]
    return Guess(
        f"Find the line that suits these {len(figure.content['images'])} images best. How many points do they "
        f"still lose "
        "on average, against each its own?", 0, 25, 0.5, round(cost, 1),
        f"The best line for {run['label']} lies at {run['shared']['threshold']:.2f}. Now switch to the other maps.",
        " points")


def render() -> None:
    """Render the lesson."""
    page.render_head(
        NAME,
        "A map becomes a mask by a **threshold**: what is above it is object. Each image has a threshold that is best "
        "for it (a dot). The data set gets **one**, and every image that is not near its dot pays.",
        "Drag the line in the chart through the dots, and watch the pictures: lit is what the line calls object.")
    material = data.find_material("scenes", has_images=True)
    if material is None or "cam" not in material.runs or not material.runs["cam"].has_maps:
        data.render_missing()
        return
    figure = data.remember(NAME, material, lambda: build_figure(material))
    is_open = page.render_figure(figure, build_controls(figure), build_guess(figure))
    page.render_text(
        "The images are chosen by a rule: all are sorted by their own best threshold, and twelve are taken at even "
        "distances, from the faintest map to the brightest. Under each stands how many points it is below its best. "
        "The score is **mIoU**. IoU, intersection over union, divides the pixels that mask and object have in common "
        "by the pixels of either; the m says that it is the mean over the classes, background too. A **point** is "
        "one percent.",
        "*Each its own* needs the true masks of every image. It is an **oracle**: a measure of what is lost, never a "
        "result. Weak supervision has image labels (*there is a cow in it*) and no mask at all. **CAM** are the maps "
        "of the classifier of lesson 1, **AMN** those of the paper's network, which lessons 5 and 6 explain.")
    page.render_answer(is_open, write_answer(material))
    page.render_way_on(NAME)


def write_answer(material: data.Material) -> str:
    """Write what one threshold costs on all images, of the lesson's runs and on photographs."""
    photographs = data.find_material("voc")
    told = [write_costs(material)]
    if photographs is not None and photographs.group != material.group:
        told.append(write_costs(photographs))
    return " ".join(told)


def write_costs(material: data.Material) -> str:
    """Write what the best single threshold costs an average image, by method."""
    costs = []
    for method in METHODS:
        if method in material.runs:
            mean, peak = measure_cost(material.runs[method])
            costs.append(f"**{material.styles[method].label}** {mean:.1f} points at {peak:.3f}")
    return f"On all {material.title}, an image loses on average, at the best single threshold: {', '.join(costs)}."


def measure_cost(run: Run) -> tuple[float, float]:
    """Measure what an average image loses at the best threshold for the mean of all images: points, threshold."""
    scores = cached.load_image_scores(run)
    known = np.isfinite(scores.best_miou)
    lost = (scores.best_miou[known, None] - scores.miou[known]).mean(axis=0) * 100
    least = int(np.nanargmin(lost))
    return float(lost[least]), float(scores.thresholds[least])


if __name__ == "__main__":
    render()
