"""Activation maps in the compact form of a run folder: 8 bits, a quarter of the image's size.

A file is an ordinary compressed ``.npz`` with

- ``cam``        (K, ceil(H/4), ceil(W/4)) uint8, activation × 255, rounded to the nearest
- ``class_ids``  (K,) uint8, 1-based and increasing
- ``size``       (2,) int32, height and width of the image

and is read back as float32 at the image's size, bilinearly (pixel centres at halves, edges clamped). Counts
are made from what is read back, so the table and the picture never disagree. What the compaction costs in
mIoU is measured by ``python -m amn_core bench maps``.
"""

import io
from functools import lru_cache
from pathlib import Path

import numpy as np

from amn_core.constants import DEFAULT_THRESHOLDS
from amn_core.formats.archives import ArchiveError, pack_arrays, read_arrays
from amn_core.formats.files import write_bytes
from amn_core.formats.resizing import resize_maps

STRIDE = 4
LEVELS = 255
MAX_PIXELS = 50_000_000
MAX_HEAD = 1 << 12  # bytes of the classes and the size, headers and all


def compute_map_size(height: int, width: int) -> tuple[int, int]:
    """Compute the size of a stored map: a quarter of the image's, rounded up."""
    return -(-height // STRIDE), -(-width // STRIDE)


def save_map(path: Path, cam: np.ndarray, class_ids: np.ndarray, size: tuple[int, int]) -> None:
    """Save the activation maps of one image.

    Args:
        cam: (K, h, w) float32 in [0, 1]; h and w as `compute_map_size` says, or any other size.
        class_ids: (K,) int, 1-based, increasing; K may be 0.
        size: height and width of the image.

    Raises:
        ValueError: numbers of maps and classes differ, or the maps leave [0, 1].
    """
    if len(cam) != len(class_ids):
        raise ValueError(f"{len(cam)} maps but {len(class_ids)} class ids; give one map for each class")
    if cam.size and not (cam.min() >= 0 and cam.max() <= 1):
        raise ValueError(f"activation outside [0, 1] ({cam.min():.3g}…{cam.max():.3g}); normalise the maps first")
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, cam=np.rint(cam * LEVELS).astype(np.uint8), class_ids=np.asarray(class_ids, dtype=np.uint8),
        size=np.asarray(size, dtype=np.int32),
    )
    write_bytes(path, buffer.getvalue())


def load_map(path: Path, size: tuple[int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Load the activation maps of one image at full size.

    Args:
        size: (H, W) to resize to; the image's own size by default.

    Returns:
        cam (K, H, W) float32 in [0, 1], class_ids (K,) int64.

    Raises:
        ValueError: no such map, or a broken file; the message names it.
    """
    cam, class_ids, stored_size = load_stored_map(path)
    height, width = size or stored_size
    return resize_maps(cam.astype(np.float32) / np.float32(LEVELS), height, width), class_ids


def load_stored_map(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Load a map as it is stored: cam (K, h, w) uint8, class_ids (K,) int64, (H, W) of the image.

    Raises:
        ValueError: no such map, a broken file, or more numbers than an image of its size can have.
    """
    try:
        content = path.read_bytes()
        head = read_arrays(content, MAX_HEAD, ("class_ids", "size"))
        class_ids, size = head["class_ids"], head["size"]
        if class_ids.ndim != 1 or size.shape != (2,) or class_ids.dtype.kind not in "iu" or size.dtype.kind not in "iu":
            raise ArchiveError("its classes or its size are not rows of whole numbers")
        height, width = (int(side) for side in size)
        if min(height, width) < 1 or height * width > MAX_PIXELS:
            raise ArchiveError(f"an image of {height}×{width} pixels")
        cam = read_arrays(content, len(class_ids) * height * width + MAX_HEAD, ("cam",))["cam"]
    except FileNotFoundError:
        raise ValueError(f"{path}: no such map; run `extract` for this image") from None
    except (ArchiveError, OSError) as error:
        raise ValueError(f"{path}: broken map ({error}); delete it and run `extract` again") from None
    if cam.dtype != np.uint8 or cam.ndim != 3 or class_ids.shape != cam.shape[:1] or not min(cam.shape[1:]):
        raise ValueError(f"{path}: not a map of this format (cam is {cam.dtype} {cam.shape})")
    return cam, class_ids.astype(np.int64), (height, width)


TOP = 255


MARGIN = 1e-3


CHUNK = 1 << 15


@lru_cache(maxsize=4)
def build_level_table(dtype_name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build what turns the nearest level of a value into the right one.

    Args:
        dtype_name: dtype of the maps; the thresholds are cast to it first, as in the counts.

    Returns:
        For each level (256,): the threshold that lies among the values nearest to it (infinity if none
        does), the level for values up to that threshold, and the level for values above it.
    """
    thresholds = DEFAULT_THRESHOLDS.astype(dtype_name)
    levels = np.arange(TOP + 1)
    bins = np.searchsorted(DEFAULT_THRESHOLDS.astype(np.float32), levels / np.float32(TOP))
    places = thresholds.astype(np.float64) * TOP
    # At most one threshold: they lie 1.275 levels apart. The margin covers the rounding of value × 255.
    first = np.searchsorted(places, levels - 0.5 - MARGIN)
    has_one = places[np.minimum(first, len(places) - 1)] <= levels + 0.5 + MARGIN
    has_one &= first < len(places)
    limit = np.where(has_one, thresholds[np.minimum(first, len(places) - 1)], thresholds.dtype.type(np.inf))
    below = [find_level(bins, level, place) for level, place in zip(levels, first, strict=True)]
    above = [find_level(bins, level, place + has) for level, place, has in zip(levels, first, has_one, strict=True)]
    return limit, np.array(below, dtype=np.uint8), np.array(above, dtype=np.uint8)


def find_level(bins: np.ndarray, level: int, wanted: int) -> int:
    """Find the level nearest to a level whose bin is the wanted one; the highest if no level is above 1."""
    candidates = np.flatnonzero(bins == wanted)
    return int(np.clip(level, candidates[0], candidates[-1])) if candidates.size else TOP


def quantise_maps(cam: np.ndarray) -> np.ndarray:
    """Store activation maps in 8 bits such that every default threshold labels every pixel as before.

    Args:
        cam: (K, H, W) float16, float32 or float64, finite; values outside [0, 1] go to its ends.

    Returns:
        (K, H, W) uint8 that stand for level / 255. The nearest level, moved by at most one where the
        nearest would cross a threshold, and down to the strongest class's where it would overtake it.
    """
    levels = np.empty(cam.shape, dtype=np.uint8)
    limit, below, above = build_level_table(cam.dtype.name)
    flat, out = np.ascontiguousarray(cam).ravel(), levels.ravel()
    for start in range(0, flat.size, CHUNK):  # pieces that fit a core's cache
        values = flat[start:start + CHUNK]
        nearest = np.rint(np.clip(values, 0, 1).astype(np.float32) * np.float32(TOP)).astype(np.uint8)
        out[start:start + CHUNK] = np.where(values > limit[nearest], above[nearest], below[nearest])
    return levels if len(levels) < 2 else keep_strongest(cam, levels)


def keep_strongest(cam: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Let the class that is strongest (the first of equals) stay so in 8 bits; (K, H, W) uint8."""
    strongest = cam.argmax(axis=0)
    best = np.take_along_axis(levels, strongest[None], axis=0)[0]
    before = np.maximum(best, 1) - np.uint8(1)
    for row, plane in enumerate(levels):
        bound = np.where(strongest > row, before, best)  # an earlier row wins ties, so it must stay below
        np.minimum(plane, bound, out=plane)
    return levels


def save_levels(path: Path, levels: np.ndarray, class_ids: np.ndarray, size: tuple[int, int]) -> None:
    """Save maps that are 8 bits already, in the format of `amn_core.formats.maps`, lightly compressed.

    The same maps give the same bytes, whenever they are written.

    Args:
        levels: (K, h, w) uint8. class_ids: (K,) int. size: height and width of the image.
    """
    arrays = {
        "cam": levels, "class_ids": np.asarray(class_ids, dtype=np.uint8), "size": np.asarray(size, dtype=np.int32),
    }
    write_bytes(path, pack_arrays(arrays))


def is_whole(path: Path) -> bool:
    """Check that a map can be read."""
    try:
        load_stored_map(path)
    except ValueError:
        return False
    return True
