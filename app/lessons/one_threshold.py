"""Lesson: every image has a threshold of its own, and all get one."""

import numpy as np
import streamlit as st

from app import state
from app.cache import runs as cached
from app.charts import runs as charts
from app.lessons import data, page

NAME = "one_threshold"
POINT = 0.01


def render() -> None:
    """Render the lesson."""
    page.render_text(
        NAME,
        "To turn maps into masks, one number is chosen for **all** images: above it is object, below it background. "
        "But one image's map is bright and broad, another's faint and small. Each would like a threshold of its own.",
        "The figure shows where those would lie: for every image of a real run, the threshold that gives this "
        "image its best mask. Move the one threshold that all have to share, and see how many images it serves.",
    )
    material = data.find_material("voc")
    if material is None:
        data.render_missing()
        return
    threshold = st.slider("The one threshold", 0.0, 1.0, step=0.005, format="%.3f", **state.bind("t"))
    scores = {method: cached.load_image_scores(run) for method, run in material.runs.items()}
    summaries = {
        method: cached.load_summary(run, "union", threshold=threshold) for method, run in material.runs.items()}
    values = [(material.styles[m], scores[m].best_threshold, summaries[m].peak_threshold) for m in scores]
    page.render_figure(charts.draw_best_thresholds(values, threshold), NAME, "Best thresholds of the images")
    render_numbers(material, scores, summaries, threshold)
    st.caption(f"{material.title}. The best threshold of an image is found on its ground truth: an oracle, to learn "
               "from and never to report. Symbols on the axis: the best single threshold of the run.")
    page.render_question(
        "Suppose every image could have its own best threshold. How much would each method gain, and what does the "
        "smaller gain tell you?",
        write_answer(material, summaries),
    )
    page.render_way_on(NAME)


def render_numbers(material: data.Material, scores: dict, summaries: dict, threshold: float) -> None:
    """Render for each run how many images the threshold serves, and what the data set scores."""
    for column, (method, run) in zip(st.columns(len(scores)), material.runs.items()):
        regret = find_regret(scores[method], threshold)
        served = float(np.mean(regret <= POINT)) if len(regret) else float("nan")
        with column:
            st.metric(f"{run.method_label}: images within 1 point of their best", f"{served:.0%}", border=True)
            st.markdown(f"mIoU of all images **{summaries[method].chosen_miou * 100:.1f}** · an image loses "
                        f"**{regret.mean() * 100:.1f}** points on average")


def find_regret(scores, threshold: float) -> np.ndarray:
    """Find what each image loses at a threshold; images without a score are left out."""
    index = int(np.abs(scores.thresholds - threshold).argmin())
    regret = scores.best_miou - scores.miou[:, index]
    return regret[np.isfinite(regret)]


def write_answer(material: data.Material, summaries: dict) -> str:
    """Write what each run would gain from a threshold for every image."""
    gains = [
        f"**{material.styles[method].label}**: {summary.peak_miou * 100:.1f} at its best single threshold, "
        f"{summary.oracle_miou * 100:.1f} with one for each image, a gain of "
        f"**{(summary.oracle_miou - summary.peak_miou) * 100:.1f} points**"
        for method, summary in summaries.items()]
    return ("\n".join(f"- {gain}" for gain in gains) + "\n\nThe information was in the maps; the single threshold "
            "threw it away. A smaller gain may mean that the images agree on a threshold, which is what the paper is "
            "after. It is no proof: large objects weigh more in it, so move the threshold to each run's symbol and "
            "compare the points an image loses on average. And a map can be poor at *every* threshold.")


render()
