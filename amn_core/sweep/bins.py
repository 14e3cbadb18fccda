"""A table of counts in a byte each: what a large data set takes in memory is a quarter, and rows widen as read.

Of a pixel count by image, class and bin most are below 255. Those that are not stand in a list of their own, in the
order of the table, and a 255 in the table says: take the next of the list.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

ESCAPE = 255
ROWS = 1 << 12  # rows that are widened together
PACKED = 1 << 25  # tables of more counts stay in a byte each until they are read


@dataclass(frozen=True, eq=False)
class Bins:
    """Counts (R, ..., B), non-negative; reads like an array of numpy whose first axis is asked for by rows.

    Attributes:
        small: (R, ..., B) uint8, 255 where the count is 255 or more. large: (L,) uint32 or int64, those counts.
        starts: (R + 1,) int64: the large counts of row r are ``large[starts[r]:starts[r + 1]]``.

    >>> bins = pack_bins(np.array([[1, 300], [2, 3]]))
    >>> bins.small.tolist(), bins.large.tolist(), bins[0].tolist(), bins.sum(axis=1).tolist()
    ([[1, 255], [2, 3]], [300], [1, 300], [301, 5])
    """

    small: np.ndarray
    large: np.ndarray
    starts: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the table."""
        return self.small.shape

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return self.small.ndim

    @property
    def size(self) -> int:
        """The number of its counts."""
        return self.small.size

    @property
    def dtype(self) -> np.dtype:
        """The dtype that its rows have when they are read: uint32, or int64 where one is larger."""
        return np.dtype(np.int64 if self.large.dtype.itemsize == 8 else np.uint32)

    def __len__(self) -> int:
        return len(self.small)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, index) -> np.ndarray:
        """Read rows by slice, indices, boolean mask or number, as an array of numbers; further axes as in numpy."""
        rows, rest = (index[0], index[1:]) if isinstance(index, tuple) else (index, ())
        taken = self.take(np.atleast_1d(np.arange(len(self))[rows]))
        wide = taken.small.astype(self.dtype)
        wide[taken.small == ESCAPE] = taken.large
        wide = wide[(slice(None), *rest)] if rest else wide
        return wide[0] if isinstance(rows, int | np.integer) else wide

    def take(self, rows: np.ndarray) -> "Bins":
        """Take rows by their indices (n,), in this order, without widening them."""
        sizes = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        places = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], sizes)
        return Bins(self.small[rows], self.large[places], starts)

    def sum(self, axis: int, dtype=np.int64) -> np.ndarray:
        """Sum over one axis, as numpy does, in blocks."""
        parts = [block.sum(axis=axis, dtype=dtype) for _, block in split_rows(self)]
        if axis == 0:
            return np.sum(parts, axis=0, dtype=dtype) if parts else np.zeros(self.shape[1:], dtype)
        return np.concatenate(parts) if parts else self[:].sum(axis=axis, dtype=dtype)


def pack_bins(bins: np.ndarray) -> Bins:
    """Pack counts (R, ..., B), non-negative integers.

    >>> pack_bins(np.array([[1, 300]])).small.tolist(), pack_bins(np.array([[1, 300]])).large.tolist()
    ([[1, 255]], [300])
    """
    large = bins[bins >= ESCAPE]
    fits = not large.size or large.max() < 1 << 32
    return join_bins(np.minimum(bins, ESCAPE).astype(np.uint8), large.astype(np.uint32 if fits else np.int64))


def join_bins(small: np.ndarray, large: np.ndarray) -> Bins:
    """Join counts in a byte each and the list of those that are 255 or more.

    Raises:
        ValueError: the list is longer or shorter than the table says, or holds a count below 255.

    >>> join_bins(np.array([[1, 255]], dtype=np.uint8), np.array([300]))[0].tolist()
    [1, 300]
    """
    axes = tuple(range(1, small.ndim))
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(small == ESCAPE, axis=axes))])
    if starts[-1] != len(large) or (len(large) and large.min() < ESCAPE):
        raise ValueError(f"{starts[-1]} counts are 255 or more, but the list of them has {len(large)}")
    return Bins(small, large, starts)


def settle_bins(bins: Bins) -> Bins | np.ndarray:
    """Widen a small table, which is quicker to work with; leave a large one packed.

    >>> type(settle_bins(pack_bins(np.array([[1, 300]])))).__name__
    'ndarray'
    """
    return bins if bins.size > PACKED else bins[:]


def take_rows(values: np.ndarray | Bins, rows: np.ndarray) -> np.ndarray | Bins:
    """Take the rows of these indices (n,), of a packed table too."""
    return settle_bins(values.take(rows)) if isinstance(values, Bins) else values[rows]


def split_rows(
    values: np.ndarray | Bins, rows: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split rows, all by default, into blocks that fit in memory: indices (n,) and their counts (n, ..., B)."""
    rows = np.arange(len(values)) if rows is None else rows
    for start in range(0, len(rows), ROWS):
        block = rows[start : start + ROWS]
        yield block, values[block]
