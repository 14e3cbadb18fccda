"""What one pixel moves: the derivative of the mIoU, and how far answers are expected to surprise (ours)."""

import numpy as np

from amn_core.choosing.points import Estimate, find_total
from amn_core.choosing.population import Population
from amn_core.constants import BACKGROUND


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


def expect_terms(
    population: Population, pixels: tuple[np.ndarray, np.ndarray], influence: tuple, power: int
) -> np.ndarray:
    """Expect a power of what the answer at a pixel moves less what it was expected to: (..., S, G).

    Args:
        pixels: expected ones, of the strongest class and of others, as `find_pixels` gives them.
    """
    size = np.maximum(population.pixels, 1e-9)
    mine, theirs = (part / size for part in pixels)
    mean = influence[0] * mine + influence[1] * theirs
    parts = ((mine, influence[0] - mean), (1 - mine - theirs, -mean), (theirs, influence[1] - mean))
    return sum(chance * off**power for chance, off in parts)
