"""Threshold bins: where a value lies among the thresholds, exactly as the comparison decides it.

The bin of a value is the number of thresholds strictly below it, 0 to T, so a value is strictly above
``thresholds[j]`` if and only if its bin is greater than ``j``. The thresholds are first cast to the dtype of
the values, because that is what putting a constant plane in front of the maps does to them.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Below this distance, or above its inverse, thresholds are searched for: arithmetic could overflow.
MIN_STEP = 1e-6


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
    """Evenly spaced thresholds, about ``(offset + j) / denominator``: an index is a product and a floor away.

    Attributes:
        is_exact: whether that division gives the thresholds to the last bit; if not, they are looked up.
    """

    offset: int
    denominator: float
    is_exact: bool


def find_ratio(cast: np.ndarray) -> Ratio | None:
    """Write thresholds (T,) float32 or float64 as a `Ratio`; None if they are not evenly spaced.

    The rounded guess of `guess_bins` must be the bin, or one less, which one comparison then mends. It rises with
    the value, so it is enough to try it on each threshold and on the next number above it.
    """
    span = float(cast[-1]) - float(cast[0])
    if not MIN_STEP * len(cast) < span < 1 / MIN_STEP or abs(float(cast[0])) > span * len(cast):
        return None
    denominator = (len(cast) - 1) / span
    if abs(denominator - round(denominator)) < 1e-3 * denominator / len(cast):
        denominator = round(denominator)
    index = np.arange(len(cast), dtype=cast.dtype)
    offset = round(float(cast[0]) * denominator)
    exact = (index + offset) / cast.dtype.type(denominator)
    ratio = Ratio(offset, denominator, np.array_equal(exact, cast))
    above = np.nextafter(cast, cast.dtype.type(np.inf))
    is_near = all(np.array_equal(np.rint(guess_bins(v, ratio)), index) for v in (cast, above))
    return ratio if is_near else None


def guess_bins(values: np.ndarray, ratio: Ratio, out: np.ndarray | None = None) -> np.ndarray:
    """Guess the nearest thresholds, before rounding: their indices, as far as arithmetic can tell."""
    guess = np.multiply(values, values.dtype.type(ratio.denominator), out=out)
    return np.subtract(guess, values.dtype.type(ratio.offset), out=out) if ratio.offset else guess


@dataclass(frozen=True)
class Grid:
    """A grid of thresholds for maps of one dtype, and the fastest exact way to place values on it.

    Attributes:
        cast: (T,) thresholds cast to the dtype of the maps, then held as float32 or float64.
        ratio: how to find a bin by arithmetic, where thresholds are evenly spaced; None: by search.
        table: (256,) the bin of each level of 8-bit maps, which stand for a/255 in float32; else None.
    """

    cast: np.ndarray
    ratio: Ratio | None
    table: np.ndarray | None

    @property
    def n_levels(self) -> int:
        """Number of levels that are told apart: 256 for 8-bit maps, else the bins, T + 1."""
        return len(self.cast) + 1 if self.table is None else 256

    @property
    def level_type(self) -> type:
        """The dtype that holds a level: one byte where it is enough."""
        return np.uint8 if self.n_levels <= 256 else np.int32

    def holds(self, low, high) -> bool:
        """Tell whether the guesses for all values from low to high are indices of thresholds."""
        if self.ratio is None:
            return True
        ends = np.rint(guess_bins(np.array([low, high], dtype=self.cast.dtype), self.ratio))
        return bool(ends[0] >= 0 and ends[1] < len(self.cast))

    def guess(self, values: np.ndarray, is_inside: bool, out: np.ndarray) -> np.ndarray:
        """Guess the nearest threshold of each value (n,), as a whole number in the dtype of the values."""
        np.rint(guess_bins(values, self.ratio, out=out), out=out)
        return out if is_inside else np.clip(out, 0, len(self.cast) - 1, out=out)

    def find_bounds(self, near: np.ndarray, levels: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Find the thresholds of these indices (n,), given as whole numbers twice; `near` is overwritten."""
        if not self.ratio.is_exact:
            return np.take(self.cast, levels, out=out, mode="clip")
        if self.ratio.offset:
            near += near.dtype.type(self.ratio.offset)
        return np.divide(near, near.dtype.type(self.ratio.denominator), out=out)

    def fold(self, cells: np.ndarray) -> np.ndarray:
        """Add up levels (..., n_levels) to bins (..., T+1)."""
        if self.table is None:
            return cells
        folded = np.zeros((len(self.cast) + 1, *cells.shape[:-1]), dtype=cells.dtype)
        np.add.at(folded, self.table, np.moveaxis(cells, -1, 0))
        return np.moveaxis(folded, 0, -1)


@lru_cache(maxsize=64)
def _build_grid(data: bytes, dtype_name: str) -> Grid:
    dtype, thresholds = np.dtype(dtype_name), np.frombuffer(data, dtype=np.float64)
    if dtype == np.uint8:
        cast = np.clip(thresholds, -1, 2).astype(np.float32)
        levels = np.arange(256, dtype=np.float32) / np.float32(255)
        return Grid(cast, None, np.searchsorted(cast, levels))
    with np.errstate(over="ignore"):
        cast = thresholds.astype(dtype).astype(np.float64 if dtype == np.float64 else np.float32)
    return Grid(cast, find_ratio(cast), None)


def build_grid(thresholds: np.ndarray, dtype) -> Grid:
    """Prepare thresholds (T,) for maps of a dtype: float16 (given as float32), float32, float64 or uint8."""
    return _build_grid(np.ascontiguousarray(thresholds, dtype=np.float64).tobytes(), np.dtype(dtype).name)
