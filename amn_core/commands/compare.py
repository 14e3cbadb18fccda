"""Runs to the table that compares them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from amn_core.commands.compare_rates import describe_rates, describe_sizes, format_rates, parse_sizes
from amn_core.commands.text import format_protocol, format_rows
from amn_core.data.lists import read_id_list
from amn_core.formats.run_names import name_runs
from amn_core.formats.runs import Run, load_run
from amn_core.options import option
from amn_core.presets import TWO_CUTS, parse_cuts
from amn_core.scoring import (
    COMMON,
    Terms,
    choose_terms,
    describe_degenerate,
    describe_differences,
    describe_refined,
    draw_runs,
    load_alike,
    score_plane_under,
    score_under,
    share_terms,
)
from amn_core.sweep import Counts, compare_bootstraps
from amn_core.sweep.two_cuts import score_pair


@dataclass(frozen=True)
class CompareConfig:
    """What `compare` needs: runs with counts, and how to average."""

    runs: tuple[str, ...] = option((), "run folders with counts", positional=True)
    classes: str = option("", "class names or ids to average over, background included, or all; "
                          "by default those of each run's protocol")
    protocol: str = option("", "averaging rule: irn, seam or toco; by default each run's own, irn where it names none")
    images: str = option("", "list of image ids to restrict every run to")
    part: str = option("all", "all images, or only those at even or odd places of the list, counted from 0",
                       choices=("all", "even", "odd"))
    common: bool = option(False, "score all runs over the classes and images that they share, under one averaging")
    cuts: str = option("", "score two cuts too, unsure pixels between: HIGH,LOW or one of "
                       f"{', '.join(TWO_CUTS)}")
    rates: bool = option(False, "precision, recall, FP and FN rates too, means and by class")
    sizes: str = option("", "scores by size of the object too: shares of the image that part the sizes, such as "
                        "0.02,0.1,0.35")
    at: str = option("peak", "threshold of rates and sizes: a number, or peak for each run's own")
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
CUT_COLUMNS = (
    ("name", "run", "s"), ("high", "above", ".3f"), ("low", "up to", ".3f"), ("miou", "mIoU labelled %", "%"),
    ("coverage", "coverage %", "%"), ("miou_unsure_wrong", "unsure as error %", "%"), ("lost_miou", "mIoU lost", "%"),
    ("lost_coverage", "coverage lost", "%"),
)
RESAMPLES = 1000


def compare(config: CompareConfig) -> dict[str, Any]:
    """Compare runs from their counts.

    Returns:
        ``{"thresholds": [...], "runs": [{"name", "method", "images", "protocol", "peak_miou", …, "miou"}], "notes":
        [...]}``; scores are fractions of 1, notes say in what the runs differ. With ``intervals`` each run also has
        ``peak_interval`` [low, high], and from the second on ``gain`` and ``gain_interval``: its peak less that of
        the run before, the images drawn in pairs. With ``cuts`` each run has ``two_cuts``, a `PairScore` as a dict;
        with ``rates`` and ``sizes`` it has these, of `describe_rates` and `describe_sizes`.

    Raises:
        ValueError: no run, runs without counts, other thresholds, or an unknown class or protocol.
    """
    if not config.runs:
        raise ValueError("no run to compare: give at least one run folder with counts")
    runs = [load_run(path) for path in config.runs]
    counts = load_alike(runs)
    thresholds = counts[0].thresholds
    terms = choose_all_terms(config, runs, counts)
    rows = [describe_run(*row) for row in zip(runs, name_runs(runs), counts, terms, strict=True)]
    for describe in list_extras(config):
        rows = [row | describe(*one) for row, *one in zip(rows, runs, counts, terms, strict=True)]
    if config.intervals:
        rows = add_intervals(runs, counts, terms, rows)
    notes = write_notes(runs, terms) + describe_refined(runs, thresholds) + describe_low_oracles(rows)
    return {"thresholds": thresholds.tolist(), "runs": rows, "notes": notes}


def list_extras(config: CompareConfig) -> list[Callable[[Run, Counts, Terms], dict[str, Any]]]:
    """List what else is asked of each run: functions of run, counts and terms that give parts of its row.

    Raises:
        ValueError: a pair of cuts or cuts between sizes that cannot be read.
    """
    extras = []
    if config.cuts:
        extras.append(partial(describe_cuts, pair=parse_cuts(config.cuts)))
    if config.rates:
        extras.append(partial(describe_rates, at=config.at))
    if config.sizes:
        extras.append(partial(describe_sizes, at=config.at, cuts=parse_sizes(config.sizes)))
    return extras


def choose_all_terms(config: CompareConfig, runs: Sequence[Run], counts: Sequence[Counts]) -> list[Terms]:
    """Choose what each run is scored over, the same for all if asked for."""
    terms = [choose_terms(run, own, choose_images(config, own), config.classes, config.protocol)
             for run, own in zip(runs, counts, strict=True)]
    return [share_terms(runs, terms)] * len(runs) if config.common else terms


def describe_run(run: Run, name: str, counts: Counts, terms: Terms) -> dict[str, Any]:
    """Describe one run as a row of the comparison."""
    summary = score_under(run, counts, terms).to_dict()
    summary.pop("thresholds")
    protocol = run.meta["protocol"] | {"averaging": terms.protocol.name, "classes": terms.class_list or "all"}
    return {"name": name, "method": run.method} | summary | {"protocol": protocol}


def describe_cuts(run: Run, counts: Counts, terms: Terms, pair: tuple[float, float]) -> dict[str, Any]:
    """Describe what a pair of cuts gives and costs on a run, as ``two_cuts`` of its row; None for finished masks.

    Raises:
        ValueError: the counts lack a cut, or do not say what two cuts label; names the run.
    """
    if run.is_masks:
        return {"two_cuts": None}
    plane = score_plane_under(run, counts, terms)
    try:
        score = score_pair(plane, *pair)
    except ValueError as error:
        raise ValueError(f"{run.path}: {error}") from None
    return {"two_cuts": {key: None if value != value else value for key, value in asdict(score).items()}}


def choose_images(config: CompareConfig, counts: Counts) -> tuple[str, ...]:
    """Choose the images to score: those of a list, else all that were counted; of these all or every other."""
    known = set(counts.image_ids)
    chosen = read_id_list(Path(config.images), known.__contains__) if config.images else counts.image_ids
    return {"all": chosen, "even": chosen[::2], "odd": chosen[1::2]}[config.part]


def write_notes(runs: Sequence[Run], terms: Sequence[Terms]) -> list[str]:
    """Write what one has to know before the numbers: in what the runs differ, and the switch that makes them alike."""
    differences = describe_differences(runs, terms)
    if not differences:
        return []
    return [f"These runs differ in {topic}: {values}." for topic, values in differences.items()] + [
        f"Pass {COMMON} to score all over the classes and images that they share, under one averaging."]


def describe_low_oracles(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Describe which runs do worse with a threshold for each image than with one for all; nothing without one."""
    low = [row["name"] for row in rows if row["oracle_miou"] is not None and row["oracle_miou"] < row["peak_miou"]]
    if not low:
        return []
    return [f"{', '.join(low)}: the oracle lies below the peak. It gives each image the threshold that is best for the "
            "image's own mIoU, which is a choice and no bound for the data set's."]


def add_intervals(
    runs: Sequence[Run], counts: Sequence[Counts], terms: Sequence[Terms], rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Add to each row the interval of its peak, and what it gains over the row before, the images drawn in pairs.

    Raises:
        ValueError: the runs are scored on other images or over other classes.
    """
    drawn = draw_runs(runs, counts, terms, RESAMPLES)
    rows = [row | {"peak_interval": read_interval(own.interval("peak_miou"))}
            for row, own in zip(rows, drawn, strict=True)]
    for i in range(1, len(rows)):
        step = compare_bootstraps(drawn[i], drawn[i - 1])
        rows[i] |= {"gain": float(step.estimate), "gain_interval": read_interval((step.low, step.high))}
    return rows


def read_interval(bounds: tuple) -> list[float]:
    """Read an interval as two plain numbers."""
    return [float(bound) for bound in bounds]


def format_cuts(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Format what two cuts give on each run."""
    return format_rows(CUT_COLUMNS, [{"name": row["name"]} | (row["two_cuts"] or {}) for row in rows])


def format_table(result: dict[str, Any]) -> str:
    """Format a comparison as text tables: what differs between the runs above, the protocol of each run below."""
    lines = [*result["notes"], *[""] * bool(result["notes"]), *format_rows(COLUMNS, result["runs"])]
    if any("peak_interval" in run for run in result["runs"]):
        lines += ["", *format_rows(INTERVAL_COLUMNS, result["runs"])]
    if any("two_cuts" in run for run in result["runs"]):
        lines += ["", *format_cuts(result["runs"])]
    lines += format_rates(result["runs"])
    notes = [f"{run['name']}: {format_protocol(run['protocol'])}" for run in result["runs"]]
    notes += filter(None, [describe_degenerate(max(run["degenerate"] for run in result["runs"]))])
    return "\n".join([*lines, "", *notes])
