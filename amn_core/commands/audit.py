"""Inherited constants on trial: the command ``audit``."""

from dataclasses import asdict, dataclass
from typing import Any

from amn_core.choosing.audit import Verdict, audit_run, list_constants
from amn_core.commands.compare import choose_all_terms, write_notes
from amn_core.commands.text import format_rows
from amn_core.formats.run_names import name_runs
from amn_core.formats.runs import load_run
from amn_core.options import option, read_unit
from amn_core.presets import parse_cuts
from amn_core.scoring import load_alike


@dataclass(frozen=True)
class AuditConfig:
    """What `audit` needs: runs with counts, how to average, and constants beside those in use."""

    runs: tuple[str, ...] = option((), "run folders with counts", positional=True)
    pairs: str = option("", "further pairs of cuts to judge, HIGH,LOW each, separated by semicolons")
    cuts: str = option("", "further single cuts to judge, separated by commas")
    classes: str = option("", "class names or ids to average over, background included, or all; "
                          "by default those of each run's protocol")
    protocol: str = option("", "averaging rule: irn, seam or toco; by default each run's own, irn where it names none")
    images: str = option("", "list of image ids to restrict every run to")
    part: str = option("all", "all images, or only those at even or odd places of the list, counted from 0",
                       choices=("all", "even", "odd"))
    common: bool = option(False, "score all runs over the classes and images that they share, under one averaging")


PAIR_COLUMNS = (
    ("run", "run", "s"), ("constant", "constant", "s"), ("cuts", "high / low", "s"), ("miou", "mIoU labelled %", "%"),
    ("coverage", "coverage %", "%"), ("miou_unsure_wrong", "unsure as error %", "%"), ("lost_miou", "mIoU lost", "%"),
    ("best_text", "to", "s"), ("lost_coverage", "coverage lost", "%"), ("widest_text", "to", "s"),
)
CUT_COLUMNS = (
    ("run", "run", "s"), ("constant", "constant", "s"), ("cuts", "at", "s"), ("miou", "mIoU %", "%"),
    ("lost_miou", "regret", "%"), ("best_text", "peak at", "s"),
)


def audit(config: AuditConfig) -> dict[str, Any]:
    """Judge constants on runs from their counts.

    Returns:
        ``{"rows": [{"run", "constant", "source", "high", "low", "miou", "coverage", "miou_unsure_wrong", "lost_miou",
        "best", "lost_coverage", "widest"}], "notes": [...]}``; shares of 1, single cuts have ``low`` None.

    Raises:
        ValueError: no run, runs without counts, or an unknown class, protocol or cut.
    """
    if not config.runs:
        raise ValueError("no run to judge on: give at least one run folder with counts")
    runs = [load_run(path) for path in config.runs]
    counts = load_alike(runs)
    terms = choose_all_terms(config, runs, counts)
    constants = list_constants([parse_cuts(part) for part in config.pairs.split(";") if part.strip()],
                               [parse_cut(part) for part in config.cuts.split(",") if part.strip()])
    rows, notes = [], write_notes(runs, terms)
    for run, name, own, scored in zip(runs, name_runs(runs), counts, terms, strict=True):
        verdicts, lacking = audit_run(run, own, scored, constants)
        rows += [describe_verdict(name, verdict) for verdict in verdicts]
        notes += lacking
    return {"rows": rows, "notes": notes}


def parse_cut(text: str) -> float:
    """Parse a single cut.

    Raises:
        ValueError: it is no number from 0 to 1.
    """
    value = read_unit(text)
    if value is None:
        raise ValueError(f"cuts is {text!r}: give numbers from 0 to 1, separated by commas")
    return value


def describe_verdict(name: str, verdict: Verdict) -> dict[str, Any]:
    """Describe a verdict as a row of the result; what is not defined is None."""
    row = asdict(verdict)
    constant = row.pop("constant")
    plain = {key: None if value != value else value for key, value in row.items()}
    return {"run": name, "constant": constant["label"], "source": constant["source"], "high": constant["high"],
            "low": constant["low"]} | plain


def format_audit(result: dict[str, Any]) -> str:
    """Format an audit: pairs in one table, single cuts in another, and what each column means."""
    rows = [row | {"cuts": name_cuts((row["high"], row["low"])), "best_text": name_cuts(row["best"]),
                   "widest_text": name_cuts(row["widest"])} for row in result["rows"]]
    pairs, cuts = ([row for row in rows if (row["low"] is None) == is_cut] for is_cut in (False, True))
    lines = [*result["notes"], *[""] * bool(result["notes"])]
    if pairs:
        lines += [*format_rows(PAIR_COLUMNS, pairs), "", PAIR_NOTE, ""]
    if cuts:
        lines += [*format_rows(CUT_COLUMNS, cuts), "", CUT_NOTE]
    return "\n".join(lines)


PAIR_NOTE = """Above the high cut foreground, up to the low one background, unsure between. mIoU over the labelled
pixels; coverage: share of the scored pixels that are labelled. mIoU lost: against the best pair of at least the same
coverage; coverage lost: against the widest pair of at least the same mIoU; in points, all judged on the ground truth of
these images."""
CUT_NOTE = "A single cut is judged on the ordinary curve; regret: points below its peak."


def name_cuts(cuts: tuple[float | None, ...]) -> str:
    """Name one or two cuts.

    >>> name_cuts((0.7, 0.25)), name_cuts((0.5, None)), name_cuts(())
    ('0.700 / 0.250', '0.500', '')
    """
    return " / ".join(f"{cut:.3f}" for cut in cuts if cut is not None)
