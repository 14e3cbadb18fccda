"""Numbers at thresholds, as people's logs print them, laid beside the curve of the files and explained likewise."""

import re
from dataclasses import dataclass

import numpy as np

from amn_core.diagnose.allowed import Allowed
from amn_core.diagnose.readings import Reading
from amn_core.diagnose.scores import Board
from amn_core.diagnose.search import list_combinations

NUMBER = re.compile(r"(?<![\w.])(?:0|1|\d{1,3})?\.\d+(?:e-?\d+)?|(?<![\w.])\d{1,3}(?![\w.])")
FEWEST = 3
WHOLE_GRIDS = (11, 21, 41, 51, 101, 201)  # numbers of even steps from 0 to 1 that logs without thresholds have


@dataclass(frozen=True)
class Pasted:
    """A pasted curve: thresholds (n,) increasing, mIoU (n,) fractions of 1, and half of the last digit printed."""

    thresholds: np.ndarray
    miou: np.ndarray
    tolerance: float


@dataclass(frozen=True)
class Fit:
    """A reading and the largest distance of its curve from the pasted one."""

    reading: Reading
    cost: float
    apart: float


def parse_curve(text: str) -> Pasted:
    """Parse a log: the first number from 0 to 1 of a line is the threshold, the last number the mIoU.

    Lines without two numbers are passed over. Where no line has two, the numbers are mIoU at even steps from 0 to 1.

    Raises:
        ValueError: fewer than three numbers, or thresholds that cannot be told.

    >>> parse_curve("0.1 40.0\\nthreshold 0.2: mIoU 0.45\\n0.3, 41.5").miou.tolist()
    [0.4, 0.45, 0.415]
    """
    lines = [NUMBER.findall(line) for line in text.splitlines()]
    pairs = [(float(found[0]), found[-1]) for found in lines if len(found) > 1 and float(found[0]) <= 1]
    if len(pairs) < FEWEST:
        pairs = spread_evenly([number for found in lines for number in found])
    table = dict(pairs)
    thresholds = np.array(sorted(table))
    return Pasted(thresholds, *read_scores([table[at] for at in thresholds.tolist()]))


def spread_evenly(numbers: list[str]) -> list[tuple[float, str]]:
    """Spread bare numbers over thresholds from 0 to 1."""
    if len(numbers) not in WHOLE_GRIDS:
        raise ValueError(f"{len(numbers)} numbers and no thresholds: give a line for each threshold, as '0.15 48.3'")
    return [(i / (len(numbers) - 1), number) for i, number in enumerate(numbers)]


def read_scores(texts: list[str]) -> tuple[np.ndarray, float]:
    """Read scores as fractions of 1, each taken for percent above 1, and half of the last digit of the coarsest."""
    scores, halves = [], []
    for text in texts:
        value, half = float(text), 0.5 * 10.0 ** -len(text.partition(".")[2].partition("e")[0])
        is_percent = value > 1
        scores.append(value / 100 if is_percent else value)
        halves.append(half / 100 if is_percent else half)
    return np.array(scores), max(halves)


def take_at(board: Board, reading: Reading, curve: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Take the mIoU of a curve (T, 3) at thresholds, between its own linearly."""
    if not reading.has_cut:
        return np.full(len(thresholds), curve[0, 0])
    return np.interp(thresholds, board.thresholds(reading), np.nan_to_num(curve[:, 0]))


def fit_readings(board: Board, allowed: Allowed, base: Reading, pasted: Pasted, adjust=None) -> list[Fit]:
    """Fit every reading with at most two changes to a pasted curve: those that agree first, then by distance."""
    fits = []
    for reading, cost in list_combinations(allowed, base, 2):
        if board.has(reading):
            curve = board.curve(reading) if adjust is None else adjust(reading, board.curve(reading))
            apart = np.abs(take_at(board, reading, curve, pasted.thresholds) - pasted.miou).max()
            fits.append(Fit(reading, cost, float(apart)))
    within = max(pasted.tolerance * 1.01, 1e-9)
    return sorted(fits, key=lambda fit: (fit.apart > within, fit.cost if fit.apart <= within else fit.apart))
