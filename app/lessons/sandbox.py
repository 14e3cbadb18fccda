"""Lesson: take real maps, change them, and watch what moves and what does not."""

import streamlit as st

from app import state
from app.charts.runs import Curve, draw_curves
from app.charts.styles import RunStyle
from app.lessons import charts, data, page
from app.lessons.manipulation import Manipulation, manipulate

NAME = "sandbox"
BEFORE = RunStyle("as it came from the network", "#808495", "dash", "circle")
AFTER = RunStyle("manipulated", "#0072B2", "solid", "square")
NEUTRAL = {"gamma": 1.0, "clip": 1.0, "sharpness": 0.0, "rescale": 0.0, "suppression": 0.0}
PRESETS = {
    "As it was": {}, "Lift the weak parts": {"gamma": 0.4}, "Two levels": {"sharpness": 20.0},
    "Clip the hot part": {"clip": 0.5}, "Rescale each map": {"rescale": 1.0},
    "Know the background": {"suppression": 0.5},
}
MEASURES = (
    ("gap", "Gap", 1, ".3f"), ("imbalance", "Imbalance", 1, ".3f"), ("plateau", "Plateau", 1, ".3f"),
    ("auc", "AUC", 1, ".3f"), ("peak_miou", "Peak mIoU", 100, ".1f"), ("oracle_miou", "Oracle", 100, ".1f"),
)


def render() -> None:
    """Render the lesson."""
    page.render_text(
        NAME,
        "If a larger gap and less imbalance are what we want, why not just **make** them? Take real activation maps, "
        "all of a run, and bend them. Every map is counted again, so the numbers are of the bent maps.",
    )
    material = data.find_material("scenes", has_images=True)
    runs = {} if material is None else {method: run for method, run in material.runs.items() if run.has_maps}
    if not runs:
        data.render_missing()
        return
    left, right = st.columns([1, 3], gap="medium")
    with left:
        method = page.render_choice("Maps of", list(runs), "way", format_func=lambda m: material.styles[m].label)
        manipulation = render_sliders()
    with right:
        render_result(runs[method], manipulation)
    page.render_question(
        "Press *Lift the weak parts*, then *Two levels*. Gap and plateau change a great deal. Which numbers do not, "
        "and what does that say about a paper that reports a wider plateau?",
        "**AUC**, the **peak** and the **oracle** stay where they were, but for rounding: gamma and a step "
        "move "
        "every value to another place without changing who is above whom. The curve is only stretched along its "
        "axis. So a "
        "plateau, or a gap, can be bought without a better map. Look for what cannot be bought: AUC, peak, and "
        "oracle − peak. *Rescale each map* does change the peak, because it moves images against one another. "
        "*Know the background* changes everything, and cheats: it needs the ground truth.",
    )
    page.render_way_on(NAME)


def render_sliders() -> Manipulation:
    """Render the presets and sliders of the manipulation."""
    with st.container(horizontal=True, gap="small"):
        for name, values in PRESETS.items():
            st.button(name, on_click=take, args=(values,), key=f"preset:{name}")
    return Manipulation(
        rescale=page.render_slider("Rescale each map to reach 1", 0.0, 1.0, 0.1, "rescale"),
        gamma=page.render_slider("Gamma (below 1 lifts the weak)", 0.2, 3.0, 0.1, "gamma"),
        clip=page.render_slider("Clip at", 0.1, 1.0, 0.05, "clip"),
        sharpness=page.render_slider("Two-level sharpening", 0.0, 40.0, 1.0, "sharpness"),
        level=page.render_slider("… around", 0.05, 0.95, 0.05, "level"),
        suppression=page.render_slider("Suppress the true background (cheats)", 0.0, 1.0, 0.1, "suppression"))


def take(values: dict[str, float]) -> None:
    """Set all sliders: to the values, or to where they have no effect."""
    for name, neutral in NEUTRAL.items():
        state.put(name, values.get(name, neutral))


def render_result(run, manipulation: Manipulation) -> None:
    """Render one map before and after, the numbers, and the data set's curve."""
    image_id = page.render_image_choice(run, "Look at")
    sample = data.load_sample(run, image_id)
    bent = manipulate(sample.cam, manipulation, sample.gt)
    pictures = [("the image", sample.image)] + [
        (title, charts.overlay_map(sample.image, cam.max(axis=0)))
        for title, cam in (("before", sample.cam), ("after", bent))]
    page.render_figure(charts.draw_pictures(pictures, 3, 230), f"{NAME}_maps", "A map before and after")
    before, after = (data.ask_summary(run, m) for m in (Manipulation(), manipulation))
    for column, (key, label, factor, form) in zip(st.columns(len(MEASURES)), MEASURES, strict=True):
        new, old = getattr(after, key) * factor, getattr(before, key) * factor
        moved = f"{new - old:+{form}}"
        column.metric(label, format(new, form), moved, delta_color="off", delta_arrow="off", border=True)
    curves = [
        Curve(style, summary.thresholds, summary.miou, level=summary.oracle_miou,
              peak=int((summary.miou == summary.peak_miou).argmax()))
        for style, summary in ((BEFORE, before), (AFTER, after))]
    figure = draw_curves(curves, "threshold", "mIoU (%)", state.get("t"))
    figure.update_layout(height=330)
    page.render_figure(figure, NAME, "The data set's curve before and after")
    kept = "keep" if manipulation.keeps_order else "do **not** keep"
    st.caption(f"{after.images} images, every map counted again at a quarter of its size. These changes {kept} the "
               f"order "
               "of values. Dotted: every image at its own best threshold, an oracle.")


render()
