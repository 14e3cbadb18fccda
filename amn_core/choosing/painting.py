"""A painted mask as answers: evenly drawn pixels of it, so that it feeds the same estimates as single answers (ours).

The image was drawn evenly from the data set, and many answers of one image count as few (`amn_core.choosing.placing`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND, IGNORE_INDEX

PIXELS = 60


@dataclass(frozen=True)
class Dab:
    """A pixel of a painted mask: fractions of width and height, kind of the answer, and name of the class."""

    x: float
    y: float
    kind: str
    name: str


def draw_dabs(labels: np.ndarray, names: Sequence[str], rng: np.random.Generator, n: int = PIXELS) -> list[Dab]:
    """Draw pixels of a mask (H, W), 255 left out; fewer where it has fewer.

    Args:
        names: of the classes, background first.

    >>> [dab.kind for dab in draw_dabs(np.array([[255, 0]]), ("background", "cat"), np.random.default_rng(0))]
    ['background']
    """
    y, x = np.nonzero(labels != IGNORE_INDEX)
    chosen = rng.permutation(len(y))[:n]
    height, width = labels.shape
    return [Dab((x[i] + 0.5) / width, (y[i] + 0.5) / height, *describe_label(int(labels[y[i], x[i]]), names))
            for i in chosen]


def describe_label(label: int, names: Sequence[str]) -> tuple[str, str]:
    """Describe a label as kind and name of an answer."""
    return ("background", "") if label == BACKGROUND else ("object", names[label])


def read_strokes(lengths: Sequence[int], shape: tuple[int, int], allowed: Sequence[int]) -> np.ndarray:
    """Read a mask (H, W) uint8 sent as label, length, label, length …, row by row.

    Raises:
        ValueError: another number of pixels, or a label that was not offered.

    >>> read_strokes([0, 3, 1, 1], (2, 2), [0, 1]).tolist()
    [[0, 0], [0, 1]]
    """
    if not all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in lengths) or len(lengths) % 2:
        raise ValueError("the mask is no list of labels and lengths: paint it again")
    values, sizes = np.array(lengths[::2], dtype=np.int64), np.array(lengths[1::2], dtype=np.int64)
    if sizes.sum() != shape[0] * shape[1]:
        raise ValueError(f"the mask has {sizes.sum()} pixels and the image {shape[0] * shape[1]}: paint it again")
    if not set(values.tolist()) <= set(allowed):
        raise ValueError(f"the mask has labels {sorted(set(values.tolist()) - set(allowed))} that were not offered")
    return np.repeat(values, sizes).astype(np.uint8).reshape(shape)
