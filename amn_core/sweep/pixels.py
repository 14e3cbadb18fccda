"""One image, maps and ground truth, to its counts: the only place that reads a pixel."""

import threading
from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND, DEFAULT_THRESHOLDS, IGNORE_INDEX
from amn_core.sweep.binning import Grid, build_grid, check_thresholds

CHUNK = 1 << 16
FLOATS = (np.float16, np.float32, np.float64)


@dataclass(frozen=True)
class ImageCounts:
    """What one image contributes to every score at every threshold; rows without a pixel are left out.

    Attributes:
        thresholds: (T,) float64.
        decision_gt, decision_class: (R,) uint8: ground truth, strongest class (0 where no class is present).
        decision_bins: (R, T+1) int64: the pixels of each such pair, by bin of the strongest value.
        separation_class: (K,) uint8: the classes present in the image.
        separation_bins: (K, 3, T+1) int64: pixels by bin of the class's own map, where the ground truth is
            that class, background, or another class.
        separation_moments: (K, 3, 2) float64: sum and sum of squares of the class's own map there.
    """

    thresholds: np.ndarray
    decision_gt: np.ndarray
    decision_class: np.ndarray
    decision_bins: np.ndarray
    separation_class: np.ndarray
    separation_bins: np.ndarray
    separation_moments: np.ndarray


def count_image(
    cam, class_ids, gt, thresholds=DEFAULT_THRESHOLDS, n_classes: int = 21, background=None
) -> ImageCounts:
    """Count the pixels of one image by ground truth, strongest class and threshold bin, all thresholds at once.

    A pixel is foreground at a threshold only if its strongest map is strictly above it: background wins ties,
    and among classes the first row wins. The thresholds are cast to the dtype of the maps first. The result is
    bit for bit what an argmax over ``[constant plane, *cam]`` gives at every threshold.

    Args:
        cam: (K, H, W) maps, numpy or torch (CPU or CUDA): float16, float32 or float64 of any finite range, or
            uint8, which stands for a/255 in float32. K may be 0.
        class_ids: (K,) distinct integers in 1..n_classes-1, in the order of the rows.
        gt: (H, W) integers, 0 background, 1..n_classes-1 classes, 255 left out.
        thresholds: (T,) strictly increasing.
        n_classes: number of classes with background, 2 to 255.
        background: (H, W) learnt background channel, or None. With it, the thresholds are offsets added to
            that channel: at 0 the result is exactly the argmax over ``[background, *cam]``, and separation
            is that of ``cam - background``.

    Raises:
        ValueError: if shapes differ, ids or labels are out of range, or a map holds NaN or infinity.
    """
    thresholds = check_thresholds(thresholds)
    class_ids = check_class_ids(class_ids, n_classes)
    if is_tensor(cam):
        from amn_core.sweep.tensors import count_tensor

        return count_tensor(cam, class_ids, gt, thresholds, n_classes, background)
    return count_array(cam, class_ids, gt, thresholds, n_classes, background)


def is_tensor(values) -> bool:
    """Tell whether this is a tensor of torch, without importing torch."""
    return type(values).__module__.partition(".")[0] == "torch"


def count_array(
    cam: np.ndarray, class_ids: np.ndarray, gt: np.ndarray, thresholds: np.ndarray, n_classes: int, background=None
) -> ImageCounts:
    """Count one image as `count_image` does, given numpy arrays, checked ids and thresholds."""
    cam, gt = np.asarray(cam), np.asarray(gt)
    check_shapes(cam, class_ids, gt, background)
    labels, dtype = check_labels(gt.ravel(), n_classes), cam.dtype
    planes = check_values(np.ascontiguousarray(cam), "map").reshape(len(class_ids), labels.size)
    if not len(class_ids):
        return gather_unlabelled(np.bincount(labels, minlength=n_classes)[:n_classes], thresholds)
    own, grid = planes, build_grid(thresholds, dtype)
    if background is not None:
        own = subtract_background(planes, np.asarray(background), dtype)
    with np.errstate(over="ignore"):
        cells = count_planes(planes, labels, n_classes, own, grid)
    moments = sum_levels(cells, class_ids) if own.dtype == np.uint8 else sum_moments(own, labels, class_ids)
    return gather_rows(grid.fold(np.moveaxis(cells, 3, 2)), moments, class_ids, thresholds)


def gather_unlabelled(pixels: np.ndarray, thresholds: np.ndarray) -> ImageCounts:
    """Turn the pixels by label (n_classes,) of an image without a class into rows: all of it is background."""
    gt = np.flatnonzero(pixels)
    bins = np.zeros((len(gt), len(thresholds) + 1), dtype=np.int64)
    bins[:, 0] = pixels[gt]
    none = np.zeros(0, dtype=np.uint8)
    return ImageCounts(
        thresholds, gt.astype(np.uint8), np.zeros(len(gt), dtype=np.uint8), bins, none,
        np.zeros((0, 3, len(thresholds) + 1), dtype=np.int64), np.zeros((0, 3, 2)),
    )


def subtract_background(planes: np.ndarray, background: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Subtract a background channel (H, W) from maps (K, P); the sign of a difference is always exact."""
    if dtype == np.uint8 or background.dtype != dtype:
        raise ValueError(
            f"map is {dtype} and background channel is {background.dtype}: give both as the same float"
        )
    return planes - check_values(np.ascontiguousarray(background), "background channel").reshape(1, -1)


def check_class_ids(class_ids, n_classes: int) -> np.ndarray:
    """Check class ids and return them as (K,) int64: distinct, in 1..n_classes-1."""
    if not 2 <= n_classes <= IGNORE_INDEX:
        raise ValueError(f"n_classes is {n_classes}: give 2 to {IGNORE_INDEX}, background counted")
    ids = np.asarray(class_ids.cpu() if hasattr(class_ids, "cpu") else class_ids)
    ids = ids.astype(np.int64) if ids.size == 0 else ids
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"class_ids must be a list of integers, not {ids.dtype} of shape {ids.shape}")
    if ids.size and not (ids.min() >= 1 and ids.max() < n_classes):
        raise ValueError(
            f"class_ids {ids.tolist()} are outside 1..{n_classes - 1}: ids are 1-based, "
            "add 1 to keys that count from 0, and give n_classes"
        )
    if len(np.unique(ids)) != len(ids):
        raise ValueError(f"class_ids {ids.tolist()} name a class twice: keep one map for each class")
    return ids.astype(np.int64)


def check_shapes(cam, class_ids: np.ndarray, gt, background=None) -> None:
    """Check that maps, class ids, ground truth and background channel belong together."""
    if cam.ndim != 3:
        raise ValueError(f"map must be (K, H, W), not of shape {tuple(cam.shape)}")
    if cam.shape[0] != len(class_ids):
        raise ValueError(f"map has {cam.shape[0]} planes but there are {len(class_ids)} class ids")
    (height, width), size = cam.shape[1:], tuple(gt.shape)
    if size != (height, width):
        raise ValueError(
            f"map is {height}×{width} but mask is {'×'.join(map(str, size))}: "
            "resize the map, or check the order of height and width"
        )
    if background is not None and tuple(background.shape) != size:
        raise ValueError(f"background channel is {tuple(background.shape)} but mask is {size}")


def check_labels(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Check ground truth and return it as uint8; values in 0..n_classes-1 or 255."""
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"mask must hold integers, not {labels.dtype}")
    is_known = (labels < n_classes) & (labels >= 0) if labels.dtype != np.uint8 else labels < n_classes
    n_ignored = np.count_nonzero(labels == IGNORE_INDEX)
    if np.count_nonzero(is_known) + n_ignored != labels.size:
        wrong = np.unique(labels[~is_known & (labels != IGNORE_INDEX)])
        raise ValueError(
            f"mask holds the labels {wrong[:5].tolist()}, but there are {n_classes} classes (0 to "
            f"{n_classes - 1}) and {IGNORE_INDEX}: check the label table, or give n_classes"
        )
    return labels.astype(np.uint8, copy=False)


def check_values(values: np.ndarray, name: str) -> np.ndarray:
    """Check that maps hold finite numbers of a dtype that the engine knows, and return them.

    float16 comes back as float32, which changes no value and no order, and is far faster.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype not in FLOATS:
        raise ValueError(f"{name} must be float16, float32, float64 or uint8, not {values.dtype}")
    wide = values.astype(np.float32) if values.dtype == np.float16 else values
    if not is_finite(wide.ravel()):
        raise ValueError(f"{name} holds NaN or infinity: check the division by the maximum of an empty map")
    return wide


def is_finite(values: np.ndarray) -> bool:
    """Tell whether all values (n,) are finite; a dot product answers first, since it is cheap."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.dot(values, values)) or np.isfinite(values).all())


class _Scratch(threading.local):
    """Memory for one chunk, kept from image to image in each thread: fresh pages would cost more than the sums."""

    def __init__(self) -> None:
        self.floats = {name: np.empty((2, CHUNK), dtype=name) for name in ("uint8", "float32", "float64")}
        self.ints, self.cells = np.empty((3, CHUNK), dtype=np.int32), np.empty(CHUNK, dtype=np.intp)
        self.winner = np.empty(CHUNK, dtype=np.uint8)
        self.flags = np.empty((2, CHUNK), dtype=bool)
        self.products, self.regions = np.empty((0, CHUNK)), np.empty((0, CHUNK))

    def reserve(self, n_planes: int) -> None:
        """Make room for the products and regions of so many planes."""
        if len(self.products) < 2 * n_planes:
            self.products, self.regions = np.empty((2 * n_planes, CHUNK)), np.empty((n_planes + 2, CHUNK))


_scratch = _Scratch()


def count_planes(planes: np.ndarray, labels: np.ndarray, n_classes: int, own: np.ndarray, grid: Grid) -> np.ndarray:
    """Count pixels by plane, label, level and whether the plane is the strongest, in chunks that stay in the cache.

    Args:
        planes: (K, P) maps, K at least 1. labels: (P,) uint8. own: (K, P) what is binned: the maps, less the
            background channel if there is one. grid: the thresholds in the dtype of the maps.

    Returns:
        (K, n_classes, levels, 2) int64; the last axis is (not strongest, strongest), 255 is left out.
    """
    n_planes = len(planes)
    cells = np.zeros((n_planes, (n_classes + 1) * grid.n_levels * 2), dtype=np.int64)
    for start in range(0, labels.size, CHUNK):
        part = slice(start, start + CHUNK)
        winner, base = find_winner(planes[:, part]), find_base(labels[part], 2 * grid.n_levels)
        for k in range(n_planes):
            codes = find_cells(own[k, part], base, winner, k, grid)
            cells[k] += np.bincount(codes, minlength=cells.shape[1])
    return cells.reshape(n_planes, n_classes + 1, grid.n_levels, 2)[:, 1:]


def find_winner(planes: np.ndarray) -> np.ndarray:
    """Find the strongest of the planes (K, n) at each pixel, (n,) uint8; the first wins ties."""
    winner, is_above = _scratch.winner[: planes.shape[1]], _scratch.flags[0, : planes.shape[1]]
    if len(planes) == 1:
        winner[...] = 0
        return winner
    np.greater(planes[1], planes[0], out=winner.view(bool))
    best = np.maximum(planes[0], planes[1]) if len(planes) > 2 else None
    for k in range(2, len(planes)):
        np.greater(planes[k], best, out=is_above)
        np.copyto(winner, k, where=is_above)
        np.maximum(best, planes[k], out=best)
    return winner


def find_base(labels: np.ndarray, stride: int) -> np.ndarray:
    """Find the first cell of each pixel's label, (n,) int32; 255 wraps around to the first label."""
    base = _scratch.ints[0, : labels.size]
    np.copyto(base, labels + np.uint8(1))
    return np.multiply(base, stride, out=base)


def find_cells(values: np.ndarray, base: np.ndarray, winner: np.ndarray, k: int, grid: Grid) -> np.ndarray:
    """Find the cell of each pixel of plane k, (n,) intp: base + 2 · level + whether the plane is the strongest."""
    n = values.size
    guess, extra = _scratch.ints[1:, :n]
    is_above, is_strongest = _scratch.flags[:, :n]
    grid.find_levels(values, guess, is_above, _scratch.floats[values.dtype.name][:, :n])
    np.equal(winner, k, out=is_strongest)
    # Twice the level and the flag fit into a byte where they come from booleans: a quarter of the work.
    small = is_above.view(np.uint8)
    small += small
    small += is_strongest.view(np.uint8)
    np.copyto(extra, small)
    guess += guess
    guess += extra
    guess += base
    np.copyto(_scratch.cells[:n], guess)
    return _scratch.cells[:n]


def sum_moments(own: np.ndarray, labels: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Sum each map (K, P) and its square over its own class, background and other classes: (K, 3, 2) float64.

    All planes and regions of a chunk in one product of matrices: (2K, n) by (n, regions).
    """
    n_planes = len(own)
    sums = np.zeros((2 * n_planes, n_planes + 2))
    _scratch.reserve(n_planes)
    for start in range(0, labels.size, CHUNK):
        part = labels[start : start + CHUNK]
        regions, present = find_regions(part, class_ids)
        products = _scratch.products[: 2 * n_planes, : part.size]
        np.copyto(products[:n_planes], own[:, start : start + CHUNK])
        np.multiply(products[:n_planes], products[:n_planes], out=products[n_planes:])
        sums[:, present] += products @ regions.T
    sums = sums.reshape(2, n_planes, n_planes + 2)
    rows = np.arange(n_planes)
    own_sums, background = sums[:, rows, rows].copy(), sums[:, :, n_planes]
    sums[:, rows, rows] = 0
    other = sums[:, :, :n_planes].sum(axis=2) + sums[:, :, n_planes + 1]
    return np.stack([own_sums, background, other], axis=-1).transpose(1, 2, 0)


def find_regions(labels: np.ndarray, class_ids: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Find which pixels (n,) belong to each class present in the image, to background, and to the rest.

    Returns:
        regions: (r, n) float64, 0 or 1, only those with a pixel. present: which they are: index of the class,
        K for background, K + 1 for the other classes.
    """
    regions, present = _scratch.regions[:, : labels.size], []
    flags, is_left = _scratch.flags[:, : labels.size]
    np.not_equal(labels, IGNORE_INDEX, out=is_left)
    for r, label in enumerate((*class_ids.tolist(), BACKGROUND)):
        np.equal(labels, label, out=flags)
        if flags.any():
            np.copyto(regions[len(present)], flags)
            np.greater(is_left, flags, out=is_left)
            present.append(r)
    if is_left.any():
        np.copyto(regions[len(present)], is_left)
        present.append(len(class_ids) + 1)
    return regions[: len(present)], present


def sum_levels(cells: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Sum 8-bit maps from their cells (K, n_classes, 256, 2): as `sum_moments`, to the last digit."""
    levels = gather_separation(cells.sum(axis=3), class_ids)
    values = np.arange(256) / 255
    return np.stack([levels @ values, levels @ (values * values)], axis=-1)


def gather_rows(
    cells: np.ndarray, moments: np.ndarray, class_ids: np.ndarray, thresholds: np.ndarray
) -> ImageCounts:
    """Turn the cells of an image (K, n_classes, 2, T + 1) into the rows that are not empty."""
    decision = cells[:, :, 1].transpose(1, 0, 2)
    gt, k = np.nonzero(decision.any(axis=2))
    order = np.lexsort((class_ids[k], gt))
    gt, k = gt[order], k[order]
    return ImageCounts(
        thresholds, gt.astype(np.uint8), class_ids[k].astype(np.uint8), decision[gt, k],
        class_ids.astype(np.uint8), gather_separation(cells.sum(axis=2), class_ids), moments,
    )


def gather_separation(by_label: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Sum (K, n_classes, T + 1) by own class, background and other classes: (K, 3, T + 1)."""
    rows = np.arange(len(class_ids))
    own, background = by_label[rows, class_ids], by_label[:, BACKGROUND]
    return np.stack([own, background, by_label.sum(axis=1) - own - background], axis=1)
