"""A rule without labels that looks safe and is not: the share of foreground that was best on other data (ours).

Every bundled data set shows an object on 0.27 to 0.30 of its pixels, so the share that was best elsewhere is nearly
right on all of them. Of each, the half of the images with the smaller objects and the half with the larger ones tell
what happens on data with another share.
"""

from collections.abc import Sequence

import numpy as np

from amn_core.choosing.selection import share_above
from amn_core.choosing.shares import choose_share
from amn_core.sweep import Counts, score_confusion, score_miou
from amn_core.sweep.confusion import divide


def find_best_share(counts: Counts, curve: np.ndarray) -> float:
    """Find the share of pixels called foreground at the peak of a mIoU curve (T,)."""
    return float(share_above(counts)[curve.argmax()])


def average_shares(shares: Sequence[float], data: Sequence[str]) -> float:
    """Average shares, data sets weighing the same.

    >>> average_shares([0.1, 0.3, 0.4], ["a", "a", "b"])
    0.3
    """
    shares, data = np.asarray(shares, dtype=np.float64), np.asarray(data)
    return float(np.mean([shares[data == name].mean() for name in np.unique(data)]).round(12))


def split_by_size(counts: Counts) -> tuple[Counts, Counts]:
    """Split images into the half whose objects are smaller, as a share of the image, and the other half."""
    pixels = counts.decision_bins.sum(axis=1, dtype=np.float64)
    total, shown = (np.bincount(counts.decision_image, pixels * part, len(counts.image_ids))
                    for part in (np.ones(len(pixels)), counts.decision_gt > 0))
    share = divide(shown, total)
    order, half = np.argsort(share, kind="stable"), len(share) // 2
    return tuple(counts.select([counts.image_ids[i] for i in np.sort(part)]) for part in (order[:half], order[half:]))


def lose_by_share(counts: Counts, share: float, averaging: str, kept: np.ndarray) -> float:
    """Find what a threshold chosen by a share loses: fraction of 1."""
    curve = score_miou(score_confusion(counts), averaging, kept)
    return float(curve.max() - curve[int(choose_share(counts, share).index)])
