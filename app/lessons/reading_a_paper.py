"""Lesson: the same maps under several protocols, and what to ask of a table."""

import streamlit as st

from app import state
from app.cache import runs as cached
from app.lessons import charts, data, page
from app.words.definitions import AVERAGINGS

NAME = "reading_a_paper"
HALVES = {
    "same": "on the ground truth of the very images that are scored",
    "other": "on the ground truth of the other half of the images",
    "fixed": "once and for all: 0.15 for CAM, 0.25 for AMN, as in the official code",
}
FIXED = {"cam": 0.15}
SHORT = {"union": "absent classes left out (IRN)", "all": "absent classes count as 0 (SEAM)",
         "present": "only classes in the ground truth (ToCo)"}


def render() -> None:
    """Render the lesson."""
    page.render_text(
        NAME,
        "A table says: *seed mIoU 62.1*. Before it means anything you need to know how it was made. Below are the "
        "**same maps** of the same images, scored as different papers score theirs. Nothing else changes.",
        "- Who chose the **threshold**, and on which ground truth? A weakly supervised method has none.\n"
        "- What happens to a class that an image set lacks, and to pixels marked 255?\n"
        "- Is it the seed, the refined mask, or the segmentation? `train`, `train_aug` or `val`?\n"
        "- Are the maps normalised with knowledge that the other method did not get?",
    )
    material = data.find_material("voc")
    if material is None:
        data.render_missing()
        return
    half = st.radio("The threshold is chosen", list(HALVES), format_func=HALVES.get, **state.bind("half", list(HALVES)))
    st.radio("A class that is absent from an image set", list(AVERAGINGS), format_func=AVERAGINGS.get, horizontal=True,
             **state.bind("averaging", list(AVERAGINGS)))
    table = {
        (choice, rule): {method: score_run(run, choice, rule) for method, run in material.runs.items()}
        for choice in HALVES for rule in AVERAGINGS}
    render_table(material, table, (half, state.get("averaging")))
    page.render_question(
        "Two papers report 48.3 and 49.1 for the same CAM. Name three harmless reasons before you believe in progress.",
        "The threshold was tuned on the scored images in one and fixed in the other. Absent classes or 255 were "
        "treated differently. Another split, another scale, another checkpoint of the same recipe. And chance: look "
        "for "
        "intervals. On the screen *Curves* every run has a bootstrap interval, and *Difference* a paired one.",
    )
    page.render_way_on(NAME)


def score_run(run, choice: str, rule: str) -> tuple[float, float]:
    """Score a run on the second half of its images under a protocol: threshold and mIoU."""
    ids = sorted(cached.load_counts(run).image_ids)
    scored, other = tuple(ids[1::2]), tuple(ids[::2])
    if choice == "fixed":
        threshold = FIXED.get(run.method, 0.25)
    else:
        threshold = cached.load_summary(run, rule, images=scored if choice == "same" else other).peak_threshold
    return threshold, cached.load_summary(run, rule, images=scored, threshold=threshold).chosen_miou


def render_table(material: data.Material, table: dict, marked: tuple[str, str]) -> None:
    """Render the scores under every protocol, the chosen one large, and how far they lie apart."""
    titles = {"same": "own images", "other": "other half", "fixed": "fixed"}
    rows = [f"{titles[choice]} · {SHORT[rule]}" for choice, rule in table]
    values = [
        (material.styles[method], [scores[method][1] for scores in table.values()]) for method in material.runs]
    page.render_figure(charts.draw_protocols(rows, values, list(table).index(marked)), NAME, "mIoU by protocol")
    for column, (style, scores) in zip(st.columns(len(values)), values, strict=True):
        method = next(m for m, s in material.styles.items() if s == style)
        threshold, score = table[marked][method]
        column.metric(f"{style.label} at {threshold:.3f}", f"{score * 100:.1f}", border=True,
                      delta=f"{min(scores) * 100:.1f} to {max(scores) * 100:.1f} over all protocols", delta_color="off",
                      delta_arrow="off")
    st.caption(f"Scored on every other image of {material.title}. Thresholds chosen on ground truth are an oracle.")


render()
