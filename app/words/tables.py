"""Numbers to tables: summaries and scores in, data frames out; no Streamlit.

In data frames for people, scores are in percent with one digit; in those for a file they stay fractions of 1.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from amn_core.sweep.confusion import divide
from amn_core.sweep.counts import Counts
from amn_core.sweep.curves import find_threshold
from amn_core.sweep.images import ImageScores
from amn_core.sweep.scores import Summary
from amn_core.sweep.separation import Separation

SEPARATION = ("gap", "auc", "auc_other", "imbalance", "gini")
# Which end of a measure is the better one; those that are missing have none.
HIGH, LOW = 1, -1
BETTER = {
    "peak_miou": HIGH, "plateau_share": HIGH, "mean_miou_share": HIGH, "auc": HIGH,
    "oracle_less_peak": LOW, "imbalance": LOW, "gini": LOW,
}
ORACLES = {"peak_miou", "peak_threshold", "oracle_miou"}
DASH = "–"


def get_measure(summary: Summary, name: str, threshold: float) -> float:
    """Get a measure of a summary by its name in `DEFINITIONS`; NaN where finished masks have none."""
    if name == "peak_threshold" and not np.isfinite(summary.plateau):
        return float("nan")
    if name == "chosen_miou":
        return float(summary.miou[find_threshold(summary.thresholds, threshold)])
    if name == "oracle_less_peak":
        return summary.oracle_miou - summary.peak_miou
    return getattr(summary, name)


def write_measure(summary: Summary, name: str, threshold: float) -> str:
    """Write a measure with its unit."""
    value = get_measure(summary, name, threshold)
    if not np.isfinite(value):
        return DASH
    if name == "plateau":
        return f"{value:.3f} ({summary.plateau_low:.3f} to {summary.plateau_high:.3f})"
    if name == "plateau_share":
        return f"{value * 100:.1f} % of pixels"
    if name == "oracle_less_peak":
        return f"{value * 100:+.1f} points"
    if "miou" in name:
        return f"{value * 100:.1f} %"
    return f"{value:.3f}"


def write_peak(summary: Summary, threshold: float) -> str:
    """Write the peak of a run, where it is and the mIoU now; of finished masks, their one mIoU."""
    peak = write_measure(summary, "peak_miou", threshold)
    if not np.isfinite(summary.plateau):
        return peak
    return f"{peak} at {summary.peak_threshold:.3f} · now {write_measure(summary, 'chosen_miou', threshold)}"


def build_protocol_table(summaries: Mapping[str, Mapping[str, Summary]], threshold: float) -> pd.DataFrame:
    """Build a table of what the averaging changes: a row for each, and for each run its peak and mIoU now."""
    rows = {
        averaging: {name: write_peak(one, threshold) for name, one in by_run.items()}
        for averaging, by_run in summaries.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def build_image_table(counts: Counts, scores: ImageScores, threshold: float) -> pd.DataFrame:
    """Build the table of all per-image figures, one row an image, in the order of the counts.

    Columns: image, classes (list of names in the ground truth), n_classes, object_share (of the scored pixels that
    belong to an object), best_threshold, best_miou, miou (at the threshold), regret, gap, auc, imbalance, gini, and
    is_degenerate (without scored background or object).
    Fractions of 1; NaN where undefined.
    """
    areas = count_areas(counts)
    present = [[counts.class_names[c] for c in np.flatnonzero(row[1:]) + 1] for row in areas]
    return pd.DataFrame({
        "image": list(scores.image_ids), "classes": present, "n_classes": [len(names) for names in present],
        "object_share": divide(areas[:, 1:].sum(axis=1), areas.sum(axis=1)),
        "best_threshold": scores.best_threshold, "best_miou": scores.best_miou,
        "miou": scores.miou[:, find_threshold(scores.thresholds, threshold)], "regret": scores.regret(threshold),
        "gap": scores.gap, "auc": scores.auc, "imbalance": scores.imbalance, "gini": scores.gini,
        "is_degenerate": scores.is_degenerate,
    })


def count_areas(counts: Counts) -> np.ndarray:
    """Count the scored pixels of each image by ground truth: (N, C) int64."""
    areas = np.zeros((len(counts.image_ids), counts.n_classes), dtype=np.int64)
    np.add.at(areas, (counts.decision_image, counts.decision_gt), counts.decision_bins.sum(axis=1, dtype=np.int64))
    return areas


def build_class_table(separations: Mapping[str, Separation], areas: Mapping[str, np.ndarray],
                      class_names: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Build the table by class: one row for each class with pixels and each run, sorted by class.

    Args:
        separations: of (C,), images pooled, by run. areas: (N, C) of `count_areas`, by run. class_names: by run.
    """
    rows = []
    for run, separation in separations.items():
        for c in np.flatnonzero((areas[run][:, 1:] > 0).any(axis=0)) + 1:
            n_images = int((areas[run][:, c] > 0).sum())
            values = {name: getattr(separation, name)[c] for name in SEPARATION}
            rows.append({"class": class_names[run][c], "run": run, "images": n_images, **values})
    table = pd.DataFrame(rows, columns=["class", "run", "images", *SEPARATION])
    return table.sort_values("class", kind="stable", ignore_index=True)


def find_contents(counts) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Find each image's classes, (N,) tuples of names, and the share of its scored pixels on objects, in percent."""
    classes: list[list[str]] = [[] for _ in counts.image_ids]
    for image, class_id in zip(counts.separation_image, counts.separation_class, strict=True):
        classes[image].append(counts.class_names[class_id])
    pixels = counts.decision_bins.sum(axis=1).astype(np.float64)
    n_images = len(counts.image_ids)
    total = np.bincount(counts.decision_image, weights=pixels, minlength=n_images)
    on_object = np.bincount(counts.decision_image, weights=pixels * (counts.decision_gt > 0), minlength=n_images)
    return [tuple(names) for names in classes], 100 * on_object / np.maximum(total, 1)
