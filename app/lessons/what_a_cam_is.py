"""Lesson: a class activation map is a weighted sum of features, and hot on what tells the class."""

import numpy as np
from PIL import Image

from amn_core.formats.runs import Run
from app.cache.features import Decomposition, decompose_map
from app.components.lesson import Figure, Guess, Pack, Slider, Switch
from app.lessons import data, page

NAME = "what_a_cam_is"
SHOWN = 4
SIDE = 64  # of the drawn map
STRONGEST = 8
LEAST_PART, LEAST_OBJECT = 0.05, 0.12  # of the object, of the image: smaller ones are hard to see


def choose_scenes(samples: list[data.Sample]) -> list[data.Sample]:
    """Choose images by a rule: the first of each class that is alone, large and shows its small part."""
    chosen: dict[int, data.Sample] = {}
    for sample in samples:
        is_object = sample.gt > 0
        if len(sample.class_ids) != 1 or is_object.mean() < LEAST_OBJECT:
            continue
        if (sample.parts[is_object] > 0).mean() >= LEAST_PART:
            chosen.setdefault(int(sample.class_ids[0]), sample)
    return list(chosen.values())[:SHOWN] or samples[:1]


def list_amounts(channels: int) -> list[int]:
    """List how many features are added at each step: 1, 2, 4, …, all."""
    return [*(2**i for i in range(channels.bit_length()) if 2**i < channels), channels]


def add_features(found: Decomposition, added: int, order: np.ndarray) -> np.ndarray:
    """Add the strongest features, each times its weight, negative sums cut off; (h, w) with largest value 1."""
    chosen = order[:added]
    total = np.maximum((found.features[chosen] * found.weights[chosen, None, None]).sum(axis=0), 0)
    return total / max(float(total.max()), 1e-6)


def order_features(found: Decomposition) -> np.ndarray:
    """Order the features by how much each adds or takes away in this image, the strongest first."""
    return np.argsort(-np.abs(found.features * found.weights[:, None, None]).sum(axis=(1, 2)), kind="stable")


def enlarge(plane: np.ndarray) -> np.ndarray:
    """Enlarge a map to `SIDE` by straight lines between its values."""
    return np.asarray(Image.fromarray(plane.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def measure_places(plane: np.ndarray, sample: data.Sample) -> dict[str, float]:
    """Measure the mean of a map in percent on the small part, on the rest of the object, and on background."""
    gt, parts = (data.shrink_labels(one, plane.shape) for one in (sample.gt, sample.parts))
    places = {"part": parts > 0, "body": (gt > 0) & (parts == 0), "background": gt == 0}
    return {name: 100 * float(plane[mask].mean()) if mask.any() else 0.0 for name, mask in places.items()}


def describe_scene(run: Run, sample: data.Sample, pack: Pack) -> dict:
    """Describe one image: the sum after each step, and its strongest features."""
    class_id = int(sample.class_ids[0])
    found = decompose_map(run, sample.image_id, class_id)
    order, steps = order_features(found), []
    for added in list_amounts(len(found.weights)):
        plane = enlarge(add_features(found, added, order))
        span = pack.add(np.rint(plane.clip(0, 1) * 255).astype(np.uint8))
        steps.append({"added": added, "map": span, **measure_places(plane, sample)})
    features = []
    for k in order[:STRONGEST]:
        plane = np.maximum(found.features[k], 0)
        span = pack.add(np.rint(plane / max(float(plane.max()), 1e-6) * 255).astype(np.uint8))
        features.append({"weight": float(found.weights[k]), "map": span})
    names = [run.class_names[c] for c in sample.class_ids]
    return {"names": ", ".join(names), "focus": names[0], "channels": len(found.weights), "steps": steps,
            "features": features, "cells": found.features.shape[1]}


def build_figure(run: Run) -> Figure:
    """Build the figure."""
    pack, chosen = Pack(), choose_scenes(data.ask_samples(run))
    scenes = [describe_scene(run, sample, pack) for sample in chosen]
    pictures = [pack.add_picture(sample.image) for sample in chosen]
    return Figure("cam", {"scenes": scenes, "side": SIDE, "cells": scenes[0]["cells"]}, pack, pictures)


def build_controls(figure: Figure) -> tuple[Slider | Switch, ...]:
    """Build the controls: the image, and how many features are added."""
    scenes = figure.content["scenes"]
    return (Switch("scene", "Image", tuple(scene["focus"] for scene in scenes)),
            Slider("added", "Add features, the strongest first", 0, len(scenes[0]["steps"]) - 1, 1,
                   names=tuple(str(step["added"]) for step in scenes[0]["steps"])))


def measure_all(run: Run) -> tuple[float, float, float]:
    """Measure the stored maps of all images: mean in percent on small parts, rest of objects, background."""
    samples = data.ask_samples(run)
    gt, parts, top = (np.concatenate([getattr(s, name).ravel() for s in samples]) for name in ("gt", "parts", "top"))
    places = ((gt > 0) & (parts > 0), (gt > 0) & (parts == 0), gt == 0)
    return tuple(100 * float(top[mask].mean()) / 255 if mask.any() else 0.0 for mask in places)


def build_guess(run: Run) -> Guess:
    """Build the guess: how hot the rest of an object is against its small part."""
    part, body, _ = measure_all(run)
    return Guess(
        "On average over all images, call the heat of the small part 100. How hot is the rest of the "
        "object?", 0, 150, 1,
        round(100 * body / max(part, 1e-6)), "The map is uneven: it is hot where the class is told, and "
                                             "fainter on the rest.")


def render() -> None:
    """Render the lesson."""
    page.render_head(
        NAME,
        "A classifier, a network that names what is in an image, is never told **where**. Still it knows places: each "
        "of its features is a map, and a class weighs them. Their weighted sum is the **class activation map** (CAM).",
        "Drag *Add features* from left to right and watch the map grow out of its parts.")
    material = data.find_material("scenes", has_images=True)
    run = None if material is None else material.runs.get("cam")
    if run is None or not run.has_maps or run.checkpoint_path is None:
        data.render_missing()
        return
    figure = data.remember(NAME, material, lambda: build_figure(run))
    guess = data.remember(f"{NAME}:guess", material, lambda: build_guess(run))
    is_open = page.render_figure(figure, build_controls(figure), guess)
    page.render_text(
        "A **feature** is a number at every position, high where the network sees something that it has learnt to look "
        "for. To classify, the network averages each feature over the positions and adds the averages up, each times "
        "the **weight** that the class gives it. A CAM leaves the averaging out:",
        r"$$\mathrm{CAM}_c(x) = \mathrm{ReLU}\Big(\sum_d w_{c,d}\, f_d(x)\Big)$$"
        "\n\nThe sum over the features *d* is taken at every position *x*; ReLU makes what is below zero zero. Then "
        "all is divided by the largest value. A weight below zero speaks against the class. In these drawn scenes a "
        "small part (a head, a sign, a flag) names the class for certain; coat and build of the rest narrow it down. "
        "So the classifier listens to the part most, and the map is **uneven**.")
    page.render_answer(is_open, write_answer(run, material))
    page.render_way_on(NAME)


def write_answer(run: Run, material: data.Material) -> str:
    """Write how hot the maps are where, for the CAM and for AMN."""
    told = []
    for method in ("cam", "amn"):
        if method in material.runs and material.runs[method].has_maps:
            part, body, background = measure_all(material.runs[method])
            told.append(f"**{material.styles[method].label}** {part:.0f} on the small part, {body:.0f} on the rest, "
                        f"{background:.0f} on background")
    return (f"Mean activation over {material.title}, in percent of the scale: {'; '.join(told)}. Where the rest of an "
            "object is nearer to background than to the part, no threshold can tell the two apart.")


if __name__ == "__main__":
    render()
