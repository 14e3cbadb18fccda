"""Two cuts with unsure pixels between as pictures: the best mIoU for each coverage, and the plane of both cuts.

Planes in, a Plotly figure out; no Streamlit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from amn_core.sweep.two_cuts import Plane, find_front
from app.charts.plotting import PERCENT, Traces, add_scatter, build_figure, build_mark
from app.charts.styles import RunStyle

HEIGHT = 340
STEP, CLICK_STEP = 2, 4  # of the thresholds, in the picture of the plane and in what can be clicked
LEAST_COVERAGE = 0.1  # a front is drawn from here up: below, whole classes have no labelled pixel
COVERAGES = (60, 80, 90, 95)
# From light to dark blue: white marks and words lie where mIoU is high, and have to be read there.
COLOURS = ((0, "#F3C9A5"), (0.5, "#5B95BF"), (1, "#0A3358"))
PLACES = ("middle right", "middle left", "middle right", "bottom center", "top center")


@dataclass(frozen=True)
class Mark:
    """A pair of cuts that is marked: its name, cuts, mIoU and coverage, fractions of 1."""

    name: str
    high: float
    low: float
    miou: float
    coverage: float


def draw_fronts(
    planes: Sequence[tuple[RunStyle, Plane]], marks: Sequence[tuple[RunStyle, Sequence[Mark]]],
    now: Sequence[tuple[RunStyle, Mark]],
) -> go.Figure:
    """Draw the highest mIoU that any pair reaches at each coverage, one line a run; a click hands back the pair.

    Args:
        planes: one for each run. marks: inherited pairs, by run. now: the pair at hand, by run, as a ring.
    """
    traces: Traces = []
    for style, plane in planes:
        high, low = find_front(plane).T
        x, y = plane.coverage[high, low], plane.miou[high, low]
        kept = x >= LEAST_COVERAGE
        pairs = np.stack([plane.thresholds[high], plane.thresholds[low]], axis=1)[kept]
        unseen = {"marker": {"opacity": 0}}
        add_scatter(
            traces, x=x[kept] * PERCENT, y=y[kept] * PERCENT, name=style.shown, legendgroup=style.shown,
            mode="lines+markers", customdata=pairs, **unseen, selected=unseen, unselected=unseen,
            line={"color": style.colour, "dash": style.dash, "width": 2.4},
            hovertemplate="%{y:.1f} % of %{x:.1f} % labelled<br>above %{customdata[0]:.3f}, up to %{customdata[1]:.3f}"
                          f"<extra>{style.shown}</extra>")
    for style, pairs in marks:
        add_marks(traces, style, pairs, size=9)
    for style, mark in now:
        add_scatter(
            traces, x=[mark.coverage * PERCENT], y=[mark.miou * PERCENT], mode="markers", showlegend=False,
            legendgroup=style.shown, customdata=[[mark.high, mark.low]],
            marker={"size": 15, "color": style.colour, "symbol": "circle-open", "line": {"width": 3}},
            hovertemplate=f"now: %{{y:.1f}} % of %{{x:.1f}} % labelled<extra>{style.shown}</extra>")
    return build_figure(traces, "coverage: labelled share of the scored pixels (%)", "mIoU of the labelled (%)", HEIGHT,
                        x_axis={"range": [0, 102]})


def add_marks(traces: Traces, style: RunStyle, pairs: Sequence[Mark], size: int) -> None:
    """Add inherited pairs by their coverage and mIoU, in the run's colour and symbol."""
    add_scatter(
        traces, x=[pair.coverage * PERCENT for pair in pairs], y=[pair.miou * PERCENT for pair in pairs],
        text=[pair.name for pair in pairs], mode="markers", showlegend=False, legendgroup=style.shown,
        marker=build_mark(style, size), customdata=[[pair.high, pair.low] for pair in pairs],
        hovertemplate="%{text}: %{y:.1f} % of %{x:.1f} % labelled<br>above %{customdata[0]:.3f}, up to "
                      f"%{{customdata[1]:.3f}}<extra>{style.shown}</extra>")


def draw_cut_plane(plane: Plane, pairs: Sequence[Mark], now: Mark | None) -> go.Figure:
    """Draw the mIoU of what is labelled over both cuts, with lines of equal coverage; a click hands back both cuts.

    Args:
        plane: of a run. pairs: inherited ones, by name. now: the pair at hand, as a ring.
    """
    grid = plane.thresholds[::STEP]
    miou, coverage = (values[::STEP, ::STEP].T * PERCENT for values in (plane.miou, plane.coverage))
    traces: Traces = [
        {"type": "heatmap", "x": grid, "y": grid, "z": miou, "colorscale": COLOURS, "hoverinfo": "skip",
         "colorbar": {"title": {"text": "mIoU (%)", "side": "right"}, "thickness": 12, "outlinewidth": 0}}]
    traces += [
        {"type": "contour", "x": grid, "y": grid, "z": coverage, "hoverinfo": "skip", "showscale": False,
         "showlegend": False, "line": {"color": "white", "width": 1},
         "contours": {"coloring": "none", "showlabels": True, "labelfont": {"size": 11, "color": "white"},
                      "start": level, "end": level, "size": 1, "labelformat": "d"}} for level in COVERAGES]
    places = np.argwhere(np.isfinite(miou))
    rows, columns = places[(places % (CLICK_STEP // STEP) == 0).all(axis=1)].T
    add_scatter(
        traces, x=grid[columns], y=grid[rows], mode="markers", marker={"size": 7, "opacity": 0}, showlegend=False,
        customdata=np.stack([grid[columns], grid[rows], miou[rows, columns], coverage[rows, columns]], axis=1),
        hovertemplate="foreground above %{x:.3f}, background up to %{y:.3f}<br>mIoU %{customdata[2]:.1f} %, "
                      "coverage %{customdata[3]:.1f} %<extra></extra>")
    add_scatter(
        traces, x=[pair.high for pair in pairs], y=[pair.low for pair in pairs], text=[pair.name for pair in pairs],
        mode="markers+text", textposition=[PLACES[i % len(PLACES)] for i in range(len(pairs))],
        textfont={"color": "white", "size": 12, "shadow": "0 0 3px black, 0 0 3px black"}, showlegend=False,
        marker={"size": 9, "color": "white", "symbol": "x", "line": {"color": "black", "width": 1}},
        customdata=[[pair.high, pair.low] for pair in pairs],
        hovertemplate="%{text}: above %{x:.3f}, up to %{y:.3f}<extra></extra>")
    if now is not None:
        add_scatter(
            traces, x=[now.high], y=[now.low], mode="markers", showlegend=False, hoverinfo="skip",
            marker={"size": 16, "color": "#E69F00", "symbol": "circle-open", "line": {"width": 3}})
    return build_figure(
        traces, "foreground above (high cut)", "background up to (low cut)", HEIGHT,
        x_axis={"range": [0, 1], "showgrid": False}, y_axis={"range": [0, 1], "showgrid": False},
        margin={"l": 60, "r": 16, "t": 16, "b": 48})
