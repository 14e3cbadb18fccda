"""The charts of *Choose a threshold*: the label budget and the plane of confident thresholds; no Streamlit."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from amn_core.choosing.budget import Budget
from amn_core.choosing.confident import Confident
from app.charts.plotting import NEUTRAL, PERCENT, Traces, add_scatter, build_figure, build_mark, fade
from app.charts.styles import RunStyle

STEP = 5
PLACES = ("bottom right", "top left", "bottom right", "top left")
# From orange to dark blue: white marks and words lie where precision is high, and have to be read there.
COLOURS = ((0, "#F3C9A5"), (0.5, "#5B95BF"), (1, "#0A3358"))
LEVELS = {"start": 50, "end": 95, "size": 5}


def draw_budget(budgets: Sequence[tuple[RunStyle, Budget, float | None]], tolerance: float = 0.005) -> go.Figure:
    """Draw what thresholds chosen on n labelled images lose, against n.

    Args:
        budgets: for each run its style, its budget, and what the suggested threshold without any ground truth
            loses (a dotted line; none if None), fractions of 1.
        tolerance: drawn as a thin line.
    """
    traces: Traces = []
    for style, budget, unseen in budgets:
        x, name = budget.sizes, style.shown
        add_scatter(
            traces, x=np.concatenate([x, x[::-1]]), mode="lines", line={"width": 0}, hoverinfo="skip",
            y=np.concatenate([budget.regret_low, budget.regret_high[::-1]]) * PERCENT, fill="toself",
            fillcolor=fade(style.colour, 0.06), showlegend=False, legendgroup=name)
        add_scatter(
            traces, x=x, y=budget.regret * PERCENT, name=name, legendgroup=name, mode="lines+markers",
            line={"color": style.colour, "dash": style.dash, "width": 2.4}, marker=build_mark(style, 9),
            customdata=np.stack([budget.regret_low, budget.regret_high], axis=1) * PERCENT,
            hovertemplate="%{x} labelled: −%{y:.1f} points (%{customdata[0]:.1f} to %{customdata[1]:.1f})"
                          f"<extra>{name}</extra>")
        if unseen is not None and len(x):
            add_scatter(
                traces, x=[x[0], x[-1]], y=[unseen * PERCENT] * 2, mode="lines", showlegend=False, legendgroup=name,
                line={"color": style.colour, "width": 1.4, "dash": "dot"},
                hovertemplate=f"no ground truth: −%{{y:.1f}} points<extra>{name}</extra>")
    ticks = sorted({int(n) for _, budget, _ in budgets for n in budget.sizes})
    line = {"type": "line", "x0": 0, "x1": 1, "xref": "x domain", "y0": tolerance * PERCENT, "y1": tolerance * PERCENT,
            "yref": "y", "line": {"color": NEUTRAL, "width": 1}}
    return build_figure(
        traces, "labelled images", "regret (points)", 400, shapes=[line],
        x_axis={"type": "log", "tickvals": ticks, "ticktext": list(map(str, ticks))}, y_axis={"range": [-0.4, 10]})


def draw_plane(confident: Confident, pairs: Sequence[tuple[str, float, float]], current: tuple[float, float],
               colours: Sequence = COLOURS) -> go.Figure:
    """Draw the precision of confident areas over both thresholds, with lines of equal coverage.

    Args:
        pairs: marked ones: name, foreground, background. current: foreground and background, as a ring. A click
            on the plane hands back both thresholds (``customdata``).
    """
    grid = confident.thresholds[::STEP]
    precision, coverage = (plane[::STEP, ::STEP] * PERCENT for plane in (confident.precision, confident.coverage))
    traces: Traces = [
        {"type": "heatmap", "x": grid, "y": grid, "z": precision, "colorscale": colours, "hoverinfo": "skip",
         "colorbar": {"title": {"text": "precision (%)", "side": "right"}, "thickness": 12, "outlinewidth": 0}},
        {"type": "contour", "x": grid, "y": grid, "z": coverage, "hoverinfo": "skip", "showscale": False,
         "showlegend": False,
         "contours": {"coloring": "none", "showlabels": True, "labelfont": {"size": 11, "color": "white"}, **LEVELS},
         "line": {"color": "white", "width": 1}},
    ]
    rows, columns = np.nonzero(np.isfinite(precision))
    add_scatter(
        traces, x=grid[columns], y=grid[rows], mode="markers", marker={"size": 9, "opacity": 0}, showlegend=False,
        customdata=np.stack([grid[columns], grid[rows], precision[rows, columns], coverage[rows, columns]], axis=1),
        hovertemplate="foreground above %{x:.3f}, background up to %{y:.3f}<br>precision %{customdata[2]:.1f} %, "
                      "coverage %{customdata[3]:.1f} %<extra></extra>")
    add_scatter(
        traces, x=[pair[1] for pair in pairs], y=[pair[2] for pair in pairs], text=[pair[0] for pair in pairs],
        mode="markers+text", textposition=[PLACES[i % len(PLACES)] for i in range(len(pairs))],
        textfont={"color": "white", "size": 12}, showlegend=False,
        marker={"size": 10, "color": "white", "symbol": "x", "line": {"color": "black", "width": 1}},
        customdata=[pair[1:] for pair in pairs],
        hovertemplate="%{text}: %{x:.3f} and %{y:.3f}<extra></extra>")
    add_scatter(
        traces, x=[current[0]], y=[current[1]], mode="markers", showlegend=False, hoverinfo="skip",
        marker={"size": 16, "color": "#E69F00", "symbol": "circle-open", "line": {"width": 3}})
    return build_figure(
        traces, "foreground above", "background up to", 430, x_axis={"range": [0, 1], "showgrid": False},
        y_axis={"range": [0, 1], "showgrid": False}, margin={"l": 56, "r": 16, "t": 16, "b": 48})
