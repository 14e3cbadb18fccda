"""Lesson: turn the knob of the drawn world, and train on it."""

import streamlit as st

from amn_core.commands.knob import average_measure
from amn_core.data import load_dataset
from app import roots, state
from app.charts import runs as app_charts
from app.charts.styles import build_styles
from app.lessons import charts, data, page

NAME = "train_it_yourself"
MEASURES = {
    "imbalance": "imbalance (CV)", "plateau": "plateau", "peak_miou": "peak mIoU", "gap": "gap", "auc": "AUC",
}
SHOWN = 4


def render() -> None:
    """Render the lesson."""
    page.render_text(
        NAME,
        "A real data set hides cause and effect. In this drawn world exactly **one cue** gives away the class "
        "of an object, and a **knob** sets which: at 0 it is always the pattern of the whole body, while the head or "
        "roof is the same for all classes; at 1 it is always that small part, while the pattern is the same for all. "
        "Turn it and look at the pictures: "
        "the objects stay where they are.",
        "Which way will the CAM's imbalance go? Train at two settings from the same start, with nothing but the knob "
        "changed, and compare.",
    )
    knob = page.render_slider("The knob: share of objects that only a small part gives away", 0.0, 1.0, 0.05, "knob")
    render_scenes(knob)
    measured = data.load_knob()
    if measured is not None:
        render_measured(measured, knob)
    page.render_question(
        "Before you train: a CAM that only needs the head, does it find less of the object, or does it find it at a "
        "lower threshold?",
        write_answer(measured))
    render_commands(knob)
    page.render_way_on(NAME)


def render_scenes(knob: float) -> None:
    """Render the same few scenes at a setting of the knob."""
    dataset = load_dataset(f"scenes:size=192,n={SHOWN},seed=7,discriminative={knob:.2f}", "val")
    pictures = [
        (", ".join(dataset.class_names[c] for c in dataset.class_ids(i)), dataset.image(i)) for i in dataset.ids]
    page.render_figure(
        charts.draw_pictures(pictures, SHOWN, 250), f"{NAME}_scenes", f"Scenes with the knob at {knob:.2f}")


def render_measured(measured: dict, knob: float) -> None:
    """Render what was measured over the range of the knob: the mean over the seeds."""
    runs = measured["runs"]
    methods = list(dict.fromkeys(row["method"] for row in runs))
    names = {row["method"]: row["name"] for row in runs}
    styles = dict(zip(methods, build_styles(methods, [names[method] for method in methods]), strict=True))
    for column, key in zip(st.columns(3), ("imbalance", "plateau", "peak_miou"), strict=True):
        factor = app_charts.PERCENT if key == "peak_miou" else 1
        series = [(styles[method], find_means(measured, method, key, factor)) for method in methods]
        title = MEASURES[key] + (" (%)" if factor != 1 else "")
        with column:
            page.render_figure(
                charts.draw_knob(measured["values"], series, title, knob), f"{NAME}_{key}", f"{title} over the knob")
    seeds = measured["seeds"]
    drawn = (f"random seed {seeds[0]}" if len(seeds) == 1
             else f"means over the random seeds {', '.join(map(str, seeds))}, bars for their range")
    st.caption(f"{measured['images']} images to measure on, {measured['trained']} to train on, {drawn}. Made by "
               "`python -m amn_core knob`.")


def write_answer(measured: dict | None) -> str:
    """Write the answer to the question, with what was measured if anything was."""
    general = (
        "Look at imbalance, then at the peak. If imbalance rises and the peak stays, the body is still in the map, "
        "only fainter: another threshold would find it. If the peak falls as well, some of it is lost at every "
        "threshold. And read the plateau with the peak beside it: a low, flat curve has a wide one.")
    if measured is None:
        return general
    lines = [write_change(measured, method) for method in dict.fromkeys(row["method"] for row in measured["runs"])]
    return "\n".join([general, "", "Measured from the lowest setting to the highest:", "", *lines, "",
                      "One training has one random seed: train again, with another, before you believe a small "
                      "difference."])


def write_change(measured: dict, method: str) -> str:
    """Write what the knob does to one method, as a line of a list."""
    name = next(row["name"] for row in measured["runs"] if row["method"] == method)
    parts = []
    for key, title, factor, form in (("imbalance", "imbalance", 1, ".2f"), ("peak_miou", "peak mIoU", 100, ".1f"),
                                     ("plateau", "plateau", 1, ".2f")):
        means = [mean for mean, _, _ in find_means(measured, method, key, factor)]
        parts.append(f"{title} {means[0]:{form}} to {means[-1]:{form}}")
    return f"- **{name}**: {', '.join(parts)}"


def find_means(measured: dict, method: str, key: str, factor: float) -> list[tuple[float, float, float]]:
    """Find mean, lowest and highest value of a measure over the seeds, at each setting of the knob."""
    rows = [[row for row in measured["runs"] if row["method"] == method and row["knob"] == value]
            for value in measured["values"]]
    undefined = (float("nan"),) * 3
    return [tuple(factor * number for number in average_measure(key, some) or undefined) for some in rows]


def render_commands(knob: float) -> None:
    """Render how to train on the scenes: on the screen Train, or on the command line."""
    st.markdown("**Now train.** On two free cores a stage takes about two minutes.")
    if (roots.REPOSITORY / "app" / "screens" / "train.py").is_file() and not state.is_classroom():
        st.page_link("screens/train.py", label="Open the screen Train", icon=":material/model_training:")
    elif state.is_classroom():
        st.caption("In a classroom nothing is started from the screen: the teacher, or your own laptop, can.")
    st.code(f"python -m amn_core reproduce --preset scenes --backbone efficientnet_lite0_small \\\n"
            f"  --data scenes:size=160,n=640,seed=7,discriminative={knob:.2f} --out runs/knob-{knob:.2f}",
            language="bash")


render()
