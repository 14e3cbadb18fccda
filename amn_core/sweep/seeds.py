"""Maps to seeds: labels by one threshold, and labels that are sure by two."""

import numpy as np

from amn_core.constants import BACKGROUND, IGNORE_INDEX


def build_labels(cam: np.ndarray, threshold: float) -> np.ndarray:
    """Cut maps into label indices: 0 background, k for the k-th map.

    Args:
        cam: (K, H, W) float.
        threshold: a pixel is foreground only if its strongest map is strictly above it; among maps the
            first wins.

    Returns:
        (H, W) int64 in 0…K.

    >>> build_labels(np.array([[[0.2, 0.6, 0.9]], [[0.1, 0.7, 0.3]]]), 0.5).tolist()
    [[0, 2, 1]]
    """
    if not len(cam):
        return np.zeros(cam.shape[1:], dtype=np.int64)
    return np.where(cam.max(0) > np.asarray(threshold, cam.dtype), cam.argmax(0) + 1, 0)


def build_label_sets(cam: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Cut maps at many thresholds: `build_labels` of each, (T, H, W) uint8.

    >>> build_label_sets(np.array([[[0.2, 0.6]], [[0.3, 0.1]]]), np.array([0.25, 0.5]))[:, 0].tolist()
    [[2, 1], [0, 1]]
    """
    if not len(cam):
        return np.zeros((len(thresholds), *cam.shape[1:]), np.uint8)
    best, strongest = cam.max(0), (cam.argmax(0) + 1).astype(np.uint8)
    return np.where(best > np.asarray(thresholds, cam.dtype)[:, None, None], strongest, np.uint8(0))


def check_order(foreground: float, background: float) -> None:
    """Raise ValueError if the threshold of foreground is below that of background.

    >>> check_order(0.3, 0.05)
    """
    if foreground < background:
        raise ValueError(f"foreground threshold {foreground} is below the background's, {background}: swap them")


def build_seed(
    cam: np.ndarray, class_ids: np.ndarray, foreground: float, background: float, image: np.ndarray | None = None
) -> np.ndarray:
    """Build the seed label of one image.

    Source: IRN's confident labels, as AMN uses them. Foreground where the labels of the high threshold say
    so, background where those of both thresholds do, 255 elsewhere.

    Args:
        cam: (K, H, W) float32 in [0, 1].
        class_ids: (K,) 1-based classes.
        foreground, background: the thresholds, foreground at least background.
        image: (H, W, 3) uint8; if given, both label images are refined with a dense CRF first.

    Returns:
        (H, W) uint8: 0, class or 255.

    Raises:
        ValueError: the thresholds are in the wrong order.

    >>> build_seed(np.array([[[0.02, 0.2, 0.9]]], dtype=np.float32), np.array([8]), 0.3, 0.05).tolist()
    [[0, 255, 8]]
    """
    check_order(foreground, background)
    high, low = build_labels(cam, foreground), build_labels(cam, background)
    if image is not None and len(cam):
        from amn_core.refine.dense_crf import CRFFilters  # torch is needed for the CRF alone

        high, low = CRFFilters(image).refine_labels(np.stack([high, low]), len(cam) + 1)
    classes = np.concatenate([[BACKGROUND], np.asarray(class_ids)]).astype(np.uint8)
    seed = np.where(high > 0, classes[high], np.uint8(IGNORE_INDEX))
    return np.where((high == 0) & (low == 0), np.uint8(BACKGROUND), seed).astype(np.uint8)
