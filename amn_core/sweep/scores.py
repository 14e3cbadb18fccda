"""Counts to the numbers of a table: one summary of a run under a protocol.

The steps are in rooms of their own (`confusion`, `curves`, `images`, `separation`) and can be had from here.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np

from amn_core.sweep.confusion import (
    AVERAGINGS,
    Rates,
    count_mask,
    find_classes,
    nanmean,
    score_confusion,
    score_foreground_share,
    score_iou,
    score_miou,
    score_rates,
)
from amn_core.sweep.counts import Counts
from amn_core.sweep.curves import (
    find_peak,
    find_plateau,
    find_threshold,
    score_mean,
    score_sensitivity,
    score_slope,
    score_width,
)
from amn_core.sweep.images import (
    ImageScores,
    Oracle,
    count_best_thresholds,
    find_best_spread,
    score_areas,
    score_chosen,
    score_images,
    score_oracle,
)
from amn_core.sweep.protocols import PROTOCOLS, Protocol, find_protocol
from amn_core.sweep.separation import (
    Pairs,
    Separation,
    score_pairs,
    score_pooled_pxap,
    score_pxap,
    score_separation,
)
from amn_core.sweep.uncertainty import Bootstrap

__all__ = [
    "AVERAGINGS", "MASK_LEVEL", "PROTOCOLS", "ImageScores", "Oracle", "Protocol", "Rates", "Separation", "Summary",
    "count_best_thresholds", "count_mask", "drop_bootstrap_thresholds", "drop_image_thresholds", "drop_thresholds",
    "find_best_spread", "find_peak", "find_plateau",
    "find_protocol", "find_threshold", "score_chosen", "score_confusion", "score_foreground_share", "score_images",
    "score_iou", "score_mean", "score_miou", "score_oracle", "score_pxap", "score_rates", "score_sensitivity",
    "score_separation", "score_slope", "score_width", "settle_masks", "summarise",
]

MASK_LEVEL = 0.5  # finished masks are maps of 0 and 1; any level between tells them apart
OF_THRESHOLDS = (
    "peak_threshold", "plateau", "plateau_low", "plateau_high", "plateau_share", "mean_miou", "mean_miou_share",
    "chosen_threshold", "slope", "slope_share", "sensitivity", "mean_regret", "oracle_miou", "oracle_gain", "best_low",
    "best_high",
)


@dataclass(frozen=True)
class Summary:
    """The numbers of one run under one protocol; scores are fractions of 1, NaN where undefined.

    Attributes:
        images: how many images. protocol: its name. thresholds, miou: (T,) the curve.
        foreground_share: (T,) share of the pixels called foreground at each threshold.
        peak_miou, peak_threshold: the highest mIoU, and the lowest threshold that has it.
        plateau, plateau_low, plateau_high: width and ends of the unbroken run of thresholds around the peak
            with mIoU within one point of it.
        plateau_share: the same run, measured by the share of pixels called foreground at its two ends.
        mean_miou, mean_miou_share: mean over the grid of thresholds, and over the shares of foreground.
        chosen_threshold, chosen_miou: the threshold asked for (the peak's, if none), as counted, and its mIoU.
        slope, slope_share: change of mIoU there, per unit of threshold and of share.
        sensitivity: the most that an error of 0.05 in the threshold can cost there.
        mean_regret: mean over images of best mIoU less mIoU at the chosen threshold.
        oracle_miou: mIoU of the data set when each image uses the threshold that is best for its own mIoU: a choice
            for each image and no bound, so that it may lie below the peak.
        best_low, best_high: quartiles of the images' best thresholds.
        degenerate: how many images lack scored background or scored objects, see `find_degenerate`.
        gap, auc, imbalance, gini: mean over the pairs of image and class with both areas in the ground truth.
        gap_pooled, auc_pooled, imbalance_pooled: pooled gap, pooled AUC and pooled imbalance, of all such pixels of
            all images and classes taken together.
        pxap: mean over classes of the pixel average precision.
    """

    images: int
    protocol: str
    thresholds: np.ndarray
    miou: np.ndarray
    foreground_share: np.ndarray
    peak_miou: float
    peak_threshold: float
    plateau: float
    plateau_low: float
    plateau_high: float
    plateau_share: float
    mean_miou: float
    mean_miou_share: float
    chosen_threshold: float
    chosen_miou: float
    slope: float
    slope_share: float
    sensitivity: float
    mean_regret: float
    oracle_miou: float
    best_low: float
    best_high: float
    degenerate: int
    gap: float
    auc: float
    imbalance: float
    gini: float
    gap_pooled: float
    auc_pooled: float
    imbalance_pooled: float
    pxap: float

    def to_dict(self) -> dict:
        """Turn the summary into plain numbers and lists, NaN as None, for JSON."""
        return {name: _to_plain(value) for name, value in asdict(self).items()}


def _to_plain(value):
    if isinstance(value, np.ndarray):
        return [_to_plain(v) for v in value.tolist()]
    return None if isinstance(value, float) and np.isnan(value) else value


def summarise(
    counts: Counts, protocol: str | Protocol = "irn", classes=None, images=None, threshold: float | None = None
) -> Summary:
    """Summarise a run: every number of a table from its counts, no map touched.

    Args:
        counts: of the run. protocol: a name in PROTOCOLS, or one of your own.
        classes: names or indices to average over; all by default. images: indices, ids or mask; all by default.
        threshold: where slope, sensitivity and regret are taken; the peak by default.

    Raises:
        ValueError: if the protocol, a class or an image is unknown, or the threshold is outside the grid.
    """
    protocol = find_protocol(protocol)
    counts = counts if images is None else counts.select(images)
    return Summary(
        images=len(counts.image_ids), protocol=protocol.name, thresholds=counts.thresholds,
        **_summarise_curve(counts, protocol, classes, threshold, pairs := score_pairs(counts)),
        **_summarise_separation(counts, classes, pairs),
    )


def settle_masks(counts: Counts) -> Counts:
    """Rewrite the counts of finished masks so that no threshold changes a decision (ours).

    Masks are counted as maps of 0 and 1, of which nothing is above a threshold of 1: there the counts alone would
    score an empty mask. Every pixel is put below all thresholds or above all of them, as it is at `MASK_LEVEL`;
    whatever is scored or drawn again from the result is then the one score of the masks. The histograms behind gap,
    AUC and imbalance stay.

    >>> score_miou(score_confusion(settle_masks(counts))).tolist()
    [1.0, 1.0, 1.0]
    """
    bins, at = counts.decision_bins, find_threshold(counts.thresholds, MASK_LEVEL)
    settled = np.zeros(bins.shape, dtype=bins.dtype)
    settled[:, 0], settled[:, -1] = bins[:, : at + 1].sum(axis=1), bins[:, at + 1 :].sum(axis=1)
    return replace(counts, decision_bins=settled)


def drop_thresholds(summary: Summary) -> Summary:
    """Drop what speaks of a choice of threshold from the summary of finished masks: NaN, a dash in a table.

    >>> kept = drop_thresholds(summarise(counts))
    >>> kept.peak_threshold, kept.peak_miou
    (nan, 1.0)
    """
    return replace(summary, **{name: np.nan for name in OF_THRESHOLDS if hasattr(summary, name)})


def drop_image_thresholds(scores: ImageScores) -> ImageScores:
    """Drop the best thresholds of the images of finished masks: NaN. Nothing is lost to any threshold.

    >>> drop_image_thresholds(score_images(counts)).best_threshold.tolist()
    [nan, nan]
    """
    return replace(scores, best_threshold=np.full_like(scores.best_threshold, np.nan))


def drop_bootstrap_thresholds(bootstrap: Bootstrap) -> Bootstrap:
    """Drop what speaks of a choice of threshold from the resamples of finished masks: NaN.

    >>> from amn_core.sweep import bootstrap_runs
    >>> drawn = drop_bootstrap_thresholds(bootstrap_runs([counts], resamples=2)[0])
    >>> float(drawn.estimates["peak_threshold"]), float(drawn.estimates["peak_miou"])
    (nan, 1.0)
    """
    estimates, samples = (
        {name: np.full_like(values, np.nan) if name in OF_THRESHOLDS else values for name, values in part.items()}
        for part in (bootstrap.estimates, bootstrap.samples)
    )
    return replace(bootstrap, estimates=estimates, samples=samples)


def _summarise_curve(
    counts: Counts, protocol: Protocol, classes, threshold: float | None, pairs: Pairs
) -> dict:
    confusion, grid = score_confusion(counts), counts.thresholds
    kept = None if classes is None else find_classes(counts.class_names, classes)
    miou, share = score_miou(confusion, protocol.averaging, kept), score_foreground_share(confusion)
    peak = int(find_peak(miou))
    first, last = map(int, find_plateau(miou))
    at = peak if threshold is None else find_threshold(grid, threshold)
    images = score_images(counts, protocol.averaging, classes, pairs)
    oracle = score_areas(images.oracle_areas, counts, protocol.averaging, classes, images.best_threshold)
    low, high = find_best_spread(images)
    return {
        "miou": miou, "foreground_share": share,
        "peak_miou": float(miou[peak]), "peak_threshold": float(grid[peak]),
        "plateau": float(grid[last] - grid[first]), "plateau_share": float(share[first] - share[last]),
        "plateau_low": float(grid[first]), "plateau_high": float(grid[last]),
        "mean_miou": float(score_mean(miou, grid)), "mean_miou_share": float(score_mean(miou, share)),
        "chosen_threshold": float(grid[at]), "chosen_miou": float(miou[at]),
        "slope": score_slope(miou, grid, at), "slope_share": score_slope(miou, share, at),
        "sensitivity": score_sensitivity(miou, grid, at),
        "mean_regret": float(nanmean(images.regret(grid[at]))), "oracle_miou": oracle.miou,
        "best_low": low, "best_high": high, "degenerate": int(images.is_degenerate.sum()),
    }


def _summarise_separation(counts: Counts, classes, pairs: Pairs) -> dict:
    kept = find_classes(counts.class_names, classes)
    rows = np.isin(counts.separation_class, kept) & pairs.has_both
    means = {
        name: float(nanmean(getattr(pairs.separation, name)[rows])) for name in ("gap", "auc", "imbalance", "gini")}
    pooled = score_separation(
        pairs.bins[1, kept].sum(axis=0), pairs.moments[1, kept].sum(axis=0), counts.thresholds)
    return {
        **means, **{f"{name}_pooled": float(getattr(pooled, name)) for name in ("gap", "auc", "imbalance")},
        "pxap": float(nanmean(score_pooled_pxap(pairs.bins.sum(axis=0))[kept])),
    }
