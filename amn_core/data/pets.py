"""Oxford-IIIT Pet in its own layout: 37 breeds of cats and dogs, or the two species.

ROOT/images/ID.jpg                 ID is the breed and a number: Abyssinian_100
ROOT/annotations/list.txt          ID CLASS SPECIES BREED: class 1 to 37, species 1 cat or 2 dog
ROOT/annotations/trainval.txt      lists in the same form; test.txt too
ROOT/annotations/trimaps/ID.png    1 pet, 2 background, 3 border

An image shows one pet, so its mask holds one class, that of the list; the border is not scored (255).
Options behind the root: ``classes=species``; ``n=200`` for so many images of each split, ``seed=7`` for others.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amn_core.constants import BACKGROUND, IGNORE_INDEX, PET_BREEDS, PET_SPECIES
from amn_core.data.base import FileDataset
from amn_core.data.images import IMAGE_FORMATS, load_image
from amn_core.data.lists import read_id_list, read_list_text
from amn_core.data.voc import keep_present
from amn_core.formats.errors import DataError
from amn_core.formats.masks import load_mask
from amn_core.formats.specs import Spec, split_spec

CLASSES = {"breeds": PET_BREEDS, "species": PET_SPECIES}
COLUMNS = {"breeds": 1, "species": 2}  # of the lists: where the class stands
SPLITS = ("trainval", "test", "all")
BELOW = "oxford-iiit-pet"  # the folder that torchvision makes
PET, GROUND, BORDER = 1, 2, 3
# Some files of the data set are GIF under the name of a JPEG.
FORMATS = (*IMAGE_FORMATS, "GIF")


@dataclass(frozen=True)
class PetsDataset(FileDataset):
    """Images of one pet each, whose masks are made from trimaps."""

    def image(self, image_id: str) -> np.ndarray:
        """Load one image, (H, W, 3) uint8."""
        return load_image(self.image_paths[image_id], upright=False, formats=FORMATS)

    def gt(self, image_id: str) -> np.ndarray | None:
        """Make the ground truth of one image from its trimap, (H, W) uint8; None if it has none."""
        path = self.mask_paths.get(image_id)
        return None if path is None else label_trimap(path, int(self.class_ids(image_id)[0]))


def open_pets(rest: str, split: str, skip_broken: bool = False) -> PetsDataset:
    """Open an Oxford-IIIT Pet root (layout at the top of this file).

    Args:
        rest: the root, or the folder that holds torchvision's ``oxford-iiit-pet``; behind it ``,classes=species``
            for cat and dog instead of the 37 breeds, ``,n=`` and ``,seed=`` for some images of the split.
        split: ``trainval``, ``test``, ``all`` or the path of a list.
        skip_broken: leave out images without a file, instead of refusing.

    Raises:
        DataError: what is missing and where it was looked for, or an option that does not exist.
    """
    spec = split_spec(f"pets:{rest}") or Spec("pets", rest)
    options = read_options(spec)
    classes = options["classes"]
    folder = find_pets_folder(Path(spec.root).expanduser())
    table, source = read_table(folder / "annotations", COLUMNS[classes], len(CLASSES[classes]))
    image_paths = {path.stem: path for path in (folder / "images").glob("*.jpg")}
    ids = draw_some(list_ids(folder / "annotations", split, table), int(options["n"]), options["seed"])
    ids = keep_present(ids, {i: image_paths.get(i, folder / "images" / f"{i}.jpg") for i in ids}, skip_broken)
    masks = {path.stem: path for path in (folder / "annotations" / "trimaps").glob("*.png")}
    return PetsDataset(
        spec=str(spec), split=split, class_names=CLASSES[classes], ids=ids, label_source=source,
        image_paths={i: image_paths[i] for i in ids}, mask_paths={i: masks[i] for i in ids if i in masks},
        labels=build_labels(table))


def read_options(spec: Spec) -> dict[str, str]:
    """Read the options behind the root: ``classes``, breeds or species; ``n``, 0 for all images; ``seed``."""
    options = {"classes": "breeds", "n": "0", "seed": "0"}
    options |= dict(part.split("=", 1) for part in spec.options.split(",") if part)
    if options["classes"] not in CLASSES:
        raise DataError(f"{spec}: classes is {options['classes']!r}; write classes=species for cat and dog, or nothing "
                        "for breeds")
    for name in ("n", "seed"):
        if not (options[name].isascii() and options[name].isdecimal() and len(options[name]) < 10):
            raise DataError(f"{spec}: {name} is {options[name]!r}; write a whole number")
    return options


def draw_some(ids: tuple[str, ...], n: int, seed: str) -> tuple[str, ...]:
    """Draw some of the images of a split, in its order: the same ones everywhere; all where n is 0 or too large.

    Those are drawn whose SHA-256 with the seed comes first, so that no version of a generator changes them (ours).
    """
    if not n:
        return ids
    ranked = sorted(ids, key=lambda image_id: hashlib.sha256(f"{seed}:{image_id}".encode()).digest())
    chosen = set(ranked[:n])
    return tuple(image_id for image_id in ids if image_id in chosen)


def find_pets_folder(root: Path) -> Path:
    """Find the folder that holds ``images`` and ``annotations``: the root itself, or torchvision's below it."""
    for folder in (root, root / BELOW):
        if (folder / "images").is_dir() and (folder / "annotations").is_dir():
            return folder
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the one that holds images and annotations of Oxford-IIIT Pet")
    raise DataError(f"{root}: images and annotations are not both here, or in {BELOW} below it; get them with "
                    f"python -m amn_core data get pets --root {root}")


def read_table(annotations: Path, column: int, n_classes: int) -> tuple[dict[str, int], str]:
    """Read the class of every image: id -> class; and which files say so.

    Raises:
        DataError: no list, or a line without its class; names the file and the line.
    """
    whole = annotations / "list.txt"
    paths = [whole] if whole.is_file() else [p for p in (annotations / f"{s}.txt" for s in SPLITS[:2]) if p.is_file()]
    if not paths:
        raise DataError(f"{whole}: no such list, nor trainval.txt or test.txt; classes come from there")
    table: dict[str, int] = {}
    for path in paths:
        for number, line in enumerate(read_list_text(path).splitlines(), 1):
            words = line.split()
            if words and not line.startswith("#"):
                table[words[0]] = read_class(words, column, n_classes, f"{path}: line {number}")
    return table, " and ".join(path.name for path in paths)


def read_class(words: list[str], column: int, n_classes: int, where: str) -> int:
    """Read the class of a line: a number from 1 up."""
    text = words[column] if len(words) > column else ""
    if not text.isdecimal() or not 1 <= int(text) < n_classes:
        raise DataError(f"{where} must be ID CLASS SPECIES BREED with {'breed' if column == 1 else 'species'} 1 to "
                        f"{n_classes - 1} but is {' '.join(words)[:60]!r}")
    return int(text)


def list_ids(annotations: Path, split: str, table: dict[str, int]) -> tuple[str, ...]:
    """List the ids of a split: by its name, or by the path of a list."""
    if split == "all":
        return tuple(table)
    named = annotations / f"{Path(split).name}.txt"
    path = named if split == named.stem and named.is_file() else Path(split).expanduser()
    if not path.is_file():
        raise DataError(f"split {split!r} is neither a file nor one of {', '.join(SPLITS)} in {annotations}")
    ids = read_id_list(path, table.__contains__)
    unknown = next((image_id for image_id in ids if image_id not in table), None)
    if unknown is not None:
        raise DataError(f"{path}: {unknown[:80]} has no class in {annotations / 'list.txt'}; take it off the list")
    return ids


def build_labels(table: dict[str, int]) -> Callable[[str], np.ndarray]:
    """Build the look-up of the one class of each image."""
    return lambda image_id: np.array([table[image_id]], dtype=np.int64)


def label_trimap(path: Path, class_id: int) -> np.ndarray:
    """Label a trimap: its pet by the class, its border by 255; (H, W) uint8.

    Raises:
        DataError: no such file, or a value that trimaps do not have; names the file.
    """
    trimap = load_mask(path)
    strange = trimap[(trimap < PET) | (trimap > BORDER)]
    if strange.size:
        raise DataError(f"{path}: value {strange[0]} is none of a trimap's: 1 pet, 2 background, 3 border; restore it")
    names = np.array([0, class_id, BACKGROUND, IGNORE_INDEX], dtype=np.uint8)
    return names[trimap]
