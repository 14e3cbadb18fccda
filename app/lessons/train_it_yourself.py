"""Lesson: turn the knob of the drawn world, and train on it."""

import streamlit as st

from amn_core.commands.knob import average_measure
from amn_core.data import load_dataset
from app import roots, state
from app.charts.styles import build_styles
from app.components.job_form import VALUES
from app.components.lesson import Figure, Guess, Pack, Slider
from app.lessons import data, page

NAME = "train_it_yourself"
MEASURES = {"imbalance": ("imbalance", 1, 0.2), "peak_miou": ("peak mIoU %", 100, 20), "gap": ("gap", 1, 0.2)}
DRAWN = (0.0, 0.25, 0.5, 0.75, 1.0)
SHOWN = 4
TRAINED = 320
CONTROLS = (Slider("knob", "The knob: how much less the body tells than the part", 0.0, 1.0, 0.05,
                   ends=("all tells", "part alone")),)


def build_figure() -> Figure:
    """Build the figure: the same scenes at several settings, and what was measured after training."""
    pack, pictures = Pack(), []
    for knob in DRAWN:
        dataset = load_dataset(f"scenes:size=192,n={SHOWN},seed=7,discriminative={knob:.2f}", "val")
        pictures += [pack.add_picture(dataset.image(image_id)) for image_id in dataset.ids]
    measured = data.load_knob()
    content = {"drawn": list(DRAWN), "shown": SHOWN, "values": [], "measures": []}
    if measured is not None:
        content |= {"values": measured["values"], "measures": [describe_measure(measured, key) for key in MEASURES]}
    return Figure("knob", content, pack, pictures)


def describe_measure(measured: dict, key: str) -> dict:
    """Describe one measure over the knob: for each method the mean over the seeds, the lowest and the highest."""
    title, factor, step = MEASURES[key]
    methods = list(dict.fromkeys(row["method"] for row in measured["runs"]))
    names = {row["method"]: row["name"] for row in measured["runs"]}
    series, top = [], 0.0
    for method, style in zip(methods, build_styles(methods, [names[m] for m in methods]), strict=True):
        means, low, high = zip(*find_means(measured, method, key, factor), strict=True)
        top = max(top, *high)
        series.append({"label": style.label, "colour": style.colour, "dash": [] if style.dash == "solid" else [7, 4],
                       "means": means, "low": low, "high": high})
    return {"title": title, "series": series, "range": [0, (top // step + 1) * step]}


def find_means(measured: dict, method: str, key: str, factor: float) -> list[tuple[float, float, float]]:
    """Find mean, lowest and highest value of a measure over the seeds, at each setting of the knob."""
    rows = [[row for row in measured["runs"] if row["method"] == method and row["knob"] == value]
            for value in measured["values"]]
    return [tuple(factor * number for number in average_measure(key, some) or (0.0, 0.0, 0.0)) for some in rows]


def build_guess(measured: dict | None) -> Guess | None:
    """Build the guess: the imbalance of the CAM where the part alone tells the class."""
    if measured is None:
        return None
    means = [mean for mean, _, _ in find_means(measured, "cam", "imbalance", 1)]
    return Guess(
        f"Where all of the body tells the class (knob 0), CAM's imbalance is {means[0]:.2f}. What is it at knob "
        f"1, where "
        "the part alone does?", 0.0, 1.2, 0.01, round(means[-1], 2),
        "One cause, and its effect. Measured by training at each setting, with nothing changed but the knob.")


def render() -> None:
    """Render the lesson."""
    page.render_head(
        NAME,
        "A real data set hides cause and effect. In this drawn world a **knob** sets how much less the body of an "
        "object tells of its class than the small part does: the cause of imbalance, on demand.",
        "Turn the knob and look at coats and builds: the objects stay where they are, the heads stay what they are.")
    measured = data.load_knob()
    is_open = render_live(measured)
    page.render_text(
        "At 0 each class has its own coat and build: a cat is striped and slim, a cow is patched. At 1 they are dealt "
        "out at random within a family, so the body tells that this is some animal, and the head alone tells which. "
        "Half-way the body narrows the class down without naming it, as in photographs.",
        "**Now train.** Choose a setting, train at it and at another, and compare the two. On two idle cores a stage "
        "takes two to three minutes. Train with a second random seed, too, before you believe a small difference.")
    render_commands(float(state.get("knob")))
    page.render_answer(is_open, write_answer(measured))
    page.render_way_on(NAME)


def render_live(measured: dict | None) -> bool:
    """Render the figure; whether the answer may be told."""
    figure, guess = build_figure_once(str(roots.REPOSITORY)), build_guess(measured)
    return page.render_figure(figure, CONTROLS, guess) or guess is None


@st.cache_resource(max_entries=2, show_spinner=False)
def build_figure_once(repository: str) -> Figure:
    """Build the figure once."""
    return build_figure()


def write_answer(measured: dict | None) -> str:
    """Write what the knob does, as it was measured."""
    if measured is None:
        return "Nothing was measured over the knob yet: `python -m amn_core knob` does."
    methods = dict.fromkeys(row["method"] for row in measured["runs"])
    seeds = ", ".join(map(str, measured["seeds"]))
    return ("From knob 0 to knob 1: " + "; ".join(write_change(measured, method) for method in methods)
            + f". {measured['images']} images measured, {measured['trained']} trained on, mean of the random "
              f"seeds {seeds}, "
            "bars for their range. Made by `python -m amn_core knob`.")


def write_change(measured: dict, method: str) -> str:
    """Write what the knob does to one method."""
    name = next(row["name"] for row in measured["runs"] if row["method"] == method)
    parts = []
    for key, (title, factor, _) in MEASURES.items():
        means = [mean for mean, _, _ in find_means(measured, method, key, factor)]
        form = ".1f" if factor != 1 else ".2f"
        parts.append(f"{title.removesuffix(' %')} {means[0]:{form}} to {means[-1]:{form}}")
    return f"**{name}** {', '.join(parts)}"


def write_spec(knob: float) -> str:
    """Write the data set that the lesson trains on."""
    return f"scenes:n={TRAINED},seed=7,discriminative={knob:.2f}"


def render_commands(knob: float) -> None:
    """Render how to train on the scenes: on the screen Train, with these settings, or on the command line."""
    if state.is_classroom():
        st.caption("In a classroom nothing is started from the screen: the teacher, or your own laptop, can.")
    elif st.button(f"Train at knob {knob:.2f}", icon=":material/model_training:", type="primary"):
        st.session_state[VALUES] = {
            "data": write_spec(knob), "kind": "scenes", "train_split": "train", "split": "val", "preset": "scenes",
            "backbone": "efficientnet_lite0_small"}
        state.put("job", None)
        st.switch_page("screens/train.py")
    st.code(f"python -m amn_core reproduce --preset scenes --backbone efficientnet_lite0_small --data "
            f"{write_spec(knob)} "
            f"--out runs/knob-{knob:.2f}", language="bash", wrap_lines=True)


if __name__ == "__main__":
    render()
