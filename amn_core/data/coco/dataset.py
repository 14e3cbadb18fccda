"""COCO of any year with its 80 classes, in its own layout or in those of the field.

ROOT/train2017/*.jpg                        also ROOT/images/train2017, ROOT/images or ROOT/JPEGImages
ROOT/annotations/instances_train2017.json   also in ROOT itself; and the same of val, and of 2014 or another year
ROOT/SegmentationClass/ID.png               optional: masks made by others; see `MASK_FOLDERS` and `find_masks`
ROOT/cls_labels.npy                         image labels, looked for only where there are no annotations
ROOT/splits/NAME.txt                        optional lists, also ROOT/NAME.txt or any path

Images are known by their number: ``COCO_train2014_000000000009``, ``000000000009`` and ``9`` are one image, whose id
is the first form where annotations or file names tell it. The index of the annotations is kept (data/coco_index).
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from amn_core.constants import COCO_CLASSES
from amn_core.data.base import FileDataset, Problem, describe_problems
from amn_core.data.coco.index import CocoIndex, load_index
from amn_core.data.coco.masks import draw_mask
from amn_core.data.images import IMAGE_SUFFIXES
from amn_core.data.lists import read_id_list
from amn_core.formats.coco_labels import NOTE, SAMPLED, find_writing, read_mask
from amn_core.formats.errors import DataError
from amn_core.formats.labels import load_cls_labels

PARTS = ("train", "val", "test")
YEAR = re.compile(r"(train|val|test)\d{4}")
ANNOTATIONS = re.compile(r"instances_((?:train|val|test)\d{4})\.json")
MASK_FOLDERS = ("SegmentationClass", "SemanticMask", "coco_seg_anno", "masks")
ID = re.compile(r"(?:COCO_(?:train|val|test)\d{4}_)?(\d{1,12})")


@dataclass(frozen=True)
class CocoDataset(FileDataset):
    """COCO's images, with masks that are drawn from the annotations or read from a folder.

    ``mask_paths`` says for each id that has ground truth where it comes from: the annotation file, or its mask.
    """

    masks: Callable[[str], np.ndarray] = field(default=None, repr=False)
    ground_truth: str = ""

    def gt(self, image_id: str) -> np.ndarray | None:
        """Make or read the ground truth of one image, (H, W) uint8; None if it has none."""
        return self.masks(image_id) if image_id in self.mask_paths else None


def open_coco(root: str, split: str, skip_broken: bool = False) -> CocoDataset:
    """Open a COCO root (layout at the top of this file).

    Args:
        root: the folder that holds ``train2017``, ``val2017`` and ``annotations``, or those of another year.
        split: ``train`` or ``val``, with its year if there are several (every image of the annotations, those
            without an object too: they are background throughout), the name of a list, or the path of one.
        skip_broken: leave out images without a file, instead of refusing.

    Returns:
        The data set. Labels are the classes of the objects that are no crowds. Ready-made masks come before
        drawn ones; ``ground_truth`` says which they are. The same root opened again in a process is the same
        object, unless a file or folder of it changed.

    Raises:
        DataError: what is missing and where it was looked for.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the one that holds train2017 (or 2014), val2017 and "
                        "annotations")
    return open_stamped(root, split, skip_broken, describe_root(folder, split))


def describe_root(folder: Path, split: str) -> tuple:
    """Describe the version of all that is read when a root is opened, by the times of its files and folders."""
    lists = [path for path in list_lists(folder, split) if path.is_file()]
    places = [*lists, *find_annotations(folder), *find_image_folders(folder), *find_mask_folders(folder)]
    places += [place / NOTE for place in find_mask_folders(folder)] + [folder / "cls_labels.npy"]
    return tuple((str(place), place.stat().st_mtime_ns) for place in places if place.exists())


@lru_cache(maxsize=8)
def open_stamped(root: str, split: str, skip_broken: bool, stamp: tuple) -> CocoDataset:
    """Open one version of a root."""
    folder = Path(root).expanduser()
    annotations, images = find_annotations(folder), list_images(folder)
    mask_folders = find_mask_folders(folder)
    if not annotations and not mask_folders:
        place = folder / "annotations" / "instances_train2017.json"
        raise DataError(f"{folder}: neither annotations nor masks; unpack COCO's annotations so that {place} (or of "
                        f"another year) is there, or put masks into {folder / MASK_FOLDERS[0]}")
    numbers, indices = find_numbers(folder, split, annotations, images)
    ids = {number: name_image(number, indices, images) for number in numbers}
    paths = keep_images(ids, images, folder, skip_broken)
    labels, source, table = find_labels(folder, paths, indices)
    masks, mask_paths, named = find_masks(mask_folders, paths, indices, table)
    if labels is None:
        labels, source = build_labels_from_masks(masks, mask_paths), "ground-truth masks"
    return CocoDataset(
        spec=f"coco:{root}", split=split, class_names=COCO_CLASSES, ids=tuple(ids[n] for n in paths),
        label_source=source, image_paths={ids[n]: path for n, path in paths.items()}, mask_paths=mask_paths,
        labels=labels, masks=masks, ground_truth=named)


def find_annotations(folder: Path) -> dict[Path, str]:
    """Find the annotation files: path -> train2014, val2017 and so on."""
    places = [place for place in (folder, folder / "annotations") if place.is_dir()]
    matches = {path: ANNOTATIONS.fullmatch(path.name) for place in places for path in sorted(place.glob("*.json"))}
    return {path: match.group(1) for path, match in matches.items() if match and path.is_file()}


def find_years(folder: Path) -> list[str]:
    """Find the folders of a root that are named by part and year: train2014, val2017 and so on."""
    places = (folder, folder / "images")
    return sorted({path.name for place in places if place.is_dir() for path in place.iterdir()
                   if YEAR.fullmatch(path.name) and path.is_dir()})


def find_image_folders(folder: Path) -> list[Path]:
    """Find the folders that may hold images."""
    years = find_years(folder)
    names = (*years, *(f"images/{year}" for year in years), "images", "JPEGImages")
    return [folder / name for name in names if (folder / name).is_dir()]


def name_year(folder: Path, split: str, annotations: dict[Path, str]) -> str | None:
    """Name the part and year of a split: ``train`` is that of the one year there is; None if it is no part.

    Raises:
        DataError: there are several years.
    """
    if YEAR.fullmatch(split):
        return split
    if split not in PARTS:
        return None
    years = sorted({year for year in (*annotations.values(), *find_years(folder)) if year.startswith(split)})
    told = sorted({year for year in annotations.values() if year.startswith(split)})
    if len(told or years) > 1:
        raise DataError(f"{folder}: split {split!r} may be {' or '.join(told or years)}; name one of them as the split")
    years = told or years
    other = sorted({year[-4:] for year in annotations.values()})
    return years[0] if years else f"{split}{other[0] if other else 2017}"


def list_images(folder: Path) -> dict[int, Path]:
    """List the images of a root: number -> file."""
    folders = find_image_folders(folder)
    if not folders:
        raise DataError(
            f"{folder}: no images; expected {folder / 'train2017'} or of another year, images/train2017, images or "
            "JPEGImages")
    return list_numbered(folders, IMAGE_SUFFIXES)


def list_numbered(folders: list[Path], suffixes: tuple[str, ...]) -> dict[int, Path]:
    """List the files that are named as images of COCO: number -> file; of two, that of the first folder."""
    found: dict[int, Path] = {}
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, dot, suffix = entry.name.rpartition(".")
                match = ID.fullmatch(stem)
                if match and dot + suffix.lower() in suffixes:
                    found.setdefault(int(match.group(1)), Path(entry.path))
    return found


def find_numbers(
    folder: Path, split: str, annotations: dict[Path, str], images: dict[int, Path]
) -> tuple[list[int], list[CocoIndex]]:
    """Find the numbers of the images of a split, and the annotations that tell of them."""
    lists = [path for path in list_lists(folder, split) if path.is_file()]
    wanted = name_year(folder, split, annotations)
    if wanted is not None:
        chosen = [load_index(path) for path, year in annotations.items() if year == wanted][:1]
        if chosen:
            return chosen[0].numbers.tolist(), chosen
        if annotations and not find_mask_folders(folder):
            raise DataError(f"{folder}: no annotations of {wanted}; expected "
                            f"{next(iter(annotations)).parent / f'instances_{wanted}.json'}")
        if not lists:
            return [n for n, path in sorted(images.items()) if belongs(path, wanted)], []
    if not lists:
        known = ", ".join((*PARTS[:2], *sorted({*annotations.values(), *find_years(folder)})))
        raise DataError(f"split {split!r} is neither one of {known}, nor a list in {folder / 'splits'}, nor a file")
    numbers = read_numbers(lists[0])
    return numbers, find_indices(lists[0], numbers, annotations)


def belongs(path: Path, year: str) -> bool:
    """Tell whether an image's name or folder says that it belongs to a year's split."""
    return year in path.name or path.parent.name == year


def list_lists(folder: Path, split: str) -> list[Path]:
    """List where the list of a split may be."""
    named = [folder / "splits" / f"{split}.txt", folder / f"{split}.txt"] if Path(split).name == split else []
    return [*named, Path(split).expanduser()]


def is_coco_id(image_id: str) -> bool:
    """Whether a name is the id of a COCO image, with or without its prefix."""
    return ID.fullmatch(image_id) is not None


def read_numbers(path: Path) -> list[int]:
    """Read the images of a list as numbers."""
    matches = [(image_id, ID.fullmatch(image_id)) for image_id in read_id_list(path, is_coco_id)]
    wrong = [image_id for image_id, match in matches if match is None]
    if wrong:
        raise DataError(
            f"{path}: {wrong[0]!r} is no id of COCO; expected 000000000009 or COCO_train2014_000000000009")
    numbers = [int(match.group(1)) for _, match in matches]
    if len(set(numbers)) != len(numbers):
        seen: set[int] = set()
        twice = next(n for n in numbers if n in seen or seen.add(n))
        raise DataError(f"{path}: image {twice} is listed twice, with and without its prefix; remove one of the lines")
    return numbers


def find_indices(path: Path, numbers: list[int], annotations: dict[Path, str]) -> list[CocoIndex]:
    """Find the annotations that tell of the images of a list: of train2014, of val2014, or both."""
    indices, missing = [], set(numbers)
    for annotation in annotations:
        index = load_index(annotation)
        if missing & index.row.keys():
            indices.append(index)
            missing -= index.row.keys()
        if not missing:
            break
    if annotations and missing:
        raise DataError(f"{path}: {len(missing)} of {len(numbers)} images are in no annotation file "
                        f"({', '.join(a.name for a in annotations)}), such as {min(missing)}; add that of these images")
    return indices


def name_image(number: int, indices: list[CocoIndex], images: dict[int, Path]) -> str:
    """Name an image: as the annotations do, else as its file, else by its number with twelve digits."""
    for index in indices:
        if number in index.row:
            return str(index.stems[index.row[number]])
    return images[number].stem if number in images else f"{number:012d}"


def keep_images(ids: dict[int, str], images: dict[int, Path], folder: Path, skip_broken: bool) -> dict[int, Path]:
    """Keep the images that have a file; refuse if some have none, unless they may be skipped."""
    missing = [number for number in ids if number not in images]
    if missing and not skip_broken:
        places = " or ".join(str(place) for place in find_image_folders(folder))
        raise DataError(describe_problems(
            [Problem(ids[n], f"{ids[n]}: no image in {places}") for n in missing], len(ids)))
    kept = {number: images[number] for number in ids if number in images}
    if not kept:
        raise DataError(f"{folder}: none of the {len(ids)} images of the split is there; unpack COCO's images")
    return kept


def find_labels(folder: Path, paths: dict[int, Path], indices: list[CocoIndex]):
    """Choose the source of the image labels: annotations, else cls_labels.npy, else None for the masks.

    Returns:
        Look-up by id, name of the source, and look-up by number (None where only masks tell).
    """
    if indices:
        def look_up(number: int) -> np.ndarray:
            return next(index for index in indices if number in index.row).class_ids(number)

        source = f"annotations ({', '.join(index.path.name for index in indices)}, without crowds)"
        return (lambda image_id: look_up(parse_number(image_id))), source, look_up
    path = folder / "cls_labels.npy"
    if not path.is_file():
        return None, "", None
    table = {parse_number(key): labels for key, labels in load_cls_labels(path, len(COCO_CLASSES) - 1).items()}
    missing = [number for number in paths if number not in table]
    if missing:
        raise DataError(f"{path}: no labels for {len(missing)} of {len(paths)} images, the first is {missing[0]}")
    return (lambda image_id: table[parse_number(image_id)]), "image labels (cls_labels.npy)", table.__getitem__


def parse_number(image_id: str) -> int:
    """Parse the id of an image into its number."""
    match = ID.fullmatch(image_id)
    if match is None:
        raise DataError(f"{image_id!r} is no id of COCO; expected 000000000009 or COCO_train2014_000000000009")
    return int(match.group(1))


def find_mask_folders(folder: Path) -> list[Path]:
    """Find the folders of ready-made masks, and those of parts and years in them."""
    found = [path for name in MASK_FOLDERS for path in sorted(folder.glob(f"{name}*")) if path.is_dir()]
    return [place for path in found for place in (path, *(path / year for year in find_years(path)))]


def find_masks(folders: list[Path], paths: dict[int, Path], indices: list[CocoIndex], table):
    """Choose the masks: the first folder that has any of these images, else drawn from the annotations.

    Returns:
        Look-up by id, id -> mask or annotation file, and the name of the ground truth. Images that a chosen folder
        lacks have no mask: one data set never mixes two kinds.
    """
    for folder in folders:
        files = list_numbered([folder], (".png",))
        found = {n: files[n] for n in paths if n in files}
        if found:
            return open_masks(folder, found, {n: name_image(n, indices, paths) for n in found}, table)

    def draw(image_id: str) -> np.ndarray:
        number = parse_number(image_id)
        return draw_mask(next(index for index in indices if number in index.row), number)

    sources = {name_image(n, indices, paths): index.path for index in indices for n in paths if n in index.row}
    return draw, sources, " and ".join(index.path.name for index in indices)


def open_masks(folder: Path, found: dict[int, Path], ids: dict[int, str], table):
    """Find out how the masks of a folder are written, from some that are spread over it; see `find_masks`."""
    sample = list(found)[::max(1, len(found) // SAMPLED)]
    labels = {found[n]: table(n) for n in sample} if table else None
    written_as = find_writing([found[n] for n in sample], folder, labels)
    named = {ids[n]: path for n, path in found.items()}
    name = folder.parent.name if YEAR.fullmatch(folder.name) else folder.name
    return (lambda image_id: read_mask(named[image_id], written_as)), named, f"{name} (written as {written_as})"


def build_labels_from_masks(masks, mask_paths: dict[str, Path]):
    """Build the look-up of labels in the masks themselves: every class that has a pixel."""

    def read_labels(image_id: str) -> np.ndarray:
        if image_id not in mask_paths:
            raise DataError(f"{image_id}: no mask to take its labels from")
        classes = np.unique(masks(image_id)).astype(np.int64)
        return classes[(classes > 0) & (classes < len(COCO_CLASSES))]

    return read_labels
