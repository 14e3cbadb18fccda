"""A folder of one's own: images, a labels.csv, masks if there are any, any class names.

ROOT/images/*.jpg        or the images in ROOT itself
ROOT/labels.csv          header ``image,labels``: file name or id, class names separated by ``;``
ROOT/names.txt           instead of it: a pattern that reads labels from file names (`amn_core.data.named_labels`)
ROOT/classes.txt         optional: one foreground class a line, fixes their order
ROOT/masks/ID.png        optional: 0 background, 1… in the order of the classes, 255 ignore
ROOT/splits/NAME.txt     optional: lists of ids; the split ``all`` is always there
"""

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from amn_core.constants import IGNORE_INDEX
from amn_core.data.base import FileDataset
from amn_core.data.images import IMAGE_SUFFIXES
from amn_core.data.lists import read_id_list, read_list_text, strip_suffix
from amn_core.data.named_labels import NAME, read_named_labels
from amn_core.data.voc import build_mask_labels, keep_present
from amn_core.formats.errors import DataError


def open_folder(root: str, split: str, skip_broken: bool = False) -> FileDataset:
    """Open a folder of images with labels.csv (layout at the top of this file).

    Raises:
        DataError: no image, no labels and no masks, an unknown class, or an id without a file.
    """
    folder = Path(root).expanduser()
    image_paths = find_images(folder)
    mask_paths = {path.stem: path for path in (folder / "masks").glob("*.png")}
    table, source, place = read_labels_csv(folder / "labels.csv", image_paths), "labels.csv", "labels.csv"
    if not table:
        listed = read_class_names(folder, {}) if (folder / "classes.txt").is_file() else ()
        table, source, place = read_named_labels(folder, image_paths, listed), "names of the files", NAME
    class_names = ("background", *read_class_names(folder, table))
    ids = keep_listed(read_split(folder, split, image_paths), image_paths, skip_broken)
    if table:
        labels = build_csv_labels(table, class_names, ids, skip_broken, place)
        ids = tuple(i for i in ids if i in table)
    elif mask_paths:
        labels, source = build_mask_labels(mask_paths, len(class_names)), "ground-truth masks"
    else:
        raise DataError(f"{folder}: no labels.csv, names.txt or masks; write labels.csv with the header image,labels")
    return FileDataset(
        spec=f"folder:{root}", split=split, class_names=class_names, ids=ids, label_source=source,
        image_paths=image_paths, mask_paths={i: mask_paths[i] for i in ids if i in mask_paths},
        labels=labels, upright=True,
    )


def find_images(folder: Path) -> dict[str, Path]:
    """Map ids (file names without suffix) to the images in ROOT/images, or in ROOT itself."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    place = folder / "images" if (folder / "images").is_dir() else folder
    paths = sorted(path for path in place.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise DataError(f"{place}: no images ({', '.join(IMAGE_SUFFIXES)})")
    return {path.stem: path for path in paths}


def read_labels_csv(path: Path, known: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Read labels.csv as id -> class names; empty if there is no such file.

    Args:
        known: ids of the images; a name of the table is one of them with or without the suffix of an image.

    Raises:
        DataError: another header or encoding, a quote that is not closed, a row without its two cells, or an
            image that is named twice.
    """
    if not path.is_file():
        return {}
    table: dict[str, tuple[str, ...]] = {}
    for number, row in read_rows(path):
        if row["image"] is None or row["labels"] is None or None in row:
            raise DataError(f"{path}: line {number} does not have as many cells as the header; write image,labels")
        name = row["image"].strip()
        image_id = name if name in known else strip_suffix(name)
        if image_id in table:
            raise DataError(f"{path}: line {number} names {image_id[:80]} again; remove one of the rows")
        table[image_id] = tuple(n.strip() for n in row["labels"].split(";") if n.strip())
    return table


def read_rows(path: Path) -> Iterator[tuple[int, dict]]:
    """Read the rows of labels.csv with the numbers of their last lines."""
    reader = csv.DictReader(io.StringIO(read_list_text(path), newline=""), strict=True)
    try:
        if not {"image", "labels"} <= set(reader.fieldnames or ()):
            found = ",".join(reader.fieldnames or ())
            raise DataError(f"{path}: the header must be image,labels but is {found[:80] or 'missing'}")
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} is not CSV ({error}); check its quotes") from None


def read_class_names(folder: Path, table: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Read the foreground classes from classes.txt, else take those of labels.csv in alphabetical order.

    Raises:
        DataError: no class, one that is listed twice, or a name with ``~``, which the app's links divide names by.
    """
    path = folder / "classes.txt"
    if path.is_file():
        names = tuple(line.strip() for line in read_list_text(path).splitlines() if line.strip())
        names = names[1:] if names[:1] == ("background",) else names
    else:
        path, names = folder / "labels.csv", tuple(sorted({name for row in table.values() for name in row}))
    if not names:
        raise DataError(f"{folder}: no class names; write classes.txt or a labels.csv that uses them")
    check_class_names(names, path)
    return names


def check_class_names(names: tuple[str, ...], path: Path) -> None:
    """Refuse names of classes that occur twice, are taken, or hold what divides names elsewhere."""
    twice = [name for name, count in Counter(("background", *names)).items() if count > 1]
    if twice:
        raise DataError(f"{path}: the class {twice[0][:40]!r} is listed twice; 'background' is always there")
    odd = [name for name in names if "~" in name or not name.isprintable()]
    if odd:
        raise DataError(f"{path}: the class {odd[0][:40]!r} holds ~ or a control character; rename it")
    if len(names) >= IGNORE_INDEX:
        raise DataError(f"{path}: {len(names)} classes; masks hold at most {IGNORE_INDEX - 1}")


def read_split(folder: Path, split: str, image_paths: dict[str, Path]) -> tuple[str, ...]:
    """Read the ids of a split: ``all``, a list in ROOT/splits, or the path of a list."""
    if split == "all":
        return tuple(image_paths)
    for path in (folder / "splits" / f"{Path(split).name}.txt", Path(split).expanduser()):
        if path.is_file():
            return read_id_list(path, image_paths.__contains__, has_classes=False)
    raise DataError(f"split {split!r} is neither 'all', nor a list in {folder / 'splits'}, nor a file")


def keep_listed(ids: tuple[str, ...], image_paths: dict[str, Path], skip_broken: bool) -> tuple[str, ...]:
    """Keep the listed ids that have an image; refuse if some have none, unless they may be skipped."""
    anywhere = next(iter(image_paths.values())).parent
    return keep_present(ids, {i: image_paths.get(i, anywhere / i) for i in ids}, skip_broken)


def build_csv_labels(
    table: dict[str, tuple[str, ...]], class_names: tuple[str, ...], ids: tuple[str, ...], skip_broken: bool,
    place: str = "labels.csv",
):
    """Build the look-up of labels in labels.csv or in names; unknown classes and ids without a row are errors."""
    unknown = sorted({name for row in table.values() for name in row} - set(class_names[1:]))
    if unknown:
        raise DataError(f"{place} names classes that classes.txt lacks: {', '.join(unknown[:5])}")
    missing = [image_id for image_id in ids if image_id not in table]
    if missing and not skip_broken:
        raise DataError(f"labels.csv has no row for {len(missing)} of {len(ids)} images, the first is {missing[0]}")
    index = {name: class_id for class_id, name in enumerate(class_names)}
    return lambda image_id: np.array(sorted({index[n] for n in table[image_id]}), dtype=np.int64)
