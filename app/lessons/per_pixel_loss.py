"""Lesson: the per-pixel classification loss and its two levels."""

import numpy as np
import streamlit as st

from app.cache import runs as cached
from app.charts.runs import Separation, draw_separation
from app.lessons import charts, data, page
from app.lessons.smoothing import build_target, find_levels, score_pixel_loss

NAME = "per_pixel_loss"


def render() -> None:
    """Render the lesson."""
    material = data.find_material("voc")
    n_classes = 21 if material is None else len(next(iter(material.runs.values())).class_names)
    page.render_text(
        NAME,
        "AMN is trained on **seeds**: pixels of which the CAM is sure, as object or as background. At each it "
        "classifies the "
        "pixel. So far that is segmentation; the twist is **label smoothing**: the target is not 1 but 1 − ε, and the "
        "other classes share ε.",
        "The loss then has its lowest point **inside** the scale. A pixel below it is pulled up: the less "
        "discriminative "
        "parts. A pixel above it is pushed **down**: the most discriminative ones. All object pixels are sent to one "
        "level, all background pixels to another: *two-level activation*.",
    )
    left, right = st.columns([1, 3], gap="medium")
    with left:
        epsilon = page.render_slider("Label smoothing ε (the paper: 0.4)", 0.0, 0.9, 0.05, "epsilon")
        present = int(page.render_slider("Object classes in the image", 1, 5, 1, "present"))
        on, off = find_levels(present, n_classes, epsilon)
        st.metric("Level on the object", f"{on:.3f}", border=True)
        st.metric("Level on background", f"{off:.3f}", border=True)
    with right:
        render_loss(n_classes, epsilon)
    render_real(material)
    page.render_question(
        "The gap between the two levels is largest at ε = 0. Why not take ε = 0 then?",
        "Because the seeds are partly wrong, and most of the object has **no** seed. With ε = 0 the loss never ends "
        "rewarding a higher probability: the network goes on sharpening the parts it is sure of, which are those the "
        "CAM "
        "was hot on, and learns the seed's errors by heart. With ε > 0 a pixel that is good enough is left alone. "
        "How much smoothing is best is a matter of measuring: train with another `--epsilon` and compare the runs.",
    )
    page.render_way_on(NAME)


def render_loss(n_classes: int, epsilon: float) -> None:
    """Render the loss of one pixel, with and without smoothing, and its target."""
    probability = np.linspace(0.004, 0.996, 249)
    losses = [
        (f"with ε = {epsilon:g}", charts.MODEL.colour, "solid", score_pixel_loss(probability, n_classes, epsilon)),
        ("without smoothing", charts.BACKGROUND_COLOUR, "dash", score_pixel_loss(probability, n_classes, 0.0)),
    ]
    page.render_figure(charts.draw_pixel_loss(probability, losses, 1 - epsilon), NAME, "Loss of a pixel")
    target = build_target(1, n_classes, epsilon)
    st.caption(f"Target of a pixel with {n_classes} classes: {target[1]:.3f} for its own, {target[0]:.4f} for each "
               f"other. "
               "The levels on the left follow if the network reaches its targets and probabilities are shared among "
               "background and the image's classes.")


def render_real(material: data.Material | None) -> None:
    """Render what became of the activation in real runs."""
    if material is None:
        return
    st.markdown(f"**What became of it**: activation on the object and on background, {material.title}")
    panels = []
    for method, run in material.runs.items():
        _, bins = cached.load_class_separation(run)
        panels.append(Separation(material.styles[method], *bins.sum(axis=0)))
    thresholds = cached.load_counts(next(iter(material.runs.values()))).thresholds
    page.render_figure(draw_separation(panels, thresholds, 0.5), f"{NAME}_real", "Activation histograms by method")


render()
