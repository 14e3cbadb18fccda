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
from amn_core.sweep.binning import build_grid

TOP = 255


@lru_cache(maxsize=1)
def find_level_limits() -> tuple[np.ndarray, np.ndarray]:
    """Find the lowest and the highest level of each threshold bin, two (T+1,) uint8.

    Values above the last threshold (1) have no level of their own and share the highest.
    """
    grid = build_grid(DEFAULT_THRESHOLDS, np.uint8)
    bins = grid.table.astype(np.int64)
    low = np.searchsorted(bins, np.arange(len(DEFAULT_THRESHOLDS) + 1), side="left")
    high = np.searchsorted(bins, np.arange(len(DEFAULT_THRESHOLDS) + 1), side="right") - 1
    return np.minimum(low, TOP).astype(np.uint8), np.maximum(high, 0).astype(np.uint8)


def find_bins(cam: np.ndarray) -> np.ndarray:
    """Find the default threshold bin of every value, in the dtype of the maps; (…) uint8."""
    flat = np.ascontiguousarray(cam).ravel()
    wide = np.float64 if flat.dtype == np.float64 else np.float32
    out, spare = np.empty(flat.shape, wide), np.empty(flat.shape, wide)
    build_grid(DEFAULT_THRESHOLDS, flat.dtype).bin_values(flat, out, spare)
    return out.astype(np.uint8).reshape(cam.shape)


def quantise_maps(cam: np.ndarray) -> np.ndarray:
    """Store activation maps in 8 bits such that every default threshold labels every pixel as before.

    Args:
        cam: (K, H, W) float16, float32 or float64, finite; values outside [0, 1] go to its ends.

    Returns:
        (K, H, W) uint8 that stand for level / 255. The nearest level, moved by at most one where the
        nearest would cross a threshold or tie with the strongest class.
    """
    low, high = find_level_limits()
    bins = find_bins(cam)
    nearest = np.rint(np.clip(cam, 0, 1).astype(np.float32) * np.float32(TOP)).astype(np.uint8)
    levels = np.clip(nearest, low[bins], high[bins])
    return levels if len(levels) < 2 else keep_strongest(cam, levels)


def keep_strongest(cam: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Let the class that is strongest (the first of equals) stay so in 8 bits; (K, H, W) uint8."""
    strongest = cam.argmax(axis=0)
    best = np.take_along_axis(levels, strongest[None], axis=0)
    row = np.arange(len(levels))[:, None, None]
    bound = np.where(row < strongest, np.maximum(best, 1) - 1, best)
    return np.where(row == strongest, levels, np.minimum(levels, bound).astype(np.uint8))


def save_levels(path: Path, levels: np.ndarray, class_ids: np.ndarray, size: tuple[int, int]) -> None:
    """Save maps that are 8 bits already, in the format of `amn_core.formats.maps`, lightly compressed.

    Args:
        levels: (K, h, w) uint8. class_ids: (K,) int. size: height and width of the image.
    """
    arrays = {
        "cam": levels, "class_ids": np.asarray(class_ids, dtype=np.uint8), "size": np.asarray(size, dtype=np.int32),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.save(part, array)
            archive.writestr(f"{name}.npy", part.getvalue())
    write_bytes(path, buffer.getvalue())
