"""The charts of Curves: from what was chosen to a figure on the screen."""

from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from amn_core.formats.runs import Run
from amn_core.sweep.confusion import score_foreground_share, score_iou
from amn_core.sweep.curves import find_peak, find_threshold
from amn_core.sweep.refined import find_common_thresholds
from amn_core.sweep.uncertainty import Bootstrap, compare_bootstraps
from app import state
from app.cache import runs as cached
from app.charts import runs as charts
from app.charts.plotting import mark_live
from app.controls import Choice, bind_run
from app.words.text import escape

PAIRED = {
    "peak_miou": "Peak mIoU, points", "oracle_miou": "Per-image oracle, points", "oracle_gain": "Oracle − peak, points",
    "mean_miou": "Mean mIoU, points", "gap": "Gap", "auc": "AUC", "imbalance": "Imbalance (CV)",
}
MASKS_NOTE = (" A symbol without a curve: finished masks, which have no threshold; they stand at the right edge, or at "
              "their share of foreground.")
CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}


def build_curve(choice: Choice, key: str, y: np.ndarray, **marks) -> charts.Curve:
    """Build the curve of some scores (T,) of a run, on the axis that is chosen; finished masks become one point."""
    if choice.runs[key].is_masks:
        return build_point(choice, key, y, marks.get("low"), marks.get("high"))
    confusion = cached.load_confusion(choice.runs[key], choice.images)
    thresholds = cached.load_counts(choice.runs[key]).thresholds
    x = thresholds if state.get("axis") == "threshold" else score_foreground_share(confusion) * charts.PERCENT
    return charts.Curve(choice.styles[key], x, y, clicks=thresholds, **marks)


def build_point(
    choice: Choice, key: str, y: np.ndarray, low: np.ndarray | None = None, high: np.ndarray | None = None
) -> charts.Curve:
    """Build the point of a run of finished masks: at their share of foreground, or beside the thresholds."""
    share = score_foreground_share(cached.load_confusion(choice.runs[key], choice.images))[0] * charts.PERCENT
    x = 1.0 if state.get("axis") == "threshold" else share
    low, high = (None if one is None else one[:1] for one in (low, high))  # all thresholds are alike
    return charts.Curve(choice.styles[key], np.array([x]), y[:1], low=low, high=high)


def describe_axis() -> dict:
    """Describe the horizontal axis to a chart: its title, and whether it is that of the thresholds."""
    if state.get("axis") == "threshold":
        return {"x_title": "threshold", "is_unit": True}
    return {"x_title": "share of pixels called foreground (%)"}


def render_chart(figure: go.Figure, alt: str) -> None:
    """Render a chart on which a click sets the threshold, and over which the threshold's line and rings move."""
    mark_live(figure, state.get("axis"))
    key = f"chart:{state.get('view')}"
    st.plotly_chart(figure, key=key, on_select=lambda: take_threshold(key), selection_mode="points", alt=alt,
                    config=CONFIG)


def take_threshold(key: str) -> None:
    """Set the threshold to that of the point that was clicked."""
    points = st.session_state[key].selection.points
    if points and points[0].get("customdata") is not None:
        state.put("t", float(np.ravel(points[0]["customdata"])[0]))


def render_miou(choice: Choice) -> None:
    """Render mIoU against the threshold for every run."""
    bootstraps = find_bootstraps(choice, list(choice.runs))
    curves = []
    for key in choice.runs:
        summary, grid = choice.summary(key), choice.summary(key).thresholds
        low, high = bootstraps[key].interval("miou") if key in bootstraps else (None, None)
        if choice.runs[key].is_masks:
            curves.append(build_point(choice, key, summary.miou, low, high))
            continue
        curves.append(build_curve(
            choice, key, summary.miou, low=low, high=high, peak=find_threshold(grid, summary.peak_threshold),
            plateau=(find_threshold(grid, summary.plateau_low), find_threshold(grid, summary.plateau_high)),
            level=summary.oracle_miou,
        ))
    curves += build_whole_curves(choice)
    figure = charts.draw_curves(curves, y_title="mIoU (%)", **describe_axis())
    render_chart(figure, "mIoU against the threshold: " + "; ".join(
        f"{choice.styles[key].label} peaks at {choice.summary(key).peak_miou:.1%}" for key in choice.runs))


def render_miou_notes(choice: Choice) -> None:
    """Render, under the bar, what the marks of the chart mean, and the way to the curve after refinement."""
    st.caption("Large mark: peak. Shaded: plateau, within one point of the peak. Dotted: every image at its own best "
               "threshold (:orange-badge[oracle]). Ring: the current threshold. A click on a curve sets it."
               + (MASKS_NOTE if any(run.is_masks for run in choice.runs.values()) else "")
               + describe_grids(choice))
    if not any(run.is_refined for run in choice.runs.values()) and not state.is_classroom():
        offer_refinement()


def describe_grids(choice: Choice) -> str:
    """Describe between which thresholds a refined curve was counted; nothing where none is shown."""
    sizes = {len(choice.summary(key).thresholds) for key, run in choice.runs.items() if run.is_refined}
    numbers = " or ".join(map(str, sorted(sizes)))
    return (f" Masks refined at each threshold are counted at {numbers} of them; the line between two is drawn "
            "straight, and a ring lies at the nearest.") if sizes else ""


def offer_refinement() -> None:
    """Offer the curve after refinement where none is shown."""
    if st.button("And after a CRF? Count the refined mask at every threshold…", key="to-refined", type="tertiary",
                 icon=":material/auto_fix_high:"):
        state.put("make", "refined")
        state.put("job", None)
        st.switch_page("screens/train.py")


def build_whole_curves(choice: Choice) -> list[charts.Curve]:
    """Build the curves of all images beside those of a selection: thin, without marks; none where all count."""
    whole = replace(choice, images=())
    keys = [key for key, run in choice.runs.items() if choice.images and not run.is_masks]
    return [
        replace(build_curve(whole, key, whole.summary(key).miou), clicks=None, style=replace(
            choice.styles[key], label=f"{choice.styles[key].label}, all images", dash="dot",
            colour=charts.soften(choice.styles[key].colour)))
        for key in keys
    ]


def find_bootstraps(choice: Choice, keys: list[str], images: tuple[str, ...] = ()) -> dict[str, Bootstrap]:
    """Find the bootstraps that are ready; none where intervals are off. Those that are not are waited for."""
    if not state.get("intervals"):
        return {}
    asked = {
        key: cached.ask_bootstrap(choice.runs[key], choice.averaging, choice.classes, images or choice.images)
        for key in keys
    }
    if not all(future.done() for future in asked.values()):
        wait_for(list(asked.values()))
    return {key: future.result() for key, future in asked.items() if future.done()}


@st.fragment(run_every=1.0)
def wait_for(futures: list[Future]) -> None:
    """Say that intervals are on their way, and draw the page anew when they are there."""
    ready = sum(future.done() for future in futures)
    if ready == len(futures):
        st.rerun()
    st.caption(f":material/hourglass_top: Intervals: {ready} of {len(futures)} runs are ready.")


def find_present(choice: Choice) -> list[str]:
    """Find the classes that count and have a pixel of ground truth in some run."""
    present = {}
    for run in choice.runs.values():
        truth = cached.load_confusion(run, choice.images)[0].sum(axis=1)
        present |= {run.class_names[c]: None for c in np.flatnonzero(truth)}
    return [name for name in present if name in (choice.classes or present)]


def find_columns(run: Run, names: list[str]) -> list[int]:
    """Find the indices of those classes that a run has."""
    return [run.class_names.index(name) for name in names if name in run.class_names]


def render_classes(choice: Choice) -> None:
    """Render the IoU of each class against the threshold."""
    panels = []
    for name in find_present(choice):
        curves = []
        for key, run in choice.runs.items():
            if name in run.class_names:
                confusion = cached.load_confusion(run, choice.images)
                iou = score_iou(confusion)[:, run.class_names.index(name)]
                curves.append(build_curve(choice, key, iou, peak=int(find_peak(iou))))
        panels.append((name, curves))
    figure = charts.draw_panels(panels, y_title="IoU (%)", columns=4, **describe_axis())
    render_chart(figure, f"IoU against the threshold for {len(panels)} classes")


def render_difference(choice: Choice) -> None:
    """Render the difference of two runs' mIoU at each threshold."""
    keys = list(choice.runs)
    if len(keys) < 2:
        st.info("A difference needs two runs: mark two above.", icon=":material/difference:")
        return
    names = {key: choice.styles[key].label for key in keys}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = st.selectbox("Difference of", keys, format_func=names.get, width=260, **bind_run("first", keys, -1))
        second = st.selectbox("less", keys, format_func=names.get, width=260, **bind_run("second", keys, 0))
    ours, theirs = choice.summary(first), choice.summary(second)
    common = find_common_thresholds([ours.thresholds, theirs.thresholds])
    if len(common) < min(len(ours.thresholds), len(theirs.thresholds)):
        st.warning("The two runs were counted at different thresholds: count one of them anew.")
        return
    images = find_common(choice, first, second)
    ours, theirs = (choice.summary(key, images=images) for key in (first, second))
    bootstraps = find_bootstraps(choice, [first, second], images) if first != second else {}
    low, high = None, None
    if len(bootstraps) == 2:
        paired = compare_bootstraps(*(read_at(bootstraps[key], common) for key in (first, second)), "miou")
        low, high = paired.low, paired.high
    along = second if choice.runs[first].is_masks else first  # whose thresholds, or shares, the axis shows
    along = next(key for key in (along, first, second) if len(choice.summary(key).thresholds) == len(common))
    ours, theirs = (summary.miou[find_places(summary.thresholds, common)] for summary in (ours, theirs))
    curve = build_curve(choice, along, ours - theirs, low=low, high=high)
    curve = replace(curve, style=choice.styles[first])
    render_chart(charts.draw_difference(curve, **describe_axis()), f"mIoU of {names[first]} less {names[second]}")
    render_verdict(choice, bootstraps, names, first, second)


def find_places(thresholds: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Find the places of wanted thresholds in a grid that has them."""
    return np.abs(thresholds[None] - wanted[:, None]).argmin(axis=1)


def read_at(bootstrap: Bootstrap, thresholds: np.ndarray) -> Bootstrap:
    """Read the resampled curve of a run on fewer of its thresholds."""
    places = find_places(bootstrap.thresholds, thresholds)
    estimates, samples = (part | {"miou": part["miou"][..., places]}
                          for part in (bootstrap.estimates, bootstrap.samples))
    return replace(bootstrap, thresholds=thresholds, estimates=estimates, samples=samples)


def find_common(choice: Choice, first: str, second: str) -> tuple[str, ...]:
    """Find the images that both runs have, sorted; nothing for all, where both have the same."""
    ids = [frozenset(choice.images or cached.load_counts(choice.runs[key]).image_ids) for key in (first, second)]
    known = [frozenset(cached.load_counts(choice.runs[key]).image_ids) for key in (first, second)]
    common = ids[0] & ids[1] & known[0] & known[1]
    return () if common == known[0] == known[1] else tuple(sorted(common))


def render_verdict(
    choice: Choice, bootstraps: dict[str, Bootstrap], names: dict[str, str], first: str, second: str
) -> None:
    """Render the paired differences that matter, each with its interval."""
    if len(bootstraps) < 2:
        return
    rows = {}
    for measure, title in PAIRED.items():
        one = compare_bootstraps(bootstraps[first], bootstraps[second], measure)
        if not np.isfinite(one.estimate):  # finished masks have none
            continue
        unit, digits = (charts.PERCENT, 1) if "miou" in measure or measure == "oracle_gain" else (1, 3)
        rows[title] = [f"{value * unit:+.{digits}f}" for value in (one.estimate, one.low, one.high)]
        rows[title].append(f"{one.share_above:.0%}")
    columns = ["difference", "95 % from", "to", "draws in which it is above 0"]
    st.markdown(f"**{escape(names[first])} less {escape(names[second])}**, paired over images")
    st.table(pd.DataFrame.from_dict(rows, orient="index", columns=columns), border="horizontal", width="content")


def render_best(choice: Choice) -> None:
    """Render how the best thresholds of images and of classes are spread."""
    images, classes, names = [], [], find_present(choice)
    for key, run in choice.runs.items():
        if run.is_masks:  # there is no threshold to choose
            continue
        scores, style = cached.load_image_scores(run, choice.averaging, choice.classes), choice.styles[key]
        is_chosen = np.isin(scores.image_ids, choice.images or scores.image_ids)
        images.append((style, scores.best_threshold[is_chosen], choice.summary(key).peak_threshold))
        classes.append((style, find_best_by_class(run, choice, names)))
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(mark_live(charts.draw_best_thresholds(images), "threshold"), config=CONFIG,
                        key="chart:best-images", alt="How the best thresholds of the images are spread")
    with right:
        st.plotly_chart(mark_live(charts.draw_class_thresholds(names, classes), "threshold"), config=CONFIG,
                        key="chart:best-classes", alt="Best threshold of each class")
    st.caption("All of these were chosen on the ground truth (:orange-badge[oracle]). Mark on the axis: the best "
               "single threshold of a run. Dashed line: the current threshold.")


def find_best_by_class(run: Run, choice: Choice, names: list[str]) -> np.ndarray:
    """Find the threshold with the highest IoU of each named class, NaN where the run has none."""
    iou = score_iou(cached.load_confusion(run, choice.images))
    thresholds = cached.load_counts(run).thresholds
    best = np.full(len(names), np.nan)
    for i, name in enumerate(names):
        column = run.class_names.index(name) if name in run.class_names else None
        if column is not None and np.isfinite(iou[:, column]).any():
            best[i] = thresholds[find_peak(iou[:, column])]
    return best
