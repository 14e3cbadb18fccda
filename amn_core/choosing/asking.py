"""Which pixel to ask about next: spread over classes and ranks at first, then where the choice hangs (ours)."""

import numpy as np

from amn_core.choosing.influence import expect_terms, find_influence
from amn_core.choosing.points import Estimate, find_pixels
from amn_core.choosing.population import Population

SPREAD_FIRST = 10
SPREAD, WEIGHED = 0.1, 0.25
DOUBT = 0.02
REACH = 0.04
FEWEST = 1 / 3


def find_chances(population: Population, estimate: Estimate | None, n_answers: int) -> np.ndarray:
    """Find the chance with which each class and level is asked about next: (..., S, G), adding up to 1.

    A tenth of the questions stays spread over all ranks, so that no pixel's chance is near 0 and weights, the inverse
    of chances, stay small; a quarter goes where the score itself hangs, the rest where the choice does.

    Args:
        estimate: from the answers so far. n_answers: how many there are.

    >>> from amn_core.choosing.population import build_population
    >>> round(float(find_chances(build_population(counts), None, 0).sum()), 6)
    1.0
    """
    spread = spread_chances(population)
    if estimate is None or n_answers < SPREAD_FIRST:
        return spread
    weigh = weigh_chances(population, estimate)
    return SPREAD * spread + WEIGHED * weigh + (1 - SPREAD - WEIGHED) * aim_chances(population, estimate)


def expect_chances(population: Population, estimate: Estimate, n_answers: np.ndarray) -> np.ndarray:
    """Expect the mean chance with which each class and level was asked about in all answers so far: (..., S, G).

    As if the questions after the first ones had been aimed by what is known now.
    """
    first = (SPREAD_FIRST / np.maximum(n_answers, SPREAD_FIRST))[..., None, None]
    return first * spread_chances(population) + (1 - first) * find_chances(population, estimate, SPREAD_FIRST)


def spread_chances(population: Population) -> np.ndarray:
    """Spread questions: each averaged class alike, but rare ones and others by their pixels; within it any pixel."""
    of_class = population.pixels.sum(axis=-1)
    share = of_class / of_class.sum(axis=-1, keepdims=True)
    worth = np.where(population.is_kept, np.minimum(1, share * share.shape[-1] / FEWEST), FEWEST * share)
    worth = worth / worth.sum(axis=-1, keepdims=True)
    return population.pixels / np.maximum(of_class, 1e-9)[..., None] * worth[..., None]


def aim_chances(population: Population, estimate: Estimate) -> np.ndarray:
    """Aim questions at what decides: Neyman's allocation for the change of mIoU around the chosen threshold.

    A pixel near it that changes sides moves its class's IoU by about 1 / union and the background's by 1 / its union;
    how unsure its answer is, is the standard deviation of yes or no.
    """
    own, _ = find_pixels(population, estimate.own.knots, estimate.other.knots)
    pixels, place = population.pixels, estimate.index[..., None, None]
    above = pixels.sum(axis=-1) - np.take_along_axis(np.cumsum(pixels, axis=-1), place, axis=-1)[..., 0]
    hit = own.sum(axis=-1) - np.take_along_axis(np.cumsum(own, axis=-1), place, axis=-1)[..., 0]
    total = pixels.sum(axis=(-1, -2))[..., None]
    union = np.maximum(own.sum(axis=-1) + above - hit, 1e-3 * total)
    worth = population.is_kept / union + 1 / np.maximum(total - hit.sum(axis=-1, keepdims=True), 1)
    chance = own / np.maximum(pixels, 1e-9)
    near = np.exp(-((population.ranks - population.ranks[estimate.index][..., None]) / REACH) ** 2 / 2)
    value = pixels * worth[..., None] * np.sqrt(chance * (1 - chance) + 0.02) * near[..., None, :]
    return value / value.sum(axis=(-1, -2), keepdims=True)


def weigh_chances(population: Population, estimate: Estimate) -> np.ndarray:
    """Weigh questions by what they tell of the mIoU itself: Neyman's allocation for its estimate."""
    pixels = find_pixels(population, estimate.own.knots, estimate.other.knots)
    influence = find_influence(estimate, *pixels)
    square = expect_terms(population, pixels, influence, 2)
    value = population.pixels * np.sqrt(square + DOUBT * (influence[0]**2 + influence[1]**2))
    return value / value.sum(axis=(-1, -2), keepdims=True)


def draw_cells(chances: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw n cells by their chances (R, S, G): strongest class (R, n) and level (R, n), as indices."""
    ends = np.cumsum(chances.reshape(len(chances), -1), axis=-1)
    at = rng.random((len(chances), n)) * ends[:, -1:]
    cells = np.stack([np.searchsorted(row, values, side="right") for row, values in zip(ends, at, strict=True)])
    return np.divmod(cells, chances.shape[-1])
