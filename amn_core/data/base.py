"""What every data set offers, and the one whose images are files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from amn_core.data.images import load_image
from amn_core.formats.errors import DataError
from amn_core.formats.masks import check_labels, load_label_image
from amn_core.formats.numbering import load_numbered, read_note


class Dataset(Protocol):
    """Images with image-level labels, and ground truth where there is any.

    Attributes:
        spec: the text that opens it again, such as ``voc:/data/VOC2012``.
        split: name of the split, or the path of a list.
        class_names: names by class index, ``class_names[0]`` is the background.
        ids: image ids in the order of the list.
        label_source: where the image-level labels come from.
    """

    spec: str
    split: str
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    label_source: str

    def image(self, image_id: str) -> np.ndarray:
        """Load one image, (H, W, 3) uint8."""
        ...

    def gt(self, image_id: str) -> np.ndarray | None:
        """Load the ground truth of one image, (H, W) uint8 with 255 = ignore; None if it has none."""
        ...

    def class_ids(self, image_id: str) -> np.ndarray:
        """Look up the foreground classes of one image, (K,) int64, increasing, 1-based."""
        ...


@dataclass(frozen=True)
class FileDataset:
    """A data set whose images and masks are files, with labels that were read beforehand or on demand."""

    spec: str
    split: str
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    label_source: str
    image_paths: dict[str, Path] = field(repr=False)
    mask_paths: dict[str, Path] = field(repr=False)
    labels: Callable[[str], np.ndarray] = field(repr=False)
    upright: bool = False

    def image(self, image_id: str) -> np.ndarray:
        """Load one image, (H, W, 3) uint8."""
        return load_image(self.image_paths[image_id], upright=self.upright)

    def gt(self, image_id: str) -> np.ndarray | None:
        """Load the ground truth of one image, (H, W) uint8; None if it has none."""
        path = self.mask_paths.get(image_id)
        return None if path is None else load_truth(path, len(self.class_names), lambda: self.labels(image_id))

    def class_ids(self, image_id: str) -> np.ndarray:
        """Look up the foreground classes of one image, (K,) int64, increasing, 1-based."""
        return self.labels(image_id)


def load_truth(path: Path, n_classes: int, find_labels: Callable[[], np.ndarray] | None = None) -> np.ndarray:
    """Load a mask of ground truth, numbered as a note in its folder says (`amn_core.formats.numbering`).

    Args:
        find_labels: looks up the classes of the image, if they do not come from the masks.

    Raises:
        DataError: no mask, or values that are no labels; names the file.
    """
    numbering = read_note(path.parent)
    if numbering == "stored":
        return load_label_image(path, n_classes)
    labels = load_numbered(path, n_classes, numbering, () if find_labels is None else find_labels())
    check_labels(labels, n_classes, str(path))
    return labels


def name_ground_truth(dataset: Dataset) -> str:
    """Name the ground truth of a data set: the folder of masks, or the source of the labels where masks are drawn."""
    named = getattr(dataset, "ground_truth", "")
    masks = getattr(dataset, "mask_paths", None)
    return named or (next(iter(masks.values())).parent.name if masks else dataset.label_source)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one image of a data set."""

    image_id: str
    message: str


def find_problems(dataset: Dataset, with_masks: bool = False) -> list[Problem]:
    """Decode every image (and mask) of a data set and collect what is broken.

    Args:
        with_masks: also report images without a mask, broken masks, and masks of another size.
    """
    return [
        Problem(image_id, message)
        for image_id in dataset.ids
        for message in find_image_problems(dataset, image_id, with_masks)
    ]


def find_image_problems(dataset: Dataset, image_id: str, with_masks: bool) -> list[str]:
    """Collect what is wrong with one image: unreadable image, label or mask, or sizes that differ."""
    try:
        image = dataset.image(image_id)
        dataset.class_ids(image_id)
        if not with_masks:
            return []
        gt = dataset.gt(image_id)
    except DataError as error:
        return [str(error)]
    if gt is None:
        return [f"{image_id}: no mask"]
    if gt.shape != image.shape[:2]:
        return [f"{image_id}: image is {image.shape[1]}×{image.shape[0]} but mask is {gt.shape[1]}×{gt.shape[0]}"]
    return []


def describe_problems(problems: list[Problem], total: int) -> str:
    """Word a list of problems as one error: how many, the first three, and the remedy."""
    first = "; ".join(problem.message for problem in problems[:3])
    more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
    return (
        f"{len(problems)} problem(s) among {total} images: {first}{more}. "
        "Mend the data, or pass --skip-broken to leave these images out"
    )
