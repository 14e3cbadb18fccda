"""Numbers to Plotly figures: arrays in, a figure out, no Streamlit.

Scores come in as fractions of 1 and are drawn in percent; thresholds and activations stay in [0, 1]. A run keeps
its style (colour, dash and symbol of its method) in every chart, so that a chart can be read without colour.
Undefined values are NaN and leave a hole in a line. Texts and grids are left to the theme of the page, except for
the neutral grey of marks that belong to no run, which has to be seen on white and on black.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.charts.plotting import (
    NEUTRAL,
    PERCENT,
    Traces,
    add_scatter,
    build_figure,
    build_mark,
    build_panels,
    build_rules,
    fade,
    name_axes,
)
from app.charts.styles import RunStyle, build_styles
from app.words.text import escape_html

CHART_HEIGHT = 460

__all__ = [
    "PERCENT", "Cloud", "Curve", "RunStyle", "Separation", "build_styles", "compute_density", "describe_split",
    "draw_best_thresholds", "draw_class_thresholds", "draw_clouds", "draw_curves", "draw_difference", "draw_panels",
    "draw_separation",
]


@dataclass(frozen=True)
class Curve:
    """A score against the threshold for one run.

    `x` (T,) in the order of the thresholds; `y`, `low`, `high` (T,) fractions of 1, NaN where undefined; `peak` and
    `plateau` are indices into them (first and last index of the plateau); `level` is a score drawn as a horizontal
    line (the per-image oracle); `clicks` (T,) is what a click on a point hands back, usually its threshold.
    A curve of one point (T = 1) is drawn as the run's symbol: finished masks, which no threshold changes.
    """

    style: RunStyle
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    peak: int | None = None
    plateau: tuple[int, int] | None = None
    level: float | None = None
    clicks: np.ndarray | None = None


@dataclass(frozen=True)
class Cloud:
    """Points of one run: `x` and `y` (N,), `names` (N,) shown under the pointer and handed back on a click."""

    style: RunStyle
    x: np.ndarray
    y: np.ndarray
    names: Sequence[str]


@dataclass(frozen=True)
class Separation:
    """Activation histograms of one run: pixels (T+1,) on the object, on background and on other classes."""

    style: RunStyle
    on_object: np.ndarray
    on_background: np.ndarray
    on_others: np.ndarray
    note: str = ""


def draw_curves(curves: Sequence[Curve], x_title: str, y_title: str, threshold: float | None = None,
                is_unit: bool = False) -> go.Figure:
    """Draw scores against the threshold: intervals, plateaus, oracle levels, curves, peaks, a threshold.

    `x_title` and `y_title` name the axes with their units; `threshold` is where a vertical line stands that stays
    there; `is_unit` says that x is a threshold, from 0 to 1, where no line is drawn.
    """
    traces: Traces = []
    for curve in curves:
        _add_interval(traces, curve)
        _add_plateau(traces, curve)
    for curve in curves:
        _add_level(traces, curve)
        _add_line(traces, curve)
    for curve in curves:
        _add_marks(traces, curve)
    return build_figure(
        traces, x_title, y_title, CHART_HEIGHT, x_axis=limit(threshold, is_unit), y_axis={"rangemode": "tozero"},
        shapes=build_rules(threshold), hovermode="x unified" if is_unit or threshold is not None else "closest",
    )


def draw_panels(panels: Sequence[tuple[str, Sequence[Curve]]], x_title: str, y_title: str,
                is_unit: bool = False, columns: int = 2, row_height: int | None = None) -> go.Figure:
    """Draw several small charts with common axes, one for each (title, curves): classes, or precision and recall."""
    traces: Traces = []
    for i, (_, curves) in enumerate(panels):
        for curve in curves:
            _add_interval(traces, curve, **name_axes(i))
            _add_line(traces, curve, showlegend=i == 0, **name_axes(i))
        for curve in curves:
            _add_marks(traces, curve, **name_axes(i))
    top = max((np.nanmax(curve.y, initial=0) for _, curves in panels for curve in curves), default=1) * PERCENT
    return build_panels(
        traces, [escape_html(title) for title, _ in panels], columns, x_title, y_title,
        row_height or (320 if len(panels) <= columns else 190),
        x_axis=limit(is_unit=is_unit), y_axis={"range": [0, max(top, 1) * 1.06]}, hovermode="closest",
    )


def draw_difference(curve: Curve, x_title: str, is_unit: bool = False) -> go.Figure:
    """Draw the difference of two runs (T,), fractions of 1, with its paired interval and the line of no difference."""
    traces: Traces = []
    _add_interval(traces, curve)
    _add_line(traces, curve, showlegend=False, hovertemplate="%{y:+.1f} points<extra></extra>")
    _add_marks(traces, curve)
    return build_figure(
        traces, x_title, "difference of mIoU (points)", CHART_HEIGHT, x_axis=limit(is_unit=is_unit),
        shapes=build_rules(None, level=0),
    )


def soften(colour: str, share: float = 0.45) -> str:
    """Mix a colour ``#RRGGBB`` with grey, so that a line steps back behind its own kind."""
    mixed = (round(int(colour[i:i + 2], 16) * (1 - share) + 150 * share) for i in (1, 3, 5))
    return "#" + "".join(f"{part:02X}" for part in mixed)


def limit(threshold: float | None = None, is_unit: bool = False) -> dict:
    """Limit an axis of thresholds to [0, 1]; an axis of another unit finds its own ends."""
    return {"range": [0, 1]} if is_unit or threshold is not None else {}


def draw_best_thresholds(values: Sequence[tuple[RunStyle, np.ndarray, float]], threshold: float | None = None,
                         bin_width: float = 0.05) -> go.Figure:
    """Draw how the best thresholds of the images are spread, one outline a run.

    Args:
        values: for each run its style, the images' best thresholds (N,), and the run's own single best threshold,
            marked by the run's symbol on the axis.
        threshold: a vertical line that stays where it is; none where the browser draws it.
        bin_width: of the histogram; the height of a step is the share of images in it.
    """
    traces: Traces = []
    edges = np.arange(0, 1 + bin_width / 2, bin_width)
    for style, best, own in values:
        share = np.histogram(best[np.isfinite(best)], edges)[0] / max(1, np.isfinite(best).sum())
        add_scatter(
            traces, x=edges, y=np.append(share, share[-1]) * PERCENT, name=style.shown, mode="lines", fill="tozeroy",
            line={"color": style.colour, "dash": style.dash, "width": 2, "shape": "hv"},
            fillcolor=fade(style.colour, 0.10),
            hovertemplate=f"%{{y:.0f}}% of images at %{{x:.2f}}–+{bin_width:.2f}<extra>{style.shown}</extra>",
        )
        add_scatter(
            traces, x=[own], y=[0], mode="markers", cliponaxis=False, showlegend=False, marker=build_mark(style, 12),
            hovertemplate=f"best single threshold %{{x:.3f}}<extra>{style.shown}</extra>",
        )
    return build_figure(
        traces, "best threshold of an image", "share of images (%)", 400, x_axis={"range": [0, 1]},
        y_axis={"rangemode": "tozero"}, shapes=build_rules(threshold),
    )


def draw_class_thresholds(class_names: Sequence[str], values: Sequence[tuple[RunStyle, np.ndarray]],
                          threshold: float | None = None) -> go.Figure:
    """Draw the best threshold of every class, one symbol a run; `values` are (C,) in [0, 1], NaN is left out."""
    traces: Traces = []
    class_names = [escape_html(name) for name in class_names]
    for style, best in values:
        add_scatter(
            traces, x=best, y=class_names, name=style.shown, mode="markers", marker=build_mark(style, 11),
            hovertemplate=f"%{{y}}: best at %{{x:.3f}}<extra>{style.shown}</extra>",
        )
    for i, name in enumerate(class_names):
        row = np.array([best[i] for _, best in values])
        if np.isfinite(row).any():
            add_scatter(
                traces, x=[np.nanmin(row), np.nanmax(row)], y=[name, name], mode="lines", hoverinfo="skip",
                showlegend=False, line={"color": NEUTRAL, "width": 1},
            )
    return build_figure(
        traces, "best threshold of the class", "", max(400, 110 + 22 * len(class_names)),
        x_axis={"range": [-0.01, 1.01]}, shapes=build_rules(threshold),
        y_axis={"autorange": "reversed", "type": "category", "categoryorder": "array", "categoryarray": class_names},
    )


def draw_separation(panels: Sequence[Separation], thresholds: np.ndarray, threshold: float | None = None,
                    is_mirrored: bool = True, bins: int = 40, columns: int = 3) -> go.Figure:
    """Draw the activation histograms of each run: on the object, on background, on other classes.

    Args:
        panels: one for each run; counts (T+1,) by threshold bin.
        thresholds: (T,) the thresholds that part the bins.
        threshold: a vertical line that stays where it is; none where the browser draws it.
        is_mirrored: the object above the axis and the rest below, instead of all three over one another.
        bins: how many steps are drawn between 0 and 1. columns: how many panels stand side by side.

    Each of the three is a density: its area is 1, so that a small object can be compared with a large background.
    The outermost steps hold the pixels at exactly 0 and 1, often most of a background; where one of them towers
    over the rest the axis stops below it, and the pointer tells its height.
    """
    traces: Traces = []
    tops = np.array([
        _add_histograms(traces, panel, thresholds, is_mirrored, bins, i == 0, **name_axes(i))
        for i, panel in enumerate(panels)
    ])
    above, below = cut_axis(tops)
    is_cut = (tops > (above, below)).any()
    y_range = [-below * 1.1, above * 1.1] if is_mirrored else [0, max(above, below) * 1.1]
    return build_panels(
        traces, [panel.style.shown + panel.note for panel in panels], columns, "activation",
        "density (axis cut)" if is_cut else "density", 250,
        x_axis={"range": [0, 1]}, y_axis={"range": y_range},
        shapes=build_rules(threshold, level=0 if is_mirrored else None, panels=len(panels)),
    )


def describe_split(panel: Separation, thresholds: np.ndarray) -> list[dict]:
    """Describe which share of each kind of pixels lies above each of the 201 steps of the bar."""
    parts = (("object", panel.on_object), ("background", panel.on_background), ("other classes", panel.on_others))
    steps = np.linspace(0, 1, 201)
    nearest = np.abs(thresholds[None] - steps[:, None]).argmin(axis=1)
    splits = []
    for name, pixels in parts:
        if total := pixels.sum():
            above = 1 - np.cumsum(pixels[:-1]) / total
            splits.append({"name": name, "above": np.round(above[nearest], 4).tolist()})
    return splits


def cut_axis(tops: np.ndarray) -> tuple[float, float]:
    """Choose where an axis common to several panels ends, above and below zero, given their heights (N, 2).

    One panel cannot flatten the others, nor the background the objects: each side ends at two and a half times the
    median of the panels, and the lower one at two and a half times the upper one.
    """
    above, below = np.minimum(tops.max(axis=0), 2.5 * np.median(tops, axis=0))
    return float(above), float(min(below, 2.5 * above) if above else below)


def draw_clouds(clouds: Sequence[Cloud], x_title: str, y_title: str) -> go.Figure:
    """Draw points of several runs with the median of each as a large mark; a click hands back the point's name."""
    traces: Traces = []
    is_dense = max((len(cloud.x) for cloud in clouds), default=0) > 60
    for cloud in clouds:
        add_scatter(
            traces, x=cloud.x, y=cloud.y, mode="markers", name=cloud.style.shown, customdata=list(cloud.names),
            text=[escape_html(name) for name in cloud.names],
            marker=build_mark(cloud.style, 7, 0.55, edge=0) if is_dense else build_mark(cloud.style, 11, 0.9),
            hovertemplate=f"%{{text}}<br>{x_title} %{{x:.2f}}<br>{y_title} %{{y:.2f}}"
                          f"<extra>{cloud.style.shown}</extra>",
        )
    for cloud in clouds if is_dense else ():
        add_scatter(
            traces, x=[np.nanmedian(cloud.x)], y=[np.nanmedian(cloud.y)], mode="markers", showlegend=False,
            marker={**build_mark(cloud.style, 18), "line": {"color": "white", "width": 2.5}},
            hovertemplate=f"median<br>{x_title} %{{x:.2f}}<br>{y_title} %{{y:.2f}}<extra>{cloud.style.shown}</extra>",
        )
    x_axis, n_right = cut_outliers([cloud.x for cloud in clouds])
    y_axis, n_above = cut_outliers([cloud.y for cloud in clouds])
    outside = f" · {n_right + n_above} points outside, double click shows all" if n_right + n_above else ""
    return build_figure(traces, x_title + outside, y_title, 430, x_axis=x_axis, y_axis=y_axis,
                        clickmode="event+select", dragmode="pan")


def cut_outliers(values: Sequence[np.ndarray], share: float = 0.01) -> tuple[dict, int]:
    """Cut an axis where a few values would squeeze all others: its range for Plotly, and how many lie outside.

    Cut only where the central values, a `share` left out at each end, fill less than half of the whole range.
    """
    pooled = np.concatenate([np.asarray(part, dtype=float) for part in values]) if len(values) else np.zeros(0)
    pooled = pooled[np.isfinite(pooled)]
    if len(pooled) < 50:
        return {}, 0
    low, high = np.quantile(pooled, [share, 1 - share])
    if np.ptp(pooled) <= 2 * (high - low):
        return {}, 0
    room = 0.08 * (high - low)
    return {"range": [low - room, high + room]}, int(((pooled < low - room) | (pooled > high + room)).sum())


def _add_line(traces: Traces, curve: Curve, showlegend: bool = True, hovertemplate: str = "", **place) -> None:
    """Add the line; Plotly lets only markers be clicked, so a line to be clicked carries markers nobody sees."""
    if len(curve.x) == 1:
        _add_point(traces, curve, showlegend, **place)
        return
    style, unseen = curve.style, {"marker": {"opacity": 0}}
    add_scatter(
        traces, x=curve.x, y=curve.y * PERCENT, name=style.shown, legendgroup=style.shown, showlegend=showlegend,
        mode="lines" if curve.clicks is None else "lines+markers", customdata=curve.clicks, meta={"curve": True},
        line={"color": style.colour, "dash": style.dash, "width": 2.4}, **unseen, selected=unseen, unselected=unseen,
        hovertemplate=hovertemplate or f"%{{y:.1f}}<extra>{style.shown}</extra>", **place,
    )


def _add_point(traces: Traces, curve: Curve, showlegend: bool = True, **place) -> None:
    """Add the one point of finished masks, its interval as a bar."""
    bar = {"type": "data", "visible": False}
    if curve.low is not None and curve.high is not None:
        bar = {"type": "data", "symmetric": False, "array": (curve.high - curve.y) * PERCENT,
               "arrayminus": (curve.y - curve.low) * PERCENT, "width": 5, "thickness": 1.5}
    add_scatter(
        traces, x=curve.x, y=curve.y * PERCENT, name=curve.style.shown, legendgroup=curve.style.shown,
        showlegend=showlegend, mode="markers", marker=build_mark(curve.style, 15), error_y=bar,
        hovertemplate=f"%{{y:.1f}}, finished masks<extra>{curve.style.shown}</extra>", **place,
    )


def _add_interval(traces: Traces, curve: Curve, **place) -> None:
    if curve.low is None or curve.high is None or len(curve.x) == 1:
        return
    known = np.isfinite(curve.low) & np.isfinite(curve.high)
    x = np.concatenate([curve.x[known], curve.x[known][::-1]])
    y = np.concatenate([curve.low[known], curve.high[known][::-1]]) * PERCENT
    add_scatter(
        traces, x=x, y=y, mode="lines", line={"width": 0}, fill="toself", fillcolor=fade(curve.style.colour, 0.16),
        hoverinfo="skip", showlegend=False, legendgroup=curve.style.shown, **place,
    )


def _add_plateau(traces: Traces, curve: Curve) -> None:
    if curve.plateau is None:
        return
    part = slice(curve.plateau[0], curve.plateau[1] + 1)
    add_scatter(
        traces, x=curve.x[part], y=curve.y[part] * PERCENT, mode="lines", fill="tozeroy", hoverinfo="skip",
        showlegend=False, legendgroup=curve.style.shown, line={"color": fade(curve.style.colour, 0.30), "width": 9},
        fillcolor=fade(curve.style.colour, 0.07),
    )


def _add_level(traces: Traces, curve: Curve) -> None:
    if curve.level is None or not np.isfinite(curve.level):
        return
    ends = [float(np.nanmin(curve.x)), float(np.nanmax(curve.x))]
    add_scatter(
        traces, x=ends, y=[curve.level * PERCENT] * 2, mode="lines", showlegend=False, legendgroup=curve.style.shown,
        line={"color": curve.style.colour, "width": 1.2, "dash": "dot"}, opacity=0.9,
        hovertemplate=f"each image at its own best threshold: %{{y:.1f}}<extra>{curve.style.shown}, oracle</extra>",
    )


def _add_marks(traces: Traces, curve: Curve, **place) -> None:
    """Mark the peak with the run's symbol."""
    if curve.peak is not None and np.isfinite(curve.y[curve.peak]):
        add_scatter(
            traces, x=[curve.x[curve.peak]], y=[curve.y[curve.peak] * PERCENT], mode="markers", showlegend=False,
            marker=build_mark(curve.style, 13), legendgroup=curve.style.shown,
            hovertemplate=f"peak %{{y:.1f}}<extra>{curve.style.shown}</extra>", **place,
        )


def _add_histograms(traces: Traces, panel: Separation, thresholds: np.ndarray, is_mirrored: bool, bins: int,
                    is_first: bool, **place) -> tuple[float, float]:
    """Add the three histograms of a run; returns how high the object and the rest are but for towering outer steps."""
    parts = (
        ("on the object", panel.on_object, panel.style.colour, "solid", 0.35, 1),
        ("on background", panel.on_background, NEUTRAL, "solid", 0.25, -1),
        ("on other classes", panel.on_others, NEUTRAL, "dot", 0.0, -1),
    )
    tops = {1: 0.0, -1: 0.0}
    for name, pixels, colour, dash, opacity, side in parts:
        edges, density = compute_density(pixels, thresholds, bins)
        height = np.append(density, density[-1])
        add_scatter(
            traces, x=edges, y=height * (side if is_mirrored else 1), name=name, legendgroup=name,
            showlegend=is_first, mode="lines", line={"color": colour, "dash": dash, "width": 1.8, "shape": "hv"},
            fill="tozeroy" if opacity else None, fillcolor=fade(colour, opacity), customdata=height,
            hovertemplate=f"{name}: density %{{customdata:.2f}} at %{{x:.3f}}<extra></extra>", **place,
        )
        if np.isfinite(density).all():
            tops[side] = max(tops[side], min(density.max(), 1.5 * density[1:-1].max()))
    return tops[1], tops[-1]


def compute_density(pixels: np.ndarray, thresholds: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Turn pixels by threshold bin (T+1,) into a density over [0, 1]: edges (bins+1,) and heights (bins,).

    Bin b holds the activations in (thresholds[b−1], thresholds[b]]; the first and the last also what lies beyond.
    The density is piecewise constant within a bin, so that its area is 1 whatever the number of steps drawn.
    """
    edges = np.linspace(0, 1, bins + 1)
    total = pixels.sum()
    if not total:
        return edges, np.full(bins, np.nan)
    below = np.concatenate([[0], np.cumsum(pixels[:-1])])
    known = np.interp(edges, np.concatenate([[0 - 1e-9], thresholds]), below)
    known[0], known[-1] = 0, total
    return edges, np.diff(known) / total * bins
