"""PASCAL VOC 2012 in its own layout, whole or in part."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import numpy as np

from amn_core.constants import BACKGROUND, IGNORE_INDEX, VOC_CLASSES
from amn_core.data.base import FileDataset, Problem, describe_problems, load_truth
from amn_core.data.lists import read_id_list
from amn_core.formats.errors import DataError
from amn_core.formats.labels import load_cls_labels

Labels = Callable[[str], np.ndarray]
ANNOTATED = "annotated"
MASK_FOLDERS = ("SegmentationClassAug", "SegmentationClass")


def open_voc(root: str, split: str, skip_broken: bool = False) -> FileDataset:
    """Open a PASCAL VOC root.

    Args:
        root: a VOCdevkit, the VOC2012 folder, or a folder with a part of it; ``JPEGImages`` must be there.
        split: a list in ``ImageSets/Segmentation`` (``train``, ``val``, ``train_aug``), ``annotated``
            (`list_annotated`), or the path of a list.
        skip_broken: leave out ids without an image file, instead of refusing.

    Returns:
        The data set. Masks come from ``SegmentationClassAug``, else ``SegmentationClass``; an id without
        a mask has ``gt(id) = None``. Labels come from ``cls_labels.npy``, else from ``Annotations``, else
        from the masks; ``label_source`` says which.

    Raises:
        DataError: what is missing and where it was looked for.
    """
    folder = find_voc_folder(Path(root).expanduser())
    images = {path.name for path in (folder / "JPEGImages").iterdir()}
    ids = list_ids(folder, split, images)
    image_paths = {image_id: folder / "JPEGImages" / f"{image_id}.jpg" for image_id in ids}
    ids = keep_present(ids, image_paths, skip_broken)
    mask_paths = find_masks(folder, ids)
    labels, source = find_labels(folder, ids, mask_paths)
    return FileDataset(
        spec=f"voc:{root}", split=split, class_names=VOC_CLASSES, ids=ids, label_source=source,
        image_paths=image_paths, mask_paths=mask_paths, labels=labels,
    )


def find_voc_folder(root: Path) -> Path:
    """Find the folder that holds ``JPEGImages``: the root itself, or VOC2012 below it."""
    for candidate in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        if (candidate / "JPEGImages").is_dir():
            return candidate
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the VOC2012 folder or the VOCdevkit that holds it")
    raise DataError(f"{root}: no JPEGImages here, in VOC2012 or in VOCdevkit/VOC2012 below it")


def list_ids(folder: Path, split: str, images: Collection[str]) -> tuple[str, ...]:
    """List the ids of a split, by its list or, of ``annotated``, by the annotations."""
    if split == ANNOTATED and not (folder / "ImageSets" / "Segmentation" / f"{ANNOTATED}.txt").is_file():
        return list_annotated(folder)
    return read_id_list(find_list(folder, split), lambda image_id: f"{image_id}.jpg" in images)


def list_annotated(folder: Path) -> tuple[str, ...]:
    """List every image with annotations that is not in the segmentation ``val``.

    VOC as it is downloaded has no ``train_aug``, whose masks are SBD's. This split needs image labels alone, which the
    annotations give: 15,676 images, the 10,582 of ``train_aug`` and those that SBD has not outlined.

    Raises:
        DataError: no annotations, or no list of ``val`` to keep out.
    """
    held_out = set(read_id_list(find_list(folder, "val")))
    ids = sorted(path.stem for path in (folder / "Annotations").glob("*.xml"))
    if not ids:
        raise DataError(f"{folder / 'Annotations'}: no annotations, from which the split {ANNOTATED} is made")
    return tuple(image_id for image_id in ids if image_id not in held_out)


def choose_train_split(root: str) -> str:
    """Choose the split to train on: ``train_aug`` where it is listed, else ``annotated`` where that can be made."""
    folder = find_voc_folder(Path(root).expanduser())
    has_list = (folder / "ImageSets" / "Segmentation" / "train_aug.txt").is_file()
    return ANNOTATED if not has_list and (folder / "Annotations").is_dir() else "train_aug"


def find_list(folder: Path, split: str) -> Path:
    """Find the list of a split: by name in ImageSets/Segmentation, or as a path."""
    named = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
    if "/" not in split and "\\" not in split and named.is_file():
        return named
    if Path(split).expanduser().is_file():
        return Path(split).expanduser()
    present = sorted(path.stem for path in named.parent.glob("*.txt"))
    raise DataError(f"split {split!r} is neither a file nor one of {', '.join(present) or 'none'} in {named.parent}")


def keep_present(ids: tuple[str, ...], image_paths: dict[str, Path], skip_broken: bool) -> tuple[str, ...]:
    """Keep the ids whose image file exists; refuse if some do not, unless they may be skipped."""
    present = {path for folder in {p.parent for p in image_paths.values()} for path in folder.iterdir()}
    missing = [image_id for image_id in ids if image_paths[image_id] not in present]
    if missing and not skip_broken:
        problems = [Problem(i, f"{i}: no file {image_paths[i]}") for i in missing]
        raise DataError(describe_problems(problems, len(ids)))
    kept = tuple(image_id for image_id in ids if image_paths[image_id] in present)
    if not kept:
        raise DataError(f"none of the {len(ids)} listed images exists; the first is {image_paths[ids[0]]}")
    return kept


def find_masks(folder: Path, ids: Iterable[str]) -> dict[str, Path]:
    """Map each id that has a mask to its file, SegmentationClassAug before SegmentationClass."""
    found: dict[str, Path] = {}
    for name in reversed(MASK_FOLDERS):
        if (folder / name).is_dir():
            stems = {path.stem for path in (folder / name).glob("*.png")}
            found.update({i: folder / name / f"{i}.png" for i in ids if i in stems})
    return found


def find_labels(folder: Path, ids: tuple[str, ...], mask_paths: dict[str, Path]) -> tuple[Labels, str]:
    """Choose the source of the image-level labels and say which it is."""
    for path in (folder / "cls_labels.npy", folder.parent / "cls_labels.npy"):
        if path.is_file():
            table = load_cls_labels(path, len(VOC_CLASSES) - 1)
            return build_table_labels(table, ids, path), f"image labels ({path.name})"
    if (folder / "Annotations").is_dir():
        return (lambda image_id: read_xml_labels(folder / "Annotations" / f"{image_id}.xml")), "XML annotations"
    if mask_paths:
        return build_mask_labels(mask_paths, len(VOC_CLASSES)), "ground-truth masks"
    raise DataError(f"{folder}: no image labels: neither cls_labels.npy, nor Annotations, nor a mask folder")


def build_table_labels(table: dict[str, np.ndarray], ids: tuple[str, ...], path: Path) -> Labels:
    """Build the look-up of labels in a table; ids of the split that it lacks are an error at once."""
    missing = [image_id for image_id in ids if image_id not in table]
    if missing:
        raise DataError(f"{path}: no labels for {len(missing)} of {len(ids)} images, the first is {missing[0]}")
    return lambda image_id: table[image_id]


def read_xml_labels(path: Path) -> np.ndarray:
    """Read the classes of an annotation file of VOC, (K,) int64; difficult objects count, as in IRN."""
    try:
        names = {str(node.text).strip() for node in ElementTree.parse(path).getroot().iterfind("object/name")}
    except FileNotFoundError:
        raise DataError(f"{path}: no such annotation") from None
    except (ElementTree.ParseError, ValueError, OSError) as error:
        raise DataError(f"{path}: broken annotation ({error}); restore the file") from None
    unknown = sorted(names - set(VOC_CLASSES[1:]))
    if unknown:
        raise DataError(f"{path}: broken annotation: {unknown[0][:40]!r} is none of VOC's 20 classes; use folder:ROOT "
                        "for classes of one's own")
    return np.array(sorted(VOC_CLASSES.index(name) for name in names), dtype=np.int64)


def build_mask_labels(mask_paths: dict[str, Path], n_classes: int) -> Labels:
    """Build the look-up of labels in the masks themselves: every class that has a pixel."""

    def read_mask_labels(image_id: str) -> np.ndarray:
        if image_id not in mask_paths:
            raise DataError(f"{image_id}: no mask to take its labels from")
        classes = np.unique(load_truth(mask_paths[image_id], n_classes)).astype(np.int64)
        return classes[(classes != BACKGROUND) & (classes != IGNORE_INDEX)]

    return read_mask_labels
