"""A threshold from answers at single pixels: what is estimated from them, and how sure it is (ours).

An answer says what a pixel shows: the class whose map is strongest there, background, another object, or that one
cannot tell (left out). From these follow monotone chances of each for every class and level of activation
(`amn_core.choosing.chance`), and from the chances the expected IoU of every class and of background at every threshold.
The best of these is chosen.

Chances lean on what other data sets taught, so what they say of the mIoU itself is corrected by what the answers were
less what was expected of them, each weighted by the pixels that it stands for: right on average whatever the prior says
and wherever one chose to ask. Intervals come from the spread of these terms, added up by image, so that many answers in
one image count as what they are.
"""

from dataclasses import dataclass

import numpy as np

from amn_core.choosing.chance import STEPS, CurvePrior, Curves, build_basis, draw_curves, fit_curves, squash
from amn_core.choosing.population import Population, score_levels
from amn_core.constants import BACKGROUND

OWN, GROUND, OTHER, UNSURE = range(4)
DRAWS = 100
# What the benchmark's coverage asks for: spreads estimated from few answers are too small, and a curve of straight
# lines between knots is never quite right.
WIDTH, LOST_WIDTH, LOST_LEAST = 1.25, 1.3, 0.003
NORMAL = 1.96
TOLERANCE = 0.01
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


@dataclass(frozen=True)
class Estimate:
    """What answers say of a run: `Curves`, split (..., S, C) of other objects, expected mIoU at the end of each
    level (..., G), and the index of the best level (...)."""

    population: Population
    own: Curves
    other: Curves
    split: np.ndarray
    miou: np.ndarray
    index: np.ndarray


@dataclass(frozen=True)
class Bounds:
    """How sure an estimate is; (...) each, fractions of 1.

    Attributes:
        miou, miou_low, miou_high: of the chosen threshold, corrected, with its 95 % interval.
        share, share_low, share_high: of the pixels that show an object, likewise.
        lost: the chosen threshold is at most so much below the best, in 95 of 100 cases.
        curve_low, curve_high: (..., G) around the corrected curve at the end of each level.
        first, last: levels between which the threshold is within a point of the best, by even chances.
    """

    miou: np.ndarray
    miou_low: np.ndarray
    miou_high: np.ndarray
    share: np.ndarray
    share_low: np.ndarray
    share_high: np.ndarray
    lost: np.ndarray
    curve_low: np.ndarray
    curve_high: np.ndarray
    first: np.ndarray
    last: np.ndarray


def start_answers(lead: tuple[int, ...] = ()) -> Answers:
    """Start without an answer."""
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
    """Estimate chances and mIoU from answers, and choose the threshold with the best expected mIoU.

    Args:
        before: an estimate from fewer answers, to go on from; a few steps do then.
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


def bound_points(
    estimate: Estimate, answers: Answers, rng: np.random.Generator, draws: int = DRAWS, tolerance: float = TOLERANCE
) -> Bounds:
    """Bound an estimate: the mIoU by corrected sums, the points lost by draws of the chances.

    Args:
        tolerance: fraction of 1, for `first` and `last`.
    """
    own, other = (  # single precision: draws are many, and blurred by more than that
        draw_curves(curves, draws, rng, LOST_WIDTH).astype(np.float32) for curves in (estimate.own, estimate.other))
    miou = score_levels(estimate.population, *find_pixels(estimate.population, own, other), estimate.split)
    place = estimate.index[..., None]
    below = np.take_along_axis(miou, place[None], axis=-1) - miou
    lost = np.quantile(-below.min(axis=-1), 0.95, axis=0) + LOST_LEAST
    pixels = find_pixels(estimate.population, estimate.own.knots, estimate.other.knots)
    miou_at, miou_error = correct(estimate, answers, pixels, find_influence(estimate, *pixels))
    share, share_error = correct(estimate, answers, pixels, (1 / find_total(estimate.population),) * 2)
    miou_at = miou_at + np.take_along_axis(estimate.miou, place, axis=-1)[..., 0]
    share = share + sum(pixels).sum(axis=(-1, -2)) / find_total(estimate.population)
    centre = estimate.miou + (miou_at - np.take_along_axis(estimate.miou, place, axis=-1)[..., 0])[..., None]
    reach = np.hypot(miou_error[..., None], NORMAL * below.std(axis=0))
    is_near = ((miou >= miou.max(axis=-1, keepdims=True) - tolerance).mean(axis=0) >= 0.5)
    is_near |= np.arange(miou.shape[-1]) == place
    return Bounds(
        miou_at, miou_at - miou_error, miou_at + miou_error, share, share - share_error, share + share_error, lost,
        centre - reach, centre + reach, is_near.argmax(axis=-1),
        is_near.shape[-1] - 1 - is_near[..., ::-1].argmax(axis=-1))


def correct(
    estimate: Estimate, answers: Answers, pixels: tuple[np.ndarray, np.ndarray], influence: tuple
) -> tuple[np.ndarray, np.ndarray]:
    """Find by how much a sum over pixels is to be corrected, and the half of its 95 % interval.

    A term is the answer less its chance, times what a pixel moves, times the pixels that the answer stands for.

    Args:
        pixels: expected ones, as `find_pixels` gives them. influence: what a pixel of the strongest class and one of
            another object add to the sum, in place of background; (..., S, G), or one number for all.
    """
    population, trial = estimate.population, np.indices(answers.rows.shape, sparse=True)[:-1]
    places = (*trial, answers.rows, answers.levels)
    mine, theirs = (np.broadcast_to(part / np.maximum(population.pixels, 1e-9), estimate_shape(estimate))[places]
                    for part in pixels)
    move, move_other = (np.broadcast_to(np.asarray(part)[..., None, None] if np.ndim(part) < 2 else part,
                                        estimate_shape(estimate))[places] for part in influence)
    terms = move * ((answers.kinds == OWN) - mine) + move_other * ((answers.kinds == OTHER) - theirs)
    terms = np.where(answers.kinds == UNSURE, 0, terms * answers.weights)
    n = np.maximum((answers.kinds != UNSURE).sum(axis=-1), 1)
    return terms.sum(axis=-1) / n, NORMAL * WIDTH * np.sqrt(sum_squares(terms, answers.images)) / n


def estimate_shape(estimate: Estimate) -> tuple[int, ...]:
    """Find the shape (..., S, G) of an estimate's tables."""
    return (*estimate.index.shape, *estimate.population.pixels.shape[-2:])


def sum_squares(terms: np.ndarray, images: np.ndarray | None) -> np.ndarray:
    """Sum the squares of terms (..., n), those of one image added up first: (...)."""
    if images is None or not len(images):
        return (terms**2).sum(axis=-1)
    return (np.bincount(images, terms) ** 2).sum()


def find_influence(estimate: Estimate, mine: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find what one more pixel of the strongest class, or of another object, adds to the mIoU at the chosen threshold.

    The derivative of the mean of hit / union, background pixels giving way: (..., S, G) each.
    """
    population, place = estimate.population, estimate.index[..., None, None]
    n_classes = estimate.split.shape[-1]
    ground = population.pixels - mine - theirs
    hit, called, lost_ground = (
        part.sum(axis=-1) - np.take_along_axis(np.cumsum(part, axis=-1), place, axis=-1)[..., 0]
        for part in (mine, np.broadcast_to(population.pixels, mine.shape), ground))
    truth = np.einsum("...s,...sc->...c", theirs.sum(axis=-1), estimate.split)
    union = np.maximum(truth[..., population.classes] + mine.sum(axis=-1) + called - hit, 1)
    total = ground.sum(axis=(-1, -2)) + population.bare
    hit_ground = total - lost_ground.sum(axis=-1)
    union_ground = total + find_total(population) - called.sum(axis=-1) - hit_ground
    is_above = np.arange(mine.shape[-1]) > estimate.index[..., None]
    slope = population.is_kept * hit / union**2
    own = np.where(is_above[..., None, :], (population.is_kept / union)[..., None], -slope[..., None])
    side = np.where(is_above, (hit_ground / union_ground**2)[..., None], (-1 / union_ground)[..., None])[..., None, :]
    by_class = slope @ np.eye(n_classes)[population.classes]
    other = -np.einsum("...sc,...c->...s", estimate.split, by_class)[..., None]
    side = side * (BACKGROUND in population.kept)
    return (own + side) / len(population.kept), (other + side) / len(population.kept)


def find_total(population: Population) -> np.ndarray:
    """Find the number of pixels: (...)."""
    return population.pixels.sum(axis=(-1, -2)) + population.bare
