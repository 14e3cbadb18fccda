"""Every threshold, exactly, at once."""

from amn_core.sweep.counts import Counts, CountsBuilder, merge_counts, pool_counts
from amn_core.sweep.pixels import ImageCounts, count_image
from amn_core.sweep.scores import (
    Summary,
    score_confusion,
    score_images,
    score_iou,
    score_miou,
    score_oracle,
    summarise,
)

__all__ = [
    "Counts", "CountsBuilder", "ImageCounts", "Summary", "count_image", "merge_counts", "pool_counts",
    "score_confusion", "score_images", "score_iou", "score_miou", "score_oracle", "summarise",
]
