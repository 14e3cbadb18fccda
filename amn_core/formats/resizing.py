"""Maps at another size, bilinearly: pixel centres at halves, edges clamped.

To a larger size each value is a weighted mean of two neighbours along each axis, rounded to float32 after either:
to the last bit what Pillow gives, in half the time or less.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from amn_core.sweep.scratch import scratch

BLOCK = 32  # rows made at once: they stay in a core's cache
SHORT = 1 << 20  # weights that are whole numbers of this part of 1 give exact products


@dataclass(frozen=True)
class Mix:
    """How an axis of n places becomes one of more, N: two neighbours and their weights for each of its places.

    Attributes:
        first, second: (N,) int. first_weight, second_weight: (N, 1) float64, which add up to 1.
        matrix: (N, n) float64, the same weights.
        is_short: whether products of a float32 and a weight are exact in float64, so that it cannot matter
            whether a processor rounds them before it adds them up.
    """

    first: np.ndarray
    second: np.ndarray
    first_weight: np.ndarray
    second_weight: np.ndarray
    matrix: np.ndarray
    is_short: bool


def resize_maps(cam: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize maps bilinearly, (K, h, w) float32 to (K, height, width), pixel centres at halves.

    >>> resize_maps(np.array([[[0, 1]]], dtype=np.float32), 1, 4).tolist()
    [[[0.0, 0.25, 0.75, 1.0]]]
    """
    if cam.shape[1:] == (height, width):
        return cam
    if not len(cam):
        return np.empty((0, height, width), dtype=np.float32)
    if height < cam.shape[1] or width < cam.shape[2]:
        shrunk = [Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR) for plane in cam]
        return np.array(shrunk)
    return enlarge_maps(cam, height, width)


def enlarge_maps(cam: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarge maps (K, h, w) float32 to (K, height, width), first along the rows, then along the columns."""
    n_planes, low, narrow = cam.shape
    across = scratch.take("across", np.float64, narrow, n_planes * low)
    columns = scratch.take("columns", np.float32, width, n_planes * low)
    rows = scratch.take("rows", np.float64, n_planes * low, width)
    np.copyto(across, cam.reshape(-1, narrow).T)
    mix_rows(across, columns)
    np.copyto(rows, columns.T)
    enlarged = np.empty((n_planes, height, width), dtype=np.float32)
    for source, out in zip(np.split(rows, n_planes), enlarged, strict=True):
        mix_rows(source, out)
    return enlarged


def mix_rows(rows: np.ndarray, out: np.ndarray) -> None:
    """Mix rows (n, m) float64 into more of them, out (N, m) float32, a block at a time."""
    mix = build_mix(len(rows), len(out))
    mixed, other = scratch.take("mixed", np.float64, 2, BLOCK, rows.shape[1])
    for start in range(0, len(out), BLOCK):
        part = slice(start, min(start + BLOCK, len(out)))
        some = mixed[: part.stop - start]
        if mix.is_short:
            reach = slice(mix.first[start], mix.second[part.stop - 1] + 1)
            np.matmul(mix.matrix[part, reach], rows[reach], out=some)
        else:
            np.take(rows, mix.first[part], axis=0, out=some, mode="clip")
            some *= mix.first_weight[part]
            more = np.take(rows, mix.second[part], axis=0, out=other[: len(some)], mode="clip")
            more *= mix.second_weight[part]
            some += more
        out[part] = some


@lru_cache(maxsize=256)
def build_mix(size: int, larger: int) -> Mix:
    """Build the weights that take an axis from one size to a larger one, in Pillow's own steps."""
    centre = (np.arange(larger) + 0.5) * (size / larger)
    first = np.maximum(np.trunc(centre - 0.5).astype(np.intp), 0)
    second = np.minimum(first + 1, size - 1)
    weights = [np.maximum(1 - np.abs(place - centre + 0.5), 0) for place in (first, second)]
    weights[1][second == first] = 0
    total = weights[0] + weights[1]
    weights = [(weight / total)[:, None] for weight in weights]
    matrix = np.zeros((larger, size))
    np.add.at(matrix, (np.arange(larger), first), weights[0][:, 0])
    np.add.at(matrix, (np.arange(larger), second), weights[1][:, 0])
    is_short = all(np.array_equal(weight * SHORT, np.rint(weight * SHORT)) for weight in weights)
    return Mix(first, second, *weights, matrix, is_short)
