"""Lesson: a class activation map, where it is hot, and why."""

import numpy as np
import streamlit as st

from app.lessons import charts, data, page

NAME = "what_a_cam_is"
COLOURS = {"small part": "#D55E00", "rest of the object": "#56B4E9", "background": "#808495"}


def render() -> None:
    """Render the lesson."""
    page.render_text(
        NAME,
        "A classifier is told only **what** is in an image, never **where**. Still its last layer knows places: it "
        "holds a number for every feature at every position, and adds them up to decide. Look at the sum *before* the "
        "positions are averaged, one class at a time, and you have a **class activation map (CAM)**: "
        "how much each place argues for the class.",
        "The classifier has no reason to find the whole object. It looks for what tells this class from the others. "
        "In these drawn scenes the bodies of a family are alike and only a small part, outlined in white, names the "
        "class.",
    )
    material = data.find_material("scenes", has_images=True)
    if material is None:
        data.render_missing()
        return
    render_instrument(material)
    page.render_question(
        "Cut this map at one threshold. Which do you get first when you lower it: the rest of the object, or "
        "background?",
        "Lower the threshold in your mind from the highest bar to the lowest. Where the small part is hottest it comes "
        "first; the body follows only when the threshold is near what parts of the background have. Look at the "
        "distance "
        "between the two right bars in several images: **where the rest of the object is nearer to background than to "
        "the part, no threshold can tell them apart.** Then look at the same image with AMN.",
    )
    page.render_way_on(NAME)


def render_instrument(material: data.Material) -> None:
    """Render the choice of image, class and method, the map, and how hot it is where."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        methods = list(material.runs)
        method = page.render_choice("Map of", methods, "way", format_func=lambda m: material.styles[m].label, width=200)
        run = material.runs[method]
        image_id = page.render_image_choice(run)
        sample = data.load_sample(run, image_id)
        names = [run.class_names[c] for c in sample.class_ids]
        focus = page.render_choice("Class", names, "focus", width=180)
    plane = sample.cam[names.index(focus)]
    class_id = int(sample.class_ids[names.index(focus)])
    parts = data.load_parts(run, image_id)
    part = np.zeros_like(plane, bool) if parts is None else parts == class_id
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        heat = charts.outline_mask(charts.overlay_map(sample.image, plane), part)
        figure = charts.draw_pictures([("the image", sample.image), (f"activation of “{focus}”", heat)], 2)
        page.render_figure(figure, NAME, f"Image and activation map of {focus}")
    with right:
        render_places(plane, sample.gt, class_id, part)


def render_places(plane: np.ndarray, gt: np.ndarray | None, class_id: int, part: np.ndarray) -> None:
    """Render the mean activation on the small part, on the rest of the object and on background."""
    if gt is None:
        return
    places = {"small part": part, "rest of the object": (gt == class_id) & ~part, "background": gt == 0}
    means = {name: float(plane[mask].mean()) for name, mask in places.items() if mask.any()}
    colours = [COLOURS[name] for name in means]
    figure = charts.draw_bars(list(means), list(means.values()), colours, "mean activation", 330)
    page.render_figure(figure, f"{NAME}_places", "Mean activation by place")


render()
