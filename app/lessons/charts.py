"""The figures of the lessons: arrays in, a Plotly figure out, no Streamlit."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from app.charts.colour_maps import build_colour_table
from app.charts.plotting import (
    NEUTRAL,
    PERCENT,
    Traces,
    add_scatter,
    build_figure,
    build_mark,
    build_note,
    build_panels,
    build_rules,
    fade,
    name_axes,
)
from app.charts.styles import RunStyle

MODEL = RunStyle("model", "#009E73", "dash", "circle")
BACKGROUND_COLOUR = NEUTRAL
GREY = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Distributions:
    """One class: share of its pixels, and densities (n,) of its activation and of all others' over [0, 1]."""

    title: str
    colour: str
    foreground: np.ndarray
    background: np.ndarray


def overlay_map(image: np.ndarray, plane: np.ndarray, colours: str = "inferno", opacity: float = 0.75) -> np.ndarray:
    """Lay a map (H, W) in [0, 1] over a grey copy of its image, (H, W, 3) uint8; what is hot covers more."""
    grey = np.repeat((image @ GREY)[..., None], 3, axis=2) * 0.6 + 70
    heat = build_colour_table(colours)[np.rint(np.clip(plane, 0, 1) * 255).astype(int)]
    weight = opacity * np.clip(0.25 + 1.2 * plane, 0, 1)[..., None]
    return np.clip(grey * (1 - weight) + heat * weight, 0, 255).astype(np.uint8)


def outline_mask(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int] = (255, 255, 255)) -> np.ndarray:
    """Draw the border of a mask (H, W) bool into a picture (H, W, 3)."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    drawn = picture.copy()
    drawn[mask & ~inner] = colour
    return drawn


def encode_picture(picture: np.ndarray) -> str:
    """Encode a picture as a data URI that goes into the figure, and into the file it is saved to."""
    Image.fromarray(picture).save(buffer := io.BytesIO(), "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def draw_pictures(pictures: Sequence[tuple[str, np.ndarray]], columns: int = 3, row_height: int = 330) -> go.Figure:
    """Draw pictures (H, W, 3) uint8 of one size side by side, a title above each."""
    traces: Traces = []
    for i, (_, picture) in enumerate(pictures):
        traces.append({"type": "image", "source": encode_picture(picture), "hoverinfo": "skip", **name_axes(i)})
    figure = build_panels(
        traces, [title for title, _ in pictures], columns, "", "", row_height,
        x_axis={"visible": False, "constrain": "domain"},
        y_axis={"visible": False, "constrain": "domain", "constraintoward": "top"})  # a picture hangs from its title
    height, width = pictures[0][1].shape[:2]
    for i in range(len(pictures)):
        names = name_axes(i)
        figure.update_layout({
            names["xaxis"].replace("x", "xaxis"): {"range": [0, width], "matches": None},
            names["yaxis"].replace("y", "yaxis"): {
                "range": [height, 0], "scaleanchor": names["xaxis"], "matches": None}})
    figure.update_layout(margin={"l": 8, "r": 8, "t": 60, "b": 8}, dragmode="pan")  # the toolbar lies above the titles
    return figure


def draw_bars(names: Sequence[str], values: Sequence[float], colours: Sequence[str], y_title: str,
              height: int = 220, text_format: str = ".2f") -> go.Figure:
    """Draw one bar a name, its number above it; values in [0, 1]."""
    trace = {
        "type": "bar", "x": list(names), "y": list(values), "marker": {"color": list(colours)}, "width": 0.62,
        "text": [format(value, text_format) for value in values], "textposition": "outside", "cliponaxis": False,
        "hoverinfo": "skip", "showlegend": False,
    }
    return build_figure([trace], "", y_title, height, y_axis={"range": [0, max(1.0, *values) * 1.12]})


def draw_two_conditions(model: Distributions, real: Sequence[Distributions], grid: np.ndarray, thresholds: np.ndarray,
                        curves: Sequence[tuple[RunStyle, np.ndarray]], plateau: tuple[int, int],
                        threshold: float) -> go.Figure:
    """Draw score distributions, the model's and real ones, and below them the IoU that every threshold gives.

    Args:
        grid: (n,) centres of the densities. thresholds: (T,) of the curves. curves: style and IoU (T,) in
            fractions of 1, the model's first. plateau: first and last index of the model's plateau.
    """
    traces: Traces = []
    panels = [model, *real]
    for i, panel in enumerate(panels):
        for name, density, colour in (
            ("on the object", panel.foreground, panel.colour), ("elsewhere", -panel.background, BACKGROUND_COLOUR)):
            add_scatter(
                traces, x=grid, y=density, mode="lines", fill="tozeroy", name=name, legendgroup=name, showlegend=False,
                line={"color": colour, "width": 1.8}, fillcolor=fade(colour, 0.3), hoverinfo="skip", **name_axes(i))
    place = name_axes(len(panels))
    part = slice(plateau[0], plateau[1] + 1)
    add_scatter(traces, x=thresholds[part], y=curves[0][1][part] * PERCENT, mode="lines", hoverinfo="skip",
                showlegend=False, line={"color": fade(curves[0][0].colour, 0.3), "width": 10}, **place)
    for style, iou in curves:
        add_scatter(traces, x=thresholds, y=iou * PERCENT, mode="lines", name=style.label,
                    line={"color": style.colour, "dash": style.dash, "width": 2.6},
                    hovertemplate=f"%{{y:.1f}} at %{{x:.3f}}<extra>{style.label}</extra>", **place)
    return lay_out_conditions(traces, panels, threshold)


def lay_out_conditions(traces: Traces, panels: Sequence[Distributions], threshold: float) -> go.Figure:
    """Lay out small panels of densities in a row, and the curves below them over the whole width."""
    n, notes, axes = len(panels), [], {}
    wide = (1 - 0.03 * (n - 1)) / n
    top = 1.6 * max(float(np.quantile(np.concatenate([p.foreground, p.background]), 0.9)) for p in panels)
    for i, panel in enumerate(panels):
        names, left = name_axes(i), i * (wide + 0.03)
        axes[names["xaxis"].replace("x", "xaxis")] = {
            "domain": [left, left + wide], "anchor": names["yaxis"], "range": [0, 1], "zeroline": False}
        axes[names["yaxis"].replace("y", "yaxis")] = {
            "domain": [0.63, 0.95], "anchor": names["xaxis"], "range": [-top, top], "showticklabels": False,
            "zeroline": True}
        notes.append(build_note(panel.title, left + wide / 2, 0.95, yanchor="bottom"))
    names = name_axes(n)
    axes[names["xaxis"].replace("x", "xaxis")] = {
        "domain": [0, 1], "anchor": names["yaxis"], "range": [0, 1], "zeroline": False,
        "title": {"text": "threshold"}}
    axes[names["yaxis"].replace("y", "yaxis")] = {
        "domain": [0, 0.5], "anchor": names["xaxis"], "range": [0, 100], "zeroline": False,
        "title": {"text": "IoU (%)"}}
    notes.append(build_note("activation: above the line on the object, below it elsewhere", 0.5, 0.595, yanchor="top"))
    return go.Figure(traces, {
        "height": 600, "margin": {"l": 56, "r": 16, "t": 30, "b": 48}, "annotations": notes, **axes,
        "legend": {"orientation": "h", "x": 1, "y": 0.5, "xanchor": "right", "yanchor": "top"},
        "shapes": build_rules(threshold, panels=n + 1)})


def draw_pixel_loss(probability: np.ndarray, losses: Sequence[tuple[str, str, str, np.ndarray]],
                    best: float) -> go.Figure:
    """Draw the loss of a pixel against the probability of its class: (name, colour, dash, loss (n,)) each."""
    traces: Traces = []
    for name, colour, dash, loss in losses:
        add_scatter(traces, x=probability, y=loss, mode="lines", name=name, hoverinfo="skip",
                    line={"color": colour, "dash": dash, "width": 2.6})
    lowest = losses[0][3][np.abs(probability - best).argmin()]
    add_scatter(traces, x=[best], y=[lowest], mode="markers", showlegend=False, cliponaxis=False,
                marker={"symbol": "diamond", "size": 14, "color": losses[0][1]},
                hovertemplate="least at %{x:.2f}<extra></extra>")
    return build_figure(
        traces, "probability of the pixel's own class", "loss of the pixel", 330, x_axis={"range": [0, 1]},
        y_axis={"range": [0, 4.2]}, shapes=build_rules(best))


def draw_knob(values: Sequence[float], series: Sequence[tuple[RunStyle, Sequence[tuple[float, float, float]]]],
              y_title: str, knob: float) -> go.Figure:
    """Draw one measure over the values of the knob, a line a method: (mean, lowest, highest) at each value."""
    traces: Traces = []
    for style, measured in series:
        means = [mean for mean, _, _ in measured]
        above, below = [high - mean for mean, _, high in measured], [mean - low for mean, low, _ in measured]
        add_scatter(
            traces, x=list(values), y=means, mode="lines+markers", name=style.label,
            line={"color": style.colour, "dash": style.dash, "width": 2.4},
            marker={"symbol": style.symbol, "size": 11, "color": style.colour},
            error_y={"type": "data", "symmetric": False, "array": above, "arrayminus": below,
                     "visible": any(above) or any(below), "color": style.colour, "thickness": 1.4, "width": 5},
            hovertemplate=f"%{{y:.2f}} at knob %{{x}}<extra>{style.label}</extra>")
    figure = build_figure(traces, "knob: share named by the small part", y_title, 330,
                          x_axis={"range": [-0.05, 1.05]}, y_axis={"rangemode": "tozero"}, shapes=build_rules(knob))
    below = {"y": -0.27, "yref": "paper", "yanchor": "top"}  # above, a narrow column's toolbar would hide it
    return figure.update_layout(legend=below, margin={"t": 30, "b": 92})


def draw_protocols(rows: Sequence[str], values: Sequence[tuple[RunStyle, Sequence[float]]], marked: int) -> go.Figure:
    """Draw the mIoU of each run under each protocol, a row each; the marked row is drawn larger."""
    traces: Traces = []
    for style, scores in values:
        sizes = [17 if i == marked else 11 for i in range(len(rows))]
        add_scatter(
            traces, x=[score * PERCENT for score in scores], y=list(rows), mode="markers", name=style.label,
            marker={**build_mark(style, 11), "size": sizes},
            hovertemplate=f"%{{x:.1f}}<extra>{style.label}</extra>")
    return build_figure(
        traces, "mIoU (%)", "", 130 + 42 * len(rows),
        y_axis={"autorange": "reversed", "type": "category", "automargin": True, "showgrid": True})
