"""A threshold from one number: the share of pixels that show an object (ours)."""

import numpy as np

from amn_core.choosing.selection import Choice, share_above
from amn_core.sweep import Counts

RULE = "share"


def parse_share(text: str) -> float:
    """Parse the rule ``share:0.30``.

    Raises:
        ValueError: another rule, or no number between 0 and 1.

    >>> parse_share("share:0.30")
    0.3
    """
    name, _, number = text.partition(":")
    try:
        share = float(number)
    except ValueError:
        share = np.nan
    if name != RULE or not 0 < share < 1:
        raise ValueError(f"rule {text!r}: expected share and a number between 0 and 1, such as share:0.30")
    return share


def choose_share(counts: Counts, share: float) -> Choice:
    """Choose the threshold at which so large a share of the pixels is called foreground; the lower one wins ties.

    The peak lies near the true share where classes have about equally many pixels. The mean IoU weighs classes
    equally, so on many classes of unequal size it lies at a larger share.

    >>> float(counts.thresholds[choose_share(counts, 0.4).index])
    0.5
    """
    index = np.argmin(np.abs(share_above(counts) - share))
    return Choice(RULE, f"Share of foreground: {share:.2f}", "share", "ours", "data set", np.asarray(index))


def find_tolerance(counts: Counts, curve: np.ndarray, tolerance: float = 0.01) -> tuple[float, float]:
    """Find between which shares the rule loses no more than a tolerance, around the peak of a mIoU curve (T,).

    >>> from amn_core.sweep import score_confusion, score_miou
    >>> find_tolerance(counts, score_miou(score_confusion(counts)))
    (0.375, 0.375)
    """
    shares, is_good = share_above(counts), curve >= curve.max() - tolerance
    peak = int(np.argmax(curve))
    first = peak + 1 - int(np.argmin(np.r_[is_good[peak::-1], False]))
    last = peak - 1 + int(np.argmin(np.r_[is_good[peak:], False]))
    return float(shares[last]), float(shares[first])
