"""By how much the mIoU of one run is above another's, each at its own threshold, from the same answers (ours).

An answer surprises both runs, often alike, so the difference is known better than either score: terms are subtracted
answer by answer before their spread is taken.
"""

from dataclasses import dataclass, replace

import numpy as np

from amn_core.choosing.bounds import NORMAL, find_surprises, sum_squares
from amn_core.choosing.influence import find_influence
from amn_core.choosing.placing import Placed
from amn_core.choosing.points import UNSURE, Answers, Estimate, find_pixels


@dataclass(frozen=True)
class Difference:
    """mIoU of the second run less that of the first, with its 95 % interval: (...) each, fractions of 1."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def compare_points(first: Estimate, first_answers: Answers, second: Estimate, second_answers: Answers) -> Difference:
    """Compare two runs by the same answers, (..., n) in the same order; each at the level of its estimate's index."""
    parts = ((first, first_answers), (second, second_answers))
    (base, plain, wide), (base_2, plain_2, wide_2) = (find_terms(*part) for part in parts)
    n = np.maximum((first_answers.kinds != UNSURE).sum(axis=-1), 1)
    value = base_2 - base + (plain_2 - plain).sum(axis=-1) / n
    half = NORMAL * np.sqrt(sum_squares(wide_2 - wide, first_answers.images)) / n
    return Difference(value, value - half, value + half)


def find_terms(estimate: Estimate, answers: Answers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the expected mIoU (...) and the terms that correct it, plain and as their spread needs them (..., n)."""
    places = (*np.indices(answers.rows.shape, sparse=True)[:-1], answers.rows, answers.levels)
    influence = find_influence(estimate, *find_pixels(estimate.population, estimate.own.knots, estimate.other.knots))
    moves, surprises = [part[places] for part in influence], find_surprises(estimate, answers)
    weights = (answers.kinds != UNSURE) * answers.weights
    base = np.take_along_axis(estimate.miou, estimate.index[..., None], axis=-1)[..., 0]
    return base, surprises.weigh(*moves) * weights, surprises.weigh(*moves, power=0.5) * weights


def compare_placed(first: tuple[Estimate, Placed], second: tuple[Estimate, Placed]) -> Difference | None:
    """Compare two runs by those kept answers that are placed on both; None where there is none.

    >>> from amn_core.choosing.points import start_answers
    >>> nothing = (None, Placed(start_answers(), (), {}))
    >>> compare_placed(nothing, nothing) is None
    True
    """
    ids = [{entry.id: i for i, entry in enumerate(placed.entries)} for _, placed in (first, second)]
    shared = [one for one in ids[0] if one in ids[1]]
    if not shared:
        return None
    taken = [take_answers(placed.answers, np.array([at[one] for one in shared]))
             for (_, placed), at in zip((first, second), ids, strict=True)]
    return compare_points(first[0], taken[0], second[0], taken[1])


def take_answers(answers: Answers, places: np.ndarray) -> Answers:
    """Take the answers (n) at some places."""
    names = ("rows", "levels", "kinds", "named", "weights", "counts", "images")
    return replace(answers, **{name: getattr(answers, name)[places] for name in names})
