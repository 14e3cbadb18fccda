"""The losses of the paper, defined for every batch."""

import torch
import torch.nn.functional as F

from amn_core.constants import BACKGROUND, IGNORE_INDEX
from amn_core.distributed import average_over_processes, get_world_size


def build_pixel_targets(seed: torch.Tensor, n_classes: int, epsilon: float) -> torch.Tensor:
    """Build the smoothed targets of the per-pixel classification loss.

    Args:
        seed: (B, h, w) int64 labels; where it is 255 the target means nothing.
        epsilon: mass taken from the seed's class and shared by the others.

    Returns:
        (B, C, h, w): 1 − ε for the seed's class and ε / (C − 1) for each other.
    """
    one_hot = F.one_hot(seed.masked_fill(seed == IGNORE_INDEX, 0), n_classes).movedim(-1, 1).float()
    off = epsilon / (n_classes - 1)
    return one_hot * (1 - epsilon - off) + off


def per_pixel_classification_loss(
    logits: torch.Tensor, seed: torch.Tensor, epsilon: float = 0.4
) -> torch.Tensor:
    """Compute the per-pixel classification loss (PCL) of AMN.

    L = ½ (mean over background pixels + mean over foreground pixels) of the cross entropy with smoothed
    targets; means are over the batch, pixels of 255 are left out. Ours: a mean over no pixels counts as 0,
    where the official code gives NaN.

    Args:
        logits: (B, C, h, w).
        seed: (B, h, w) int64, 0 background, class, 255 unsure.
        epsilon: label smoothing ε, 0.4 in the paper.

    Returns:
        A scalar.
    """
    targets = build_pixel_targets(seed, logits.shape[1], epsilon)
    entropy = -(targets * F.log_softmax(logits.float(), dim=1)).sum(1)
    is_background = seed == BACKGROUND
    is_foreground = ~is_background & (seed != IGNORE_INDEX)
    return 0.5 * (average_where(entropy, is_background) + average_where(entropy, is_foreground))


def average_where(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Average the values where the mask is true; 0 where it nowhere is.

    Of several processes each sees a part of the batch: its values are then divided by the mean number of pixels a
    process, so that the mean of the results, and of their gradients, is the average over the whole batch.
    """
    number = average_over_processes(mask.sum().to(values.dtype))
    return (values * mask).sum() / number.clamp(min=1 / get_world_size())


def multilabel_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Compute the multilabel soft-margin loss of the CAM network, a scalar.

    Args:
        logits: (B, C−1).
        labels: (B, C−1) multi-hot.
    """
    return F.multilabel_soft_margin_loss(logits.float(), labels)
