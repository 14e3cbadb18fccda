"""Runs to the table that compares them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amn_core.commands.text import format_protocol, format_rows
from amn_core.data.lists import read_id_list
from amn_core.formats.runs import Run, load_run
from amn_core.options import option
from amn_core.sweep import Counts, bootstrap_runs, compare_bootstraps, summarise
from amn_core.sweep.scores import drop_thresholds


@dataclass(frozen=True)
class CompareConfig:
    """What `compare` needs: runs with counts, and how to average."""

    runs: tuple[str, ...] = option((), "run folders with counts", positional=True)
    classes: str = option("", "class names or ids to average over, background included, or all; "
                          "by default those of each run's protocol")
    protocol: str = option("irn", "averaging rule: irn, seam or toco")
    images: str = option("", "list of image ids to restrict every run to")
    part: str = option("all", "all images, or only those at even or odd places of the list, counted from 0",
                       choices=("all", "even", "odd"))
    intervals: bool = option(False, "95 % bootstrap intervals over images, and what each run gains over the one before")
    json: bool = option(False, "print JSON")

COLUMNS = (
    ("name", "run", "s"), ("images", "images", "d"), ("peak_miou", "peak mIoU %", "%"),
    ("peak_threshold", "at", ".3f"), ("plateau", "plateau", ".3f"), ("plateau_share", "plateau (share)", ".3f"),
    ("mean_miou", "mean mIoU %", "%"), ("oracle_miou", "oracle %", "%"), ("gap", "gap", ".3f"),
    ("auc", "AUC", ".3f"), ("imbalance", "imbalance", ".3f"),
)
INTERVAL_COLUMNS = (
    ("name", "run", "s"), ("images", "images", "d"), ("peak_miou", "peak mIoU %", "%"),
    ("peak_interval", "95 %", "pair"), ("gain", "over the run before", "+"), ("gain_interval", "95 %", "pair"),
)
RESAMPLES = 1000


def compare(config: CompareConfig) -> dict[str, Any]:
    """Compare runs from their counts.

    Returns:
        ``{"thresholds": [...], "runs": [{"name", "method", "images", "protocol", "peak_miou", …, "miou"}]}``;
        scores are fractions of 1. With ``intervals`` each run also has ``peak_interval`` [low, high], and
        from the second on ``gain`` and ``gain_interval``: its peak less that of the run before, the images
        drawn in pairs.

    Raises:
        ValueError: no run, runs without counts, other thresholds, or an unknown class or protocol.
    """
    if not config.runs:
        raise ValueError("no run to compare: give at least one run folder with counts")
    runs = [load_run(path) for path in config.runs]
    counts = [run.counts() for run in runs]
    thresholds = counts[0].thresholds
    for run, own in zip(runs, counts, strict=True):
        if own.thresholds.tolist() != thresholds.tolist():
            raise ValueError(f"{run.path} was counted at other thresholds than {runs[0].path}: count it again")
    rows = [describe_run(config, run, own) for run, own in zip(runs, counts, strict=True)]
    if config.intervals:
        rows = add_intervals(config, runs, counts, rows)
    return {"thresholds": thresholds.tolist(), "runs": rows}


def describe_run(config: CompareConfig, run: Run, counts: Counts) -> dict[str, Any]:
    """Describe one run as a row of the comparison."""
    classes = choose_classes(config.classes, run)
    summary = summarise(counts, config.protocol, classes=classes, images=choose_images(config, counts))
    if run.is_masks:
        summary = replace(drop_thresholds(summary), peak_threshold=float("nan"))
    summary = summary.to_dict()
    summary.pop("thresholds")
    protocol = run.meta["protocol"] | {"averaging": config.protocol, "classes": classes or "all"}
    return {"name": run.name, "method": run.method} | summary | {"protocol": protocol}


def choose_images(config: CompareConfig, counts: Counts) -> tuple[str, ...]:
    """Choose the images to score: those of a list, else all that were counted; of these all or every other."""
    chosen = tuple(read_id_list(Path(config.images))) if config.images else counts.image_ids
    return {"all": chosen, "even": chosen[::2], "odd": chosen[1::2]}[config.part]


def add_intervals(
    config: CompareConfig, runs: Sequence[Run], counts: Sequence[Counts], rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Add to each row the interval of its peak, and what it gains over the row before, the images drawn in pairs.

    Raises:
        ValueError: the runs were counted on other images, or average over other classes.
    """
    classes = [choose_classes(config.classes, run) for run in runs]
    if any(own != classes[0] for own in classes):
        raise ValueError("the runs average over different classes: name them with --classes")
    drawn = bootstrap_runs(
        [own.select(choose_images(config, own)) for own in counts], config.protocol, classes[0], RESAMPLES)
    rows = [row | {"peak_interval": read_interval(own.interval("peak_miou"))}
            for row, own in zip(rows, drawn, strict=True)]
    for i in range(1, len(rows)):
        step = compare_bootstraps(drawn[i], drawn[i - 1])
        rows[i] |= {"gain": float(step.estimate), "gain_interval": read_interval((step.low, step.high))}
    return rows


def read_interval(bounds: tuple) -> list[float]:
    """Read an interval as two plain numbers."""
    return [float(bound) for bound in bounds]


def choose_classes(text: str, run: Run) -> list[str] | None:
    """Choose the classes to average over: those that were asked for, else those of the run's protocol; None for all."""
    return parse_classes(text or ",".join(run.scored_classes), run.class_names)


def parse_classes(text: str, class_names: tuple[str, ...]) -> list[str] | None:
    """Parse class names or ids, separated by commas; the empty text and ``all`` mean all.

    Raises:
        ValueError: a class that the data set does not have.
    """
    if text in ("", "all"):
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    names = [class_names[int(p)] if p.isdigit() and int(p) < len(class_names) else p for p in parts]
    unknown = [name for name in names if name not in class_names]
    if unknown:
        raise ValueError(f"class {unknown[0]!r} is unknown; the classes are {', '.join(class_names)}")
    return names


def format_table(result: dict[str, Any]) -> str:
    """Format a comparison as text tables, the protocol of each run below."""
    lines = format_rows(COLUMNS, result["runs"])
    if any("peak_interval" in run for run in result["runs"]):
        lines += ["", *format_rows(INTERVAL_COLUMNS, result["runs"])]
    notes = [f"{run['name']}: {format_protocol(run['protocol'])}" for run in result["runs"]]
    return "\n".join([*lines, "", *notes])
