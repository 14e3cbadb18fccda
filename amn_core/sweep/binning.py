"""Threshold bins: where a value lies among the thresholds, exactly as the comparison decides it.

The bin of a value is the number of thresholds strictly below it, 0 to T, so a value is strictly above
``thresholds[j]`` if and only if its bin is greater than ``j``. The thresholds are first cast to the dtype of
the values, because that is what putting a constant plane in front of the maps does to them.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

MAX_DENOMINATOR = 100_000


def check_thresholds(thresholds) -> np.ndarray:
    """Check a grid of thresholds and return it as (T,) float64.

    Raises:
        ValueError: if the grid is empty, not one-dimensional, not finite or not strictly increasing.
    """
    grid = np.asarray(thresholds, dtype=np.float64)
    if grid.ndim != 1 or grid.size == 0:
        raise ValueError(f"thresholds must be a list of at least one number, not of shape {grid.shape}")
    if not np.isfinite(grid).all():
        raise ValueError("thresholds contain NaN or infinity: remove these values")
    if (np.diff(grid) <= 0).any():
        at = int(np.argmax(np.diff(grid) <= 0))
        raise ValueError(
            f"thresholds are not strictly increasing: {grid[at]} is followed by {grid[at + 1]}; "
            "sort them and remove duplicates"
        )
    return grid


@dataclass(frozen=True)
class Ratio:
    """The thresholds written as ``(offset + j) / denominator``, which needs no table and no search."""

    offset: int
    denominator: int


def find_ratio(cast: np.ndarray) -> Ratio | None:
    """Write thresholds as (offset + j) / denominator, if that is exact in their dtype; None if it is not.

    Also None where the guess of `bin_by_ratio` could be off by more than its one comparison mends: the guess
    rises with the value, so it is enough to try it on each threshold and on the next number above it.
    """
    if len(cast) < 2 or cast.dtype not in (np.float32, np.float64):
        return None
    denominator = round((len(cast) - 1) / max(float(cast[-1]) - float(cast[0]), 1 / MAX_DENOMINATOR))
    if not 1 <= denominator <= MAX_DENOMINATOR or abs(float(cast[0])) > MAX_DENOMINATOR / denominator:
        return None
    ratio = Ratio(round(float(cast[0]) * denominator), denominator)
    index = np.arange(len(cast), dtype=cast.dtype)
    if not np.array_equal((index + ratio.offset) / cast.dtype.type(denominator), cast):
        return None
    above = np.nextafter(cast, cast.dtype.type(np.inf))
    is_exact = all(np.array_equal(np.floor(guess_bins(v, ratio)), index) for v in (cast, above))
    return ratio if is_exact else None


def guess_bins(values: np.ndarray, ratio: Ratio, out: np.ndarray | None = None) -> np.ndarray:
    """Guess bins from values, not yet rounded down: a little above the truth, so that rounding cannot undershoot."""
    guess = np.multiply(values, values.dtype.type(ratio.denominator), out=out)
    return np.add(guess, values.dtype.type(1 / 64 - ratio.offset), out=out)


@lru_cache(maxsize=64)
def _build_grid(data: bytes, dtype_name: str) -> "Grid":
    thresholds = np.frombuffer(data, dtype=np.float64)
    dtype = np.dtype(dtype_name)
    cast = thresholds.astype(np.float32 if dtype == np.uint8 else dtype)
    if dtype.itemsize > 2:
        return Grid(cast, find_ratio(cast), None)
    levels = np.arange(256) / np.float32(255) if dtype == np.uint8 else _every_half()
    return Grid(cast, None, np.searchsorted(cast, levels.astype(cast.dtype)).astype(np.float32))


def _every_half() -> np.ndarray:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return np.where(np.isfinite(halves), halves, np.float16(0))


@dataclass(frozen=True)
class Grid:
    """A grid of thresholds in the dtype of the maps, and the fastest exact way to bin values on it.

    Attributes:
        cast: (T,) thresholds in the dtype of the maps (float32 for 8-bit maps).
        ratio: the thresholds as fractions, where they are (the default grid is).
        table: the bin of every 8-bit or 16-bit value, where the maps are that narrow.
    """

    cast: np.ndarray
    ratio: Ratio | None
    table: np.ndarray | None

    def bin_values(self, values: np.ndarray, out: np.ndarray, spare: np.ndarray) -> None:
        """Write the bins of finite values (n,) into ``out`` (n,), a float array; ``spare`` is overwritten."""
        if self.table is not None:
            codes = values if values.dtype == np.uint8 else values.view(np.uint16)
            out[...] = self.table[codes]
        elif self.ratio is not None:
            self._bin_by_ratio(values, out, spare)
        else:
            out[...] = np.searchsorted(self.cast, values)

    def _bin_by_ratio(self, values: np.ndarray, out: np.ndarray, spare: np.ndarray) -> None:
        # The guess is the bin or one less: compare with the one threshold that tells which.
        guess_bins(values, self.ratio, out=out)
        np.floor(out, out=out)
        np.clip(out, 0, len(self.cast) - 1, out=out)
        bound = np.add(out, self.ratio.offset, out=spare) if self.ratio.offset else out
        np.divide(bound, values.dtype.type(self.ratio.denominator), out=spare)
        np.add(out, np.greater(values, spare), out=out)


def build_grid(thresholds: np.ndarray, dtype) -> Grid:
    """Prepare thresholds (T,) for maps of a dtype: float16, float32, float64, or uint8 that stands for a/255."""
    return _build_grid(np.ascontiguousarray(thresholds, dtype=np.float64).tobytes(), np.dtype(dtype).name)
