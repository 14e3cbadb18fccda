"""What came of masks cut at several thresholds: the table of ``consequence``, or one that a user made.

``consequence.json`` holds, for each run, lists by threshold; ``consequence.csv`` a row for each finished training. A
CSV of a user needs the columns ``threshold``, ``miou_masks`` and ``miou_network``; ``run``, ``method``, ``seed`` and
``share`` may follow. Scores are fractions of 1, or percent if one is above 1.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amn_core.constants import METHODS
from amn_core.formats.errors import FormatError
from amn_core.formats.files import read_json, write_json

NAME = "consequence.json"
TABLE = "consequence.csv"
COLUMNS = ("run", "method", "threshold", "share", "seed", "miou_masks", "miou_network")
NEEDED = ("threshold", "miou_masks", "miou_network")


@dataclass(frozen=True)
class Consequence:
    """The two curves of one run, lists by threshold, None where there is nothing yet; scores are fractions of 1.

    Attributes:
        name, method: of the run. peak: the threshold at which its maps score best, None where it is not known.
        thresholds: increasing. shares: of the pixels that the masks call foreground before refinement.
        masks, masks_low, masks_high: mIoU of the masks, and its interval. precision, recall: of the masks, means over
            the object classes.
        networks: mIoU of each finished training: a dict by seed for each threshold.
        network, network_low, network_high: mean over the seeds, and its interval.
    """

    name: str
    method: str
    peak: float | None
    thresholds: list[float]
    shares: list[float | None]
    masks: list[float]
    masks_low: list[float | None]
    masks_high: list[float | None]
    precision: list[float | None]
    recall: list[float | None]
    networks: list[dict[str, float]]
    network: list[float | None]
    network_low: list[float | None]
    network_high: list[float | None]


def save_consequences(folder: Path, results: Sequence[Consequence], about: dict[str, Any]) -> None:
    """Save the results into a folder, as JSON with what they are about, and as a table."""
    write_json(folder / NAME, about | {"runs": [asdict(one) for one in results]})
    from amn_core.formats.tables import save_csv  # imports the sweep

    save_csv(folder / TABLE, COLUMNS, list_rows(results))


def list_rows(results: Sequence[Consequence]) -> list[list[Any]]:
    """List the finished trainings, a row each."""
    return [
        [one.name, one.method, threshold, one.shares[i], seed, one.masks[i], miou]
        for one in results for i, threshold in enumerate(one.thresholds) for seed, miou in one.networks[i].items()]


def load_consequences(path: str | Path) -> list[Consequence]:
    """Load results from a folder of ``consequence``, or from a CSV.

    Raises:
        FormatError: there are none, or the table lacks something.
    """
    path = Path(path)
    if path.is_file():
        return read_table(path)
    if not (path / NAME).is_file():
        raise FormatError(f"{path}: no {NAME} in it; give the folder that consequence wrote into")
    try:
        return [Consequence(**one) for one in read_json(path / NAME)["runs"]]
    except (TypeError, KeyError) as error:
        raise FormatError(f"{path / NAME}: not written by this version ({error}); make it again") from None


def read_table(path: Path) -> list[Consequence]:
    """Read a CSV; rows of one run and threshold are its seeds, whose range stands for the interval."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in NEEDED if not rows or name not in rows[0]]
    if missing:
        raise FormatError(f"{path}: lacks {', '.join(missing)}: a header with {', '.join(NEEDED)} and rows below it")
    numbers = [read_numbers(path, i, row) for i, row in enumerate(rows, start=2)]
    factor = 0.01 if any(value > 1 for row in numbers for value in row[1:]) else 1.0
    runs: dict[str, list[tuple[dict, tuple[float, ...]]]] = {}
    for row, (threshold, masks, network) in zip(rows, numbers, strict=True):
        runs.setdefault(row.get("run") or "masks", []).append((row, (threshold, masks * factor, network * factor)))
    return [gather_run(name, members) for name, members in runs.items()]


def read_numbers(path: Path, line: int, row: dict[str, str]) -> list[float]:
    """Read the three numbers of a row."""
    try:
        values = [float(row[name]) for name in NEEDED]
    except (TypeError, ValueError):
        values = [math.nan]
    if not all(math.isfinite(value) and value >= 0 for value in values):
        raise FormatError(f"{path}, line {line}: {', '.join(NEEDED)} must be numbers of at least 0")
    return values


def gather_run(name: str, members: list[tuple[dict, tuple[float, ...]]]) -> Consequence:
    """Gather the rows of one run by threshold."""
    method = members[0][0].get("method") or "imported"
    thresholds = sorted({numbers[0] for _, numbers in members})
    groups = [[(row, numbers) for row, numbers in members if numbers[0] == t] for t in thresholds]
    masks = [sum(n[1] for _, n in group) / len(group) for group in groups]
    networks = [{row.get("seed") or str(i): n[2] for i, (row, n) in enumerate(group)} for group in groups]
    values = [list(one.values()) for one in networks]
    nothing: list[float | None] = [None] * len(thresholds)
    shares = [float(group[0][0]["share"]) if group[0][0].get("share") else None for group in groups]
    return Consequence(
        name, method if method in METHODS else "imported", None, thresholds, shares, masks, nothing, nothing, nothing,
        nothing, networks, [sum(v) / len(v) for v in values], [min(v) for v in values], [max(v) for v in values])
