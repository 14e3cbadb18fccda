"""``bench diagnose``: damaged sets by the hundred, and how many of the damages `diagnose` names."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass
from io import StringIO
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.bench.damages import DAMAGES, MAP_DAMAGES, MASK_DAMAGES, Case, build_case, find_target, write_case
from amn_core.commands.text import format_rows
from amn_core.compute.progress import Progress
from amn_core.diagnose.diagnosis import Diagnosis, answer, count_readings, open_files
from amn_core.diagnose.readings import Reading
from amn_core.diagnose.search import are_same, parse_target
from amn_core.options import option

GIVEN = ("mIoU", "mIoU, precision, recall", "nothing")
SMALL = 0.002  # damages that cost less are counted apart
SIZE = 0.001  # how far the size of a step may be from what was damaged


@dataclass(frozen=True)
class BenchDiagnoseConfig:
    """What `bench diagnose` needs."""

    cases: int = option(100, "damaged sets of each kind")
    pairs: int = option(0, "damaged sets of each pair of kinds; 0 for none")
    seed: int = option(1000, "seed of the first; constants were chosen on sets below 1000")
    kinds: str = option("", "damages to try, separated by commas; all by default")


@dataclass
class Tally:
    """How many cases of a kind were named, given so much."""

    kind: str
    given: str
    cases: int = 0
    small: int = 0
    named: int = 0
    sized: int = 0
    silent: int = 0


def bench_diagnose(config: BenchDiagnoseConfig) -> dict[str, Any]:
    """Damage sets and ask for the damage, given mIoU, precision and recall too, and nothing.

    Returns:
        ``tables``: rows of kind, given, cases, small (cost less than 0.2 points, not in the others), named, sized
        (named with the points within 0.1), silent (the answer was that the numbers do not tell).
    """
    wanted = [kind.strip() for kind in config.kinds.split(",") if kind.strip()] or list(DAMAGES)
    unknown = [kind for kind in wanted if kind not in DAMAGES]
    if unknown:
        raise ValueError(f"kinds holds {unknown[0]!r}: choose among {', '.join(DAMAGES)}")
    groups = [(kind,) for kind in wanted] if config.cases else []
    work = [(names, config.cases) for names in groups] + [(pair, config.pairs) for pair in list_pairs(wanted)]
    rows = []
    with Progress("cases", sum(n for _, n in work)) as bar:
        for names, n in work:
            tallies = [Tally(" + ".join(names), given) for given in GIVEN]
            for i in range(n):
                add_case(tallies, names, config.seed + i)
                bar.update(1)
            rows += [asdict(tally) for tally in tallies] if n else []
    return {"tables": rows, "totals": sum_rows(rows)}


def list_pairs(kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    """List the pairs of damages that go together: of maps or of masks, to different choices, on the same classes."""
    for group in (MAP_DAMAGES, MASK_DAMAGES):
        for one, other in combinations([kind for kind in kinds if kind in group], 2):
            if group[one].choice != group[other].choice and can_go_together(one, other):
                yield one, other


def can_go_together(one: str, other: str) -> bool:
    """Tell whether two damages leave each other's trace: no threshold without a background that is cut, and so on."""
    choices = {DAMAGES[one].choice, DAMAGES[other].choice}
    uncut = {"first plane competes", "last plane competes", "no background", "exponent"}
    if "cut" in choices and {one, other} & uncut:
        return False
    is_coco = any(DAMAGES[name].needs.get("is_coco") for name in (one, other))
    return not (is_coco and "ground_truth" in choices) and choices != {"normalisation", "background"}


def add_case(tallies: Sequence[Tally], names: Sequence[str], seed: int) -> None:
    """Build a case, diagnose it given each of `GIVEN`, and tally what was named."""
    case = build_case(names, seed)
    score = find_target(case)
    texts = [f"{100 * value:.1f}" for value in score]
    targets = [parse_target(texts[0]), parse_target(*texts), None]
    with tempfile.TemporaryDirectory() as root, redirect_stderr(StringIO()):
        spec, folder = write_case(case, Path(root))
        opened = open_files((folder, spec, case.split, "auto"), case.cut)
        count_readings(opened, targets[0])
        for tally, target in zip(tallies, targets, strict=True):
            add_answer(tally, case, score, answer(opened, target))


def add_answer(tally: Tally, case: Case, score: np.ndarray, found: Diagnosis) -> None:
    """Add what was answered to the tally of a kind."""
    tally.cases += 1
    if abs(score[0] - found.score[0]) < SMALL:
        tally.small += 1
        return
    if tally.given == "nothing":
        tally.named += set(case.truth) <= {finding.choice for finding in found.findings}
        tally.silent += not found.findings
        return
    if found.path is None:
        tally.silent += 1
        return
    is_named = names_truth(case, found)
    tally.named += is_named
    total = sum(step.points for step in found.path)
    tally.sized += is_named and abs(total - (score[0] - found.score[0])) <= SIZE


def names_truth(case: Case, found: Diagnosis) -> bool:
    """Tell whether the answer undoes the damage: the same changes, or a reading that is the same everywhere."""
    answer = found.found.answers[0].reading
    right = build_right(case, found)
    if right is None or not found.board.has(right):
        return False
    return answer == right or are_same(found.board, answer, right)


def build_right(case: Case, found: Diagnosis) -> Reading:
    """Build the reading that undoes a case's damage."""
    right = found.base
    for name, value in case.truth.items():
        value = merge_background(case, found) if name == "background" else value
        right = right.change(name, value)
    if "cut" in case.truth and right.cut is None:
        right = right.change("cut", float(found.board.thresholds(right)[found.board.find_cut(right)]))
    return right


def merge_background(case: Case, found: Diagnosis) -> str:
    """Merge the background that undoes a damage with where the files hold a plane of it."""
    plane, _, rule = str(case.truth["background"]).partition(":")
    return f"{found.base.plane if plane == 'none' else plane}:{rule}"


def sum_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sum the rows by how many damages there were and what was given."""
    totals: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        kind = "all pairs" if " + " in row["kind"] else "all single damages"
        total = totals.setdefault((kind, row["given"]), {"kind": kind, "given": row["given"]})
        for name in ("cases", "small", "named", "sized", "silent"):
            total[name] = total.get(name, 0) + row[name]
    return list(totals.values())


COLUMNS = (("kind", "damage", "s"), ("given", "given", "s"), ("cases", "cases", "d"), ("small", "under 0.2", "d"),
           ("named", "named", "d"), ("sized", "within 0.1", "d"), ("silent", "no answer", "d"))


def format_tables(result: dict[str, Any]) -> str:
    """Format the tables as text."""
    return "\n".join(format_rows(COLUMNS, result["tables"] + result["totals"]))

