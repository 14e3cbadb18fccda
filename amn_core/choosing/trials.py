"""Simulated people: answers drawn from ground truth, to measure what a threshold from points costs (ours)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.choosing.asking import draw_cells, find_chances
from amn_core.choosing.bounds import settle_index
from amn_core.choosing.points import (
    GROUND,
    OTHER,
    OWN,
    UNSURE,
    Answers,
    Estimate,
    PointPrior,
    estimate_points,
    start_answers,
)
from amn_core.choosing.population import Population, Truth

BATCH = 10
STEPS = 3
DRAWS = 40


@dataclass(frozen=True)
class Manner:
    """How people answer. wrong: share of answers that are flipped between the class and background. unsure: share of
    the answers that are withheld where both are as likely, falling to none where the activation leaves no doubt.
    """

    wrong: float = 0.0
    unsure: float = 0.0


EXACT, HUMAN = Manner(), Manner(wrong=0.05, unsure=0.3)


def simulate(
    population: Population, truth: Truth, prior: PointPrior, answers: int, rng: np.random.Generator,
    manner: Manner = EXACT,
) -> Iterator[tuple[int, Answers, Estimate]]:
    """Simulate people who are asked ten questions at a time, the next ten chosen by what is known by then.

    Args:
        population, truth: of R draws of images, as `draw_truth` gives them. answers: of each of the R people.

    Yields:
        After every ten questions: their number, the answers, and the estimate.

    >>> from amn_core.choosing.population import build_population, build_truth, draw_truth
    >>> from amn_core.choosing.priors import DEFAULT
    >>> population = build_population(counts)
    >>> people = draw_truth(population, build_truth(counts, population), np.ones((3, 2)))
    >>> [(n, given.rows.shape) for n, given, _ in simulate(*people, DEFAULT, 20, np.random.default_rng(0))]
    [(10, (3, 10)), (20, (3, 20))]
    """
    given, estimate = start_answers(population.pixels.shape[:-2]), None
    for n in range(BATCH, answers + 1, BATCH):
        chances = find_chances(population, estimate, n - BATCH)
        given = add_answers(given, population, truth, chances, rng, manner)
        estimate = estimate_points(population, given, prior, estimate, STEPS if estimate else 4 * STEPS)
        yield n, given, estimate


def add_answers(
    given: Answers, population: Population, truth: Truth, chances: np.ndarray, rng: np.random.Generator,
    manner: Manner = EXACT, n: int = BATCH,
) -> Answers:
    """Draw n questions by their chances (R, S, G) and answers from the ground truth, and add them.

    >>> from amn_core.choosing.points import GROUND, OWN
    >>> from amn_core.choosing.population import build_population, build_truth, draw_truth
    >>> population = build_population(counts)
    >>> population, truth = draw_truth(population, build_truth(counts, population), np.ones((3, 2)))
    >>> chances = find_chances(population, None, 0)
    >>> given = add_answers(start_answers((3,)), population, truth, chances, np.random.default_rng(0), n=5)
    >>> given.kinds.shape, set(given.kinds.ravel().tolist()) <= {OWN, GROUND}
    ((3, 5), True)
    """
    rows, levels = draw_cells(chances, n, rng)
    trial = np.arange(len(rows))[:, None]
    kinds = answer(truth.kinds[trial, rows, levels], rng, manner)
    classes = np.cumsum(truth.named[trial, rows], axis=-1)
    named = (rng.random((*rows.shape, 1)) * classes[..., -1:] >= classes).sum(axis=-1) % classes.shape[-1]
    weights = population.pixels[trial, rows, levels] / chances[trial, rows, levels]
    new = (rows, levels, kinds, np.where(kinds == OTHER, named, 0), weights, np.ones(rows.shape))
    old = (given.rows, given.levels, given.kinds, given.named, given.weights, given.counts)
    return Answers(*(np.concatenate(pair, axis=-1) for pair in zip(old, new, strict=True)))


def answer(pixels: np.ndarray, rng: np.random.Generator, manner: Manner) -> np.ndarray:
    """Draw what people say of a pixel out of cells with so many of each kind (..., 3): kinds (...)."""
    ends = np.cumsum(pixels, axis=-1)
    kinds = (rng.random((*ends.shape[:-1], 1)) * ends[..., -1:] >= ends).sum(axis=-1).clip(OWN, OTHER)
    chance = pixels[..., OWN] / np.maximum(ends[..., -1], 1e-9)
    is_wrong = rng.random(kinds.shape) < manner.wrong
    is_unsure = rng.random(kinds.shape) < manner.unsure * 4 * chance * (1 - chance)
    return np.where(is_unsure, UNSURE, np.where(is_wrong, np.where(kinds == OWN, GROUND, OWN), kinds))


def simulate_regret(
    population: Population, truth: Truth, curve: np.ndarray, prior: PointPrior, sizes: Sequence[int],
    rng: np.random.Generator, manner: Manner = EXACT,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate thresholds chosen from so many answers: their index and what they lose, (len(sizes), R) each.

    Args:
        sizes: increasing multiples of ten. curve: (T,) mIoU on the images scored, by the run's own thresholds.

    >>> from amn_core.choosing.population import build_population, build_truth, draw_truth
    >>> from amn_core.choosing.priors import DEFAULT
    >>> population = build_population(counts)
    >>> people = draw_truth(population, build_truth(counts, population), np.ones((3, 2)))
    >>> index, lost = simulate_regret(*people, np.array([0.5, 0.8, 0.6]), DEFAULT, (10, 20), np.random.default_rng(0))
    >>> index.shape, bool((lost >= 0).all())
    ((2, 3), True)
    """
    index = np.stack([
        population.ends[settle_index(estimate, rng, DRAWS)]
        for n, _, estimate in simulate(population, truth, prior, max(sizes), rng, manner) if n in sizes])
    return index, curve.max() - curve[index]
