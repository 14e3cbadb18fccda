"""Eight bits a pixel that lose nothing a threshold can see.

The 201 default thresholds lie 1/200 apart, the 256 levels 1/255: every interval between two thresholds
holds a level. So a value is stored as the nearest level *in its own interval*, and where two classes would
share a level the weaker one steps back. At every default threshold every pixel then gets the label that the
original map gave it (ours; held by a property test).
"""

import io
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from amn_core.constants import DEFAULT_THRESHOLDS
from amn_core.formats.files import write_bytes

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
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.save(part, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue(), zipfile.ZIP_DEFLATED, 1)
    write_bytes(path, buffer.getvalue())
