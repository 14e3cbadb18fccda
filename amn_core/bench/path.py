"""From a stored map to its counts, part by part: reading, resizing, counting, the plain way and ours."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from amn_core.bench.naive import sweep_naive
from amn_core.bench.timing import find_fastest
from amn_core.formats.maps import LEVELS, compute_map_size, load_stored_map, resize_maps, save_map
from amn_core.sweep import count_image

ROUNDS = 30
SOME = 4  # every fourth threshold is timed the plain way


def read_plain(path: Path) -> np.ndarray:
    """Read a stored map with numpy's own reader: (K, h, w) uint8."""
    with np.load(io.BytesIO(path.read_bytes())) as stored:
        cam, _, _ = (stored[name] for name in ("cam", "class_ids", "size"))
    return cam


def resize_plain(cam: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize maps (K, h, w) one after the other with Pillow: (K, height, width)."""
    size = (width, height)
    return np.stack([Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR) for plane in cam])


def bench_path(
    cam: np.ndarray, class_ids: np.ndarray, gt: np.ndarray, thresholds: np.ndarray, n_classes: int
) -> dict[str, Any]:
    """Time each part of the way from a stored map to its counts, both ways, and check that they agree.

    Counting the plain way is timed at some thresholds; the fastest is multiplied by the number of all.

    Args:
        cam: (K, H, W) maps in [0, 1], stored in the form of a run first. class_ids: (K,). gt: (H, W).

    Returns:
        For each of ``reading``, ``resizing``, ``counting`` and all of them, ``path``: milliseconds of both ways,
        ``ratio`` of plain to ours; for the first two ``agree``, to the last bit.
    """
    size = gt.shape
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.npz"
        small = resize_maps(cam.astype(np.float32), *compute_map_size(*size))
        save_map(path, np.clip(small, 0, 1), class_ids, size)
        reading = time_both(lambda: read_plain(path), lambda: load_stored_map(path)[0])
        stored = load_stored_map(path)[0].astype(np.float32) / np.float32(LEVELS)
    resizing = time_both(lambda: resize_plain(stored, *size), lambda: resize_maps(stored, *size))
    whole = resize_maps(stored, *size)
    one = min(
        find_fastest(lambda t=t: sweep_naive(whole, class_ids, gt, np.array([t]), n_classes), 1)
        for t in thresholds[::SOME])
    counting = describe(
        one * len(thresholds), find_fastest(lambda: count_image(whole, class_ids, gt, thresholds, n_classes), ROUNDS))
    parts = {"reading": reading, "resizing": resizing, "counting": counting}
    total = {key: sum(part[key] for part in parts.values()) for key in ("naive_ms", "ours_ms")}
    return parts | {"path": describe(**total)}


def time_both(plain: Callable[[], np.ndarray], ours: Callable[[], np.ndarray]) -> dict[str, Any]:
    """Time two ways to the same array and check that it is the same to the last bit."""
    agree = bool(np.array_equal(plain(), ours()))
    return describe(find_fastest(plain, ROUNDS), find_fastest(ours, ROUNDS)) | {"agree": agree}


def describe(naive_ms: float, ours_ms: float) -> dict[str, float]:
    """Describe both times and their ratio."""
    return {"naive_ms": naive_ms, "ours_ms": ours_ms, "ratio": naive_ms / ours_ms}
