"""Class-agnostic masks of images, those of SAM for one: what a folder holds of each, read as it is asked for.

========================= ==================================================================================
what lies in the folder   read as
========================= ==================================================================================
``ID.json``               run lengths of COCO, plain or compressed: a list of masks, or ``annotations`` of one,
                          each with ``segmentation`` or bare (``size``, ``counts``), as SAM's ``amg.py`` writes
``ID/*.png``              one picture a mask, above 0 where it is, as ``amg.py`` writes by default
``ID.png``                one picture whose pixels hold the number of their mask, 0 for none, 8 or 16 bits
========================= ==================================================================================
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.formats.errors import FormatError
from amn_core.formats.files import read_json
from amn_core.formats.grey_images import read_grey_image
from amn_core.sweep.combining import list_numbered

MOST = 20_000  # masks of an image
DIGIT, MORE, SIGN = 5, 0x20, 0x10  # bits of a letter of a compressed run


def find_regions(folder: str | Path) -> dict[str, Path]:
    """Find the masks of each image of a folder: id -> file or folder.

    Raises:
        FormatError: no such folder, or none of its kinds in it.
    """
    path = Path(folder)
    if not path.is_dir():
        raise FormatError(f"{folder}: no such folder of masks")
    found = dict(list_regions(path, path.stat().st_mtime_ns))
    if not found:
        raise FormatError(f"{folder}: no masks in it; give ID.json (run lengths), ID/*.png or ID.png for each image")
    return found


@lru_cache(maxsize=4)
def list_regions(folder: Path, _modified: int) -> tuple[tuple[str, Path], ...]:
    """List what a folder holds, once for each time of its modification."""
    entries = sorted(folder.iterdir())
    return tuple((path.stem if path.suffix in (".json", ".png") else path.name, path) for path in entries
                 if path.suffix in (".json", ".png") or path.is_dir())


def read_regions(path: Path, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Read the masks of an image one after another, (H, W) bool.

    Args:
        path: of `find_regions`. size: height and width of the image.

    Raises:
        FormatError: broken, or of another size; names the file.
    """
    if path.is_dir():
        for one in sorted(path.glob("*.png"))[:MOST]:
            yield check_size(read_grey_image(one) > 0, size, one)
    elif path.suffix == ".png":
        yield from list_numbered(check_size(read_grey_image(path), size, path))
    else:
        for number, shape in enumerate(read_shapes(path)):
            yield decode_runs(shape, size, f"{path}: mask {number}")


def check_size(mask: np.ndarray, size: tuple[int, int], path: Path) -> np.ndarray:
    """Return a mask that is of the size of its image."""
    if mask.shape != size:
        raise FormatError(f"{path} is {mask.shape[0]}×{mask.shape[1]} but its image {size[0]}×{size[1]}: check that "
                          "the masks were made on images of full size")
    return mask


def read_shapes(path: Path) -> list[dict[str, Any]]:
    """Read the run-length encodings of a JSON file."""
    try:
        content = read_json(path)
    except ValueError as error:
        raise FormatError(str(error)) from None
    items = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(items, list) or len(items) > MOST:
        raise FormatError(f"{path}: holds no list of masks; expected a list, or an object with annotations")
    return [item.get("segmentation", item) if isinstance(item, dict) else item for item in items]


def decode_runs(shape: Any, size: tuple[int, int], name: str) -> np.ndarray:
    """Decode a run-length encoding of COCO, column by column and background first: (H, W) bool.

    Raises:
        FormatError: no such encoding, of another size, or runs that do not cover the image.
    """
    if not isinstance(shape, dict) or "counts" not in shape or list(shape.get("size") or ()) != list(size):
        raise FormatError(f"{name} is no run-length encoding (size, counts) of an image of {size[0]}×{size[1]}")
    counts = shape["counts"]
    runs = expand_counts(counts) if isinstance(counts, str) else counts
    is_whole = isinstance(runs, list) and all(isinstance(run, int) and run >= 0 for run in runs)
    if not is_whole or sum(runs) != size[0] * size[1]:
        raise FormatError(f"{name}: its runs do not cover the image of {size[0]}×{size[1]}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(size[::-1]).T


def expand_counts(text: str) -> list[int]:
    """Expand a compressed text of COCO to its runs: five bits a letter, each run after the third less that two before.

    >>> expand_counts("52203")
    [5, 2, 2, 2, 5]
    """
    runs: list[int] = []
    value, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        value |= (bits & (MORE - 1)) << shift
        shift += DIGIT
        if bits & MORE and shift < 64:
            continue
        if bits & SIGN:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value, shift = 0, 0
    return runs
