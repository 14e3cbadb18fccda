"""Counts and what is computed from them as CSV: one table a file, units in the names of the columns."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.formats.cells import write_text_cell
from amn_core.formats.files import write_bytes
from amn_core.sweep import Counts, Summary, score_confusion, score_iou
from amn_core.sweep.confusion import sum_above
from amn_core.sweep.curves import find_threshold
from amn_core.sweep.images import ImageScores

REGIONS = ("own class", "background", "other classes")


def save_csv(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Save a table as CSV (UTF-8, comma, a header); NaN and None become empty cells."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(write_text_cell, header))
    writer.writerows([write_cell(cell) for cell in row] for row in rows)
    write_bytes(Path(path), buffer.getvalue().encode())


def write_cell(value: Any) -> Any:
    """Write a cell: numbers in full, what is undefined as nothing."""
    value = value.item() if isinstance(value, np.generic) else value
    return "" if value is None or value != value else write_text_cell(value)


def save_tables(
    folder: str | Path, counts: Counts, summary: Summary, scores: ImageScores, classes: Sequence[str] | None = None
) -> list[str]:
    """Save every table of a run into a folder.

    Args:
        counts, summary, scores: of the run, as `amn_core.scoring` gives them. classes: those that are averaged, None
            for all; summary.csv names them.

    Returns:
        The names of the files: ``summary.csv`` (the numbers of a comparison), ``curve.csv`` (mIoU, share of
        foreground and each class's IoU by threshold), ``images.csv`` (each image's best threshold and
        separation), ``decisions.csv`` and ``separation.csv`` (the counts themselves; column ``bin_b`` holds
        the pixels with exactly b thresholds below their value). Scores are fractions of 1.
    """
    folder = Path(folder)
    tables = {
        "summary.csv": tabulate_summary(summary, classes), "curve.csv": tabulate_curve(counts, summary),
        "images.csv": tabulate_images(scores, summary), "decisions.csv": tabulate_decisions(counts),
        "separation.csv": tabulate_separation(counts),
    }
    if counts.is_refined:  # no map of a class lies behind the masks
        del tables["separation.csv"]
    for name, (header, rows) in tables.items():
        save_csv(folder / name, header, rows)
    return list(tables)


def tabulate_summary(summary: Summary, classes: Sequence[str] | None) -> tuple[list[str], list[list[Any]]]:
    """Tabulate the numbers of a comparison, one row."""
    numbers = {k: v for k, v in summary.to_dict().items() if not isinstance(v, list)}
    numbers["classes"] = "; ".join(classes) if classes else "all"
    return list(numbers), [list(numbers.values())]


def tabulate_curve(counts: Counts, summary: Summary) -> tuple[list[str], list[list[Any]]]:
    """Tabulate the curve: a row for each threshold."""
    iou = score_iou(score_confusion(counts))
    header = ["threshold", "miou", "foreground_share", *(f"iou {name}" for name in counts.class_names)]
    rows = [[t, m, s, *row] for t, m, s, row in zip(
        counts.thresholds, summary.miou, summary.foreground_share, iou, strict=True)]
    return header, rows


def tabulate_images(scores: ImageScores, summary: Summary) -> tuple[list[str], list[list[Any]]]:
    """Tabulate the images: best threshold, scores there and at the run's peak, separation, and what is degenerate.

    Finished masks have one mIoU, in the column ``miou``.
    """
    has_peak = not np.isnan(summary.peak_threshold)
    at = find_threshold(scores.thresholds, summary.peak_threshold) if has_peak else 0
    name = f"miou at {summary.peak_threshold:g}" if has_peak else "miou"
    header = ["image", "best_threshold", "best_miou", name, "gap", "auc", "imbalance", "gini", "degenerate"]
    return header, list(zip(
        scores.image_ids, scores.best_threshold, scores.best_miou, scores.miou[:, at], scores.gap, scores.auc,
        scores.imbalance, scores.gini, scores.is_degenerate.astype(int), strict=True))


def name_bins(counts: Counts) -> list[str]:
    """Name the columns of the bins."""
    return [f"bin_{index}" for index in range(len(counts.thresholds) + 1)]


def tabulate_decisions(counts: Counts) -> tuple[list[str], Iterable[list[Any]]]:
    """Tabulate the pixels by image, ground truth, strongest class and bin; of refined masks, by threshold."""
    if counts.is_refined:
        return tabulate_refined(counts)
    rows = (
        [counts.image_ids[image], int(gt), int(cls), *bins.tolist()] for image, gt, cls, bins in zip(
            counts.decision_image, counts.decision_gt, counts.decision_class, counts.decision_bins, strict=True))
    return ["image", "ground_truth", "strongest_class", *name_bins(counts)], rows


def tabulate_refined(counts: Counts) -> tuple[list[str], Iterable[list[Any]]]:
    """Tabulate the pixels of refined masks by image, ground truth, class and threshold."""
    return ["image", "ground_truth", "class", *(f"at_{t:g}" for t in counts.thresholds)], list_refined_rows(counts)


def list_refined_rows(counts: Counts) -> Iterator[list[Any]]:
    """List the pixels of each class, background first: what is above no threshold of any class."""
    keys = zip(counts.decision_image.tolist(), counts.decision_gt.tolist(), strict=True)
    for (image, gt), rows in groupby(range(len(counts.decision_image)), dict(enumerate(keys)).get):
        rows = list(rows)
        bins = np.stack([counts.decision_bins[row] for row in rows])
        above = sum_above(bins)
        is_class = counts.decision_class[rows] > 0
        ground = bins.sum() - above[is_class].sum(axis=0)
        for label, pixels in [(0, ground), *zip(counts.decision_class[rows][is_class], above[is_class], strict=True)]:
            yield [counts.image_ids[image], gt, int(label), *pixels.tolist()]


def tabulate_separation(counts: Counts) -> tuple[list[str], Iterable[list[Any]]]:
    """Tabulate each class's own map by image, class, region and bin."""
    rows = (
        [counts.image_ids[image], int(cls), REGIONS[region], *moments[region].tolist(), *bins[region].tolist()]
        for image, cls, bins, moments in zip(
            counts.separation_image, counts.separation_class, counts.separation_bins, counts.separation_moments,
            strict=True)
        for region in range(len(REGIONS))
    )
    return ["image", "class", "region", "sum", "sum_of_squares", *name_bins(counts)], rows
