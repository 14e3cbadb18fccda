"""Writing maps and lists as other people's code reads them."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from amn_core.formats.errors import FormatError
from amn_core.formats.files import write_bytes
from amn_core.formats.maps import compute_map_size, resize_maps

SAFE_NAME = re.compile(r"[\w -]+")
TOP_16 = 65535


def save_irn_map(path: str | Path, cam: np.ndarray, class_ids: np.ndarray) -> None:
    """Save the maps of one image as IRN's dict: drop-in for the code of IRN, AMN, ReCAM, AdvCAM and RIB.

    ``keys`` torch int64, 0-based; ``cam`` torch float32 (K, ceil(H/4), ceil(W/4)); ``high_res`` numpy float32
    (K, H, W). Needs torch, since those codes call ``.cuda()`` on what they load. An image without a class has
    ``keys`` only, as in RIB and AMN.

    Args:
        cam: (K, H, W) in [0, 1]. class_ids: (K,) int, 1-based.
    """
    import torch  # only this format needs it

    cam = np.ascontiguousarray(cam, dtype=np.float32)
    content = {"keys": torch.as_tensor(np.asarray(class_ids, dtype=np.int64) - 1)}
    if len(cam):
        small = resize_maps(cam, *compute_map_size(*cam.shape[1:]))
        content |= {"cam": torch.from_numpy(small.copy()), "high_res": cam}
    buffer = io.BytesIO()
    np.save(buffer, np.array(content, dtype=object), allow_pickle=True)
    write_bytes(Path(path), buffer.getvalue())


def save_class_images(folder: str | Path, image_id: str, cam: np.ndarray, labels: Sequence[str]) -> None:
    """Save the maps of one image as grayscale PNGs of 16 bits, ``{id}_{label}.png``; a is stored as 65535 a.

    Args:
        cam: (K, H, W) in [0, 1]. labels: K names, see `name_class`.
    """
    for plane, label in zip(cam, labels, strict=True):
        values = np.rint(np.clip(plane, 0, 1).astype(np.float64) * TOP_16).astype(np.uint16)
        buffer = io.BytesIO()
        Image.fromarray(values).save(buffer, format="PNG")
        write_bytes(Path(folder) / f"{check_file_id(image_id)}_{label}.png", buffer.getvalue())


def name_class(class_id: int, class_names: Sequence[str]) -> str:
    """Name a class in a file name: its name if that is plain, else its number, counted from 1."""
    name = class_names[class_id]
    return name if SAFE_NAME.fullmatch(name) and not name.isdecimal() else str(class_id)


def check_file_id(image_id: str) -> str:
    """Check that an image id is a plain file name.

    Raises:
        FormatError: it is empty or would lead to another folder.
    """
    if image_id in ("", ".", "..") or any(sign in image_id for sign in "/\\\0"):
        raise FormatError(f"image id {image_id!r} is not a file name")
    return image_id


def save_id_list(path: str | Path, ids: Sequence[str]) -> None:
    """Save image ids as a list, one a line."""
    write_bytes(Path(path), "".join(f"{image_id}\n" for image_id in ids).encode())
