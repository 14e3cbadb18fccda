"""Lesson: what telling the network the image's labels does, on the images where it acts."""

import numpy as np

from amn_core.formats.runs import Run
from app.cache import runs as cached
from app.charts.styles import build_class_colours
from app.components.lesson import Figure, Guess, Pack, Slider, Switch
from app.lessons import data, page

NAME = "label_conditioning"
METHODS = ("amn-without-lcm", "amn")
SHOWN = 6


def measure_swapped(sample: data.Sample, threshold: float) -> tuple[int, int]:
    """Count the object pixels of an image, and those that another class of the image takes at a threshold."""
    is_object = sample.gt > 0
    is_swapped = is_object & (sample.top > threshold * 255) & (sample.label != sample.gt)
    return int(is_object.sum()), int(is_swapped.sum())


def measure_all(runs: list[Run]) -> tuple[list[str], np.ndarray]:
    """Measure the images of several classes: ids, and (N, 1 + runs) object pixels and swapped ones of each run.

    Every run is cut at its own peak.
    """
    peaks = [cached.load_summary(run, "union").peak_threshold for run in runs]
    several = [list(group) for group in zip(*(data.ask_samples(run) for run in runs), strict=True)
               if len(group[0].class_ids) > 1]
    counted = [[measure_swapped(group[0], 0)[0], *(measure_swapped(s, t)[1] for s, t in zip(group, peaks, strict=True))]
               for group in several]
    return [group[0].image_id for group in several], np.array(counted).reshape(-1, 1 + len(runs))


def choose_images(ids: list[str], counted: np.ndarray) -> list[str]:
    """Choose the images by a rule: where the shares of swapped pixels differ most, whichever network is better."""
    share = (counted[:, 2] - counted[:, 1]) / np.maximum(counted[:, 0], 1)
    return [ids[i] for i in np.argsort(-np.abs(share), kind="stable")[:SHOWN]]


def build_figure(material: data.Material, chosen: list[str]) -> Figure:
    """Build the figure: images with the labels of both networks."""
    pack, runs = Pack(), [material.runs[method] for method in METHODS]
    samples = [{s.image_id: s for s in data.ask_samples(run)} for run in runs]
    names, images, pictures = runs[0].class_names, [], []
    for image_id in chosen:
        first = samples[0][image_id]
        pictures.append(pack.add_picture(first.image))
        images.append({
            "classes": [names[c] for c in first.class_ids], "gt": pack.add(first.gt),
            "top": [pack.add(found[image_id].top) for found in samples],
            "best": [pack.add(found[image_id].label) for found in samples]})
    styles = material.styles
    labels = [{"label": {"amn": "with label conditioning"}.get(m, "without label conditioning"),
               "colour": styles[m].colour} for m in METHODS]
    side = samples[0][chosen[0]].top.shape[0]
    return Figure("conditioning", {
        "images": images, "runs": labels, "side": side, "names": list(names),
        "colours": [list(colour) for colour in build_class_colours(len(names))]}, pack, pictures)


def build_controls(count: int) -> tuple[Slider | Switch, ...]:
    """Build the controls: the image and the threshold."""
    return (Switch("scene", "Image", tuple(str(i + 1) for i in range(count))),
            Slider("t", "Threshold, the same for both", 0.0, 1.0, 0.01))


def build_guess(counted: np.ndarray) -> Guess:
    """Build the guess: how many object pixels are swapped with label conditioning."""
    without, within = (100 * counted[:, i].sum() / max(counted[:, 0].sum(), 1) for i in (1, 2))
    return Guess(
        f"In all {len(counted)} images of several classes, {without:.1f} % of the object pixels go to the wrong one of "
        "the image's classes without label conditioning. And with it?", 0, 20, 0.5, round(within, 1),
        "Classes that are not in the image get no map in either network: what is left to confuse are those that are.",
        " %")


def render() -> None:
    """Render the lesson."""
    page.render_head(
        NAME,
        "The image's labels are known in training: that is the weak supervision. The **label conditioning module** "
        "(LCM) tells them to the network, so that features of classes that are not there can be turned down.",
        "Go through the images, and move the threshold: one colour a class. They are the images on which it acts most.")
    material = data.find_material("scenes", has_images=True)
    if material is None or not all(m in material.runs and material.runs[m].has_maps for m in METHODS):
        data.render_missing()
        return
    runs = [material.runs[method] for method in METHODS]
    ids, counted = data.remember(f"{NAME}:all", material, lambda: measure_all(runs))
    if not ids:
        data.render_missing()
        return
    figure = data.remember(NAME, material, lambda: build_figure(material, choose_images(ids, counted)))
    controls = build_controls(len(figure.content["images"]))
    is_open = page.render_figure(figure, controls, build_guess(counted))
    page.render_text(
        "LCM is one linear layer: labels in, one factor for each feature (lesson 1) out. Without it, the labels "
        "only decide which maps are kept at the end; with it, they change the maps themselves.",
        "The images are chosen by a rule: of all that hold several classes, those on which the two networks differ "
        "most in the share of object pixels that go to another class of the image, whichever network is better. On "
        "most images both draw nearly the same.")
    page.render_answer(is_open, write_answer(material, counted))
    page.render_way_on(NAME)


def write_answer(material: data.Material, counted: np.ndarray) -> str:
    """Write what label conditioning changes on all images."""
    all_pixels = max(counted[:, 0].sum(), 1)
    without, within = (100 * counted[:, i].sum() / all_pixels for i in (1, 2))
    helped, harmed = int((counted[:, 2] < counted[:, 1]).sum()), int((counted[:, 2] > counted[:, 1]).sum())
    peaks = [cached.load_summary(material.runs[m], "union").peak_miou * 100 for m in METHODS]
    return (f"On {len(counted)} images of several classes, **{without:.1f} %** of the object pixels go to the "
            f"wrong one "
            f"without label conditioning, **{within:.1f} %** with it; fewer do on {helped} images, more on {harmed}. "
            f"Peak mIoU on all images: {peaks[0]:.1f} without, {peaks[1]:.1f} with it. It is the smaller of the two "
            "steps in the paper, too. Labels that a classifier predicted may be false, and then LCM passes the "
            "error on.")


if __name__ == "__main__":
    render()
