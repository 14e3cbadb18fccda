"""Random textures of the scenes, made once for a size and read at random offsets.

As on the canvas, only single operations of IEEE 754 touch the arrays, so that they are the same everywhere.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4)
def noise_tile(size: int) -> np.ndarray:
    """Smooth noise in about [-1, 1], twice as wide as high in its grain, as on a floor seen from the side.

    Returns (2 size, 2 size) float32, to be read at random offsets; read-only.
    """
    rng = np.random.Generator(np.random.PCG64(20220316))
    total = np.zeros((2 * size, 2 * size), np.float32)
    for cells, weight in ((7, 0.4), (11, 0.35), (23, 0.3), (41, 0.25), (67, 0.2), (109, 0.2)):
        knots = (rng.random((2 * cells + 2, cells + 2), dtype=np.float32) * 2 - 1) * np.float32(weight)
        total += _stretched(_stretched(knots, 2 * size).T, 2 * size).T
    total.setflags(write=False)
    return total


@lru_cache(maxsize=4)
def grain_tile(size: int) -> np.ndarray:
    """Sensor noise of unit variance, (2 size, 2 size) float32, nearly normal (a sum of four uniforms)."""
    rng = np.random.Generator(np.random.PCG64(20450))
    draws = rng.random((4, 2 * size, 2 * size), dtype=np.float32)
    grain = (draws[0] + draws[1] + draws[2] + draws[3] - 2) * np.float32(math.sqrt(3))
    grain.setflags(write=False)
    return grain


def _stretched(knots: np.ndarray, length: int) -> np.ndarray:
    """Rows of knots, smoothly interpolated along axis 0 to the given length."""
    at = np.arange(length) * ((len(knots) - 2) / length)
    left = np.floor(at).astype(int)
    t = (at - left).astype(np.float32)
    t = (t * t * (3 - 2 * t)).reshape(-1, *[1] * (knots.ndim - 1))
    return knots[left] + (knots[left + 1] - knots[left]) * t


def ridge_line(rng: np.random.Generator, size: int, knots: int) -> np.ndarray:
    """A rolling outline, (size,) float32 in [0, 1], through a number of random heights."""
    return _stretched(rng.random(knots + 2, dtype=np.float32), size)
