"""What equal mIoU hides, as further tables of `compare`: precision, recall and error rates, by class and by size."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from amn_core.commands.text import format_rows
from amn_core.formats.runs import Run
from amn_core.scoring import Terms, score_rates_under, score_under
from amn_core.sweep import Counts, score_confusion
from amn_core.sweep.confusion import Rates, find_classes, score_iou, score_rates
from amn_core.sweep.curves import find_threshold
from amn_core.sweep.scores import MASK_LEVEL
from amn_core.sweep.sizes import check_cuts, score_sizes

RATE_COLUMNS = (
    ("name", "run", "s"), ("at", "at", ".3f"), ("miou", "mIoU %", "%"), ("precision", "precision %", "%"),
    ("recall", "recall %", "%"), ("f1", "F1 %", "%"), ("false_positive_rate", "FP rate %", "%"),
    ("false_negative_rate", "FN rate %", "%"), ("over_activation", "FP of union %", "%"),
    ("under_activation", "FN of union %", "%"),
)
CLASS_COLUMNS = (("name", "run", "s"), ("class", "class", "s"), ("iou", "IoU %", "%"), *RATE_COLUMNS[3:])
SIZE_COLUMNS = (
    ("name", "run", "s"), ("size", "object, share of image", "s"), ("pairs", "objects", "d"),
    ("classes", "classes", "d"), ("iou", "IoU %", "%"), ("precision", "precision %", "%"), ("recall", "recall %", "%"),
    ("false_positive_rate", "FP rate %", "%"),
)
RATE_NOTE = ("Rates are means over the object classes. FP rate: of the pixels that are not of the class; FN rate: of "
             "those that are; of union: as SEAM has them, with the IoU they add up to 100.")
SIZE_NOTE = "Objects: pairs of image and class, pooled by class within images that have it; then the mean over classes."


def parse_sizes(text: str) -> tuple[float, ...]:
    """Parse the cuts between sizes of objects.

    Raises:
        ValueError: they are no rising shares of the image.
    """
    try:
        return check_cuts([float(part) for part in text.split(",") if part.strip()])
    except ValueError as error:
        raise ValueError(f"sizes is {text!r}: give shares of the image between 0 and 1 from the smallest up, such as "
                         "0.02,0.1,0.35") from error


def find_place(run: Run, counts: Counts, terms: Terms, at: str) -> int:
    """Find where rates are read: the index of the peak of a run, or of a given threshold.

    Raises:
        ValueError: neither ``peak`` nor a threshold that was counted.
    """
    if at == "peak":
        peak = score_under(run, counts, terms).peak_threshold
        return find_threshold(counts.thresholds, MASK_LEVEL if np.isnan(peak) else peak)
    try:
        value = float(at)
    except ValueError:
        raise ValueError(f"at is {at!r}: give peak, or a threshold") from None
    return find_threshold(counts.thresholds, value)


def describe_rates(run: Run, counts: Counts, terms: Terms, at: str) -> dict[str, Any]:
    """Describe the rates of a run at a threshold, means and by class, as ``rates`` of its row."""
    place = find_place(run, counts, terms, at)
    means = read_rates(score_rates_under(counts, terms), place)
    confusion = score_confusion(terms.select(counts))[place]
    by_class, iou = score_rates(confusion), score_iou(confusion)
    kept = [c for c in find_classes(counts.class_names, terms.class_list) if c and confusion[c].sum()]
    classes = [{"class": counts.class_names[c], "iou": plain(iou[c])} | read_rates(by_class, c) for c in kept]
    threshold = None if run.is_masks else float(counts.thresholds[place])
    miou = plain(score_under(run, counts, terms).miou[place])
    return {"rates": {"at": threshold, "miou": miou} | means | {"classes": classes}}


def read_rates(rates: Rates, place: int) -> dict[str, float | None]:
    """Read each rate at a place of its last axis; what is not defined is None."""
    return {field.name: plain(getattr(rates, field.name)[place]) for field in fields(rates)
            if field.name != "pixel_accuracy"}


def describe_sizes(run: Run, counts: Counts, terms: Terms, at: str, cuts: Sequence[float]) -> dict[str, Any]:
    """Describe the scores of a run's objects by size at a threshold, as ``sizes`` of its row."""
    place = find_place(run, counts, terms, at)
    scores = score_sizes(terms.select(counts), cuts, terms.class_list)
    names = ("iou", "precision", "recall", "false_positive_rate")
    return {"sizes": [
        {"size": name, "pairs": int(scores.pairs[i]), "classes": int(scores.classes[i])}
        | {measure: plain(getattr(scores, measure)[i, place]) for measure in names}
        for i, name in enumerate(scores.names)]}


def plain(value: float) -> float | None:
    """Turn a number into a plain one, NaN into None."""
    return None if np.isnan(value) else float(value)


def format_rates(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Format the tables of rates and of sizes, those that were asked for; nothing without."""
    lines = []
    if any("rates" in run for run in runs):
        means = [{"name": run["name"]} | run["rates"] for run in runs]
        classes = [{"name": run["name"]} | row for run in runs for row in run["rates"]["classes"]]
        lines += ["", *format_rows(RATE_COLUMNS, means), "", *format_rows(CLASS_COLUMNS, classes), "", RATE_NOTE]
    if any("sizes" in run for run in runs):
        rows = [{"name": run["name"]} | row for run in runs for row in run["sizes"]]
        lines += ["", *format_rows(SIZE_COLUMNS, rows), "", SIZE_NOTE]
    return lines
