"""Image-level labels in the form of the field: ``cls_labels.npy``, a pickled dict of 0/1 vectors."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.formats.errors import FormatError
from amn_core.formats.files import write_bytes
from amn_core.formats.pickles.files import load_pickled_npy

VOC_KEY_DIGITS = 10


def load_cls_labels(path: str | Path, n_classes: int) -> dict[str, np.ndarray]:
    """Load the image-level labels of a data set.

    Args:
        path: a pickled dict; keys are texts (``"2007_000032"``) or numbers without the underscore
            (``2007000032``), values are vectors of `n_classes` numbers, above 0 where the class is present.
        n_classes: number of foreground classes (20 for VOC).

    Returns:
        id -> (K,) int64, increasing, 1-based. Ids are text; the underscore of VOC is put back.

    Raises:
        FormatError: no such file, not a dict, or a vector of another length; names file and id.
    """
    table = load_pickled_npy(path)
    if not isinstance(table, dict):
        raise FormatError(f"{path}: holds a {type(table).__name__} instead of a dict of labels")
    return {parse_key(key, path): parse_vector(key, value, n_classes, path) for key, value in table.items()}


def parse_key(key: Any, path: str | Path) -> str:
    """Turn a key into an image id; ten digits are VOC's year and number, which an underscore divides."""
    text = key.decode("ascii", "replace") if isinstance(key, bytes) else str(key)
    if isinstance(key, int) and len(text) == VOC_KEY_DIGITS:
        return f"{text[:4]}_{text[4:]}"
    if not text:
        raise FormatError(f"{path}: an image has an empty id")
    return text


def parse_vector(key: Any, value: Any, n_classes: int, path: str | Path) -> np.ndarray:
    """Turn a vector of 0 and 1 into the classes that are present, (K,) int64."""
    is_plain = isinstance(value, (list, tuple)) and all(isinstance(number, (bool, int, float)) for number in value)
    vector = value if isinstance(value, np.ndarray) else np.array(value if is_plain else ())
    if vector.shape != (n_classes,) or vector.dtype.kind not in "biuf":
        raise FormatError(
            f"{path}: the label of {key} has shape {vector.shape} and dtype {vector.dtype}; expected {n_classes} "
            "numbers, check the class list"
        )
    return np.flatnonzero(vector > 0).astype(np.int64) + 1


def save_cls_labels(path: str | Path, table: Mapping[str, np.ndarray], n_classes: int) -> None:
    """Save image-level labels as ``cls_labels.npy``.

    Args:
        table: id -> (K,) int, 1-based.
        n_classes: number of foreground classes.

    Keys are written as integers if all of them are ids of VOC (``2007_000032`` becomes 2007000032, as IRN's
    code looks them up), else as texts.

    Raises:
        FormatError: a class outside 1–n_classes; names the id.
    """
    as_numbers = all(is_voc_id(image_id) for image_id in table)
    content = {
        int(image_id.replace("_", "")) if as_numbers else image_id: build_vector(image_id, class_ids, n_classes)
        for image_id, class_ids in table.items()
    }
    buffer = io.BytesIO()
    np.save(buffer, np.array(content, dtype=object), allow_pickle=True)
    write_bytes(Path(path), buffer.getvalue())


def is_voc_id(image_id: str) -> bool:
    """Whether an id has the form of VOC: four digits, an underscore, six digits."""
    year, underscore, number = image_id.partition("_")
    return bool(underscore) and len(year) == 4 and len(number) == 6 and (year + number).isdecimal()


def build_vector(image_id: str, class_ids: np.ndarray, n_classes: int) -> np.ndarray:
    """Build the vector of 0 and 1 for an image, (n_classes,) float32."""
    class_ids = np.asarray(class_ids, dtype=np.int64)
    if class_ids.size and not (class_ids.min() >= 1 and class_ids.max() <= n_classes):
        raise FormatError(f"{image_id} has class {int(class_ids.max())}, outside 1–{n_classes}; check the class list")
    vector = np.zeros(n_classes, dtype=np.float32)
    vector[class_ids - 1] = 1
    return vector
