"""One curve an image, and box plots over images: what a curve of the whole data set hides. No Streamlit."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from amn_core.sweep.images import QUANTILES
from app.charts.plotting import PERCENT, Traces, add_scatter, build_figure, fade
from app.charts.styles import RunStyle

MOST_LINES, STEP = 250, 4  # images that are drawn one by one, and thresholds from point to point of their lines
HEIGHT = 340


def draw_image_curves(
    style: RunStyle, thresholds: np.ndarray, miou: np.ndarray, quantiles: np.ndarray, whole: np.ndarray,
) -> go.Figure:
    """Draw a thin line an image, the middle half as a band, the median and the curve of the data set.

    Args:
        style: of the run. thresholds: (T,). miou: (N, T) of the images; of many, so many are drawn evenly. quantiles:
            (5, T) at `QUANTILES`. whole: (T,) of the data set. Fractions of 1.
    """
    drawn = miou[np.unique(np.linspace(0, len(miou) - 1, min(MOST_LINES, len(miou))).round().astype(int))][:, ::STEP]
    x = np.append(thresholds[::STEP], np.nan)
    traces: Traces = []
    add_scatter(
        traces, x=np.tile(x, len(drawn)), y=np.pad(drawn, ((0, 0), (0, 1)), constant_values=np.nan).ravel() * PERCENT,
        mode="lines", name=name_lines(len(drawn), len(miou)), line={"color": fade(style.colour, 0.16), "width": 1},
        hoverinfo="skip", connectgaps=False)
    low, middle, high = (quantiles[QUANTILES.index(level)] for level in (0.25, 0.5, 0.75))
    known = np.isfinite(low)
    band = np.concatenate([low[known], high[known][::-1]])
    add_scatter(
        traces, x=np.concatenate([thresholds[known], thresholds[known][::-1]]), y=band * PERCENT, mode="lines",
        line={"width": 0}, fill="toself", fillcolor=fade(style.colour, 0.28), hoverinfo="skip", name="middle half")
    for name, values, line in (("median of the images", middle, {"width": 3}),
                               ("data set", whole, {"width": 2, "dash": "dash"})):
        add_scatter(traces, x=thresholds, y=values * PERCENT, mode="lines", name=name, meta={"curve": True},
                    line={"color": style.colour, **line}, hovertemplate=f"{name} %{{y:.1f}}<extra></extra>")
    return build_figure(traces, "threshold", "mIoU of an image (%)", HEIGHT, x_axis={"range": [0, 1]},
                        y_axis={"range": [0, 101]})


def name_lines(drawn: int, n: int) -> str:
    """Name the lines of images: how many of how many."""
    return f"{n} images" if drawn == n else f"{drawn} of {n} images"


def draw_boxes(boxes: Sequence[tuple[RunStyle, Mapping[str, np.ndarray]]]) -> go.Figure:
    """Draw how measures are spread over images as boxes, a group for each measure, one box a run.

    Args:
        boxes: for each run its style, and for each measure, by title, its value by image (N,), NaN left out.
    """
    traces: Traces = []
    for style, measures in boxes:
        spreads = {title: np.nanquantile(values, QUANTILES) * PERCENT for title, values in measures.items()
                   if np.isfinite(values).any()}
        if not spreads:
            continue
        low, lower, middle, upper, high = np.array(list(spreads.values())).T
        traces.append({
            "type": "box", "name": style.shown, "x": list(spreads), "q1": lower, "median": middle, "q3": upper,
            "lowerfence": low, "upperfence": high, "marker": {"color": style.colour}, "offsetgroup": style.shown,
            "line": {"color": style.colour, "width": 2}, "fillcolor": fade(style.colour, 0.25)})
    return build_figure(traces, "", "of an image (%)", HEIGHT, y_axis={"range": [-1, 101]}, boxmode="group")
