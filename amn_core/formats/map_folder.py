"""A folder of another method's maps or masks: which file belongs to which image.

Names are looked up in the folder's own list, never built into a path from what a file says, and a link that
leads out of the folder is not followed.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from amn_core.formats.errors import FormatError
from amn_core.formats.foreign import CLASS_IMAGES, RawMap, check_planes, read_raw_map

MAP_SUFFIXES = (".npy", ".npz", ".pkl", ".pickle")
MAX_PIXELS = 50_000_000
COCO_NAME = re.compile(r"(?:COCO_(?:train|val)2014_)?0*(\d{1,12})$")
KINDS = ("auto", "maps", "masks")


@dataclass(frozen=True)
class MapFolder:
    """The files of a folder by image id.

    Attributes:
        root: the folder.
        kind: "maps" (arrays, one file an image), "class images" (one PNG for each class) or "masks"
            (finished labels, one PNG an image).
        files: id -> its files; class images carry the class as written after the id.
        fingerprint: changes when a file is added, taken away or written again.
    """

    root: Path
    kind: str
    files: dict[str, tuple[tuple[str, Path], ...]] = field(repr=False)
    fingerprint: str

    def read(self, image_id: str, class_names: Sequence[str], entry: str = "auto") -> RawMap:
        """Read the maps of one image; not for masks.

        Raises:
            FormatError: what `read_raw_map` finds, or a PNG that is no grayscale image.
        """
        if self.kind == "class images":
            return read_class_images(self.files[image_id], class_names)
        return read_raw_map(self.files[image_id][0][1], entry)


def open_map_folder(root: str | Path, ids: Sequence[str], class_names: Sequence[str], kind: str = "auto") -> MapFolder:
    """Open a folder of maps or masks and find the file of each image.

    Args:
        root: the folder, or a run folder's ``maps`` (files lie directly in it).
        ids: image ids to look for; ``COCO_train2014_`` and leading zeros may be missing in the names.
        class_names: names by class index, to recognise ``{id}_{class}.png``.
        kind: "maps", "masks", or "auto": PNGs named like an image are finished masks, PNGs with a class
            after the name are maps.

    Raises:
        FormatError: no such folder, or nothing in it belongs to an image of the data set.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise FormatError(f"{root}: no such folder; give the folder that holds one file for each image")
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; choose one of {', '.join(KINDS)}")
    entries = list_files(root)
    finders = {"maps": find_map_files, "class images": find_class_images, "masks": find_mask_files}
    wanted = {"auto": tuple(finders), "maps": ("maps", "class images"), "masks": ("masks",)}[kind]
    found = {name: finders[name](entries, ids, class_names) for name in wanted}
    best = max(found, key=lambda name: len(found[name]))
    if not found[best]:
        example = next(iter(entries), None)
        raise FormatError(
            f"{root}: none of its {len(entries)} files ({example or 'empty'}, …) belongs to one of "
            f"the {len(ids)} images ({ids[0] if ids else 'none'}, …); check the folder, the data and the split"
        )
    return MapFolder(root, best, found[best], describe_files(entries))


def list_files(root: Path) -> dict[str, os.DirEntry]:
    """List the files of a folder by name, in order; links that lead out of it are left out."""
    home = root.resolve()
    with os.scandir(root) as scan:
        entries = {
            entry.name: entry for entry in scan
            if not entry.name.startswith(".") and entry.is_file()
            and (not entry.is_symlink() or Path(entry.path).resolve().is_relative_to(home))
        }
    return dict(sorted(entries.items()))


def describe_files(entries: dict[str, os.DirEntry]) -> str:
    """Describe names, sizes and times of files by one short text that changes with any of them."""
    text = "\n".join(f"{name} {e.stat().st_size} {e.stat().st_mtime_ns}" for name, e in entries.items())
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def simplify_id(image_id: str) -> str:
    """Simplify the id of a COCO image to its number; other ids stay as they are."""
    match = COCO_NAME.fullmatch(image_id)
    return match.group(1) if match else image_id


def match_ids(stems: dict[str, Path], ids: Sequence[str]) -> dict[str, tuple[tuple[str, Path], ...]]:
    """Match ids with file names without suffix, exactly or as numbers of COCO."""
    simple = {simplify_id(stem): path for stem, path in stems.items()}
    paths = {image_id: stems.get(image_id) or simple.get(simplify_id(image_id)) for image_id in ids}
    return {image_id: (("", path),) for image_id, path in paths.items() if path is not None}


def find_map_files(
    entries: dict[str, os.DirEntry], ids: Sequence[str], class_names: Sequence[str]
) -> dict[str, tuple[tuple[str, Path], ...]]:
    """Find the file of arrays of each image."""
    return match_ids({Path(n).stem: Path(e.path) for n, e in entries.items() if n.endswith(MAP_SUFFIXES)}, ids)


def find_mask_files(
    entries: dict[str, os.DirEntry], ids: Sequence[str], class_names: Sequence[str]
) -> dict[str, tuple[tuple[str, Path], ...]]:
    """Find the finished mask of each image."""
    return match_ids({Path(n).stem: Path(e.path) for n, e in entries.items() if n.lower().endswith(".png")}, ids)


def find_class_images(
    entries: dict[str, os.DirEntry], ids: Sequence[str], class_names: Sequence[str]
) -> dict[str, tuple[tuple[str, Path], ...]]:
    """Find the images ``{id}_{class}.png``; the class is a name or a number."""
    suffixes = set(class_names) | {str(i) for i in range(len(class_names))}
    known = set(ids)
    found: dict[str, list[tuple[str, Path]]] = {}
    for name, entry in entries.items():
        stem = Path(name).stem
        if not name.lower().endswith(".png") or stem in known:
            continue
        for at in [i for i, sign in enumerate(stem) if sign == "_"]:
            if stem[:at] in known and stem[at + 1:] in suffixes:
                found.setdefault(stem[:at], []).append((stem[at + 1:], Path(entry.path)))
                break
    return {image_id: tuple(files) for image_id, files in found.items()}


def read_class_images(files: Sequence[tuple[str, Path]], class_names: Sequence[str]) -> RawMap:
    """Read one image of 8 or 16 bits for each class; names count from 1, numbers stay as written."""
    numbers = [int(label) if label.isdecimal() else list(class_names).index(label) for label, _ in files]
    planes = [read_gray_image(path) for _, path in files]
    if len({(plane.shape, plane.dtype) for plane in planes}) > 1:
        raise FormatError(f"{files[0][1]}: the images of this id differ in size or depth")
    return RawMap(CLASS_IMAGES, "", check_planes(np.stack(planes)), np.array(numbers, dtype=np.int64))


def read_gray_image(path: Path) -> np.ndarray:
    """Read a grayscale PNG, (h, w) uint8 or uint16."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise FormatError(f"{path}: {image.width}×{image.height} is more than {MAX_PIXELS:,} pixels")
            if image.mode in ("I;16", "I;16B", "I"):
                return np.asarray(image).astype(np.uint16)
            if image.mode not in ("L", "1"):
                raise FormatError(f"{path}: an activation map must be grayscale, not {image.mode}")
            return np.asarray(image.convert("L"))
    except FormatError:
        raise
    except Exception as error:  # decoders raise many kinds; all of them mean a broken file
        raise FormatError(f"{path}: broken image ({error})") from None
