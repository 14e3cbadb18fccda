"""Classes: the IoU of each at a run's threshold, and differences between two runs with paired intervals."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from amn_core.figures.captions import Caption
from amn_core.figures.curves import PERCENT
from amn_core.figures.material import Material, write_caption
from amn_core.figures.styles import NEUTRAL, add_legend, build_figure
from amn_core.sweep import Counts
from amn_core.sweep.confusion import divide, find_classes, score_confusion, score_iou
from amn_core.sweep.images import find_overlaps
from amn_core.sweep.uncertainty import draw_weights, find_interval

ROW_LETTERS = 1.5


def find_rows(material: Material) -> np.ndarray:
    """Find the classes that are shown: those that count and occur in some run's ground truth or prediction."""
    counts = material.sources[0].counts
    kept = find_classes(counts.class_names, material.classes)
    defined = ~np.isnan(np.stack([score_at(source.counts, source.index) for source in material.sources])).all(axis=0)
    return np.array([c for c in kept if defined[c]], dtype=np.int64)


def score_at(counts: Counts, index: int) -> np.ndarray:
    """Score the IoU of each class at a threshold's index: (C,), NaN where undefined."""
    return score_iou(score_confusion(counts)[index])


def draw_classes(material: Material) -> tuple[Figure, Caption]:
    """Draw the IoU of each class for each run as bars; returns its caption too."""
    config, page = material.config, material.page
    rows, n = find_rows(material), len(material.sources)
    names = [material.sources[0].counts.class_names[c] for c in rows]
    per_class = page.text / 72 * (0.62 * n + 0.7)
    is_upright = page.is_wide and len(rows) * max(per_class, page.text / 72 * 1.7) <= page.width * 0.92
    height = page.width * 0.42 if is_upright else len(rows) * per_class + page.text / 12
    figure = build_figure(page, config.height or height)
    axes = figure.add_subplot()
    for i, source in enumerate(material.sources):
        places = np.arange(len(rows)) + (i - (n - 1) / 2) * 0.84 / n
        values = np.nan_to_num(score_at(source.counts, source.index)[rows]) * PERCENT
        draw = axes.bar if is_upright else axes.barh
        draw(places, values, 0.84 / n, color=source.look.colour, hatch=source.look.hatch, edgecolor="white",
             linewidth=page.line / 3)
    finish_bars(axes, names, is_upright, "IoU (%)")
    add_legend(figure, [Patch(facecolor=s.look.colour, hatch=s.look.hatch, edgecolor="white", label=s.look.label)
                        for s in material.sources])
    return figure, write_caption(material, f"IoU of each class, {material.threshold_note}.", material.choice_note)


def finish_bars(axes, names: list[str], is_upright: bool, title: str) -> None:
    """Name the classes along one axis and the score on the other."""
    if is_upright:
        slant = {"rotation": 35, "ha": "right"} if len(names) > 8 else {}
        axes.set_xticks(range(len(names)), names, rotation_mode="anchor", **slant)
        axes.set(ylabel=title, xlim=(-0.6, len(names) - 0.4))
        axes.grid(axis="y")
    else:
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel=title, ylim=(len(names) - 0.4, -0.6))
        axes.grid(axis="x")


def draw_differences(material: Material) -> tuple[Figure, Caption]:
    """Draw by how much the IoU of each class differs between the last run and the first; returns its caption too.

    Raises:
        ValueError: fewer than two runs.
    """
    if len(material.sources) < 2:
        raise ValueError("a difference needs two runs: give the one to compare with first, the other last")
    config, page = material.config, material.page
    rows = find_rows(material)
    estimate, low, high = (part[rows] * PERCENT for part in compare_classes(material))
    order = np.argsort(-np.nan_to_num(estimate), kind="stable")
    first, last = material.sources[0].look, material.sources[-1].look
    figure = build_figure(page, config.height or len(rows) * page.text / 72 * ROW_LETTERS + page.text / 12)
    axes = figure.add_subplot()
    better = [last if value >= 0 else first for value in np.nan_to_num(estimate[order])]
    axes.barh(range(len(rows)), np.nan_to_num(estimate[order]), 0.72, color=[look.colour for look in better],
              hatch=[look.hatch for look in better], edgecolor="white", linewidth=page.line / 3)
    if config.intervals:
        axes.hlines(range(len(rows)), low[order], high[order], color="black", linewidth=page.line)
    axes.axvline(0, color=NEUTRAL, linewidth=page.line / 2)
    names = [material.sources[0].counts.class_names[c] for c in rows[order]]
    finish_bars(axes, names, False, f"IoU of {last.label} less {first.label} (points)")
    note = f"Lines: paired {material.interval_note}, at fixed thresholds." * config.intervals
    text = f"Difference in IoU of each class, {last.label} less {first.label}; {material.threshold_note}."
    return figure, write_caption(material, text, note, material.choice_note)


def compare_classes(material: Material) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare the IoU of each class, the last run less the first: estimate, low and high, (C,) each."""
    config, (first, *_, last) = material.config, material.sources
    n = len(material.image_ids)
    weights = np.concatenate([np.ones((1, n)), draw_weights(n, config.resamples, config.seed)])
    samples = resample_classes(last.counts, last.index, weights) - resample_classes(first.counts, first.index, weights)
    return samples[0], *find_interval(samples[1:], config.level)


def resample_classes(counts: Counts, index: int, weights: np.ndarray) -> np.ndarray:
    """Score the IoU of each class at a threshold for images drawn so often, weights (R, N): (R, C)."""
    overlaps = find_overlaps(counts)
    hit, predicted = overlaps.hit[:, index], overlaps.predicted[:, index]
    iou = np.full((len(weights), overlaps.n_classes), np.nan)
    for label in np.unique(overlaps.label):
        rows = overlaps.label == label
        drawn = weights[:, overlaps.image[rows]]
        union = overlaps.truth[rows] + predicted[rows] - hit[rows]
        iou[:, label] = divide(drawn @ hit[rows].astype(np.float64), drawn @ union.astype(np.float64))
    return iou
