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

import numpy as np

from amn_core.constants import COCO_CATEGORY_IDS, COCO_CLASSES, IGNORE_INDEX

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
