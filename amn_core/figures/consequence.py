"""Quality of masks cut at several thresholds, and of the networks trained on them, on one axis."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amn_core.figures.captions import Caption
from amn_core.figures.config import FigureConfig
from amn_core.figures.curves import build_handle
from amn_core.figures.styles import NEUTRAL, Look, Page, add_legend, build_figure, build_looks, choose_page, restyle
from amn_core.formats.consequences import Consequence, load_consequences

PERCENT = 100.0


def load_results(config: FigureConfig, places: tuple[str, ...] = ()) -> list[Consequence]:
    """Load the results of a figure: of a table that a user made, or of folders of ``consequence``."""
    paths = [config.results] if config.results else list(places or config.runs)
    return [one for path in paths for one in load_consequences(path)]


def draw_consequence(config: FigureConfig, results: Sequence[Consequence]) -> tuple[Figure, Caption]:
    """Draw both curves of each run, masks dashed and networks solid, with intervals; returns its caption too."""
    page = choose_page(config.preset, config.width)
    figure = build_figure(page, config.height or page.width * (0.75 if not page.is_wide else 0.5))
    axes = figure.add_subplot()
    looks = build_looks([one.method for one in results], [one.name for one in results])
    looks = restyle(looks, config.names, config.colours)
    for one, look in zip(results, looks, strict=True):
        draw_pair(axes, one, look, page, config.intervals)
    axes.set(xlabel="threshold of the masks", ylabel="mIoU (%)")
    axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]))
    axes.grid(axis="y")
    kinds = [Line2D([], [], color=NEUTRAL, linestyle=line, label=label)
             for line, label in (("--", "masks"), ("-", "network"))]
    add_legend(figure, [*(build_handle(replace(look, line="-"), page) for look in looks), *kinds])
    return figure, caption_consequence(results, looks)


def draw_pair(axes: Axes, one: Consequence, look: Look, page: Page, has_intervals: bool) -> None:
    """Draw the two curves of one run; what is not finished is left out."""
    x = np.array(one.thresholds)
    for name, line in (("masks", "--"), ("network", "-")):
        y, low, high = (to_percent(getattr(one, part)) for part in (name, f"{name}_low", f"{name}_high"))
        is_there = np.isfinite(y)
        axes.plot(x[is_there], y[is_there], color=look.colour, linestyle=line, marker=look.marker,
                  markeredgecolor="white" if name == "network" else look.colour, markeredgewidth=page.line / 4,
                  markerfacecolor=look.colour if name == "network" else "white")
        has_band = has_intervals & np.isfinite(low) & np.isfinite(high)
        if has_band.any():
            axes.fill_between(x[has_band], low[has_band], high[has_band], color=look.colour, alpha=0.14, linewidth=0)
    if one.peak is not None:
        axes.axvline(one.peak, color=look.colour, linestyle=":", linewidth=page.line / 2)


def to_percent(values: Sequence[float | None]) -> np.ndarray:
    """Turn scores into percent, NaN where there is none."""
    return np.array([np.nan if value is None else value * PERCENT for value in values])


def caption_consequence(results: Sequence[Consequence], looks: Sequence[Look]) -> Caption:
    """Write the caption: where masks and networks are best, in words."""
    parts = ["mIoU of the masks (dashed, hollow) against their threshold, and of the same segmentation network trained "
             "on them (solid); every threshold is trained alike."]
    parts += [describe_best(one, look.label) for one, look in zip(results, looks, strict=True)]
    if any(one.peak is not None for one in results):
        parts.append("Dotted: where the unrefined maps score best.")
    has_intervals = any(low is not None for one in results for low in one.masks_low)
    seeds = max(len(scores) for one in results for scores in one.networks)
    mean = f", of the mean of {seeds} seeds" * (seeds > 1)
    return Caption(" ".join(parts), f"Bands: 95 % bootstrap intervals over images{mean}." if has_intervals else
                   "Bands: from the worst to the best seed.")


def describe_best(one: Consequence, name: str) -> str:
    """Describe where the masks and the networks of a run are best."""
    masks, network = to_percent(one.masks), to_percent(one.network)
    text = f"{name}: masks {np.nanmax(masks):.1f} % at {one.thresholds[int(np.nanargmax(masks))]:.3f}"
    if np.isnan(network).all():
        return f"{text}, no network yet."
    return (f"{text}, network {np.nanmax(network):.1f} % at {one.thresholds[int(np.nanargmax(network))]:.3f}, within "
            f"{np.nanmax(network) - np.nanmin(network):.1f} points of which all lie.")
