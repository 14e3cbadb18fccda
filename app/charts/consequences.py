"""Masks cut at several thresholds, and the networks trained on them, as one chart that grows point by point."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from amn_core.formats.consequences import Consequence
from app.charts.plotting import PERCENT, add_scatter, build_figure, build_mark, fade
from app.charts.styles import RunStyle, build_styles


def draw_consequences(results: Sequence[Consequence]) -> go.Figure:
    """Draw both curves of each run, masks dashed, networks solid, with intervals; what is not finished is left out."""
    traces: list[dict] = []
    styles = build_styles([one.method for one in results], [one.name for one in results])
    for one, style in zip(results, styles, strict=True):
        add_pair(traces, one, style)
    return build_figure(traces, "threshold of the masks", "mIoU (%)", 380, hovermode="x unified")


def add_pair(traces: list[dict], one: Consequence, style: RunStyle) -> None:
    """Add the two curves of a run."""
    for name, dash in (("masks", "dash"), ("network", "solid")):
        y = to_percent(getattr(one, name))
        ends = [to_percent(getattr(one, f"{name}_{end}")) for end in ("low", "high")]
        is_there = np.isfinite(y)
        if not is_there.any():
            continue
        x = np.array(one.thresholds)
        add_band(traces, x, *ends, style)
        add_scatter(
            traces, x=x[is_there].tolist(), y=y[is_there].tolist(), name=f"{style.shown}: {name}",
            mode="lines+markers", line={"color": style.colour, "width": 2.4, "dash": dash},
            marker=build_mark(style, 9 if name == "network" else 7), hovertemplate="%{y:.1f} %")


def add_band(traces: list[dict], x: np.ndarray, low: np.ndarray, high: np.ndarray, style: RunStyle) -> None:
    """Add the interval of a curve where there is one."""
    is_there = np.isfinite(low) & np.isfinite(high)
    if is_there.any():
        add_scatter(
            traces, x=[*x[is_there], *x[is_there][::-1]], y=[*low[is_there], *high[is_there][::-1]], fill="toself",
            fillcolor=fade(style.colour, 0.12), line={"width": 0}, mode="lines", hoverinfo="skip", showlegend=False)


def to_percent(values: Sequence[float | None]) -> np.ndarray:
    """Turn scores into percent, NaN where there is none."""
    return np.array([np.nan if value is None else value * PERCENT for value in values])
