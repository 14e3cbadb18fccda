"""Which threshold answers give and how sure it is: intervals of mIoU and share, and what is lost at most (ours).

The threshold lies between that with the best mIoU of the likeliest chances and that with the best mean mIoU over draws
of chances, since the mIoU is not linear in them. Over the same draws, at most so much is lost there in 95 of 100.

Chances lean on what other data sets taught, so what they say of the mIoU itself is corrected by what the answers were
less what was expected of them, each weighted by the pixels that it stands for: right on average whatever the prior says
and wherever one chose to ask.

Such terms are skewed: now and then one answer stands for many pixels (an object where the map is low), and until it
comes the estimate is too high and the terms lie close together. An interval from their spread alone is then too high
and too narrow at once. So the spread is also expected, from the chances and from where questions fall, and the larger
of the two is taken; and the interval is shifted by the expected skewness (Cornish and Fisher's first term). Terms of
one image are added up first, so that many answers in one image count as what they are.
"""

from dataclasses import dataclass, replace

import numpy as np

from amn_core.choosing.asking import expect_chances
from amn_core.choosing.chance import Curves, build_basis, draw_curves
from amn_core.choosing.influence import expect_terms, find_influence
from amn_core.choosing.points import OTHER, OWN, UNSURE, Answers, Estimate, find_pixels, find_total
from amn_core.choosing.population import Population, score_levels

DRAWS, BLOCK = 60, 8
# What the benchmark's coverage asks for: a curve of straight lines between knots is never quite right. Scenes alone and
# photographs alone ask for about the same.
LOST_WIDTH, LOST_LEAST = 1.3, 0.004
MEAN_SHARE = 0.5 / LOST_WIDTH**2  # half of the mean of draws as wide as believed
NORMAL = 1.96
TOLERANCE = 0.01
LEAST_REST = 0.2


@dataclass(frozen=True)
class Bounds:
    """How sure an estimate is; (...) each, fractions of 1.

    Attributes:
        index: of the level at whose end the chosen threshold lies.
        miou, miou_low, miou_high: there, corrected, with its 95 % interval.
        share, share_low, share_high: of the pixels that show an object, likewise.
        lost: the chosen threshold is at most so much below the best, in 95 of 100 cases.
        curve, curve_low, curve_high: (..., G) corrected curve at the end of each level, and around it.
        first, last: levels between which the threshold is within a point of the best, by even chances.
    """

    index: np.ndarray
    miou: np.ndarray
    miou_low: np.ndarray
    miou_high: np.ndarray
    share: np.ndarray
    share_low: np.ndarray
    share_high: np.ndarray
    lost: np.ndarray
    curve: np.ndarray
    curve_low: np.ndarray
    curve_high: np.ndarray
    first: np.ndarray
    last: np.ndarray


@dataclass(frozen=True)
class Correction:
    """By how much a sum over pixels is to be corrected, (...): the value, and the interval's middle and half width."""

    value: np.ndarray
    middle: np.ndarray
    half: np.ndarray


def bound_points(
    estimate: Estimate, answers: Answers, rng: np.random.Generator, draws: int = DRAWS, tolerance: float = TOLERANCE
) -> Bounds:
    """Choose a threshold and bound it: the mIoU by corrected sums, the points lost by draws of the chances.

    Args:
        tolerance: fraction of 1, for `first` and `last`.

    >>> from amn_core.choosing.points import estimate_points, start_answers
    >>> from amn_core.choosing.population import build_population
    >>> from amn_core.choosing.priors import DEFAULT
    >>> estimate = estimate_points(build_population(counts), start_answers(), DEFAULT)
    >>> bounds = bound_points(estimate, start_answers(), np.random.default_rng(0))
    >>> bool(bounds.miou_low < bounds.miou < bounds.miou_high)
    True
    """
    miou = draw_scores(estimate, draws, rng)
    estimate = replace(estimate, index=settle(estimate, miou))
    place, population = estimate.index[..., None], estimate.population
    below = np.take_along_axis(miou, place[None], axis=-1) - miou
    pixels = find_pixels(population, estimate.own.knots, estimate.other.knots)
    expected, total = np.take_along_axis(estimate.miou, place, axis=-1)[..., 0], find_total(population)
    surprises = find_surprises(estimate, answers)
    at = correct(estimate, answers, surprises, pixels, find_influence(estimate, *pixels))
    share = correct(estimate, answers, surprises, pixels, (np.ones_like(pixels[0]) / total[..., None, None],) * 2)
    objects, reach = sum(pixels).sum(axis=(-1, -2)) / total, np.hypot(at.half[..., None], NORMAL * below.std(axis=0))
    is_near = (miou >= miou.max(axis=-1, keepdims=True) - tolerance).mean(axis=0) >= 0.5
    is_near |= np.arange(miou.shape[-1]) == place
    return Bounds(
        estimate.index,
        expected + at.value, expected + at.middle - at.half, expected + at.middle + at.half,
        objects + share.value, objects + share.middle - share.half, objects + share.middle + share.half,
        np.quantile(-below.min(axis=-1), 0.95, axis=0) + LOST_LEAST, estimate.miou + at.value[..., None],
        estimate.miou + at.middle[..., None] - reach, estimate.miou + at.middle[..., None] + reach,
        is_near.argmax(axis=-1), is_near.shape[-1] - 1 - is_near[..., ::-1].argmax(axis=-1))


def settle_index(estimate: Estimate, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """Find the level whose threshold is chosen, as `bound_points` does, without bounds: (...).

    >>> from amn_core.choosing.points import estimate_points, start_answers
    >>> from amn_core.choosing.population import build_population
    >>> from amn_core.choosing.priors import DEFAULT
    >>> estimate = estimate_points(build_population(counts), start_answers(), DEFAULT)
    >>> int(settle_index(estimate, np.random.default_rng(0)))
    2
    """
    return settle(estimate, draw_scores(estimate, draws, rng))


def settle(estimate: Estimate, miou: np.ndarray) -> np.ndarray:
    """Settle the level from the expected mIoU and draws of it (draws, ..., G): (...)."""
    return ((1 - MEAN_SHARE) * estimate.miou + MEAN_SHARE * miou.mean(axis=0)).argmax(axis=-1)


def draw_scores(estimate: Estimate, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the mIoU at the end of every level from the chances: (draws, ..., G), single precision."""
    if estimate.index.ndim and len(estimate.index) > BLOCK:  # what fits the processor's cache is twice as fast
        blocks = range(0, len(estimate.index), BLOCK)
        return np.concatenate([draw_scores(estimate[i:i + BLOCK], draws, rng) for i in blocks], axis=1)
    own, other = (draw_curves(curves, draws, rng, LOST_WIDTH) for curves in (estimate.own, estimate.other))
    return score_levels(estimate.population, *find_pixels(estimate.population, own, other), estimate.split)


@dataclass(frozen=True)
class Surprises:
    """What answers were less what was expected of them, (..., n) each: of the strongest class, and, where it is not
    that one, of another object.

    Attributes:
        theirs: expected chance of another object where it is not the strongest class.
        rest, rest_other: what the answer left of its own surprise, at least `LEAST_REST`: curves follow them.
    """

    own: np.ndarray
    other: np.ndarray
    theirs: np.ndarray
    rest: np.ndarray
    rest_other: np.ndarray

    def weigh(self, move: np.ndarray, move_other: np.ndarray, power: float = 0.0) -> np.ndarray:
        """Weigh surprises by what a pixel of either kind moves, over what was left of them to a power: (..., n)."""
        own, other = self.own / self.rest**power, self.other / self.rest_other**power
        return (move - move_other * self.theirs) * own + move_other * other


def find_surprises(estimate: Estimate, answers: Answers) -> Surprises:
    """Find how far answers surprise."""
    places = (*np.indices(answers.rows.shape, sparse=True)[:-1], answers.rows, answers.levels)
    basis = build_basis(estimate.population.ranks)
    (mine, rest), (theirs, rest_other) = (
        find_rests(curves, basis, places) for curves in (estimate.own, estimate.other))
    is_own = answers.kinds == OWN
    return Surprises(is_own - mine, ~is_own * ((answers.kinds == OTHER) - theirs), theirs, rest, rest_other)


def find_rests(curves: Curves, basis: np.ndarray, places: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Find the chances at answers, and what each left of its surprise: 1 less its leverage; (..., n) each."""
    chance = curves.chances(basis)
    leverage = chance * (1 - chance) * ((basis @ curves.covariance) * basis).sum(axis=-1)
    return chance[places], np.maximum(1 - leverage[places], LEAST_REST)


def correct(
    estimate: Estimate, answers: Answers, surprises: Surprises, pixels: tuple[np.ndarray, np.ndarray], influence: tuple
) -> Correction:
    """Find by how much a sum over pixels is to be corrected, and its 95 % interval.

    A term is what a pixel moves by the surprise of its answer, times the pixels that the answer stands for.

    Args:
        pixels: expected ones, as `find_pixels` gives them. influence: what a pixel of the strongest class and one of
            another object add to the sum, in place of background; (..., S, G) each.
    """
    places = (*np.indices(answers.rows.shape, sparse=True)[:-1], answers.rows, answers.levels)
    is_answered, moves = answers.kinds != UNSURE, [part[places] for part in influence]
    answered = np.maximum(is_answered.sum(axis=-1), 1)
    weights = is_answered * answers.weights / answered[..., None]
    value = (surprises.weigh(*moves) * weights).sum(axis=-1)
    # By the root of what is left, squares are right on average (MacKinnon and White's HC2).
    terms = surprises.weigh(*moves, power=0.5) * weights
    seen = sum_squares(terms, answers.images)
    crowd = np.maximum(1, seen / np.maximum(sum_squares(terms, None), 1e-30))  # by which answers of one image agree
    asked = expect_chances(estimate.population, estimate, answered)
    square, cube = expect_moments(
        estimate.population, pixels, influence, asked, (is_answered * answers.counts).sum(axis=-1))
    deviation = np.sqrt(np.maximum(seen, square * crowd))
    # Between the shift where the spread is known, (z² − 1) / 6, and where it is seen, (2 z² + 1) / 6.
    shift = deviation * cube / np.maximum(square, 1e-30) ** 1.5 * NORMAL**2 / 4
    return Correction(value, value + shift, NORMAL * deviation)


def sum_squares(terms: np.ndarray, images: np.ndarray | None) -> np.ndarray:
    """Sum the squares of terms (..., n), those of one image added up first: (...)."""
    if images is None or not len(images):
        return (terms**2).sum(axis=-1)
    return (np.bincount(images, terms) ** 2).sum()


def expect_moments(
    population: Population, pixels: tuple[np.ndarray, np.ndarray], influence: tuple, asked: np.ndarray, n: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Expect variance and third moment of the mean of n terms, from expected pixels and the chances of questions."""
    weight, n = population.pixels / np.where(asked > 0, asked, 1), np.maximum(n, 1)
    square, cube = ((asked * weight**power * expect_terms(population, pixels, influence, power)).sum(axis=(-1, -2))
                    for power in (2, 3))
    return square / n, cube / n**2
