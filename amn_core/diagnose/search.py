"""The fewest changes of a reading that lead to a target, what each is worth, and how sure that is.

The cost of an explanation is the sum of what its changes cost (`Allowed.weigh`); a threshold that somebody would use
costs as much as another change, any other threshold more than all of them. Of those that reach the target the
cheapest is the answer, of equals the most usual, then the nearest. It is as sure as few other targets would have been
reached at that cost (ours).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations, product

import numpy as np

from amn_core.diagnose.allowed import Allowed
from amn_core.diagnose.readings import CHANGES, Reading, list_changes
from amn_core.diagnose.scores import Board, find_peak

# Thresholds that somebody would use: of the codes in `amn_core.diagnose.published`, and round numbers.
CONSTANTS = (0.05, 0.1, 0.15, 0.2, 0.22, 0.25, 0.3, 0.35, 0.4, 0.43, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.9, 0.95)
NAMED, TO_PEAK, NEIGHBOUR, FREE = 1.0, 0.9, 1.2, 2.5
MOST_CHANGES = 3
DRAWS, SEED = 4000, 0
SHARE = 0.2  # of other targets that may be reached as well
SAME = 0.001  # readings whose curves agree within this everywhere are one answer
APART = 0.05  # how far the recall drawn for another target may be from that of a single class


@dataclass(frozen=True)
class Target:
    """What is to be reached, fractions of 1: each number with half of its last digit.

    Attributes:
        numbers: mIoU, precision, recall; NaN for one that is not given. tolerance: likewise.
    """

    numbers: tuple[float, float, float]
    tolerance: tuple[float, float, float]

    @property
    def is_single(self) -> bool:
        """Whether mIoU alone is given."""
        return bool(np.isnan(self.numbers[1:]).all())

    def reach(self, scores: np.ndarray) -> np.ndarray:
        """Tell which scores (..., 3) reach it."""
        return (self.measure(scores) <= np.array(self.tolerance) + 1e-9).all(axis=-1)

    def measure(self, scores: np.ndarray) -> np.ndarray:
        """Measure how far scores (..., 3) are from each number that is given, 0 from others."""
        wanted = np.array(self.numbers)
        far = np.nan_to_num(np.abs(scores - wanted), nan=np.inf)
        return np.where(np.isnan(wanted), 0, far)


def parse_target(target: str, precision: str = "", recall: str = "") -> Target:
    """Parse numbers in percent, as texts so that their last digit is known; ``48.3-48.8`` is a range.

    Raises:
        ValueError: no number, or one outside 0 to 100.

    >>> target = parse_target("48.3")
    >>> round(target.numbers[0], 3), round(target.tolerance[0], 5)
    (0.483, 0.0005)
    """
    parsed = [parse_percent(text, name) for text, name in
              ((target, "target"), (precision, "precision"), (recall, "recall"))]
    return Target(tuple(number for number, _ in parsed), tuple(half for _, half in parsed))


def parse_percent(text: str, name: str) -> tuple[float, float]:
    """Parse one number or range in percent to its middle and half its width with half a last digit."""
    text = str(text).strip().rstrip("%").replace("–", "-")
    if not text:
        return float("nan"), float("inf")
    try:
        ends = [float(part) for part in text.split("-")]
    except ValueError:
        raise ValueError(f"{name} is {text!r}: give a number in percent, such as 48.3") from None
    if not 1 <= len(ends) <= 2 or not all(0 <= end <= 100 for end in ends):
        raise ValueError(f"{name} is {text}: give a number from 0 to 100, in percent")
    digits = max(len(part.partition(".")[2]) for part in text.split("-"))
    return sum(ends) / len(ends) / 100, (abs(ends[-1] - ends[0]) / 2 + 0.5 * 10.0**-digits) / 100


@dataclass(frozen=True)
class Explanation:
    """A reading that reaches the target.

    Attributes:
        reading: it. cost: of its changes. score: (3,) mIoU, precision, recall. miss: distance of mIoU, fraction.
        oddness: how far down the lists of `Choices` its values stand, the usual ones first.
    """

    reading: Reading
    cost: float
    score: np.ndarray
    miss: float
    oddness: int = 0


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        answers: explanations, the cheapest first. sure: 0 to 1, of the first.
        reachable: the highest mIoU of all readings tried. nearest: that nearest to the target.
    """

    answers: tuple[Explanation, ...]
    sure: float
    reachable: float
    nearest: Explanation


@dataclass(frozen=True)
class Cloud:
    """Every reading and threshold that was tried: what it costs (n,) and scores (n, 3)."""

    costs: np.ndarray
    scores: np.ndarray


def list_combinations(allowed: Allowed, base: Reading, most: int) -> Iterator[tuple[Reading, float]]:
    """List the readings that differ from the first in at most some choices, the threshold aside, with their cost."""
    others: dict[str, list[object]] = {}
    for name, value in allowed.choices.list_others():
        others.setdefault(name, []).append(value)
    for n in range(most + 1):
        for names in combinations(others, n):
            for values in product(*(others[name] for name in names)):
                changes = dict(zip(names, values, strict=True))
                yield replace(base, **changes), sum(allowed.weigh(*pair) for pair in changes.items())


def cost_cuts(board: Board, reading: Reading, curve: np.ndarray, base_cut: float | None) -> np.ndarray:
    """Cost each threshold of a curve, (T,); all the same where nothing is cut."""
    if not reading.has_cut:
        return np.zeros(len(curve))
    thresholds = board.thresholds(reading)
    costs = np.full(len(thresholds), FREE)
    if base_cut is not None:
        costs[find_places(thresholds, neighbours(base_cut))] = NEIGHBOUR
    costs[find_places(thresholds, CONSTANTS)] = NAMED
    costs[find_peak(curve)] = TO_PEAK if base_cut is not None else 0
    if base_cut is not None:
        costs[find_places(thresholds, [base_cut])] = 0
    return costs


def neighbours(cut: float) -> list[float]:
    """List the thresholds that are a cut with one digit moved, or its point.

    >>> [round(other, 3) for other in neighbours(0.15)]
    [0.05, 0.25, 0.14, 0.16, 0.015, 1.5]
    """
    return [cut - 0.1, cut + 0.1, cut - 0.01, cut + 0.01, cut / 10, cut * 10]


def find_places(thresholds: np.ndarray, wanted: Sequence[float]) -> np.ndarray:
    """Find the places of thresholds on the grid; those off it are left out."""
    wanted = np.array([cut for cut in wanted if -1e-9 <= cut <= 1 + 1e-9])
    apart = np.abs(thresholds[:, None] - wanted[None])
    return np.flatnonzero((apart < 1e-6).any(axis=1))


def search(
    board: Board, allowed: Allowed, base: Reading, target: Target, most: int = MOST_CHANGES,
    adjust: Callable[[Reading, np.ndarray], np.ndarray] | None = None,
) -> Found:
    """Search for the cheapest readings that reach a target.

    Args:
        board: with the countings; readings that it cannot score are left out.
        most: changes but the threshold that are tried; three only where two do not lead there cheaply.
        adjust: turns the curve of a reading on a sample into what it is expected to be on all images.
    """
    found: list[Explanation] = []
    costs, scores, near = [], [], None
    for n in (min(2, most), most):
        for reading, cost in list_combinations(allowed, base, n):
            is_done = n > 2 and len(list_changes(base, reading)) <= 2
            if is_done or not board.has(reading):
                continue
            curve = board.curve(reading) if adjust is None else adjust(reading, board.curve(reading))
            every = cost + cost_cuts(board, reading, curve, base.cut)
            costs.append(every)
            scores.append(curve)
            oddness = measure_oddness(allowed, reading)
            found += [replace(one, oddness=oddness) for one in explain(board, reading, every, curve, target)]
            near = take_nearer(board, near, reading, every, curve, target)
        if n == most or (found and min(one.cost for one in found) <= FREE):
            break
    cloud = Cloud(np.concatenate(costs), np.concatenate(scores))
    found.sort(key=lambda one: (round(one.cost, 6), one.oddness, one.miss))
    sure = 1 - share_reached(cloud, found[0].cost, target) if found else 0.0
    return Found(tuple(found), sure, float(np.nanmax(cloud.scores[:, 0], initial=0)), near)


def measure_oddness(allowed: Allowed, reading: Reading) -> int:
    """Measure how far down the lists of choices the values of a reading stand."""
    choices = allowed.choices
    return sum(getattr(choices, field.name).index(getattr(reading, field.name)) for field in fields(choices))


def explain(
    board: Board, reading: Reading, costs: np.ndarray, curve: np.ndarray, target: Target
) -> list[Explanation]:
    """Explain a target by the cheapest threshold of a reading that reaches it, if one does."""
    places = np.flatnonzero(target.reach(curve))
    return [] if not places.size else [pick(board, reading, costs, curve, target, places)]


def pick(
    board: Board, reading: Reading, costs: np.ndarray, curve: np.ndarray, target: Target, places: np.ndarray
) -> Explanation:
    """Pick the cheapest of some thresholds, the nearest of equals."""
    misses = target.measure(curve[places]).sum(axis=1)
    at = places[np.lexsort((misses, costs[places]))[0]]
    is_kept = not reading.has_cut or is_base_cut(board, reading, curve, at)
    return Explanation(reading if is_kept else reading.change("cut", float(board.thresholds(reading)[at])),
                       float(costs[at]), curve[at], float(target.measure(curve[at])[0]))


def is_base_cut(board: Board, reading: Reading, curve: np.ndarray, at: int) -> bool:
    """Tell whether a place is that of the cut a reading bears."""
    if reading.cut is None or not reading.has_cut:
        return at == find_peak(curve)
    return at == board.find_cut(reading)


def take_nearer(
    board: Board, near: Explanation | None, reading: Reading, costs: np.ndarray, curve: np.ndarray, target: Target
) -> Explanation:
    """Take the nearer of the nearest so far and a reading's simple thresholds."""
    simple = np.flatnonzero(costs < costs.min() + FREE)
    misses = target.measure(curve[simple]).max(axis=1)
    best = pick(board, reading, costs, curve, target, simple[np.flatnonzero(misses == misses.min())])
    is_nearer = near is None or target.measure(best.score).max() < target.measure(near.score).max() - 1e-9
    return best if is_nearer else near


def share_reached(cloud: Cloud, cost: float, target: Target) -> float:
    """Share the other targets, drawn between 0 and the peak, that an explanation of the same cost would also reach.

    Where precision and recall are given they are drawn too: precision between mIoU and 1, recall as a single class
    of that IoU and precision has it, give or take five points (ours).
    """
    scores = cloud.scores[cloud.costs <= cost + 1e-6]
    scores = scores[~np.isnan(scores).any(axis=1)]
    drawn = draw_targets(np.random.default_rng(SEED), float(scores[:, 0].max(initial=0)))
    halves = np.where(np.isnan(target.numbers), np.inf, target.tolerance)
    order = np.argsort(scores[:, 0])
    scores, hits = scores[order], 0
    low = np.searchsorted(scores[:, 0], drawn[:, 0] - halves[0])
    high = np.searchsorted(scores[:, 0], drawn[:, 0] + halves[0], side="right")
    for one, start, end in zip(drawn, low, high, strict=True):
        hits += bool((np.abs(scores[start:end, 1:] - one[1:]) <= halves[1:]).all(axis=1).any())
    return hits / len(drawn)


def draw_targets(rng: np.random.Generator, peak: float) -> np.ndarray:
    """Draw targets (n, 3): mIoU, precision and recall."""
    miou = rng.uniform(0.001, max(peak, 0.002), DRAWS)
    precision = rng.uniform(miou, 1)
    recall = 1 / (1 / miou - 1 / precision + 1) + rng.uniform(-APART, APART, DRAWS)
    return np.stack([miou, precision, np.clip(recall, miou, 1)], axis=1)


@dataclass(frozen=True)
class Step:
    """One change of a path: its name in `CHANGES`, from what to what, and the mIoU after it less that before.

    Attributes:
        reading: with this change and those before it. is_peak: of a threshold, whether the curve peaks there.
    """

    name: str
    before: object
    after: object
    points: float
    reading: Reading
    is_peak: bool = False


def build_path(board: Board, base: Reading, end: Reading) -> list[Step]:
    """Build the path from one reading to another: its changes in order, each measured after those before it.

    A threshold that is the peak stays that of each curve until it is changed; the points add up exactly.
    """
    steps, now = [], base
    for name in [name for name in CHANGES if name in list_changes(base, end)]:
        after = now.change(name, getattr(end, name))
        points = float(board.score(after)[0] - board.score(now)[0])
        ends = (getattr(now, name), getattr(end, name))
        if name == "cut":
            ends = tuple(float(board.thresholds(one)[board.find_cut(one)]) for one in (now, after))
        is_peak = name == "cut" and board.find_cut(after) == find_peak(board.curve(after))
        steps.append(Step(name, *ends, points, after, is_peak))
        now = after
    return steps


def are_same(board: Board, one: Reading, other: Reading) -> bool:
    """Tell whether two readings are one answer: curves that agree within 0.1 points everywhere, and the same cut.

    An exponent is the same as the threshold that acts as it: then what both score is compared.
    """
    if one.has_cut != other.has_cut and "exponent" in one.rule + other.rule:
        return bool((np.abs(board.score(one) - board.score(other)) <= SAME).all())
    curves = board.curve(one), board.curve(other)
    if curves[0].shape != curves[1].shape or (one.has_cut and one.cut != other.cut):
        return False
    return bool(np.nanmax(np.abs(curves[0][:, 0] - curves[1][:, 0]), initial=0) <= SAME)
