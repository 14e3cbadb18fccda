"""Two cuts with unsure pixels between them, for every pair of thresholds at once, exact from counts.

A pixel whose strongest map is strictly above the high cut is labelled with that class; one whose strongest map is not
above the low cut is background; what lies between is unsure (255). That is how IRN and AMN make seeds, and
ToCo, DuPL, SeCo, MoRe and ExCEL the labels of their training. A pair has two qualities, and one is bought
with the other: the mIoU over the labelled pixels, and the coverage, the share of the scored pixels that are labelled.
"""

from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND
from amn_core.sweep.confusion import check_averaging, divide, find_classes, pool_decisions, sum_above
from amn_core.sweep.counts import Counts
from amn_core.sweep.curves import find_threshold

SAME = 1e-9
NOT_NESTED = ("masks that were refined at each threshold need not lie within one another, so that their counts do not "
              "say what two cuts label: take the run they were made from, or make its seeds with --crf")


@dataclass(frozen=True)
class Plane:
    """Both qualities of every pair of cuts, ``[high, low]`` by index; NaN where high < low or nothing is labelled.

    Attributes:
        thresholds: (T,) of either cut. scored: pixels with ground truth other than 255.
        labelled: (T, T) int64, pixels that are not unsure, also where high is below low.
        miou: (T, T) over the labelled pixels alone, in [0, 1].
        miou_unsure_wrong: (T, T) over all scored pixels, an unsure one being a miss of its class.
    """

    thresholds: np.ndarray
    scored: int
    labelled: np.ndarray
    miou: np.ndarray
    miou_unsure_wrong: np.ndarray

    @property
    def coverage(self) -> np.ndarray:
        """Share of the scored pixels that are labelled: (T, T) in [0, 1], NaN where the mIoU is."""
        return np.where(np.isnan(self.miou), np.nan, divide(self.labelled, self.scored))


@dataclass(frozen=True)
class PairScore:
    """What a pair of cuts gives, and what it costs against all other pairs (ours).

    Attributes:
        high, low: the cuts. miou, coverage, miou_unsure_wrong: see `Plane`.
        lost_miou: the highest mIoU of a pair of at least the same coverage, less its own. best: that pair.
        lost_coverage: the widest coverage of a pair of at least the same mIoU, less its own. widest: that pair.
    """

    high: float
    low: float
    miou: float
    coverage: float
    miou_unsure_wrong: float
    lost_miou: float
    best: tuple[float, ...]
    lost_coverage: float
    widest: tuple[float, ...]


def score_plane(counts: Counts, averaging: str = "union", classes=None) -> Plane:
    """Score every pair of cuts.

    Args:
        counts: of a run's maps. averaging: see `score_miou`; which classes are in the ground truth is asked of the
            pixels that count, the labelled ones for `miou`. classes: names or indices to average; all by default.

    Raises:
        ValueError: the counts are of masks refined at each threshold, or a class or rule is unknown.

    >>> from amn_core.sweep.counts import CountsBuilder
    >>> builder = CountsBuilder(("background", "cat"), [0.2, 0.5])
    >>> _ = builder.add("a", np.array([[[0.9, 0.4, 0.3, 0.1]]]), [1], np.array([[1, 1, 0, 0]], dtype=np.uint8))
    >>> plane = score_plane(builder.build())
    >>> plane.coverage.tolist(), plane.miou.round(3).tolist(), plane.miou_unsure_wrong[1].round(3).tolist()
    ([[1.0, nan], [0.5, 1.0]], [[0.583, nan], [1.0, 0.583]], [0.5, 0.583])
    """
    check_averaging(averaging)
    if counts.is_refined:
        raise ValueError(NOT_NESTED)
    above = sum_above(pooled := pool_decisions(counts))  # by ground truth, class and cut
    above[:, BACKGROUND] = 0
    total, called = pooled.sum(axis=(1, 2)), above.sum(axis=1)
    ground = total[:, None] - called  # called background at the low cut, by ground truth
    labelled = called.sum(axis=0)[:, None] + ground.sum(axis=0)[None, :]
    sums = {"miou": Mean(labelled.shape, averaging), "miou_unsure_wrong": Mean(labelled.shape, averaging)}
    for c in find_classes(counts.class_names, classes):
        if c == BACKGROUND:
            hit, predicted = ground[c][None, :], ground.sum(axis=0)[None, :]
        else:
            hit, predicted = above[c, c][:, None], above[:, c].sum(axis=0)[:, None]
        sums["miou"].add(hit, predicted, called[c][:, None] + ground[c][None, :])
        sums["miou_unsure_wrong"].add(hit, predicted, total[c])
    is_pair = np.tri(len(labelled), dtype=bool) & (labelled > 0)
    scores = {name: np.where(is_pair, mean.value(), np.nan) for name, mean in sums.items()}
    return Plane(counts.thresholds, int(total.sum()), labelled, **scores)


class Mean:
    """A mean of IoU over classes that is added up class by class, so that memory does not follow their number."""

    def __init__(self, shape: tuple[int, int], averaging: str) -> None:
        self.averaging, self.sum, self.n = averaging, np.zeros(shape), np.zeros(shape, dtype=np.int64)

    def add(self, hit: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> None:
        """Add a class by its pixels, all of which broadcast to the shape of the mean."""
        union = truth + predicted - hit
        counts_in = truth > 0 if self.averaging == "present" else union > 0
        self.sum += np.where(counts_in, np.nan_to_num(divide(hit, union)), 0)
        self.n += 1 if self.averaging == "all" else counts_in

    def value(self) -> np.ndarray:
        """Get the mean, NaN where no class counts."""
        return divide(self.sum, self.n)


def find_cut(thresholds: np.ndarray, cut: float) -> int:
    """Find the index of a cut that was counted.

    Raises:
        ValueError: it is not among the thresholds of the counts.

    >>> find_cut(np.array([0.0, 0.25, 0.7]), 0.7)
    2
    """
    at = find_threshold(thresholds, min(max(cut, thresholds[0]), thresholds[-1]))
    if abs(thresholds[at] - cut) > SAME:
        raise ValueError(f"{cut:g} is not among the {len(thresholds)} thresholds of the counts, the nearest is "
                         f"{thresholds[at]:g}: count the run again, which reads every 0.005 from 0 to 1")
    return at


def score_pair(plane: Plane, high: float, low: float) -> PairScore:
    """Score a pair of cuts against all others of its plane.

    Of pairs with the same mIoU the widest is named, of pairs with the same coverage the one of highest mIoU, then the
    one with the lowest cuts. Where the pair labels nothing its scores and costs are NaN, and no other is named.

    Raises:
        ValueError: a cut was not counted, or the high one is below the low one.

    >>> from amn_core.sweep.counts import CountsBuilder
    >>> builder = CountsBuilder(("background", "cat"), [0.2, 0.5])
    >>> _ = builder.add("a", np.array([[[0.9, 0.6, 0.3, 0.1]]]), [1], np.array([[1, 1, 0, 0]], dtype=np.uint8))
    >>> score = score_pair(score_plane(builder.build()), 0.5, 0.2)
    >>> score.miou, score.coverage, score.lost_miou, score.lost_coverage, score.widest
    (1.0, 0.75, 0.0, 0.25, (0.5, 0.5))
    """
    if high < low:
        raise ValueError(f"the high cut {high:g} is below the low one, {low:g}: swap them")
    place = find_cut(plane.thresholds, high), find_cut(plane.thresholds, low)
    miou, labelled = plane.miou[place], plane.labelled[place]
    best = pick(plane, plane.labelled >= labelled, by_miou=True)
    widest = pick(plane, plane.miou >= miou, by_miou=False)
    values = {"miou": miou, "coverage": plane.coverage[place], "miou_unsure_wrong": plane.miou_unsure_wrong[place]}
    if np.isnan(miou) or best is None or widest is None:
        return PairScore(high, low, **dict.fromkeys(values, np.nan), lost_miou=np.nan, best=(), lost_coverage=np.nan,
                         widest=())
    return PairScore(
        high, low, **{name: float(value) for name, value in values.items()},
        lost_miou=float(plane.miou[best] - miou), best=name_pair(plane, best),
        lost_coverage=float((plane.labelled[widest] - labelled) / plane.scored), widest=name_pair(plane, widest))


def pick(plane: Plane, is_asked: np.ndarray, by_miou: bool) -> tuple[int, int] | None:
    """Pick the best of some pairs, by mIoU and then coverage or the other way round; None where there is none."""
    high, low = np.nonzero(is_asked & ~np.isnan(plane.miou))
    if not len(high):
        return None
    first, second = -plane.miou[high, low], -plane.labelled[high, low]
    order = np.lexsort((low, high, second, first) if by_miou else (low, high, first, second))
    return int(high[order[0]]), int(low[order[0]])


def name_pair(plane: Plane, place: tuple[int, int]) -> tuple[float, float]:
    """Name a pair by its cuts."""
    return float(plane.thresholds[place[0]]), float(plane.thresholds[place[1]])


def find_front(plane: Plane) -> np.ndarray:
    """Find the pairs that no other beats in both qualities: (F, 2) indices of high and low, coverage falling.

    >>> from amn_core.sweep.counts import CountsBuilder
    >>> builder = CountsBuilder(("background", "cat"), [0.2, 0.5])
    >>> _ = builder.add("a", np.array([[[0.9, 0.4, 0.3, 0.1]]]), [1], np.array([[1, 1, 0, 0]], dtype=np.uint8))
    >>> find_front(score_plane(builder.build())).tolist()
    [[0, 0], [1, 0]]
    """
    high, low = np.nonzero(~np.isnan(plane.miou))
    miou, labelled = plane.miou[high, low], plane.labelled[high, low]
    order = np.lexsort((low, high, -miou, -labelled))
    top = np.maximum.accumulate(miou[order]) if len(order) else miou
    is_new = np.concatenate([[True], miou[order][1:] > top[:-1]])[: len(order)]
    return np.stack([high, low], axis=1)[order[is_new]]
