"""One image, maps and ground truth, to its counts: the only place that reads a pixel."""

from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND, IGNORE_INDEX
from amn_core.sweep.binning import build_grid
from amn_core.sweep.cells import count_planes
from amn_core.sweep.moments import sum_levels, sum_moments

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
    planes = widen_values(np.ascontiguousarray(cam), "map").reshape(len(class_ids), labels.size)
    ends = find_ends(planes, "map")
    if not len(class_ids):
        return gather_unlabelled(np.bincount(labels, minlength=n_classes)[:n_classes], thresholds)
    own, grid = planes, build_grid(thresholds, dtype)
    if background is not None:
        own = subtract_background(planes, np.asarray(background), dtype)
        ends = find_ends(own, "map less the background channel")
    with np.errstate(over="ignore"):
        cells = count_planes(planes, labels, n_classes, own, grid, grid.holds(*ends))
    if own.dtype == np.uint8:
        moments = sum_levels(gather_separation(cells.sum(axis=2), class_ids))
    else:
        moments = sum_moments(own, labels, class_ids)
    return gather_rows(grid.fold(cells), moments, class_ids, thresholds)


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
    channel = widen_values(np.ascontiguousarray(background), "background channel").reshape(1, -1)
    find_ends(channel, "background channel")
    return planes - channel


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
    if len(set(ids.tolist())) != len(ids):
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
    # As uint8, 255 + 1 wraps around to 0: the largest of the labels plus 1 tells whether all are known.
    if labels.dtype == np.uint8 and (not labels.size or (labels + np.uint8(1)).max() <= n_classes):
        return labels
    is_wrong = ((labels < 0) | (labels >= n_classes)) & (labels != IGNORE_INDEX)
    if is_wrong.any():
        wrong = np.unique(labels[is_wrong])
        raise ValueError(
            f"mask holds the labels {wrong[:5].tolist()}, but there are {n_classes} classes (0 to "
            f"{n_classes - 1}) and {IGNORE_INDEX}: check the label table, or give n_classes"
        )
    return labels.astype(np.uint8, copy=False)


def widen_values(values: np.ndarray, name: str) -> np.ndarray:
    """Check that maps are of a dtype that the engine knows, and return them, float16 as float32.

    That changes no value and no order, and is far faster.
    """
    if values.dtype != np.uint8 and values.dtype not in FLOATS:
        raise ValueError(f"{name} must be float16, float32, float64 or uint8, not {values.dtype}")
    return values.astype(np.float32) if values.dtype == np.float16 else values


def find_ends(values: np.ndarray, name: str) -> tuple[float, float]:
    """Find the least and the greatest of some values; raise ValueError if one of the values is not finite."""
    if not values.size:
        return 0.0, 0.0
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):  # NaN is the extreme wherever it occurs
        raise ValueError(f"{name} holds NaN or infinity: check the division by the maximum of an empty map")
    return low, high


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
