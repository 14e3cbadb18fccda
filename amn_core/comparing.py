"""Runs to the table that compares them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from amn_core.configs import CompareConfig
from amn_core.data.lists import read_id_list
from amn_core.formats.runs import Run, load_run
from amn_core.sweep import Counts, summarise
from amn_core.sweep.scores import drop_thresholds

COLUMNS = (
    ("name", "run", "s"), ("images", "images", "d"), ("peak_miou", "peak mIoU %", "%"),
    ("peak_threshold", "at", ".3f"), ("plateau", "plateau", ".3f"), ("plateau_share", "plateau (share)", ".3f"),
    ("mean_miou", "mean mIoU %", "%"), ("oracle_miou", "oracle %", "%"), ("gap", "gap", ".3f"),
    ("auc", "AUC", ".3f"), ("imbalance", "imbalance", ".3f"),
)


def compare(config: CompareConfig) -> dict[str, Any]:
    """Compare runs from their counts.

    Returns:
        ``{"thresholds": [...], "runs": [{"name", "method", "images", "protocol", "peak_miou", …, "miou"}]}``;
        scores are fractions of 1.

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
    return {"thresholds": thresholds.tolist(), "runs": rows}


def describe_run(config: CompareConfig, run: Run, counts: Counts) -> dict[str, Any]:
    """Describe one run as a row of the comparison."""
    classes = choose_classes(config.classes, run)
    chosen = read_id_list(Path(config.images)) if config.images else counts.image_ids
    images = {"all": chosen, "even": chosen[::2], "odd": chosen[1::2]}[config.part]
    summary = summarise(counts, config.protocol, classes=classes, images=images)
    if run.is_masks:
        summary = replace(drop_thresholds(summary), peak_threshold=float("nan"))
    summary = summary.to_dict()
    summary.pop("thresholds")
    protocol = run.meta["protocol"] | {"averaging": config.protocol, "classes": classes or "all"}
    return {"name": run.name, "method": run.method} | summary | {"protocol": protocol}


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
    """Format a comparison as a text table, the protocol of each run below it."""
    rows = [[title for _, title, _ in COLUMNS]]
    rows += [[format_cell(run[key], kind) for key, _, kind in COLUMNS] for run in result["runs"]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    notes = [f"{run['name']}: {format_protocol(run['protocol'])}" for run in result["runs"]]
    return "\n".join([*lines, "", *notes])


def format_cell(value: Any, kind: str) -> str:
    """Format one cell; undefined numbers are a dash."""
    if value is None:
        return "–"
    if kind == "%":
        return f"{100 * value:.1f}"
    return format(value, kind)


def format_protocol(protocol: dict[str, Any]) -> str:
    """Format a protocol as one line."""
    return ", ".join(f"{key} {value}" for key, value in protocol.items() if value not in ("", None))

