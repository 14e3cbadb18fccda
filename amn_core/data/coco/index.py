"""The index of an annotation file of COCO: where each object's text lies, found in one pass and kept beside it.

The annotations of a split are one JSON text of hundreds of megabytes, and parsed they take gigabytes. The pass
decodes one object at a time and keeps numbers only: of an image its id and size, of an object its class, area, and
the bytes where it is written. The polygons are read from there when a mask is asked for.
"""

import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.constants import COCO_CATEGORY_IDS, COCO_CLASSES
from amn_core.formats.errors import DataError
from amn_core.formats.files import write_bytes

VERSION = 1
CLASS_OF_CATEGORY = {category: label for label, category in enumerate(COCO_CATEGORY_IDS, start=1)}
ARRAYS = ("numbers", "heights", "widths", "stems", "first", "starts", "ends", "classes", "is_crowd", "areas")
NEEDED = ("image_id", "category_id", "area", "segmentation")
SPACE = re.compile(r"[ \t\r\n]*")
DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class CocoIndex:
    """What an annotation file says, without its polygons.

    Attributes:
        path: the annotation file.
        numbers, heights, widths, stems: (N,) of the images: id, size in pixels, file name without suffix.
        first: (N + 1,) the objects of image i are ``first[i]`` up to ``first[i + 1]``, in the file's order.
        starts, ends: (A,) the bytes where an object is written. classes: (A,) 1–80. is_crowd: (A,) bool.
        areas: (A,) in pixels, as the file says.
        row: image id -> place among the images.
    """

    path: Path
    numbers: np.ndarray
    heights: np.ndarray
    widths: np.ndarray
    stems: np.ndarray
    first: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    classes: np.ndarray
    is_crowd: np.ndarray
    areas: np.ndarray
    row: dict[int, int] = field(repr=False, default_factory=dict)

    def objects(self, number: int) -> slice:
        """Find the objects of an image."""
        row = self.row[number]
        return slice(int(self.first[row]), int(self.first[row + 1]))

    def class_ids(self, number: int) -> np.ndarray:
        """Look up the classes of an image that have an object which is no crowd, (K,) int64, increasing."""
        objects = self.objects(number)
        return np.unique(self.classes[objects][~self.is_crowd[objects]]).astype(np.int64)


def load_index(path: Path) -> CocoIndex:
    """Load the index of an annotation file, made anew where the one kept is of another size or time.

    It is kept beside the file as ``NAME.index.npz``, or, where nothing may be written there, in the user's cache.

    Raises:
        DataError: no such file, not JSON, not instance annotations, or not COCO's classes.
    """
    try:
        stamp = describe_file(path)
    except OSError:
        raise DataError(f"{path}: no such annotation file; unpack COCO's annotations there") from None
    return load_stamped(path, stamp)


@lru_cache(maxsize=4)
def load_stamped(path: Path, stamp: tuple[int, int, int]) -> CocoIndex:
    """Load the index of one version of an annotation file."""
    for kept in list_places(path):
        arrays = read_kept(kept, stamp)
        if arrays is not None:
            return build_index(path, arrays)
    arrays = scan(path)
    keep(path, arrays, stamp)
    return build_index(path, arrays)


def describe_file(path: Path) -> tuple[int, int, int]:
    """Describe a version of a file: of the index's format, its size, its time."""
    status = path.stat()
    return VERSION, status.st_size, status.st_mtime_ns


def list_places(path: Path) -> tuple[Path, Path]:
    """List where the index may be kept: beside the file, and in the user's cache under the file's whole path."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = re.sub(r"[^\w.]+", "-", str(path.resolve()).strip("/"))[-200:]
    return path.with_suffix(".index.npz"), cache / "amn_core" / f"{name}.index.npz"


def read_kept(kept: Path, stamp: tuple[int, int, int]) -> dict[str, np.ndarray] | None:
    """Read an index that was kept; None if there is none, or it is broken or of another version of the file."""
    try:
        with np.load(io.BytesIO(kept.read_bytes()), allow_pickle=False) as stored:
            if tuple(stored["stamp"].tolist()) != stamp:
                return None
            return {name: stored[name] for name in ARRAYS}
    except Exception:  # a file cut short raises many kinds; all of them mean to make it again
        return None


def keep(path: Path, arrays: dict[str, np.ndarray], stamp: tuple[int, int, int]) -> None:
    """Keep an index where it can be written; without such a place the next process makes it again."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, stamp=np.array(stamp), **arrays)
    for place in list_places(path):
        try:
            write_bytes(place, buffer.getvalue())
            return
        except OSError:
            continue


def build_index(path: Path, arrays: dict[str, np.ndarray]) -> CocoIndex:
    """Build the index from its arrays."""
    return CocoIndex(path, **arrays, row={int(number): i for i, number in enumerate(arrays["numbers"])})


def scan(path: Path) -> dict[str, np.ndarray]:
    """Scan an annotation file into the arrays of an index."""
    text = path.read_bytes().decode("latin-1")  # one character a byte: places in the text are places in the file
    images: list[tuple[int, int, int, str]] = []
    objects: list[tuple[int, int, int, int, bool, float]] = []
    seen = set()
    try:
        for key, item, start, end in iterate_lists(text):
            seen.add(key)
            if key == "images" and item is not None:
                images.append(parse_image(item))
            elif key == "annotations" and item is not None:
                objects.append(parse_object(item, start, end))
            elif key == "categories" and item is not None:
                check_category(item)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path}: not readable as JSON ({error}); the file is cut short, unpack it again") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    missing = {"images", "annotations", "categories"} - seen
    if missing or not images:
        lacks = ", ".join(sorted(missing)) or "any image"
        raise DataError(f"{path}: lacks {lacks}; give COCO's instances_train2017.json, or of another part or year")
    return order_objects(path, images, objects)


def iterate_lists(text: str) -> Iterator[tuple[str, Any, int, int]]:
    """Walk through a JSON object of lists, one item decoded at a time.

    Yields:
        Key, item, and where it starts and ends in the text. A list itself comes first, with the item None; values
        that are no lists are passed over.
    """
    at = expect(text, skip(text, 0), "{")
    while text[at:at + 1] != "}":
        key, at = DECODER.raw_decode(text, at)
        at = expect(text, at, ":")
        if text[at:at + 1] == "[":
            yield key, None, at, at
            at = yield from iterate_items(text, at, key)
        else:
            at = skip(text, DECODER.raw_decode(text, at)[1])
        at = step(text, at, "}")


def iterate_items(text: str, at: int, key: str) -> Iterator[tuple[str, Any, int, int]]:
    """Walk through a list from its bracket on; returns where the text goes on after it."""
    at = expect(text, at, "[")
    while text[at:at + 1] != "]":
        item, end = DECODER.raw_decode(text, at)
        yield key, item, at, end
        at = step(text, skip(text, end), "]")
    return skip(text, at + 1)


def skip(text: str, at: int) -> int:
    """Skip white space."""
    return SPACE.match(text, at).end()


def expect(text: str, at: int, sign: str) -> int:
    """Step over a sign that must be there, and the space around it."""
    at = skip(text, at)
    if text[at:at + 1] != sign:
        raise json.JSONDecodeError(f"expected {sign!r}", "", at)
    return skip(text, at + 1)


def step(text: str, at: int, closing: str) -> int:
    """Step to the next item after a comma, or stay on the closing bracket."""
    return at if text[at:at + 1] == closing else expect(text, at, ",")


def parse_image(item: Any) -> tuple[int, int, int, str]:
    """Parse an image into id, height, width, and file name without suffix."""
    try:
        name = item["file_name"].encode("latin-1", "replace").decode("utf-8", "replace")
        return int(item["id"]), int(item["height"]), int(item["width"]), Path(name).stem
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError("an image lacks id, height, width or file_name; restore the file") from None


def parse_object(item: Any, start: int, end: int) -> tuple[int, int, int, int, bool, float]:
    """Parse an object into its image, where it is written, class, whether it is a crowd, and area.

    Raises:
        DataError: names what it lacks; without an outline it is a caption, or the box of a detector.
    """
    lacks = [name for name in NEEDED if not isinstance(item, dict) or name not in item]
    if lacks:
        raise DataError(f"{name_object(item)} lacks {', '.join(lacks)}; {advise_lack(lacks)}")
    try:
        category, number, area = item["category_id"], int(item["image_id"]), float(item["area"])
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{name_object(item)} has an image_id or area that is no number; restore the file") from None
    if not isinstance(category, int) or category not in CLASS_OF_CATEGORY:
        shown = f"the category {category}" if is_short(category) else "a category"
        raise DataError(f"{name_object(item)} has {shown}, which COCO's 80 classes lack; use folder:ROOT for classes "
                        "of one's own")
    return number, start, end, CLASS_OF_CATEGORY[category], bool(item.get("iscrowd", 0)), area


def advise_lack(lacks: list[str]) -> str:
    """Advise what to do about an annotation that lacks something."""
    if "segmentation" in lacks:
        return "give instances_*.json, not the captions or the results of a detector"
    return "write its area in pixels, by which objects are stacked" if lacks == ["area"] else "restore the file"


def name_object(item: Any) -> str:
    """Name an annotation by its id, if that is a number."""
    number = item.get("id") if isinstance(item, dict) else None
    return f"annotation {number}" if is_short(number) else "an annotation"


def is_short(value: Any) -> bool:
    """Whether a value may be shown: a whole number of at most 18 digits, or a short text."""
    return (isinstance(value, int) and abs(value) < 10 ** 18) or (isinstance(value, str) and len(value) <= 40)


def check_category(item: Any) -> None:
    """Refuse categories that are named otherwise than COCO's: they would be taken for other classes."""
    number, name = (item.get("id"), item.get("name")) if isinstance(item, dict) else (None, item)
    if not isinstance(number, int) or COCO_CLASSES[CLASS_OF_CATEGORY.get(number, 0)] != name:
        shown = f"category {number!r} is {name!r}" if is_short(number) and is_short(name) else "a category is another"
        raise DataError(f"{shown}, which is not COCO's; use folder:ROOT for classes of one's own")


def order_objects(path: Path, images: list[tuple], objects: list[tuple]) -> dict[str, np.ndarray]:
    """Order the objects by image, in the file's order within an image."""
    numbers, heights, widths, stems = (np.array(column) for column in zip(*images, strict=True))
    if len(np.unique(numbers)) != len(numbers):
        raise DataError(f"{path}: an image id appears twice; the file joins several, give one of COCO's own")
    row = {int(number): i for i, number in enumerate(numbers)}
    strangers = [number for number, *_ in objects if number not in row]
    if strangers:
        raise DataError(f"{path}: {len(strangers)} annotation(s) of images that are not listed, such as "
                        f"{strangers[0]}; the file is incomplete, unpack it again")
    rows = np.array([row[number] for number, *_ in objects], dtype=np.int64)
    order = np.argsort(rows, kind="stable")
    columns = list(zip(*objects, strict=True))[1:] or [()] * 5
    kinds = (np.int64, np.int64, np.uint8, bool, np.float64)
    kept = [np.array(column, dtype=kind)[order] for column, kind in zip(columns, kinds, strict=True)]
    first = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(numbers)))]).astype(np.int64)
    return dict(zip(ARRAYS, (numbers, heights, widths, stems, first, *kept), strict=True))
