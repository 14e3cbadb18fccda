"""What equal mIoU hides, as views of Curves: precision and error rates at one glance, by size, and image by image."""

import numpy as np
import pandas as pd
import streamlit as st

from amn_core.sweep.confusion import Rates, average_rates, score_iou, score_rates
from amn_core.sweep.curves import find_peak, find_threshold
from amn_core.sweep.sizes import SizeScores, check_cuts
from app import state
from app.cache import precision as cached
from app.cache import runs as cached_runs
from app.charts import precision as charts
from app.charts.plotting import mark_live
from app.charts.runs import Curve, draw_panels
from app.components.curve_views import CONFIG, build_curve, describe_axis, find_columns, find_present, render_chart
from app.controls import Choice, bind_run

MEAN = "all"
SHARES = {"rate": "FP of pixels not of the class, FN of those that are",
          "union": "FP and FN of the union: with the IoU 100 %"}
MEASURES = {"iou": "IoU", "precision": "Precision", "recall": "Recall", "false_positive_rate": "FP rate"}
BOXES = {"miou": "mIoU", "precision": "Precision", "recall": "Recall", "false_positive_rate": "FP rate",
         "false_negative_rate": "FN rate"}


def render_rates(choice: Choice) -> None:
    """Render mIoU, precision, recall, F1, false positives and false negatives against the threshold, side by side."""
    objects = [name for name in find_present(choice) if name != "background"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = st.selectbox(
            "Of", [MEAN, *objects], width=260, label_visibility="collapsed", **state.bind("shown", [MEAN, *objects]),
            format_func=lambda name: "Mean over the object classes" if name == MEAN else name)
        share = st.selectbox("False positives and negatives as a share", list(SHARES), format_func=SHARES.get,
                             width=400, label_visibility="collapsed", **state.bind("share", list(SHARES)))
    panels: dict[str, list[Curve]] = {}
    for key, run in choice.runs.items():
        columns = find_columns(run, objects if shown == MEAN else [shown])
        if not columns:
            continue
        for title, values in list_rates(choice, key, columns, share, shown == MEAN).items():
            panels.setdefault(title, []).append(build_curve(choice, key, values, peak=find_best(title, values)))
    figure = draw_panels(list(panels.items()), y_title="%", columns=3, row_height=165, **describe_axis())
    render_chart(figure, "Precision, recall, F1, false positives and false negatives beside the mIoU")


def find_best(title: str, values: np.ndarray) -> int | None:
    """Find the index that is marked: the best of a mean that has one."""
    return int(find_peak(values)) if title in ("mIoU", "IoU", "F1") and not np.isnan(values).all() else None


def list_rates(choice: Choice, key: str, columns: list[int], share: str, is_mean: bool) -> dict[str, np.ndarray]:
    """List what is drawn of a run, by title: (T,) each."""
    confusion = cached_runs.load_confusion(choice.runs[key], choice.images)
    rates = average_rates(score_rates(confusion), np.array(columns))
    first = ("mIoU", choice.summary(key).miou) if is_mean else ("IoU", score_iou(confusion)[:, columns[0]])
    positives, negatives = pick_errors(rates, share)
    return dict([first]) | {"Precision": rates.precision, "Recall": rates.recall, "F1": rates.f1,
                            "False positives": positives, "False negatives": negatives}


def pick_errors(rates: Rates, share: str) -> tuple[np.ndarray, np.ndarray]:
    """Pick false positives and false negatives as the share that was chosen."""
    if share == "union":
        return rates.over_activation, rates.under_activation
    return rates.false_positive_rate, rates.false_negative_rate


def render_rate_table(choice: Choice) -> None:
    """Render what the rates are, and the same as a table: a row for each run, at the threshold and at its peak."""
    st.caption("Precision: share of what is called a class that is of it. Recall: share of a class that is found. F1: "
               "their harmonic mean, marked where it is best (:orange-badge[oracle]). Runs of equal mIoU may differ in "
               "all of these. A class that is called nowhere has no precision, and is not in its mean.")
    objects, rows = [name for name in find_present(choice) if name != "background"], []
    for key, run in choice.runs.items():
        summary = choice.summary(key)
        confusion = cached_runs.load_confusion(run, choice.images)
        rates = average_rates(score_rates(confusion), np.array(find_columns(run, objects)))
        places = {"now": choice.threshold, "peak": summary.peak_threshold}
        for when, threshold in places.items():
            if run.is_masks and when == "peak":
                continue
            at = find_threshold(summary.thresholds, threshold)
            rows.append({"Run": choice.styles[key].label, "When": "" if run.is_masks else when,
                         "Threshold": np.nan if run.is_masks else summary.thresholds[at],
                         "mIoU": summary.miou[at] * 100} | {
                title: getattr(rates, name)[at] * 100 for name, title in RATE_TITLES.items()})
    render_numbers(rows, "table:rates", ["mIoU", *RATE_TITLES.values()])


RATE_TITLES = {
    "precision": "Precision", "recall": "Recall", "f1": "F1", "false_positive_rate": "FP rate",
    "false_negative_rate": "FN rate", "over_activation": "FP of union", "under_activation": "FN of union",
}


def render_numbers(rows: list[dict], key: str, percents: list[str]) -> None:
    """Render rows of numbers in percent, and thresholds, as a table."""
    number = st.column_config.NumberColumn
    columns = {title: number(f"{title} (%)", format="%.1f") for title in percents}
    columns["Threshold"] = number(format="%.3f")
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=columns, key=key)


def render_sizes(choice: Choice) -> None:
    """Render the scores of objects by their size, a panel for each."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = st.segmented_control("Measure", list(MEASURES), format_func=MEASURES.get, required=True,
                                       **state.bind("size-measure", list(MEASURES)))
        text = st.text_input("Sizes parted at, % of the image", width=230, **state.bind("size-cuts"))
    cuts = read_cuts(text)
    if cuts is None:
        st.error(f"{text} parts no sizes: give percents between 0 and 100 from the smallest up, such as 2, 10, 35.")
        return
    scores = {key: cached.load_sizes(run, cuts, choice.classes, choice.images) for key, run in choice.runs.items()}
    first = next(iter(scores.values()))
    panels = [(f"{name} · {first.pairs[i]} objects of {first.classes[i]} classes",
               [build_curve(choice, key, getattr(own, measure)[i], peak=find_peak_of(own, measure, i))
                for key, own in scores.items()])
              for i, name in enumerate(first.names)]
    figure = draw_panels(panels, y_title=f"{MEASURES[measure]} (%)", columns=min(4, len(panels)), row_height=250,
                         **describe_axis())
    render_chart(figure, f"{MEASURES[measure]} against the threshold for {len(panels)} sizes of objects")


def explain_sizes(_choice: Choice) -> None:
    """Render what a size is, and how objects of one size are scored."""
    st.caption("Size: share of an image's scored pixels that a class covers. Objects of one size are pooled by class, "
               "within images that have the class; then the mean over classes. Marked: the best of each size "
               "(:orange-badge[oracle]).")


def read_cuts(text: str) -> tuple[float, ...] | None:
    """Read the cuts between sizes, in percent; None if they are none."""
    try:
        return check_cuts([float(part) / 100 for part in text.split(",") if part.strip()])
    except ValueError:
        return None


def find_peak_of(scores: SizeScores, measure: str, i: int) -> int | None:
    """Find the index of the best IoU of a size; nothing for other measures, which grow at an end."""
    values = scores.iou[i]
    return int(find_peak(values)) if measure == "iou" and not np.isnan(values).all() else None


def render_images(choice: Choice) -> None:
    """Render one curve an image for a run, and box plots over images of all runs at the threshold."""
    keys = [key for key, run in choice.runs.items() if not run.is_masks]
    if not keys:
        st.caption("Finished masks have no threshold, and so no curve of an image.")
        return
    names = {key: choice.styles[key].label for key in keys}
    key = st.selectbox("Images of", keys, format_func=names.get, width=260, **bind_run("first", keys, -1))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        figure = mark_live(charts.draw_image_curves(
            choice.styles[key], *cached.load_image_curves(choice.runs[key], choice.averaging, choice.classes,
                                                          choice.images), choice.summary(key).miou), "threshold")
        st.plotly_chart(figure, config=CONFIG, key="chart:image-curves",
                        alt=f"mIoU of each image of {names[key]} against the threshold, with quartiles")
    with right:
        boxes = [(choice.styles[one], {title: find_values(choice, one, name) for name, title in BOXES.items()})
                 for one in choice.runs]
        st.plotly_chart(charts.draw_boxes(boxes), config=CONFIG, key="chart:image-boxes",
                        alt=f"Spread over images at {choice.threshold:.3f}: mIoU, precision, recall, error rates")


def explain_images(choice: Choice) -> None:
    """Render what lines and boxes are."""
    st.caption("Left: a thin line an image, the middle half of the images shaded, their median broad, the data set "
               f"dashed. Right, at {choice.threshold:.3f}: box from the lower to the upper quartile with the median, "
               "whiskers from 5 to 95 % of the images. Precision, recall and error rates are means over an image's "
               "classes.")


def find_values(choice: Choice, key: str, name: str) -> np.ndarray:
    """Find a measure of each image that counts at the threshold: (N,), NaN where an image has none."""
    run = choice.runs[key]
    if name == "miou":
        scores = cached_runs.load_image_scores(run, choice.averaging, choice.classes)
        values = scores.miou
    else:
        scores = cached.load_image_rates(run, choice.classes)
        values = getattr(scores, name)
    is_chosen = np.isin(scores.image_ids, choice.images or scores.image_ids)
    return values[is_chosen, find_threshold(scores.thresholds, choice.threshold)]

