"""Pixels to cells: every pixel of every map to its place in a table of label, strongest or not, and level.

This is the inner loop of counting. It runs over the image in chunks that stay in the cache of a core, works in
one or two bytes a pixel wherever they are enough, and widens an index only for the last step, the count itself.
"""

import numpy as np

from amn_core.sweep.binning import Grid
from amn_core.sweep.scratch import scratch

# Values of all maps that are worked on at once. Smaller pieces would fit a core's cache better, but then the
# calls themselves cost more than they save.
CHUNK = 1 << 18


def split_pixels(n_pixels: int, n_planes: int) -> list[slice]:
    """Split the pixels of an image with K maps into chunks."""
    step = max(1, CHUNK // n_planes)
    return [slice(start, min(start + step, n_pixels)) for start in range(0, n_pixels, step)]


def count_planes(
    planes: np.ndarray, labels: np.ndarray, n_classes: int, own: np.ndarray, grid: Grid, is_inside: bool
) -> np.ndarray:
    """Count pixels by plane, label, whether the plane is the strongest, and level.

    Args:
        planes: (K, P) maps, K at least 1. labels: (P,) uint8. own: (K, P) what is binned: the maps, less the
            background channel if there is one. grid: the thresholds in the dtype of the maps. is_inside:
            whether the grid holds all that is binned.

    Returns:
        (K, n_classes, 2, levels) int64, overwritten by the next call; the third axis is (not strongest,
        strongest), 255 is left out.
    """
    cells = scratch.take("cells", np.int64, len(planes), n_classes + 1, 2, grid.n_levels)
    cells[...] = 0
    is_small = cells[0].size <= 1 << 16 and 2 * (n_classes + 1) <= 1 << 8 and grid.level_type == np.uint8
    for part in split_pixels(labels.size, len(planes)):
        rows = find_rows(planes[:, part], labels[part], np.uint8 if is_small else np.int32)
        codes = scratch.take("codes", np.uint16 if is_small else np.int32, *rows.shape)
        np.copyto(codes, rows)
        codes *= codes.dtype.type(grid.n_levels)
        codes += find_levels(own[:, part], grid, is_inside)
        places = scratch.take("places", np.intp, codes.shape[1])
        for table, code in zip(cells, codes, strict=True):
            np.copyto(places, code)
            # About a third faster than a bincount, which first looks for the extremes.
            np.add.at(table.reshape(-1), places, 1)
    return cells[:, 1:]


def find_rows(planes: np.ndarray, labels: np.ndarray, row_type: type) -> np.ndarray:
    """Find the row of each pixel: twice its label plus 1, and 1 more where the plane is the strongest, (K, n).

    255 + 1 wraps around to 0, the first two rows, which are thrown away.
    """
    rows, n = scratch.take("rows", row_type, *planes.shape), labels.size
    twice = np.add(labels, np.uint8(1), out=scratch.take("labels", np.uint8, n)).astype(row_type, copy=False)
    twice += twice
    winner, is_strongest = find_winner(planes), scratch.take("above", bool, n)
    for k, row in enumerate(rows):
        flag = np.uint8(1) if winner is None else np.equal(winner, k, out=is_strongest).view(np.uint8)
        np.add(twice, flag, out=row)
    return rows


def find_winner(planes: np.ndarray) -> np.ndarray | None:
    """Find the strongest of the planes (K, n) at each pixel, (n,) uint8; the first wins ties. None if K is 1."""
    if len(planes) == 1:
        return None
    n = planes.shape[1]
    winner, is_above = scratch.take("winner", np.uint8, n), scratch.take("above", bool, n)
    np.greater(planes[1], planes[0], out=winner.view(bool))
    best = np.maximum(planes[0], planes[1]) if len(planes) > 2 else None
    for k in range(2, len(planes)):
        np.greater(planes[k], best, out=is_above)
        np.copyto(winner, k, where=is_above)
        np.maximum(best, planes[k], out=best)
    return winner


def find_levels(values: np.ndarray, grid: Grid, is_inside: bool) -> np.ndarray:
    """Find the level of each finite value (K, n) on a grid, of `grid.level_type`.

    Args:
        is_inside: whether `grid.holds` the values, so that none needs to be brought to an end of the grid.
    """
    if grid.table is not None:
        return values
    levels = scratch.take("levels", grid.level_type, *values.shape)
    if grid.ratio is None:
        np.copyto(levels, np.searchsorted(grid.cast, values), casting="unsafe")
        return levels
    near = grid.guess(values, is_inside, scratch.take("near", values.dtype, *values.shape))
    np.copyto(levels, near, casting="unsafe")
    # The guess is the bin or one less: compare with the one threshold that tells which.
    bound = grid.find_bounds(near, levels, scratch.take("bound", values.dtype, *values.shape))
    levels += np.greater(values, bound, out=scratch.take("flags", bool, *values.shape)).view(np.uint8)
    return levels
