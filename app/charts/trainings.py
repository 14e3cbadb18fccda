"""A training as pictures: the curve and the histograms after each epoch, the loss, and maps over time.

Arrays and files in, a Plotly figure or a PNG out; no Streamlit.
"""

import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageDraw, ImageFont, ImageOps

from amn_core.choosing.over_training import Trace
from amn_core.constants import METHOD_COLOURS, METHOD_LABELS
from amn_core.formats.maps import LEVELS, load_stored_map
from amn_core.formats.trainings import Probe
from amn_core.sweep import Summary
from amn_core.sweep.counts import Counts
from amn_core.sweep.separation import pool_separation
from app.charts.colour_maps import build_colour_table
from app.charts.plotting import NEUTRAL, PERCENT, add_scatter, build_figure, build_panels, fade, name_axes
from app.charts.runs import Curve, Separation, draw_curves, draw_separation
from app.charts.styles import RunStyle

MOST_CURVES, MOST_MAPS = 7, 6
TILE, GAP, HEAD = 168, 6, 22
MAP_OPACITY = 0.65


def choose_epochs(epochs: tuple[int, ...], most: int) -> list[int]:
    """Choose so many of the epochs, evenly, the first and the last among them."""
    places = np.linspace(0, len(epochs) - 1, min(most, len(epochs))).round().astype(int)
    return [epochs[place] for place in places]


def name_epoch(epoch: int) -> str:
    """Name an epoch for people."""
    return "start" if epoch == 0 else f"epoch {epoch}"


def mix(colour: str, share: float) -> str:
    """Mix a colour ``#RRGGBB`` with the neutral grey: all grey at 0, the colour itself at 1."""
    grey, own = (bytes.fromhex(text[1:]) for text in (NEUTRAL, colour))
    return "#" + bytes(round(a + (b - a) * share) for a, b in zip(grey, own, strict=True)).hex().upper()


def build_epoch_style(method: str, epoch: int, last: int) -> RunStyle:
    """Build how an epoch looks: the later, the more of the method's colour; the last one solid."""
    share = 1.0 if last == 0 else 0.15 + 0.85 * epoch / last
    return RunStyle(name_epoch(epoch), mix(METHOD_COLOURS[method], share), "solid" if epoch == last else "dot")


def draw_growth(method: str, summaries: dict[int, Summary], threshold: float) -> go.Figure:
    """Draw mIoU against the threshold after each epoch, with the plateau and the peak of the last."""
    last, curves = max(summaries), []
    for epoch, summary in summaries.items():
        marks = {}
        if epoch == last:
            ends = np.searchsorted(summary.thresholds, [summary.plateau_low, summary.plateau_high])
            peak = int(np.searchsorted(summary.thresholds, summary.peak_threshold))
            marks = {"peak": peak, "plateau": (int(ends[0]), int(ends[1]))}
        style = build_epoch_style(method, epoch, last)
        curves.append(Curve(style, summary.thresholds, summary.miou, **marks))
    figure = draw_curves(curves, "threshold", "mIoU on the probe images (%)", threshold)
    return figure.update_layout(height=340)


def draw_trace(method: str, trace: Trace) -> go.Figure:
    """Draw how the threshold fares over a training: the best one with its plateau, the peak, and the imbalance."""
    colour, traces = METHOD_COLOURS[method], []
    add_scatter(
        traces, x=np.concatenate([trace.epochs, trace.epochs[::-1]]), y=np.concatenate([trace.low, trace.high[::-1]]),
        mode="lines", line={"width": 0}, fill="toself", fillcolor=fade(colour, 0.22), hoverinfo="skip",
        showlegend=False)
    panels = (("best threshold %{y:.3f}", trace.best), ("peak mIoU %{y:.1f} %", trace.peak_miou * PERCENT),
              ("imbalance %{y:.3f}", trace.imbalance))
    for i, (text, values) in enumerate(panels):
        add_scatter(traces, x=trace.epochs, y=values, mode="lines+markers", showlegend=False, marker={"size": 8},
                    line={"color": colour, "width": 2.4}, **name_axes(i), hovertemplate=f"{text}<extra></extra>")
    figure = build_panels(traces, ("Best threshold, plateau shaded", "Peak mIoU (%)", "Imbalance (CV)"), 3, "epoch", "",
                          190)
    axes = {name_axes(i)["yaxis"].replace("y", "yaxis"): {"matches": None, "showticklabels": True} for i in range(3)}
    return figure.update_layout(**axes).update_layout(yaxis={"range": [0, 1]})


def draw_histograms(method: str, counts: dict[int, Counts], threshold: float) -> go.Figure:
    """Draw the activation histograms of some epochs side by side, all classes together."""
    last = max(counts)
    panels = [
        Separation(build_epoch_style(method, epoch, last), *pool_separation(one)[0].sum(axis=0))
        for epoch, one in counts.items()]
    thresholds = counts[last].thresholds
    return draw_separation(panels, thresholds, threshold, columns=len(panels)).update_layout(height=340)


def draw_loss(method: str, entries: list[dict]) -> go.Figure:
    """Draw the loss, each step and smoothed, and the learning rate, over the epochs."""
    epochs = [entry["epoch"] for entry in entries]
    traces: list[dict] = []
    add_scatter(traces, x=epochs, y=[entry["loss"] for entry in entries], name="loss", mode="lines",
                line={"color": NEUTRAL, "width": 1})
    add_scatter(traces, x=epochs, y=[entry["loss_smooth"] for entry in entries], name="loss, smoothed", mode="lines",
                line={"color": METHOD_COLOURS[method], "width": 2.4})
    add_scatter(traces, x=epochs, y=[entry["lr"] for entry in entries], name="learning rate", mode="lines", yaxis="y2",
                line={"color": NEUTRAL, "width": 1.5, "dash": "dash"})
    return build_figure(
        traces, "epoch", f"loss of {METHOD_LABELS[method]}", 340, y_axis={"rangemode": "tozero"},
        yaxis2={"overlaying": "y", "side": "right", "rangemode": "tozero", "showgrid": False, "zeroline": False,
                "exponentformat": "e", "nticks": 5, "title": {"text": "learning rate"}},
        hovermode="x unified", margin={"l": 56, "r": 64, "t": 44, "b": 48})


def render_sheet(probe: Probe) -> bytes:
    """Render the maps over time as one PNG: a row for each image, a column for its picture and each epoch."""
    epochs = choose_epochs(probe.epochs, MOST_MAPS)
    columns, rows = 1 + len(epochs), len(probe.shown)
    size = (columns * (TILE + GAP) - GAP, HEAD + rows * (TILE + GAP) - GAP)
    sheet = Image.new("RGBA", size, (0, 0, 0, 0))
    write_heads(sheet, ["image", *(name_epoch(epoch) for epoch in epochs)])
    for row, image_id in enumerate(probe.shown):
        picture = Image.open(probe.picture_path(image_id)).convert("RGB")
        tiles = [picture, *(draw_map(probe, epoch, image_id, picture) for epoch in epochs)]
        for column, tile in enumerate(tiles):
            place(sheet, tile, column * (TILE + GAP), HEAD + row * (TILE + GAP))
    sheet.save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def write_heads(sheet: Image.Image, texts: list[str]) -> None:
    """Write the heads of the columns, in a grey that is seen on white and on black."""
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, text in enumerate(texts):
        draw.text((column * (TILE + GAP) + TILE / 2, 1), text, fill=NEUTRAL, font=font, anchor="ma")


def draw_map(probe: Probe, epoch: int, image_id: str, picture: Image.Image) -> Image.Image:
    """Draw the strongest activation of each pixel over the picture in grey."""
    cam, _, _ = load_stored_map(probe.map_path(epoch, image_id))
    strongest = cam.max(axis=0) if len(cam) else np.zeros(cam.shape[1:], np.uint8)
    heat = Image.fromarray(strongest).resize(picture.size, Image.Resampling.BILINEAR)
    colours = build_colour_table("viridis")[np.asarray(heat).astype(int) * 255 // LEVELS]
    return Image.blend(picture.convert("L").convert("RGB"), Image.fromarray(colours), MAP_OPACITY)


def place(sheet: Image.Image, tile: Image.Image, left: int, top: int) -> None:
    """Place a tile in the middle of its square."""
    fitted = ImageOps.contain(tile, (TILE, TILE))
    sheet.paste(fitted, (left + (TILE - fitted.width) // 2, top + (TILE - fitted.height) // 2))
