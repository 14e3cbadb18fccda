"""A folder of another method's maps or masks: which file belongs to which image.

Files lie in the folder or in sub-folders, one a split or one a class. Names are looked up in the folder's own list,
never built into a path from what a file says, and a link that leads out of the folder is not followed.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from amn_core.constants import COCO_CATEGORY_IDS, COCO_CLASSES
from amn_core.formats.errors import FormatError
from amn_core.formats.foreign import CLASS_IMAGES, RawMap, read_raw_map
from amn_core.formats.grey_images import GREY_SUFFIXES, read_grey_image
from amn_core.formats.map_arrays import check_planes
from amn_core.formats.map_keys import parse_name
from amn_core.formats.pickles.parts import DEFAULT_RIGHT

MAP_SUFFIXES = (".npy", ".npz", ".pkl", ".pickle", ".pt", ".pth")
COCO_NAME = re.compile(r"(?:COCO_(?:train|val|test)\d{4}_)?0*(\d{1,12})$")
KINDS = ("auto", "maps", "masks")
DEPTH = 2
Files = dict[str, tuple[tuple[str, Path], ...]]


@dataclass(frozen=True)
class MapFolder:
    """The files of a folder by image id.

    Attributes:
        root: the folder.
        kind: "maps" (arrays, one file an image), "class images" (one file for each class of an image) or "masks"
            (finished labels, one PNG an image).
        files: id -> its files; those of one class carry the class as it is written.
        fingerprint: changes when a file is added, taken away or written again.
        strangers: files that bear the id of an image and something that is no class, in a folder of class images.
    """

    root: Path
    kind: str
    files: Files = field(repr=False)
    fingerprint: str
    strangers: tuple[str, ...] = ()

    def read(
        self, image_id: str, class_names: Sequence[str], entry: str = "auto", size: tuple[int, int] | None = None
    ) -> RawMap:
        """Read the maps of one image; not for masks.

        Args:
            size: height and width of the image, which bound what its file may hold.

        Raises:
            FormatError: what `read_raw_map` finds, or a picture that is not grey.
        """
        if self.kind == "class images":
            return read_class_files(self.files[image_id], class_names)
        right = DEFAULT_RIGHT if size is None else len(class_names) * size[0] * size[1] * np.dtype(np.float32).itemsize
        return read_raw_map(self.files[image_id][0][1], entry, class_names, right)


def open_map_folder(root: str | Path, ids: Sequence[str], class_names: Sequence[str], kind: str = "auto") -> MapFolder:
    """Open a folder of maps or masks and find the file of each image.

    Args:
        root: the folder, or a run folder's ``maps``.
        ids: image ids to look for; ``COCO_train2014_`` and leading zeros may be missing in the names.
        class_names: names by class index, to recognise ``{id}_{class}.png``.
        kind: "maps", "masks", or "auto": PNGs named like an image are finished masks, PNGs with a class
            after the name are maps.

    Raises:
        FormatError: no such folder, nothing in it belongs to an image of the data set, or two files to one.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise FormatError(f"{root}: no such folder; give the folder that holds one file for each image")
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; choose one of {', '.join(KINDS)}")
    entries = list_files(root)
    finder = Finder(ids, class_names)
    finders = {"maps": finder.find_map_files, "class images": finder.find_class_files, "masks": finder.find_mask_files}
    wanted = {"auto": tuple(finders), "maps": ("maps", "class images"), "masks": ("masks",)}[kind]
    found = {name: finders[name](entries) for name in wanted}
    best = max(found, key=lambda name: (len(found[name]), name == "class images" and finder.has_class_folders(entries)))
    if not found[best]:
        raise FormatError(describe_nothing(root, entries, ids, kind))
    for image_id, paths in found[best].items() if best != "class images" else ():
        if len(paths) > 1:
            raise FormatError(f"{root}: two files belong to {image_id}: {paths[0][1].relative_to(root)} and "
                              f"{paths[1][1].relative_to(root)}; give the sub-folder that is meant")
    strangers = finder.strangers if best == "class images" else ()
    return MapFolder(root, best, found[best], describe_files(entries), tuple(strangers))


def describe_nothing(root: Path, entries: dict[str, os.DirEntry], ids: Sequence[str], kind: str) -> str:
    """Word the error of a folder in which nothing belongs to an image: empty, other files, or other names."""
    if not entries:
        return f"{root}: the folder is empty; give the folder that holds one file for each image"
    suffixes = {"maps": (*MAP_SUFFIXES, *GREY_SUFFIXES), "masks": (".png",)}.get(kind, (*MAP_SUFFIXES, ".png"))
    names = [name for name in entries if name.lower().endswith(suffixes)]
    if not names:
        return (f"{root}: none of its {len(entries)} files ({next(iter(entries))}, …) is "
                f"{'a mask' if kind == 'masks' else 'a file of maps'} ({', '.join(suffixes)})")
    return (f"{root}: none of its {len(names)} files ({names[0]}, …) belongs to one of the {len(ids)} images "
            f"({ids[0] if ids else 'none'}, …); check the folder, the data and the split")


def list_files(root: Path) -> dict[str, os.DirEntry]:
    """List the files of a folder and of its sub-folders by name, in order; links that lead out are left out."""
    home = root.resolve()
    return dict(sorted((name, entry) for name, entry in walk_files(root, home, "", DEPTH)))


def walk_files(folder: Path, home: Path, prefix: str, depth: int) -> Iterator[tuple[str, os.DirEntry]]:
    """Walk through the files of a folder; see `list_files`."""
    with os.scandir(folder) as scan:
        for entry in scan:
            if entry.name.startswith("."):
                continue
            if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(home):
                continue
            if entry.is_file():
                yield prefix + entry.name, entry
            elif depth and entry.is_dir() and not entry.is_symlink():
                yield from walk_files(Path(entry.path), home, f"{prefix}{entry.name}/", depth - 1)


def describe_files(entries: dict[str, os.DirEntry]) -> str:
    """Describe names, sizes and times of files by one short text that changes with any of them."""
    text = "\n".join(f"{name} {e.stat().st_size} {e.stat().st_mtime_ns}" for name, e in entries.items())
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def simplify_id(image_id: str) -> str:
    """Simplify the id of a COCO image to its number; other ids stay as they are."""
    match = COCO_NAME.fullmatch(image_id)
    return match.group(1) if match else image_id


class Finder:
    """Finds which image, and which class, a file's name means.

    Args:
        ids: ids of the images. class_names: names by class index.
    """

    def __init__(self, ids: Sequence[str], class_names: Sequence[str]):
        self.known = set(ids)
        self.class_names = class_names
        self.most = COCO_CATEGORY_IDS[-1] if len(class_names) == len(COCO_CLASSES) else len(class_names) - 1
        self.by_number: dict[str, str | None] = {}
        for image_id in ids:
            number = simplify_id(image_id)
            self.by_number[number] = None if number in self.by_number else image_id
        self.strangers: list[str] = []

    def find_id(self, name: str) -> str | None:
        """Find the image of a name: exactly, without an image's suffix, or as a number of COCO."""
        stem, dot, suffix = name.rpartition(".")
        for text in (name, stem if dot + suffix.lower() in (*GREY_SUFFIXES, ".webp") else name):
            if text in self.known:
                return text
            number = self.by_number.get(simplify_id(text))
            if number is not None:
                return number
        return None

    def find_class(self, text: str) -> bool:
        """Tell whether a text is a class: its name, or a number that may be one."""
        number = parse_name(text, self.class_names)
        return number is not None and 0 <= number <= self.most

    def find_map_files(self, entries: dict[str, os.DirEntry]) -> Files:
        """Find the file of arrays of each image."""
        return self.match(entries, MAP_SUFFIXES)

    def find_mask_files(self, entries: dict[str, os.DirEntry]) -> Files:
        """Find the finished mask of each image."""
        return self.match(entries, (".png",))

    def match(self, entries: dict[str, os.DirEntry], suffixes: tuple[str, ...]) -> Files:
        """Match files of some suffixes with images."""
        found: dict[str, list[tuple[str, Path]]] = {}
        for name, entry in entries.items():
            path = PurePosixPath(name)
            image_id = self.find_id(path.stem) if path.suffix.lower() in suffixes else None
            if image_id is not None:
                found.setdefault(image_id, []).append(("", Path(entry.path)))
        exact = {image_id: [p for p in paths if p[1].stem == image_id] for image_id, paths in found.items()}
        return {image_id: tuple(exact[image_id] or paths) for image_id, paths in found.items()}

    def has_class_folders(self, entries: dict[str, os.DirEntry]) -> bool:
        """Tell whether there are several sub-folders and each is a class; ``train`` alone is a split."""
        folders = {PurePosixPath(name).parent.name for name in entries if "/" in name}
        return len(folders) > 1 and all(map(self.find_class, folders))

    def find_class_files(self, entries: dict[str, os.DirEntry]) -> Files:
        """Find the files of one class each: ``ID_CLASS.png``, ``ID-CLASS.png``, ``CLASS/ID.png``, or of arrays."""
        has_folders = self.has_class_folders(entries)
        found: dict[str, list[tuple[str, Path]]] = {}
        for name, entry in entries.items():
            path = PurePosixPath(name)
            if path.suffix.lower() not in (*GREY_SUFFIXES, *MAP_SUFFIXES):
                continue
            pair = (self.find_id(path.stem), path.parent.name) if has_folders else self.divide(path.stem, name)
            if pair is not None and pair[0] is not None:
                found.setdefault(pair[0], []).append((pair[1], Path(entry.path)))
        return {image_id: tuple(files) for image_id, files in found.items()}

    def divide(self, stem: str, name: str) -> tuple[str, str] | None:
        """Divide a name into image and class; where an image is named but no class, it is noted as a stranger."""
        if stem in self.known:
            return None
        pairs = [(self.find_id(stem[:at]), stem[at + 1:]) for at, sign in enumerate(stem) if sign in "_-"]
        pairs = [pair for pair in reversed(pairs) if pair[0] is not None]
        for image_id, text in pairs:
            if self.find_class(text):
                return image_id, text
        self.strangers += [name] if pairs else []
        return None


def read_class_files(files: Sequence[tuple[str, Path]], class_names: Sequence[str]) -> RawMap:
    """Read one file for each class of an image; names count from 1, numbers stay as written."""
    numbers = np.array([parse_name(label, class_names) for label, _ in files], dtype=np.int64)
    planes = [read_class_plane(path) for _, path in files]
    if len({(plane.shape, plane.dtype) for plane in planes}) > 1:
        raise FormatError(f"{files[0][1]}: the maps of this image differ in size or depth; save them alike")
    if len(set(numbers.tolist())) < len(numbers):
        raise FormatError(f"{files[0][1]}: two files of this image name one class; remove one")
    order = np.argsort(numbers, kind="stable")
    return RawMap(CLASS_IMAGES, "", check_planes(np.stack([planes[i] for i in order])), numbers[order])


def read_class_plane(path: Path) -> np.ndarray:
    """Read the map of one class, (h, w), from a grey picture or a file with one map."""
    if path.suffix.lower() in GREY_SUFFIXES:
        return read_grey_image(path)
    planes = read_raw_map(path).planes
    if len(planes) != 1:
        raise FormatError(f"{path}: holds {len(planes)} maps, and its name one class; save one map a file")
    return planes[0]
