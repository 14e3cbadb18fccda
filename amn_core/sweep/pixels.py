"""One image, maps and ground truth, to its counts: the only place that reads a pixel."""

import threading
from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND, DEFAULT_THRESHOLDS, IGNORE_INDEX
from amn_core.sweep.binning import Grid, build_grid, check_thresholds

CHUNK = 1 << 15
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
    if type(cam).__module__.partition(".")[0] == "torch":
        from amn_core.sweep.tensors import count_tensor

        return count_tensor(cam, class_ids, gt, thresholds, n_classes, background)
    cam, gt = np.asarray(cam), np.asarray(gt)
    check_shapes(cam, class_ids, gt, background)
    labels = check_labels(gt.ravel(), n_classes)
    planes = np.ascontiguousarray(cam).reshape(len(class_ids), labels.size)
    check_values(planes, "map")
    if not len(class_ids):
        return count_unlabelled(labels, thresholds, n_classes)
    own = planes if background is None else subtract_background(planes, background)
    cells = count_cells(planes, own, labels, build_grid(thresholds, planes.dtype), n_classes)
    return gather_rows(cells, sum_moments(own, labels, class_ids), class_ids, thresholds)


def count_unlabelled(labels: np.ndarray, thresholds: np.ndarray, n_classes: int) -> ImageCounts:
    """Count an image without a class: every pixel of labels (P,) is background at every threshold."""
    pixels = np.bincount(labels, minlength=n_classes)[:n_classes]
    gt = np.flatnonzero(pixels)
    bins = np.zeros((len(gt), len(thresholds) + 1), dtype=np.int64)
    bins[:, 0] = pixels[gt]
    none = np.zeros(0, dtype=np.uint8)
    return ImageCounts(
        thresholds, gt.astype(np.uint8), np.zeros(len(gt), dtype=np.uint8), bins, none,
        np.zeros((0, 3, len(thresholds) + 1), dtype=np.int64), np.zeros((0, 3, 2)),
    )


def subtract_background(planes: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Subtract a background channel (H, W) from maps (K, P); the sign of a difference is always exact."""
    if planes.dtype == np.uint8 or background.dtype != planes.dtype:
        raise ValueError(
            f"map is {planes.dtype} and background channel is {background.dtype}: give both as the same float"
        )
    check_values(background, "background channel")
    return planes - background.reshape(1, -1)


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


def check_values(values: np.ndarray, name: str) -> None:
    """Check that maps hold finite numbers of a dtype that the engine knows."""
    if values.dtype == np.uint8:
        return
    if values.dtype not in FLOATS:
        raise ValueError(f"{name} must be float16, float32, float64 or uint8, not {values.dtype}")
    if not is_finite(values.ravel()):
        raise ValueError(f"{name} holds NaN or infinity: check the division by the maximum of an empty map")


def is_finite(values: np.ndarray) -> bool:
    """Tell whether all values (n,) are finite; a dot product answers first, since it is cheap."""
    if values.dtype != np.float16:
        with np.errstate(all="ignore"):
            if np.isfinite(np.dot(values, values)):
                return True
    return bool(np.isfinite(values).all())


class _Scratch(threading.local):
    """Memory kept from one image to the next, for each thread: fresh pages would cost more than the sums."""

    def __init__(self) -> None:
        self.codes = np.empty(0, dtype=np.intp)

    def take(self, size: int) -> np.ndarray:
        if self.codes.size < size:
            self.codes = np.empty(size, dtype=np.intp)
        return self.codes[:size]


_scratch = _Scratch()


def count_cells(
    planes: np.ndarray, own: np.ndarray, labels: np.ndarray, grid: Grid, n_classes: int
) -> np.ndarray:
    """Count the pixels of each plane by label, whether the plane is the strongest there, and bin.

    Args:
        planes: (K, P) maps; own: (K, P) what is binned (the maps, less the background channel if there is one).
        labels: (P,) uint8. grid: thresholds for the dtype of the planes.

    Returns:
        (K, n_classes + 1, 2, T + 1) int64; label ``n_classes`` stands for 255, the axis of 2 is
        (not strongest, strongest). With no plane: (0, ...).
    """
    n_bins = len(grid.cast) + 1
    shape = (n_classes + 1, 2, n_bins)
    cells = np.zeros((len(planes), *shape), dtype=np.int64)
    winner = find_winner(planes)
    codes = _scratch.take(labels.size)
    for k in range(len(planes)):
        fill_codes(codes, own[k], labels, winner, k, grid, n_classes)
        cells[k] = np.bincount(codes, minlength=np.prod(shape)).reshape(shape)
    return cells


def find_winner(planes: np.ndarray) -> np.ndarray | None:
    """Find the strongest plane of each pixel, (P,) uint8; the first wins ties. None if there is one or none."""
    if len(planes) < 2:
        return None
    best, winner = planes[0], np.zeros(planes.shape[1], dtype=np.uint8)
    for k in range(1, len(planes)):
        np.copyto(winner, k, where=planes[k] > best)
        best = np.maximum(best, planes[k])
    return winner


def fill_codes(
    codes: np.ndarray, values: np.ndarray, labels: np.ndarray, winner: np.ndarray | None, k: int, grid: Grid,
    n_classes: int,
) -> None:
    """Write the cell of each pixel into codes (P,): (label · 2 + is strongest) · (T + 1) + bin.

    In chunks that stay in the cache, and in float until the end: both make it several times faster.
    """
    n_bins = len(grid.cast) + 1
    dtype = np.float64 if values.dtype == np.float64 else np.float32
    bins, spare = np.empty(CHUNK, dtype=dtype), np.empty(CHUNK, dtype=dtype)
    for start in range(0, len(values), CHUNK):
        part = slice(start, min(start + CHUNK, len(values)))
        n = part.stop - start
        grid.bin_values(values[part], bins[:n], spare[:n])
        row = np.minimum(labels[part], n_classes).astype(np.int32) * 2
        row += 1 if winner is None else winner[part] == k
        row *= n_bins
        row += bins[:n].astype(np.int32)
        codes[part] = row


def sum_moments(own: np.ndarray, labels: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Sum each map and its square over its own class, background and other classes: (K, 3, 2) float64."""
    moments = np.zeros((len(class_ids), 3, 2))
    is_background = (labels == BACKGROUND).astype(np.float64)
    is_scored = (labels != IGNORE_INDEX).astype(np.float64)
    for k, class_id in enumerate(class_ids):
        values = own[k].astype(np.float64)
        if own.dtype == np.uint8:
            values /= 255
        is_own = (labels == class_id).astype(np.float64)
        regions = (is_own, is_background, is_scored - is_own - is_background)
        squares = values * values
        for r, region in enumerate(regions):
            moments[k, r] = np.dot(values, region), np.dot(squares, region)
    return moments


def gather_rows(
    cells: np.ndarray, moments: np.ndarray, class_ids: np.ndarray, thresholds: np.ndarray
) -> ImageCounts:
    """Turn the cells of an image (K, n_classes + 1, 2, T + 1) into the rows that are not empty."""
    scored = cells[:, :-1]
    decision = scored[:, :, 1].transpose(1, 0, 2)
    gt, k = np.nonzero(decision.any(axis=2))
    return ImageCounts(
        thresholds, gt.astype(np.uint8), class_ids[k].astype(np.uint8), decision[gt, k],
        class_ids.astype(np.uint8), gather_separation(scored.sum(axis=2), class_ids), moments,
    )


def gather_separation(by_label: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Sum (K, n_classes, T + 1) by own class, background and other classes: (K, 3, T + 1)."""
    rows = np.arange(len(class_ids))
    own, background = by_label[rows, class_ids], by_label[:, BACKGROUND]
    return np.stack([own, background, by_label.sum(axis=1) - own - background], axis=1)
