"""Lesson: what telling the network the image's labels does; a wrong label may be switched on."""

import numpy as np
import streamlit as st

from app import state
from app.lessons import charts, data, page

NAME = "label_conditioning"
METHODS = ("amn-without-lcm", "amn")
NAMES = {"amn-without-lcm": "without label conditioning", "amn": "with label conditioning"}


def render() -> None:
    """Render the lesson."""
    page.render_text(
        NAME,
        "The labels of an image are known in training: that is the weak supervision. AMN feeds them in. The **label "
        "conditioning module (LCM)** is one linear layer: labels in, one factor for every feature channel out. "
        "Features that "
        "speak for classes that are not in the image can be turned down before a pixel is classified.",
        "What does a network do with a label that is **wrong**? Switch one on and compare. Without LCM the label only "
        "decides which maps are kept; with LCM it changes the maps themselves.",
    )
    material = data.find_material("scenes", has_images=True)
    runs = {} if material is None else {
        method: material.runs[method] for method in METHODS
        if method in material.runs and material.runs[method].checkpoint_path}
    if len(runs) < len(METHODS):
        st.info("This lesson runs the models themselves: it needs the checkpoints of AMN and of AMN without LCM. "
                "Make them "
                "with `python -m amn_core reproduce --data scenes --preset scenes --out runs/scenes --bundle "
                "checkpoints/scenes`.", icon=":material/model_training:")
    else:
        render_instrument(runs)
    page.render_question(
        "The labels are the ground truth here. What would you check before trusting LCM on labels that a classifier "
        "predicted?",
        "What a false label costs. A missing label loses the class for certain, with or without LCM. A false one costs "
        "what you have just seen: how many pixels the wrong class takes. On labels from people LCM is told "
        "nothing false; whether it helps has to be measured. On "
        "predicted labels it may pass the classifier's errors on. The screen *Your photo* lets you try.",
    )
    page.render_way_on(NAME)


def render_instrument(runs: dict) -> None:
    """Render the choice of image, threshold and wrong labels, and what both networks make of them."""
    first = next(iter(runs.values()))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        image_id = page.render_image_choice(first)
        threshold = st.slider("Threshold", 0.0, 1.0, step=0.005, format="%.3f", width=240, **state.bind("t"))
        sample = data.load_sample(first, image_id)
        true = {int(c) for c in sample.class_ids}
        others = [name for c, name in enumerate(first.class_names) if c and c not in true]
        st.pills("Switch a wrong label on", others, selection_mode="multi", **state.bind("wrong", others))
    wrong = {first.class_names.index(name) for name in state.get("wrong") if name in others}
    told = tuple(sorted(true | wrong))
    with st.spinner("Running both networks…"):
        maps = {method: data.ask_map(run, image_id, told) for method, run in runs.items()}
    render_maps(sample, maps, told, wrong, threshold, first.class_names)


def render_maps(sample: data.Sample, maps: dict, told: tuple, wrong: set, threshold: float, names: tuple) -> None:
    """Render the wrong class's map, or the strongest of all, and how many pixels are called wrongly."""
    pictures = [("the image: " + ", ".join(names[c] for c in sorted(set(told) - wrong)), sample.image)]
    shown = [told.index(c) for c in sorted(wrong)] or list(range(len(told)))
    what = ", ".join(names[told[row]] for row in shown)
    for method, cam in maps.items():
        plane = cam[shown].max(axis=0)
        called = (cam.argmax(axis=0)[..., None] == shown).any(axis=-1) & (cam.max(axis=0) > threshold)
        pictures.append((NAMES[method], charts.outline_mask(charts.overlay_map(sample.image, plane), called)))
    page.render_figure(charts.draw_pictures(pictures, 3), NAME, f"Maps of {what}")
    st.caption(f"Shown: activation of **{what}**; outlined in white: the pixels labelled so "
               f"at a threshold of {threshold:.3f}.")
    for column, (method, cam) in zip(st.columns(len(maps)), maps.items(), strict=True):
        label = np.concatenate([[0], told])[np.where(cam.max(0) > threshold, cam.argmax(0) + 1, 0)]
        is_wrong = np.isin(label, sorted(wrong))
        right = float((label == sample.gt).mean()) if sample.gt is not None else float("nan")
        column.metric(f"{NAMES[method]}: pixels that a wrong label takes", f"{is_wrong.mean():.1%}", border=True,
                      delta=f"{right:.1%} of all pixels are right", delta_color="off", delta_arrow="off")


render()
