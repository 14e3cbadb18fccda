"""A threshold from answers at single pixels: what is estimated from them (ours).

An answer says what a pixel shows: the class whose map is strongest there, background, another object, or that one
cannot tell (left out). From these follow monotone chances of each for every class and level of activation
(`amn_core.choosing.chance`), and from the chances the expected IoU of every class and of background at every threshold.
`amn_core.choosing.bounds` chooses
the best of these, and says how sure it is.
"""

from dataclasses import dataclass

import numpy as np

from amn_core.choosing.chance import STEPS, CurvePrior, Curves, build_basis, fit_curves, squash
from amn_core.choosing.population import Population, score_levels

OWN, GROUND, OTHER, UNSURE = range(4)
SAME_IMAGE = 0.3
BELIEF = 2.0


@dataclass(frozen=True)
class PointPrior:
    """What is believed before any answer: of the strongest class, and of another object where it is not that class."""

    own: CurvePrior
    other: CurvePrior


@dataclass(frozen=True)
class Answers:
    """Answers at pixels, placed on a run; (..., n) each.

    Attributes:
        rows, levels: index of the strongest class and of the level in the population. kinds: OWN, GROUND, OTHER or
            UNSURE. named: class of another object, 0 where it has none or the kind is another.
        weights: pixels that each stands for: the inverse of the chance with which this pixel was asked about.
        counts: how much each counts in the curves, 1 for one alone. images: which are of one image; None: none are.
    """

    rows: np.ndarray
    levels: np.ndarray
    kinds: np.ndarray
    named: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    images: np.ndarray | None = None

    def __getitem__(self, trials) -> "Answers":
        """Take some of the trials that the first axis holds."""
        parts = (self.rows, self.levels, self.kinds, self.named, self.weights, self.counts)
        return Answers(*(part[trials] for part in parts))


@dataclass(frozen=True)
class Estimate:
    """What answers say of a run: `Curves`, split (..., S, C) of other objects, expected mIoU at the end of each
    level (..., G), and the index of the best level (...), around which one asks on."""

    population: Population
    own: Curves
    other: Curves
    split: np.ndarray
    miou: np.ndarray
    index: np.ndarray

    def __getitem__(self, trials) -> "Estimate":
        """Take some of the trials that the first axis holds."""
        parts = (self.population, self.own, self.other, self.split, self.miou, self.index)
        return Estimate(*(part[trials] for part in parts))


def start_answers(lead: tuple[int, ...] = ()) -> Answers:
    """Start without an answer.

    >>> start_answers().rows.shape
    (0,)
    """
    whole, real = np.zeros((*lead, 0), dtype=np.int64), np.zeros((*lead, 0))
    return Answers(whole, whole, whole, whole, real, real)


def tally(answers: Answers, population: Population) -> tuple[np.ndarray, np.ndarray]:
    """Add answers up: (..., S, G, 3) by strongest class, level and kind, and (..., S, C) other objects by class."""
    lead, n_classes = answers.rows.shape[:-1], population.neighbours.shape[1]
    kinds = np.zeros((*lead, *population.pixels.shape[-2:], 3))
    named = np.zeros((*lead, len(population.classes), n_classes))
    trial = np.indices(answers.rows.shape, sparse=True)[:-1]
    counts = np.where(answers.kinds == UNSURE, 0, answers.counts)
    np.add.at(kinds, (*trial, answers.rows, answers.levels, np.minimum(answers.kinds, OTHER)), counts)
    np.add.at(named, (*trial, answers.rows, answers.named), np.where(answers.kinds == OTHER, counts, 0))
    return kinds, named


def estimate_points(
    population: Population, answers: Answers, prior: PointPrior, before: Estimate | None = None, steps: int = STEPS
) -> Estimate:
    """Estimate chances and mIoU from answers.

    Args:
        before: an estimate from fewer answers, to go on from; a few steps do then.

    >>> from amn_core.choosing.population import build_population
    >>> from amn_core.choosing.priors import DEFAULT
    >>> estimate = estimate_points(build_population(counts), start_answers(), DEFAULT)
    >>> estimate.miou.round(2).tolist(), int(estimate.index)
    ([0.46, 0.69, 0.73, 0.36], 2)
    """
    basis = build_basis(population.ranks)
    kinds, named = tally(answers, population)
    own = fit_curves(kinds.sum(axis=-1), kinds[..., OWN], basis, prior.own, before and before.own, steps)
    other = fit_curves(
        kinds[..., 1:].sum(axis=-1), kinds[..., OTHER], basis, prior.other, before and before.other, steps)
    split = (named + BELIEF * population.neighbours) / (named.sum(axis=-1, keepdims=True) + BELIEF)
    miou = score_levels(population, *find_pixels(population, own.knots, other.knots), split)
    return Estimate(population, own, other, split, miou, miou.argmax(axis=-1))


def find_pixels(population: Population, own: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the expected pixels of the strongest class and of other objects, (..., S, G), from log odds at the knots."""
    basis, pixels = build_basis(population.ranks).T.astype(own.dtype), population.pixels.astype(own.dtype)
    mine = pixels * squash(own @ basis)
    return mine, (pixels - mine) * squash(other @ basis)


def find_total(population: Population) -> np.ndarray:
    """Find the number of pixels: (...).

    >>> from amn_core.choosing.population import build_population
    >>> float(find_total(build_population(counts)))
    8.0
    """
    return population.pixels.sum(axis=(-1, -2)) + population.bare
