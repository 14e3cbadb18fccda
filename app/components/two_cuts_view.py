"""Curves' view of two cuts: quality and coverage of every pair, the pair at hand, and what inherited pairs cost."""

import shlex

import pandas as pd
import streamlit as st

from amn_core.formats.runs import Run
from amn_core.presets import TWO_CUTS
from amn_core.scoring import NO_CUTS
from amn_core.sweep.two_cuts import Plane, score_pair
from app import roots, state
from app.cache import two_cuts as cached
from app.charts import two_cuts as charts
from app.charts.plotting import mark_live
from app.controls import Choice, bind_run
from app.words.text import escape

CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}
YOURS = "your own"


def render_cuts(choice: Choice) -> None:
    """Render two cuts for every run that has them: the fronts, and the plane of one run."""
    planes, lacking = load_planes(choice)
    if lacking:
        st.info(" ".join(escape(f"{name}: {why}.") for name, why in lacking.items()), icon=":material/info:")
    if not planes:
        return
    names = {key: choice.styles[key].label for key in planes}
    low = min(state.get("low"), choice.threshold)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        render_low(choice.threshold)
        render_presets(choice.threshold, low)
        key = st.selectbox("Plane of", list(names), format_func=names.get, width=260,
                           **bind_run("first", list(names), -1))
    now = {name: mark_pair(plane, "now", choice.threshold, low) for name, plane in planes.items()}
    marks = {name: list_marks(plane) for name, plane in planes.items()}
    left, right = st.columns(2, gap="medium")
    with left:
        figure = charts.draw_fronts(
            [(choice.styles[name], plane) for name, plane in planes.items()],
            [(choice.styles[name], pairs) for name, pairs in marks.items()],
            [(choice.styles[name], mark) for name, mark in now.items() if mark])
        render_chart(figure, "fronts", "The highest mIoU of the labelled pixels that any pair of cuts reaches")
    with right:
        figure = mark_live(charts.draw_cut_plane(planes[key], marks[key], now[key]), "threshold")
        render_chart(figure, f"plane:{key}", f"mIoU of {names[key]} over both cuts, with lines of equal coverage")


def render_pairs(choice: Choice) -> None:
    """Render what the marks mean, what each pair gives and costs on each run, and the command that makes labels."""
    planes, _ = load_planes(choice)
    if not planes:
        return
    low = min(state.get("low"), choice.threshold)
    st.caption("Above the high cut, the threshold, foreground, up to the low one background, unsure between. Line: the "
               "best that any pair does at each coverage; marks: pairs that are handed down from code to code; ring: "
               "the pair now. White lines: coverage in %. A click takes a pair. All on the ground truth "
               "(:orange-badge[oracle]).")
    pairs = [("now", "", choice.threshold, low)]
    pairs += [(one.label, one.source, one.high, one.low) for one in TWO_CUTS.values()]
    rows = [{"Run": choice.styles[key].label} | row
            for key, plane in planes.items() for row in build_rows(plane, pairs)]
    number = st.column_config.NumberColumn
    columns = {name: number(name, format="%.1f", help=text) for name, text in HELP.items()}
    columns |= {name: number(name, format="%.3f") for name in ("Above", "Up to")}
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=columns, key="table:cuts")
    render_command(choice.runs[next(reversed(planes))], choice.threshold, low)


def load_planes(choice: Choice) -> tuple[dict[str, Plane], dict[str, str]]:
    """Load the planes of the shown runs by key, and why others have none, by name."""
    planes, lacking = {}, {}
    for key, run in choice.runs.items():
        try:
            planes[key] = cached.load_plane(run, choice.averaging, choice.classes, choice.images)
        except ValueError as error:
            lacking[choice.styles[key].label] = NO_CUTS if run.is_masks else str(error).partition(": ")[2]
    return planes, lacking


def render_low(threshold: float) -> None:
    """Render the low cut, which never lies above the high one."""
    if state.get("low") > threshold:
        state.put("low", threshold)
    st.number_input("Low cut", min_value=0.0, max_value=max(0.005, threshold), step=0.005, format="%.3f", width=130,
                    **state.bind("low"))


def render_presets(high: float, low: float) -> None:
    """Render the pairs that are handed down; choosing one takes both cuts."""
    names = {name: f"{one.label} · {one.high:.2f}, {one.low:.2f}" for name, one in TWO_CUTS.items()}
    here = (round(high, 3), round(low, 3))
    st.session_state["widget:cuts"] = next(
        (name for name, one in TWO_CUTS.items() if (one.high, one.low) == here), YOURS)

    def take() -> None:
        chosen = TWO_CUTS.get(st.session_state["widget:cuts"])
        if chosen:
            take_pair(chosen.high, chosen.low)

    sources = "; ".join(f"{one.label}: {one.source}" for one in TWO_CUTS.values())
    st.selectbox("Pair", [YOURS, *TWO_CUTS], format_func=lambda name: names.get(name, "Your own"), width=230,
                 key="widget:cuts", on_change=take, help=f"Pairs in use and whose they are. {sources}.")


def take_pair(high: float, low: float) -> None:
    """Make a pair the one at hand."""
    state.put("t", round(high, 3))
    state.put("low", round(low, 3))


def render_chart(figure, name: str, alt: str) -> None:
    """Render a chart on which a click takes a pair of cuts."""
    key = f"chart:cuts:{name}"

    def take() -> None:
        points = st.session_state[key].selection.points
        pair = points[0].get("customdata") if points else None
        if pair:
            take_pair(float(pair[0]), float(pair[1]))

    st.plotly_chart(figure, key=key, on_select=take, selection_mode="points", alt=alt, config=CONFIG)


def mark_pair(plane: Plane, name: str, high: float, low: float) -> charts.Mark | None:
    """Mark a pair of cuts on a plane; None where it was not counted or labels nothing."""
    try:
        score = score_pair(plane, high, low)
    except ValueError:
        return None
    return charts.Mark(name, high, low, score.miou, score.coverage) if score.miou == score.miou else None


def list_marks(plane: Plane) -> list[charts.Mark]:
    """List the inherited pairs that a plane has."""
    found = (mark_pair(plane, one.label, one.high, one.low) for one in TWO_CUTS.values())
    return [mark for mark in found if mark]


def build_rows(plane: Plane, pairs: list[tuple[str, str, float, float]]) -> list[dict]:
    """Build the rows of a run: what pairs give and cost, those left out that were not counted."""
    rows = []
    for name, source, high, low in pairs:
        try:
            score = score_pair(plane, high, low)
        except ValueError:
            continue
        rows.append({
            "Pair": name, "Above": high, "Up to": low, "mIoU %": score.miou * 100, "Coverage %": score.coverage * 100,
            "Unsure as error %": score.miou_unsure_wrong * 100, "mIoU lost": score.lost_miou * 100,
            "Best pair": write_pair(score.best), "Coverage lost": score.lost_coverage * 100,
            "Widest pair": write_pair(score.widest), "Source": source})
    return rows


HELP = {
    "mIoU %": "Over the labelled pixels alone.", "Coverage %": "Labelled share of the scored pixels.",
    "Unsure as error %": "mIoU over all scored pixels, an unsure one being a miss of its class.",
    "mIoU lost": "Points below the best pair of at least the same coverage.",
    "Coverage lost": "Points below the widest pair of at least the same mIoU.",
}


def write_pair(pair: tuple[float, ...]) -> str:
    """Write a pair of cuts; a dash where there is none."""
    return ", ".join(f"{cut:.3f}" for cut in pair) or "–"


def render_command(run: Run, high: float, low: float) -> None:
    """Render the command that writes labels with the pair at hand."""
    path = run.path.relative_to(roots.REPOSITORY) if run.path.is_relative_to(roots.REPOSITORY) else run.path
    st.caption("As label images:")
    st.code(f"python -m amn_core seed --run {shlex.quote(str(path))} --cuts {high:.3f},{low:.3f} --out seeds",
            language="bash", wrap_lines=True)
