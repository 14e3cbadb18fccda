"""Label images of COCO as different projects write them, told apart by their values.

=========== ==================================== =========================================================
written as  values                               by
=========== ==================================== =========================================================
``80``      0 background, 1–80, 255 ignore       most: WeakTr's and RIB's ground truth, pseudo masks
``91``      0 background, the original ids 1–90  masks drawn straight from the annotations
``80+91``   all of ``80`` raised by 91           results of MCTformer and WeakTr, whose evaluation subtracts
                                                 91 again in uint8: 91 background, 92–171, 90 or 255 ignore
=========== ==================================== =========================================================

The first two agree up to 11 (fire hydrant); above, only a value that the other lacks tells them apart.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from amn_core.constants import COCO_CATEGORY_IDS, COCO_CLASSES, IGNORE_INDEX
from amn_core.formats.errors import DataError
from amn_core.formats.masks import load_label_image

SAMPLED = 2000
NOTE = "mask_values.txt"

WRITTEN_AS = ("80", "91", "80+91")
N_CLASSES = len(COCO_CLASSES)
OFFSET = 91
INVALID = -1


def build_table(written_as: str) -> np.ndarray:
    """Build the table from stored value to label, (256,) int16, -1 for a value that this writing lacks."""
    table = np.full(256, INVALID, dtype=np.int16)
    labels = np.arange(N_CLASSES)
    values = {"80": labels, "91": np.array((0, *COCO_CATEGORY_IDS)), "80+91": labels + OFFSET}[written_as]
    table[values] = labels
    table[IGNORE_INDEX] = IGNORE_INDEX
    if written_as == "80+91":
        table[(IGNORE_INDEX + OFFSET) % 256] = IGNORE_INDEX
    return table


TABLES = {name: build_table(name) for name in WRITTEN_AS}


def find_writings(values: Iterable[int]) -> list[str]:
    """Find the writings under which all of these stored values are labels, and that differ on them.

    Returns:
        Names out of WRITTEN_AS; one of several that read the values alike stands for all of them, the first.
    """
    values = np.array(sorted(set(values)), dtype=np.int64)
    fitting: dict[bytes, str] = {}
    for name, table in TABLES.items():
        labels = table[values]
        if (labels != INVALID).all():
            fitting.setdefault(labels.tobytes(), name)
    return list(fitting.values())


def decode_labels(values: np.ndarray, written_as: str, name: str) -> np.ndarray:
    """Turn stored values into labels 0–80 and 255, (H, W) uint8.

    Raises:
        ValueError: a value that this writing lacks; names the image.
    """
    labels = TABLES[written_as][values]
    if (labels == INVALID).any():
        wrong = int(values[labels == INVALID][0])
        raise ValueError(
            f"{name}: the value {wrong} is no label of COCO written as {written_as}; the folder mixes several "
            "kinds of masks, or is not of COCO")
    return labels.astype(np.uint8)


def read_mask(path: Path, written_as: str) -> np.ndarray:
    """Read a ready-made mask, (H, W) uint8: 0–80, 255 ignore."""
    try:
        return decode_labels(load_label_image(path, 256), written_as, str(path))
    except DataError:
        raise
    except ValueError as error:
        raise DataError(str(error)) from None


def find_writing(
    paths: Iterable[Path], folder: Path, labels: dict[Path, np.ndarray] | None = None, skip_broken: bool = False
) -> str:
    """Find how the masks of a folder are written (see formats/coco_labels), from no more masks than it takes.

    Args:
        paths: masks to look at, spread over the folder; at most `SAMPLED` are read.
        folder: where the note ``mask_values.txt`` may say it (80, 91 or 80+91), which ends all doubt.
        labels: image labels by path, where annotations tell them: masks read as 80 or 91 must agree with them.
        skip_broken: pass over masks that cannot be read, which somebody else reports.

    Raises:
        DataError: values that fit nothing, or fit two writings that differ on them.
    """
    note = folder / NOTE
    if note.is_file():
        return read_note(note)
    seen: set[int] = set()
    votes = dict.fromkeys(WRITTEN_AS, 0)
    for path in list(paths)[:SAMPLED]:
        try:
            values = [int(value) for value in np.unique(load_label_image(path, 256))]
        except DataError:
            if skip_broken:
                continue
            raise
        seen.update(values)
        fitting = find_writings(seen)
        if not fitting:
            raise DataError(f"{path}: its values go up to {max(values)}; with the masks before it they fit neither "
                            "0–80, nor COCO's ids 1–90, nor 0–80 raised by 91. The folder mixes kinds, or is not COCO")
        if len(fitting) == 1 and max(seen - {255}, default=0) > 11:
            return fitting[0]
        for name in vote(values, fitting, labels, path):
            votes[name] += 1
    return settle(seen, votes, folder)


def vote(values: list[int], fitting: list[str], labels: dict[Path, np.ndarray] | None, path: Path) -> list[str]:
    """Find the writings under which a mask shows only classes that its image has."""
    if labels is None or path not in labels:
        return []
    allowed = {0, 255, *labels[path].tolist()}
    agreeing = [name for name in fitting if {int(v) for v in TABLES[name][values]} <= allowed]
    return agreeing if len(agreeing) < len(fitting) else []


def settle(seen: set[int], votes: dict[str, int], folder: Path) -> str:
    """Settle how a folder is written after all masks: nothing that differs, or the labels of the images agree."""
    fitting = find_writings(seen)
    if len(fitting) == 1:
        return fitting[0]
    best = sorted(votes, key=votes.get, reverse=True)
    if votes[best[0]] > 0 and votes[best[1]] == 0:
        return best[0]
    raise DataError(
        f"{folder}: its values ({', '.join(map(str, sorted(seen)[:12]))}) may be classes 0–80 or COCO's ids 1–90, "
        f"which name different classes. Write 80 or 91 into {folder / NOTE}")


def read_note(note: Path) -> str:
    """Read the note that says how masks are written."""
    text = note.read_text(encoding="utf-8").strip()
    if text not in WRITTEN_AS:
        raise DataError(f"{note}: is {text[:20]!r}; write one of {', '.join(WRITTEN_AS)}")
    return text
