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
from plotly.subplots import make_subplots

from amn_core.constants import EXTRA_COLOURS, METHOD_COLOURS, METHOD_DASHES

NEUTRAL = "#808495"
SYMBOLS = {"cam": "circle", "amn-without-lcm": "diamond", "amn": "square", "irn": "triangle-up", "imported": "cross"}
EXTRA_SYMBOLS = ("star", "pentagon", "hexagon", "triangle-down", "bowtie", "hourglass")
EXTRA_DASHES = ("dot", "dashdot", "longdash", "longdashdot", "dash", "solid")
PERCENT = 100.0


@dataclass(frozen=True)
class RunStyle:
    """How a run looks in every chart: the text of its legend, CSS colour, Plotly dash and Plotly symbol."""

    label: str
    colour: str
    dash: str = "solid"
    symbol: str = "circle"


@dataclass(frozen=True)
class Curve:
    """A score against the threshold for one run.

    `x` (T,) in the order of the thresholds; `y`, `low`, `high` (T,) fractions of 1, NaN where undefined; `peak`,
    `current` and `plateau` are indices into them (first and last index of the plateau); `level` is a score drawn
    as a horizontal line (the per-image oracle); `clicks` (T,) is what a click on a point hands back, usually its
    threshold.
    """

    style: RunStyle
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    peak: int | None = None
    plateau: tuple[int, int] | None = None
    level: float | None = None
    current: int | None = None
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


def build_styles(methods: Sequence[str], labels: Sequence[str]) -> list[RunStyle]:
    """Build the style of every run: that of its method; further runs of the same method get one of their own."""
    styles, seen, spare = [], set(), 0
    for method, label in zip(methods, labels, strict=True):
        if method not in seen:
            style = RunStyle(label, METHOD_COLOURS[method], METHOD_DASHES[method], SYMBOLS[method])
        else:
            k, spare = spare, spare + 1
            style = RunStyle(label, EXTRA_COLOURS[k % 6], EXTRA_DASHES[k % 6], EXTRA_SYMBOLS[k % 6])
        seen.add(method)
        styles.append(style)
    return styles


def fade(colour: str, opacity: float) -> str:
    """Give a colour ``#RRGGBB`` an opacity: ``rgba(r,g,b,opacity)``."""
    red, green, blue = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def draw_curves(curves: Sequence[Curve], x_title: str, y_title: str, threshold: float | None = None) -> go.Figure:
    """Draw scores against the threshold: intervals, plateaus, oracle levels, curves, peaks, the current threshold.

    `x_title` and `y_title` name the axes with their units; `threshold` is where the vertical line stands (none if
    the x axis has another unit: then each curve's own dot says where it is).
    """
    figure = go.Figure()
    for curve in curves:
        _add_interval(figure, curve)
        _add_plateau(figure, curve)
    for curve in curves:
        _add_level(figure, curve)
        _add_line(figure, curve)
    for curve in curves:
        _add_marks(figure, curve)
    _lay_out(figure, x_title, y_title, height=430)
    figure.update_layout(hovermode="x unified" if threshold is not None else "closest")
    if threshold is not None:
        _add_threshold(figure, threshold)
        figure.update_xaxes(range=[0, 1])
    figure.update_yaxes(rangemode="tozero")
    return figure


def draw_panels(panels: Sequence[tuple[str, Sequence[Curve]]], x_title: str, y_title: str,
                threshold: float | None = None, columns: int = 2) -> go.Figure:
    """Draw several small charts with common axes, one for each (title, curves): classes, or precision and recall."""
    columns = max(1, min(columns, len(panels)))
    rows = max(1, -(-len(panels) // columns))
    figure = make_subplots(
        rows, columns, shared_xaxes=True, shared_yaxes=True, subplot_titles=[title for title, _ in panels],
        horizontal_spacing=0.03, vertical_spacing=min(0.09, 0.32 / rows), x_title=x_title, y_title=y_title,
    )
    for i, (_, curves) in enumerate(panels):
        place = {"row": i // columns + 1, "col": i % columns + 1}
        for curve in curves:
            _add_interval(figure, curve, **place)
            _add_line(figure, curve, showlegend=i == 0, **place)
        for curve in curves:
            _add_marks(figure, curve, **place)
    _lay_out(figure, "", "", height=max(360, 90 + 190 * rows))
    if threshold is not None:
        _add_threshold(figure, threshold, row="all", col="all")
        figure.update_xaxes(range=[0, 1])
    figure.update_layout(margin={"l": 62, "b": 58}, hovermode="closest")
    figure.update_yaxes(rangemode="tozero", title_standoff=4)
    return figure


def draw_difference(curve: Curve, x_title: str, threshold: float | None = None) -> go.Figure:
    """Draw the difference of two runs (T,), fractions of 1, with its paired interval and the line of no difference."""
    figure = go.Figure()
    _add_interval(figure, curve)
    _add_line(figure, curve, showlegend=False, hovertemplate="%{y:+.1f} points<extra></extra>")
    _add_marks(figure, curve)
    _lay_out(figure, x_title, "difference of mIoU (points)", height=430)
    figure.add_hline(0, line={"color": NEUTRAL, "width": 1})
    if threshold is not None:
        _add_threshold(figure, threshold)
        figure.update_xaxes(range=[0, 1])
    return figure


def draw_best_thresholds(values: Sequence[tuple[RunStyle, np.ndarray, float]], threshold: float,
                         bin_width: float = 0.05) -> go.Figure:
    """Draw how the best thresholds of the images are spread, one outline a run.

    Args:
        values: for each run its style, the images' best thresholds (N,), and the run's own single best threshold,
            marked by the run's symbol on the axis.
        threshold: the current one, as a vertical line.
        bin_width: of the histogram; the height of a step is the share of images in it.
    """
    figure = go.Figure()
    edges = np.arange(0, 1 + bin_width / 2, bin_width)
    for style, best, own in values:
        share = np.histogram(best[np.isfinite(best)], edges)[0] / max(1, np.isfinite(best).sum())
        figure.add_scatter(
            x=edges, y=np.append(share, share[-1]) * PERCENT, name=style.label, mode="lines", fill="tozeroy",
            line={"color": style.colour, "dash": style.dash, "width": 2, "shape": "hv"},
            fillcolor=fade(style.colour, 0.10),
            hovertemplate=f"%{{y:.0f}}% of images at %{{x:.2f}}–+{bin_width:.2f}<extra>{style.label}</extra>",
        )
        figure.add_scatter(
            x=[own], y=[0], mode="markers", cliponaxis=False, showlegend=False, marker=_mark(style, 12),
            hovertemplate=f"best single threshold %{{x:.3f}}<extra>{style.label}</extra>",
        )
    _lay_out(figure, "best threshold of an image", "share of images (%)", height=340)
    _add_threshold(figure, threshold)
    return figure


def draw_class_thresholds(class_names: Sequence[str], values: Sequence[tuple[RunStyle, np.ndarray]],
                          threshold: float) -> go.Figure:
    """Draw the best threshold of every class, one symbol a run; `values` are (C,) in [0, 1], NaN is left out."""
    figure = go.Figure()
    for style, best in values:
        figure.add_scatter(
            x=best, y=list(class_names), name=style.label, mode="markers", marker=_mark(style, 11),
            hovertemplate=f"%{{y}}: best at %{{x:.3f}}<extra>{style.label}</extra>",
        )
    for i, name in enumerate(class_names):
        row = np.array([best[i] for _, best in values])
        if np.isfinite(row).any():
            figure.add_scatter(
                x=[np.nanmin(row), np.nanmax(row)], y=[name, name], mode="lines", hoverinfo="skip", showlegend=False,
                line={"color": NEUTRAL, "width": 1},
            )
    _lay_out(figure, "best threshold of the class", "", height=max(340, 110 + 24 * len(class_names)))
    figure.update_xaxes(range=[-0.01, 1.01])
    figure.update_yaxes(autorange="reversed", type="category")
    _add_threshold(figure, threshold)
    return figure


def draw_separation(panels: Sequence[Separation], thresholds: np.ndarray, threshold: float,
                    is_mirrored: bool = True, bins: int = 40, columns: int = 3) -> go.Figure:
    """Draw the activation histograms of each run: on the object, on background, on other classes.

    Args:
        panels: one for each run; counts (T+1,) by threshold bin.
        thresholds: (T,) the thresholds that part the bins.
        threshold: the current one, as a vertical line.
        is_mirrored: the object above the axis and the rest below, instead of all three over one another.
        bins: how many steps are drawn between 0 and 1. columns: how many panels stand side by side.

    Each of the three is a density: its area is 1, so that a small object can be compared with a large background.
    The outermost steps hold the pixels at exactly 0 and 1, often most of a background; where one of them towers
    over the rest the axis stops below it, and the pointer tells its height.
    """
    columns = max(1, min(columns, len(panels)))
    rows = max(1, -(-len(panels) // columns))
    figure = make_subplots(
        rows, columns, shared_xaxes=True, shared_yaxes=True, horizontal_spacing=0.03, vertical_spacing=0.2 / rows,
        subplot_titles=[panel.style.label + panel.note for panel in panels], x_title="activation", y_title="density",
    )
    top = 0.0
    for i, panel in enumerate(panels):
        place = {"row": i // columns + 1, "col": i % columns + 1}
        top = max(top, _add_histograms(figure, panel, thresholds, is_mirrored, bins, is_first=i == 0, **place))
    _lay_out(figure, "", "", height=100 + 250 * rows)
    figure.update_layout(margin={"l": 62, "b": 58})
    figure.update_xaxes(range=[0, 1])
    figure.update_yaxes(range=[-top * 1.1 if is_mirrored else 0, top * 1.1])
    if is_mirrored:
        figure.add_hline(0, line={"color": NEUTRAL, "width": 1}, row="all", col="all")
    _add_threshold(figure, threshold, row="all", col="all")
    return figure


def draw_clouds(clouds: Sequence[Cloud], x_title: str, y_title: str) -> go.Figure:
    """Draw points of several runs with the median of each as a large mark; a click hands back the point's name."""
    figure = go.Figure()
    is_dense = max((len(cloud.x) for cloud in clouds), default=0) > 60
    for cloud in clouds:
        figure.add_scatter(
            x=cloud.x, y=cloud.y, mode="markers", name=cloud.style.label, customdata=list(cloud.names),
            marker=_mark(cloud.style, 6 if is_dense else 10, 0.55 if is_dense else 0.9),
            hovertemplate=f"%{{customdata}}<br>{x_title} %{{x:.2f}}<br>{y_title} %{{y:.2f}}"
                          f"<extra>{cloud.style.label}</extra>",
        )
    for cloud in clouds if is_dense else ():
        figure.add_scatter(
            x=[np.nanmedian(cloud.x)], y=[np.nanmedian(cloud.y)], mode="markers", showlegend=False,
            marker={**_mark(cloud.style, 18), "line": {"color": "white", "width": 2.5}},
            hovertemplate=f"median<br>{x_title} %{{x:.2f}}<br>{y_title} %{{y:.2f}}<extra>{cloud.style.label}</extra>",
        )
    _lay_out(figure, x_title, y_title, height=430)
    figure.update_layout(clickmode="event+select", dragmode="lasso")
    return figure


def _lay_out(figure: go.Figure, x_title: str, y_title: str, height: int) -> None:
    """Set what all charts share: titles of axes, a legend above the plot, small margins, no toolbox of shapes."""
    figure.update_layout(
        height=height, margin={"l": 56, "r": 16, "t": 44, "b": 48}, dragmode="zoom",
        legend={"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "title": {"text": ""}},
    )
    figure.update_xaxes(title_text=x_title or None, zeroline=False)
    figure.update_yaxes(title_text=y_title or None, zeroline=False)


def _mark(style: RunStyle, size: int, opacity: float = 1.0) -> dict:
    """Describe a run's symbol."""
    return {"symbol": style.symbol, "size": size, "color": style.colour, "opacity": opacity,
            "line": {"color": "white", "width": 1}}


def _add_line(figure: go.Figure, curve: Curve, showlegend: bool = True, hovertemplate: str = "", **place) -> None:
    """Add the line; Plotly lets only markers be clicked, so a line to be clicked carries markers nobody sees."""
    style, unseen = curve.style, {"marker": {"opacity": 0}}
    figure.add_scatter(
        x=curve.x, y=curve.y * PERCENT, name=style.label, legendgroup=style.label, showlegend=showlegend,
        mode="lines" if curve.clicks is None else "lines+markers", customdata=curve.clicks,
        line={"color": style.colour, "dash": style.dash, "width": 2.4}, **unseen, selected=unseen, unselected=unseen,
        hovertemplate=hovertemplate or f"%{{y:.1f}}<extra>{style.label}</extra>", **place,
    )


def _add_interval(figure: go.Figure, curve: Curve, **place) -> None:
    if curve.low is None or curve.high is None:
        return
    known = np.isfinite(curve.low) & np.isfinite(curve.high)
    x = np.concatenate([curve.x[known], curve.x[known][::-1]])
    y = np.concatenate([curve.low[known], curve.high[known][::-1]]) * PERCENT
    figure.add_scatter(
        x=x, y=y, mode="lines", line={"width": 0}, fill="toself", fillcolor=fade(curve.style.colour, 0.16),
        hoverinfo="skip", showlegend=False, legendgroup=curve.style.label, **place,
    )


def _add_plateau(figure: go.Figure, curve: Curve) -> None:
    if curve.plateau is None:
        return
    part = slice(curve.plateau[0], curve.plateau[1] + 1)
    figure.add_scatter(
        x=curve.x[part], y=curve.y[part] * PERCENT, mode="lines", fill="tozeroy", hoverinfo="skip", showlegend=False,
        line={"color": fade(curve.style.colour, 0.30), "width": 9}, fillcolor=fade(curve.style.colour, 0.07),
        legendgroup=curve.style.label,
    )


def _add_level(figure: go.Figure, curve: Curve) -> None:
    if curve.level is None or not np.isfinite(curve.level):
        return
    ends = [float(np.nanmin(curve.x)), float(np.nanmax(curve.x))]
    figure.add_scatter(
        x=ends, y=[curve.level * PERCENT] * 2, mode="lines", showlegend=False, legendgroup=curve.style.label,
        line={"color": curve.style.colour, "width": 1.2, "dash": "dot"}, opacity=0.9,
        hovertemplate=f"each image at its own best threshold: %{{y:.1f}}<extra>{curve.style.label}, oracle</extra>",
    )


def _add_marks(figure: go.Figure, curve: Curve, **place) -> None:
    """Mark the peak with the run's symbol, and the current threshold with a ring."""
    for index, mark, what in (
        (curve.current, {**_mark(curve.style, 8), "symbol": "circle-open", "line": {"width": 2}}, "now"),
        (curve.peak, _mark(curve.style, 13), "peak"),
    ):
        if index is not None and np.isfinite(curve.y[index]):
            figure.add_scatter(
                x=[curve.x[index]], y=[curve.y[index] * PERCENT], mode="markers", marker=mark, showlegend=False,
                legendgroup=curve.style.label, hoverinfo="skip" if what == "now" else None,
                hovertemplate=None if what == "now" else f"peak %{{y:.1f}}<extra>{curve.style.label}</extra>", **place,
            )


def _add_threshold(figure: go.Figure, threshold: float, **place) -> None:
    figure.add_vline(threshold, line={"color": NEUTRAL, "width": 1.5, "dash": "dash"}, **place)


def _add_histograms(figure: go.Figure, panel: Separation, thresholds: np.ndarray, is_mirrored: bool, bins: int,
                    is_first: bool, **place) -> float:
    """Add the three histograms of a run; returns how high the axis has to be for all but towering outer steps."""
    parts = (
        ("on the object", panel.on_object, panel.style.colour, "solid", 0.35, 1),
        ("on background", panel.on_background, NEUTRAL, "solid", 0.25, -1),
        ("on other classes", panel.on_others, NEUTRAL, "dot", 0.0, -1),
    )
    top = 0.0
    for name, pixels, colour, dash, opacity, side in parts:
        edges, density = compute_density(pixels, thresholds, bins)
        height = np.append(density, density[-1])
        figure.add_scatter(
            x=edges, y=height * (side if is_mirrored else 1), name=name, legendgroup=name,
            showlegend=is_first, mode="lines", line={"color": colour, "dash": dash, "width": 1.8, "shape": "hv"},
            fill="tozeroy" if opacity else None, fillcolor=fade(colour, opacity), customdata=height,
            hovertemplate=f"{name}: density %{{customdata:.2f}} at %{{x:.3f}}<extra></extra>", **place,
        )
        if np.isfinite(density).all():
            top = max(top, min(density.max(), 1.5 * density[1:-1].max()))
    return top


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
