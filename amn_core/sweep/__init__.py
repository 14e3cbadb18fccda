"""Every threshold, exactly, at once."""

from amn_core.sweep.counts import Counts, CountsBuilder, merge_counts, pool_counts
from amn_core.sweep.pixels import ImageCounts, count_image
from amn_core.sweep.scores import score_confusion, score_iou, score_miou

__all__ = [
    "Counts", "CountsBuilder", "ImageCounts", "count_image", "merge_counts", "pool_counts",
    "score_confusion", "score_iou", "score_miou",
]
