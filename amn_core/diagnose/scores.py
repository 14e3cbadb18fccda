"""Counts to mIoU, precision and recall at every threshold, under a reading."""

from dataclasses import dataclass, field

import numpy as np

from amn_core.diagnose.counting import NO_CLASS, THRESHOLDS, Counting
from amn_core.diagnose.readings import AVERAGINGS, EXPONENTS, PixelReading, Reading, find_pixels
from amn_core.formats.readings import CATEGORIES, CLASS_OF_CATEGORY
from amn_core.sweep.confusion import average_iou, sum_above

UNSURE = 255
MOST = 0.9  # of the images of a list: broken files are left out


@dataclass
class Board:
    """Scores readings from the countings that are there; what readings share is computed once.

    Attributes:
        countings: by reading of pixels. lists: ids by name of list. n_classes: with background.
        classes: (n,) indices of the classes to average. is_masks: whether these are finished masks.
    """

    countings: dict[PixelReading, Counting]
    lists: dict[str, tuple[str, ...]]
    n_classes: int
    classes: np.ndarray
    is_masks: bool
    covered: dict = field(default_factory=dict, repr=False)
    pooled: dict = field(default_factory=dict, repr=False)
    parts: dict = field(default_factory=dict, repr=False)
    curves: dict = field(default_factory=dict, repr=False)

    def thresholds(self, reading: Reading) -> np.ndarray:
        """Thresholds of the curve of a reading; one, which stands for all, where nothing is cut."""
        return THRESHOLDS["constant"] if reading.has_cut else THRESHOLDS["masks"]

    def has(self, reading: Reading) -> bool:
        """Whether a reading can be scored from the countings that are there, for nearly all images of its list."""
        key = (find_pixels(reading, self.is_masks), reading.images)
        if key not in self.covered:
            counting, ids = self.countings.get(key[0]), set(self.lists[reading.images])
            self.covered[key] = counting is not None and len(ids & set(counting.ids)) >= MOST * len(ids)
        return self.covered[key]

    def curve(self, reading: Reading) -> np.ndarray:
        """Score a reading at all of its thresholds: (T, 3) mIoU, precision and recall in [0, 1], NaN if undefined."""
        key = reading.change("cut", None)
        if key not in self.curves:
            hit, called, truth = self.take_parts(reading)
            self.curves[key] = average(hit, called, truth, AVERAGINGS[reading.averaging], self.classes)
        return self.curves[key]

    def take_parts(self, reading: Reading) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Take what all averaging rules share: pixels hit (T, C), called (T, C), and in the ground truth (T, C)."""
        key = reading.change("cut", None).change("averaging", "irn")
        if key not in self.parts:
            table = number_table(*self.pool(reading), reading, self.n_classes, self.is_masks)
            self.parts[key] = find_parts(table, reading, self.n_classes)
        return self.parts[key]

    def pool(self, reading: Reading) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pool the rows of the images of a list: ground truth (R,), value (R,), bins (R, T+1), each pair once."""
        pixels = find_pixels(reading, self.is_masks)
        key = (pixels, reading.images)
        if key not in self.pooled:
            counting = self.countings[pixels].select(self.lists[reading.images])
            self.pooled[key] = pool_rows(counting)
        return self.pooled[key]

    def score(self, reading: Reading) -> np.ndarray:
        """Score a reading at its cut, (3,); at the peak where that is its cut or nothing is cut."""
        curve = self.curve(reading)
        return curve[self.find_cut(reading)]

    def find_cut(self, reading: Reading) -> int:
        """Find the place of a reading's cut on its curve; of its peak, the lowest, where it has none."""
        if reading.cut is None or not reading.has_cut:
            return find_peak(self.curve(reading))
        return int(np.argmin(np.abs(self.thresholds(reading) - reading.cut)))


def find_peak(curve: np.ndarray) -> int:
    """Find the place of the highest mIoU of a curve (T, 3), the lowest threshold of equals."""
    return int(np.argmax(np.nan_to_num(curve[:, 0], nan=-1)))


def pool_rows(counting: Counting) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add up the rows that share ground truth and value."""
    pairs, place = np.unique(np.stack([counting.gt, counting.value]), axis=1, return_inverse=True)
    bins = np.zeros((pairs.shape[1], counting.bins.shape[1]), dtype=np.int64)
    for i in range(pairs.shape[1]):
        bins[i] = counting.bins[place.ravel() == i].sum(axis=0, dtype=np.int64)
    return pairs[0], pairs[1], bins


def number_values(values: np.ndarray, numbering: str, n_classes: int, is_masks: bool) -> np.ndarray:
    """Turn values into columns: class, ``n_classes`` for what is no class, one more for unsure.

    >>> number_values(np.array([0, 2, 20]), "0", 21, False).tolist()
    [1, 3, 21]
    """
    if is_masks:
        columns = np.where(values < n_classes, values, n_classes)
        return np.where(values == UNSURE, n_classes + 1, columns)
    if numbering == CATEGORIES:
        inside = (values >= 0) & (values < len(CLASS_OF_CATEGORY))
        classes = np.where(inside, CLASS_OF_CATEGORY[np.where(inside, values, 0)], -1)
    else:
        classes = values if numbering == "fixed" else values + 1 - int(numbering)
    columns = np.where((classes >= 1) & (classes < n_classes), classes, n_classes)
    return np.where(values == NO_CLASS, 0, columns)


def number_table(
    gt: np.ndarray, values: np.ndarray, bins: np.ndarray, reading: Reading, n_classes: int, is_masks: bool
) -> np.ndarray:
    """Lay rows out as a table (C+1, C+2, T+1) of ground truth (255 last) by column of `number_values`."""
    table = np.zeros((n_classes + 1, n_classes + 2, bins.shape[1]), dtype=np.int64)
    np.add.at(table, (gt, number_values(values, reading.numbering, n_classes, is_masks)), bins)
    return table


def find_parts(table: np.ndarray, reading: Reading, n_classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find pixels hit, called and in the ground truth, each (T, C), from a table and the treatment of 255."""
    table = treat_unsure(table, reading, n_classes)
    total, shown = table.sum(axis=(1, 2)), table[:, 1:]
    hit = sum_called(shown[np.arange(1, n_classes), np.arange(n_classes - 1)], reading)
    called = sum_called(shown[:, : n_classes - 1].sum(axis=0), reading)
    right = total[0] - sum_called(shown[0].sum(axis=0), reading)
    rest = total.sum() - sum_called(shown.sum(axis=(0, 1)), reading)
    truth = np.broadcast_to(total[:n_classes], (len(right), n_classes))
    return np.vstack([right, hit]).T, np.vstack([rest, called]).T, truth


def treat_unsure(table: np.ndarray, reading: Reading, n_classes: int) -> np.ndarray:
    """Leave out, move to the background or keep the row and the column of 255."""
    table = table if reading.unsure == "error" else np.concatenate([
        table[:, :1] + (table[:, -1:] if reading.unsure == "background" else 0), table[:, 1:-1]], axis=1)
    if reading.ignored == "error":
        return table
    return np.concatenate([table[:1] + (table[-1:] if reading.ignored == "background" else 0), table[1:-1]])


def sum_called(bins: np.ndarray, reading: Reading) -> np.ndarray:
    """Sum the pixels of bins (..., T+1) that are called foreground at each threshold of a reading."""
    if reading.rule == "nothing":
        return bins.sum(axis=-1, keepdims=True)
    above = sum_above(bins)
    if not reading.rule.startswith("exponent"):
        return above
    at = EXPONENTS.index(int(reading.rule.split()[1]))
    return above[..., at:at + 1]


def average(
    hit: np.ndarray, called: np.ndarray, truth: np.ndarray, averaging: str, classes: np.ndarray
) -> np.ndarray:
    """Average IoU, precision and recall over classes, (T, 3); all three over the same classes."""
    hit, called, truth = (part[:, classes].astype(float) for part in (hit, called, truth))
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [hit / (called + truth - hit), hit / called, hit / truth]
    return np.stack([average_iou(share, truth > 0, averaging) for share in shares], axis=1)
