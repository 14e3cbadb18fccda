"""What refinement leaves of the threshold: the curves before and after it, and the difference at each threshold."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amn_core.figures.captions import Caption
from amn_core.figures.curves import build_handle, draw_curve
from amn_core.figures.material import PEAKS, Material, Source, write_caption
from amn_core.figures.styles import NEUTRAL, add_legend, build_figure
from amn_core.sweep import compare_bootstraps

PERCENT = 100.0


def draw_after_refinement(material: Material) -> tuple[Figure, Caption]:
    """Draw mIoU before and after refinement at each threshold, and what refinement adds; returns its caption too.

    Raises:
        ValueError: no run of refined masks, or one without the run that it was made from.
    """
    config, page = material.config, material.page
    pairs = find_pairs(material.sources)
    figure = build_figure(page, config.height or page.width * (0.95 if not page.is_wide else 0.6))
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for i, source in enumerate(material.sources):
        draw_run(top, material, i)
        if source.run.is_refined:
            draw_gain(bottom, material, pairs[i], i)
    top.set(ylabel="mIoU (%)", xlim=(0, 1), ylim=(0, None))
    bottom.axhline(0, color=NEUTRAL, linewidth=page.line / 2)
    bottom.set(xlabel="threshold of the maps", ylabel="refinement adds\n(points)")
    for axes in (top, bottom):
        axes.grid(axis="y")
    add_legend(figure, [build_handle(source.look, page) for source in material.sources])
    return figure, caption_refinement(material, pairs)


def find_pairs(sources: tuple[Source, ...]) -> dict[int, int]:
    """Find for each run of refined masks the run that it was made from, by their places.

    Raises:
        ValueError: there is no such run, or the other one is missing.
    """
    refined = [i for i, source in enumerate(sources) if source.run.is_refined]
    if not refined:
        raise ValueError("no run of refined masks: make one with refine --every, and give it after the run it was made "
                         "from")
    return {i: find_origin(sources, sources[i]) for i in refined}


def find_origin(sources: tuple[Source, ...], refined: Source) -> int:
    """Find the place of the run that a run of refined masks was made from."""
    origin = refined.run.meta["refinement"]["source"]
    for i, source in enumerate(sources):
        own = (source.run.name, source.run.method, source.run.meta.get("model", {}))
        if not source.run.is_refined and own == (origin["name"], origin["method"], origin["model"]):
            return i
    raise ValueError(f"{refined.run.path} was made from {origin['name']}: give that run too")


def draw_run(axes: Axes, material: Material, number: int) -> None:
    """Draw the curve of a run with its interval; the plateau is thicker."""
    source, config = material.sources[number], material.config
    x = source.counts.thresholds
    if config.intervals:
        low, high = material.bootstraps[number].interval("miou")
        axes.fill_between(x, low * PERCENT, high * PERCENT, color=source.look.colour, alpha=0.16, linewidth=0)
    draw_curve(axes, x, source, number, material.page, config.plateau)


def draw_gain(axes: Axes, material: Material, before: int, after: int) -> None:
    """Draw by how much refined masks are better at each threshold, the images drawn in pairs."""
    source, x = material.sources[after], material.sources[after].counts.thresholds
    if material.config.intervals:
        gain = compare_bootstraps(material.bootstraps[after], material.bootstraps[before], "miou")
        axes.fill_between(x, gain.low * PERCENT, gain.high * PERCENT, color=source.look.colour, alpha=0.16, linewidth=0)
    axes.plot(x, find_gain(material, before, after), color=source.look.colour, linestyle=source.look.line)


def find_gain(material: Material, before: int, after: int) -> np.ndarray:
    """Find the points that refinement adds at each threshold, (T,)."""
    curves = [material.sources[i].summary.miou for i in (after, before)]
    return (curves[0] - curves[1]) * PERCENT


def caption_refinement(material: Material, pairs: dict[int, int]) -> Caption:
    """Write the caption: peaks and plateaus before and after, in words."""
    parts = ["mIoU against the threshold, before and after refinement at each threshold."]
    parts += [describe_pair(material, before, after) for after, before in pairs.items()]
    parts += ["Large marks: peaks."]
    parts += ["Thick: plateaus, mIoU within one point of the peak."] * material.config.plateau
    band = f"Bands: {material.interval_note}; below, of the paired difference." * material.config.intervals
    grid = len(material.sources[0].counts.thresholds)
    return write_caption(material, " ".join(parts), PEAKS, band, f"All are read at {grid} thresholds.")


def describe_pair(material: Material, before: int, after: int) -> str:
    """Describe what refinement does to a run, in a sentence."""
    first, last = (material.sources[i].summary for i in (before, after))
    looks = [material.sources[i].look.label for i in (before, after)]
    same = find_gain(material, before, after)[int(np.argmin(np.abs(
        material.sources[before].counts.thresholds - first.peak_threshold)))]
    return (f"{looks[0]} peaks at {first.peak_threshold:.2f} with {first.peak_miou * PERCENT:.1f} % (plateau "
            f"{first.plateau:.2f}), {looks[1]} at {last.peak_threshold:.2f} with {last.peak_miou * PERCENT:.1f} % "
            f"(plateau {last.plateau:.2f}); at the threshold that is best before, refinement adds {same:+.1f} points.")
