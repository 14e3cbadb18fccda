"""What masks look like at every threshold: how far two agree, how many pieces they have, how sharp their edges are.

Agreement is Cohen's kappa of foreground and background, so that two masks that cover nearly everything, or
nearly nothing, do not agree by that alone. Pixels that both call foreground but of different classes disagree.
"""

import numpy as np

from amn_core.sweep.binning import check_thresholds
from amn_core.sweep.confusion import divide


def find_strongest(cam: np.ndarray, class_ids: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the bin of the strongest activation of each pixel, and its class.

    Args:
        cam: (K, H, W) float. class_ids: (K,). thresholds: (T,), cast to the maps' dtype first.

    Returns:
        (H, W) int64 bins 0..T, and (H, W) int64 classes; the first map wins ties, without a map all is 0.
    """
    grid = check_thresholds(thresholds)
    if not len(cam):
        nothing = np.zeros(cam.shape[1:], dtype=np.int64)
        return nothing, nothing
    bins = np.searchsorted(grid.astype(cam.dtype), cam.max(axis=0), side="left")
    return bins.astype(np.int64), np.asarray(class_ids)[cam.argmax(axis=0)].astype(np.int64)


def count_agreement(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], n_thresholds: int
) -> np.ndarray:
    """Count pixels by the bins of two maps, apart where their strongest classes are the same and where not.

    Args:
        first, second: bins and classes as `find_strongest` gives them, of one size.

    Returns:
        (2, T+1, T+1) int64: other class, same class; rows are bins of the first.
    """
    if first[0].shape != second[0].shape:
        raise ValueError(f"maps are {first[0].shape} and {second[0].shape}: resize one of them")
    n = n_thresholds + 1
    keys = ((first[1] == second[1]) * n + first[0]) * n + second[0]
    return np.bincount(keys.ravel(), minlength=2 * n * n).reshape(2, n, n)


def score_agreement(joint: np.ndarray) -> np.ndarray:
    """Score the agreement at every pair of thresholds from counts (2, T+1, T+1).

    Returns:
        (T, T) kappa, at most 1, rows by threshold of the first; NaN where chance alone agrees everywhere.
    """
    below = joint.sum(axis=0).cumsum(axis=0).cumsum(axis=1)
    total, quiet = below[-1, -1], below[:-1, :-1]
    same = joint[1, ::-1, ::-1].cumsum(axis=0).cumsum(axis=1)[::-1, ::-1][1:, 1:]
    first, second = 1 - divide(below[:-1, -1], total)[:, None], 1 - divide(below[-1, :-1], total)
    return score_kappa(divide(quiet + same, total), first, second)


def score_kappa(agreement: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Score Cohen's kappa from the share of pixels that agree and the two shares of foreground; NaN at chance 1."""
    chance = first * second + (1 - first) * (1 - second)
    return divide(agreement - chance, np.where(chance > 1 - 1e-12, 0, 1 - chance))


def count_components(bins: np.ndarray, n_thresholds: int) -> np.ndarray:
    """Count the connected pieces of the foreground at every threshold, pixels joined along edges.

    From the highest bin down: a pixel is a new piece, and each neighbour that is there already may join two.

    Args:
        bins: (H, W) int, 0..T.

    Returns:
        (T,) int64.
    """
    height, width = bins.shape
    flat = bins.ravel()
    born = np.zeros(n_thresholds + 1, dtype=np.int64)
    parents, level = list(range(flat.size)), flat.tolist()
    order = np.argsort(-flat, kind="stable")
    is_there = bytearray(flat.size)
    for pixel in order[flat[order] > 0].tolist():
        is_there[pixel] = 1
        change, column = 1, pixel % width
        for neighbour, is_inside in (
            (pixel - width, pixel >= width), (pixel + width, pixel < (height - 1) * width),
            (pixel - 1, column > 0), (pixel + 1, column < width - 1),
        ):
            if is_inside and is_there[neighbour]:
                one, other = find_root(parents, pixel), find_root(parents, neighbour)
                if one != other:
                    parents[one], change = other, change - 1
        born[level[pixel]] += change
    return born[::-1].cumsum()[::-1][1:]


def find_root(parents: list[int], node: int) -> int:
    """Find the root of a node, halving the path to it."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


def sum_edges(bins: np.ndarray, image: np.ndarray, n_thresholds: int) -> np.ndarray:
    """Sum the change of colour along the edge of the foreground, and the edge's length, at every threshold.

    Two neighbours are on either side of the edge at the thresholds from the lower one's bin up to below the
    higher one's, so each pair adds to a range.

    Args:
        bins: (H, W) int, 0..T. image: (H, W, 3) numbers.

    Returns:
        (2, T) float64: sum of the Euclidean distance of colours, number of pairs of neighbours.
    """
    sums = np.zeros((2, n_thresholds + 1))
    for axis in (0, 1):
        place, colour = np.moveaxis(bins, axis, 0), np.moveaxis(image.astype(np.float64), axis, 0)
        low, high = (f(place[1:], place[:-1]).ravel() for f in (np.minimum, np.maximum))
        change = np.sqrt(((colour[1:] - colour[:-1]) ** 2).sum(axis=-1)).ravel()
        for row, weights in enumerate((change, np.ones_like(change))):
            sums[row] += np.bincount(low, weights, n_thresholds + 1) - np.bincount(high, weights, n_thresholds + 1)
    return sums.cumsum(axis=1)[:, :-1]
