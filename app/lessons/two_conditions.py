"""Lesson: imbalance and gap as a model that can be moved, beside real distributions."""

import numpy as np
import streamlit as st

from amn_core.constants import DEFAULT_THRESHOLDS
from amn_core.sweep.curves import find_peak, find_plateau
from app import state
from app.cache import runs as cached
from app.charts.runs import compute_density
from app.lessons import charts, data, page
from app.lessons.model import build_below, measure_class, score_model_iou

NAME = "two_conditions"
STEPS = 50
SHOWN = ("cam", "amn")


def render() -> None:
    """Render the lesson."""
    page.render_text(
        NAME,
        "Take one class. On the object its activation has some distribution *F*, elsewhere another, *B*. "
        "If a share π of the pixels is object, every threshold *t* gives\n\n"
        r"$$\mathrm{IoU}(t) = \frac{\pi\,(1-F(t))}{\pi + (1-\pi)\,(1-B(t))}$$",
        "The numerator is the part of the object that you **keep**, the denominator adds all that you "
        "**labelled** object and all that really is. The paper asks for two things: "
        "less **imbalance** in *F*, a larger **gap** between *F* and *B*. Move them.",
    )
    left, right = st.columns([1, 3], gap="medium")
    with left:
        model = render_sliders()
    material = data.find_material("voc")
    with left:
        focus = render_focus(material)
    with right:
        render_model(model, material, focus)
    page.render_question(
        "Leave the gap alone and raise only the imbalance. Does the peak fall, does the hill get narrower, or both? "
        "Then change only the gap.",
        "Both. Spread-out activation loses pixels **early**: the numerator falls from small *t* on, so the "
        "hill gets lower and its summit moves to the left. A small gap lets background in **late**: the denominator "
        "stays large until *t* is high. The hill is squeezed from both sides. And since each image has its own *F* and "
        "*B*, a narrow hill means that no single *t* lies on the hills of all images.",
    )
    page.render_way_on(NAME)


def render_sliders() -> dict[str, np.ndarray | float]:
    """Render the sliders of the model; returns π, F and B on the thresholds."""
    imbalance = page.render_slider(
        "Imbalance on the object (CV, coefficient of variation)", 0.05, 1.2, 0.05, "imbalance")
    gap = page.render_slider("Gap between the means", 0.05, 0.9, 0.05, "gap")
    share = page.render_slider("Share of the image that is object, π", 0.02, 0.8, 0.02, "area")
    haze = page.render_slider("Spread on the background", 0.02, 0.4, 0.01, "haze")
    mean = 0.5 + gap / 2
    return {
        "share": share, "F": build_below(mean, imbalance * mean, DEFAULT_THRESHOLDS),
        "B": build_below(1 - mean, haze, DEFAULT_THRESHOLDS)}


def render_focus(material: data.Material | None) -> str | None:
    """Render the choice of a real class, and the way to set the sliders to it."""
    if material is None:
        return None
    first = next(iter(material.runs.values()))
    pixels = cached.load_class_separation(first)[1][:, 0].sum(axis=-1)
    present = [first.class_names[c] for c in np.argsort(-pixels) if pixels[c]]
    focus = page.render_choice("Beside it, the real class", present, "focus")
    for method in SHOWN:
        if method in material.runs:
            st.button(f"Set the sliders to {material.styles[method].label}", on_click=take_class, width="stretch",
                      args=(material.runs[method], focus), key=f"take:{method}")
    return focus


def take_class(run, name: str) -> None:
    """Set the sliders to the measures of a real class."""
    separation, bins = cached.load_class_separation(run)
    class_id = run.class_names.index(name)
    share, _, below = measure_class(bins[class_id])
    middle = np.append(DEFAULT_THRESHOLDS, 1.0)
    mass = np.diff(np.concatenate([[0], below, [1]]))
    spread = np.sqrt(max((mass * middle**2).sum() - (mass * middle).sum() ** 2, 0))
    measures = (("imbalance", separation.imbalance[class_id], 0.05), ("gap", separation.gap[class_id], 0.05),
                ("area", share, 0.02), ("haze", spread, 0.01))
    for key, value, step in measures:
        state.put(key, round(round(float(value) / step) * step, 2))


def render_model(model: dict, material: data.Material | None, focus: str | None) -> None:
    """Render the distributions, the model's and real ones, and the curves."""
    iou = score_model_iou(model["share"], model["F"], model["B"])
    low, high = (int(end) for end in find_plateau(iou))
    peak = int(find_peak(iou))
    curves, real = [(charts.MODEL, iou)], []
    for method in SHOWN if material else ():
        if method in material.runs:
            panel, curve = describe_class(material, method, focus)
            real.append(panel)
            curves.append((material.styles[method], curve))
    shown = describe_model(model)
    grid = (np.arange(STEPS) + 0.5) / STEPS
    figure = charts.draw_two_conditions(
        shown, real, grid, DEFAULT_THRESHOLDS, curves, (low, high), float(DEFAULT_THRESHOLDS[peak]))
    page.render_figure(figure, NAME, "Distributions of activation and the IoU of every threshold")
    st.markdown(f"The model peaks at **{iou[peak] * 100:.1f} %** at threshold {DEFAULT_THRESHOLDS[peak]:.3f}; within "
                f"one "
                f"point of it from {DEFAULT_THRESHOLDS[low]:.3f} to {DEFAULT_THRESHOLDS[high]:.3f}, a plateau of "
                f"**{DEFAULT_THRESHOLDS[high] - DEFAULT_THRESHOLDS[low]:.3f}**.")
    if material is not None:
        st.caption(f"Real: “{focus}” in {material.title}, all images pooled, cut by its own map. The model draws *F* "
                   f"and "
                   "*B* as beta distributions; formula and measures are ours.")


def describe_model(model: dict) -> charts.Distributions:
    """Describe the model's distributions as densities."""
    densities = []
    for name in ("F", "B"):
        pixels = np.diff(np.concatenate([[0], model[name], [1]])) * 1e6
        densities.append(compute_density(pixels, DEFAULT_THRESHOLDS, STEPS)[1])
    return charts.Distributions("the model", charts.MODEL.colour, *densities)


def describe_class(material: data.Material, method: str, focus: str) -> tuple[charts.Distributions, np.ndarray]:
    """Describe a real class of a run: its densities, and the IoU curve that the formula gives for them."""
    run = material.runs[method]
    _, bins = cached.load_class_separation(run)
    counted = bins[run.class_names.index(focus)]
    iou = score_model_iou(*measure_class(counted))
    style = material.styles[method]
    densities = [compute_density(part, DEFAULT_THRESHOLDS, STEPS)[1] for part in (counted[0], counted[1] + counted[2])]
    return charts.Distributions(f"{style.label}, “{focus}”", style.colour, *densities), iou


render()
