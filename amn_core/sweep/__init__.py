"""Every threshold, exactly, at once.

An activation map becomes a mask by a threshold. This package evaluates a map at *every* threshold for less than
the plain way needs for one, and keeps what it saw in a small table, the **counts**, from which all scores
follow. It takes arrays and returns arrays; it reads no files and knows no models.

    from amn_core.sweep import CountsBuilder, summarise

    builder = CountsBuilder(class_names)                # 201 thresholds from 0 to 1, background first
    for image_id, cam, class_ids, gt in my_images:      # (K, H, W) float, (K,) from 1, (H, W) with 255 left out
        builder.add(image_id, cam, class_ids, gt)       # numpy or torch, on any device
    counts = builder.build()
    summarise(counts).peak_miou                         # 0.483…, at summarise(counts).peak_threshold

In the examples of its docstrings, and of `amn_core.choosing`, ``counts`` are those of two images of four pixels with
a cat, at the thresholds 0.25, 0.5 and 0.75.

How it works: a pixel is foreground at a threshold if its strongest map is strictly above it, so all that matters
is its *bin*, the number of thresholds below it. One pass counts pixels by ground truth, strongest class and bin;
a cumulative sum over the bins then gives the confusion matrix of every threshold, equal to the pixel to an
argmax with a constant background plane. A second histogram, of each class's own map on and off its object,
gives gap, AUC and imbalance. Counts are whole numbers for each image, so any subset of images and any resample
is a sum, and parts counted apart add up (`merge_counts`).

Where to look:

- `count`        `count_image`, `count_images`: the front door; behind it `pixels` (arrays), `cells` (the inner
                 loop), `moments`, `tensors` (graphics cards), `binning` (the exact bin of a value), `backgrounds`
- `counts`       `CountsBuilder`, `Counts`, `merge_counts`, `pool_counts`
- `confusion`    counts to confusion, IoU, mIoU under each averaging rule, precision, recall, error rates
- `curves`       a curve to its peak, plateau, mean and slope, by threshold and by share of foreground
- `images`       each image's own curve, best threshold, regret and error rates; quantiles over images; the oracle
- `sizes`        scores of objects by the share of the image that they cover
- `separation`   how far foreground and background activation lie apart
- `two_cuts`     every pair of a high and a low cut: mIoU of what is labelled, coverage, and what a pair costs
- `uncertainty`  bootstrap over images, paired between runs
- `seeds`        maps to labels by one threshold, or by two with unsure pixels between
- `scores`       all of these in one `summarise`, under a `Protocol`
"""

from amn_core.sweep.confusion import score_confusion, score_iou, score_miou
from amn_core.sweep.count import count_image, count_images
from amn_core.sweep.counts import Counts, CountsBuilder, merge_counts, pool_counts
from amn_core.sweep.images import score_images, score_oracle
from amn_core.sweep.pixels import ImageCounts
from amn_core.sweep.protocols import PROTOCOLS, Protocol
from amn_core.sweep.scores import Summary, summarise
from amn_core.sweep.uncertainty import Bootstrap, bootstrap_runs, compare_bootstraps

__all__ = [
    "PROTOCOLS", "Bootstrap", "Counts", "CountsBuilder", "ImageCounts", "Protocol", "Summary", "bootstrap_runs",
    "compare_bootstraps", "count_image", "count_images", "merge_counts", "pool_counts", "score_confusion",
    "score_images", "score_iou", "score_miou", "score_oracle", "summarise",
]
