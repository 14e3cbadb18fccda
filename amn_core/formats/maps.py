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
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from amn_core.formats.files import write_bytes

STRIDE = 4
LEVELS = 255


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
    """Load a map as it is stored: cam (K, h, w) uint8, class_ids (K,) int64, (H, W) of the image."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            cam, class_ids, size = stored["cam"], stored["class_ids"], stored["size"]
    except FileNotFoundError:
        raise ValueError(f"{path}: no such map; run `extract` for this image") from None
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: broken map ({error}); delete it and run `extract` again") from None
    if cam.dtype != np.uint8 or cam.ndim != 3 or len(cam) != len(class_ids) or size.shape != (2,):
        raise ValueError(f"{path}: not a map of this format (cam is {cam.dtype} {cam.shape})")
    return cam, class_ids.astype(np.int64), (int(size[0]), int(size[1]))


def resize_maps(cam: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize maps bilinearly, (K, h, w) float32 to (K, height, width), pixel centres at halves."""
    if cam.shape[1:] == (height, width):
        return cam
    resized = np.empty((len(cam), height, width), dtype=np.float32)
    for plane, source in zip(resized, cam, strict=True):
        plane[:] = Image.fromarray(source).resize((width, height), Image.Resampling.BILINEAR)
    return resized
