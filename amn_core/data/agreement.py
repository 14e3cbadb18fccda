"""Whether the ground truth of a data set shows the classes that its image labels name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amn_core.data.base import Dataset, FileDataset
from amn_core.formats.errors import DataError, FormatError
from amn_core.formats.numbering import NOTE, Diagnosis, Sample, diagnose, load_numbered, read_note

# Shares of the masks that may show a class their image lacks; COCO's labels leave crowds out, its masks do not.
MOST_STRAYS = 0.05
MOST_BESIDE_CROWDS = 0.25


def diagnose_ground_truth(dataset: Dataset, ids: Sequence[str]) -> Diagnosis:
    """Hold the ground truth of some images against their labels, and find the likeliest cause where they differ.

    Masks that are drawn, and those that the labels were taken from, cannot disagree and are not looked at.
    """
    paths = {} if dataset.label_source == "ground-truth masks" else getattr(dataset, "mask_paths", {})
    known = [image_id for image_id in ids if image_id in paths and paths[image_id].suffix == ".png"]
    samples = [build_sample(dataset, image_id) for image_id in known]
    stored = read_note(paths[known[0]].parent) if known and has_numbers(dataset) else "stored"
    return diagnose(samples, len(dataset.class_names), stored)


def is_wrong(dataset: Dataset, found: Diagnosis) -> bool:
    """Whether so many masks disagree that the ground truth cannot be right."""
    most = MOST_STRAYS if has_numbers(dataset) else MOST_BESIDE_CROWDS
    return bool(found.cause) or found.strays > most * found.files


def has_numbers(dataset: Dataset) -> bool:
    """Whether the ground truth lies in files whose numbering can be chosen."""
    return type(dataset) is FileDataset


def build_sample(dataset: Dataset, image_id: str) -> Sample:
    """Build one mask of ground truth for `diagnose`."""
    n_classes, present = len(dataset.class_names), dataset.class_ids(image_id)

    def load(numbering: str) -> np.ndarray:
        if has_numbers(dataset):
            return load_numbered(dataset.mask_paths[image_id], n_classes, numbering, present)
        try:
            labels = dataset.gt(image_id) if numbering == "stored" else None
        except DataError as error:
            raise FormatError(str(error)) from None
        if labels is None:
            raise FormatError(f"{image_id}: no other way to read its ground truth")
        return labels

    return Sample(image_id, load, present)


def describe_note(dataset: Dataset, found: Diagnosis) -> str:
    """Describe what to do about ground truth that does not agree with the labels."""
    if not found.cause or not has_numbers(dataset):
        return "Check the class list, and where the masks come from"
    folder: Path = next(iter(dataset.mask_paths.values())).parent
    return f"Write {found.cause} into {folder / NOTE} to read them so"
