"""The losses of the paper, defined for every batch."""

import torch
import torch.nn.functional as F

from amn_core.compute.distributed import average_over_processes, get_world_size
from amn_core.constants import BACKGROUND, IGNORE_INDEX
from amn_core.refine.pixel_pairs import PixelPair, add_at_path_maximum, build_pairs, find_path_maximum

# Within which pairs of pixels are compared at stride 4, in IRN's code; and what keeps its logarithms finite.
RELATION_RADIUS = 10
RELATION_EPSILON = 1e-5


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


def segmentation_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Compute the cross entropy of a segmentation network; 0 where no pixel is labelled.

    Args:
        logits: (B, C, h, w).
        labels: (B, h, w) int64, 255 left out. The mean is over the other pixels of the batch.

    Returns:
        A scalar.
    """
    entropy = F.cross_entropy(logits.float(), labels, ignore_index=IGNORE_INDEX, reduction="none")
    return average_where(entropy, labels != IGNORE_INDEX)


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


def inter_pixel_loss(
    edge: torch.Tensor, displacement: torch.Tensor, seed: torch.Tensor, radius: int = RELATION_RADIUS
) -> torch.Tensor:
    """Compute the loss of IRN from the pairs of pixels within a radius whose seeds are both sure.

    The affinity a of a pair is 1 − the largest edge on its path. With bg and fg the pairs of equal seeds on the
    background and on a class, neg the pairs of unequal ones, d the difference of both displacements, o the offset
    between both pixels, |·| the mean over rows and columns, and each mean over the pairs of the batch:

    L = ½ (½ mean_bg(−log a) + ½ mean_fg(−log a) + mean_neg(−log(1 − a))) + ½ (mean_fg |d − o| + mean_bg |d|).

    Source: Ahn, Cho and Kwak (CVPR 2019), and its code. Ours: pairs near the border count as well, and a mean
    over no pairs is 0. The gradient is found on the way, pair by pair, so memory does not grow with the radius.

    Args:
        edge: (B, 1, h, w) logits.
        displacement: (B, 2, h, w) in pixels, rows first.
        seed: (B, h, w) int64, 0 background, class, 255 unsure.
        radius: in pixels of this grid; pairs are nearer than it.

    Returns:
        A scalar.
    """
    probability = torch.sigmoid(edge[:, 0].float()).permute(1, 2, 0).contiguous()
    moved = displacement.float().permute(2, 3, 1, 0).contiguous()
    return InterPixelLoss.apply(probability, moved, seed.permute(1, 2, 0).contiguous(), radius)


class InterPixelLoss(torch.autograd.Function):
    """`inter_pixel_loss` of edges (h, w, B) in [0, 1], displacements (h, w, 2, B) and seeds (h, w, B)."""

    @staticmethod
    def forward(ctx, edge: torch.Tensor, displacement: torch.Tensor, seed: torch.Tensor, radius: int) -> torch.Tensor:
        """Sum the loss over all pairs, and its gradients."""
        pairs, gradients = build_pairs(radius), (torch.zeros_like(edge), torch.zeros_like(displacement))
        sizes = torch.stack([torch.stack([mask.sum() for mask in match_seeds(seed, pair)]) for pair in pairs]).sum(0)
        weights = 0.5 / average_over_processes(sizes.to(edge.dtype)).clamp(min=1 / get_world_size())
        total = edge.new_zeros(())
        for pair in pairs:
            masks = match_seeds(seed, pair)
            total += add_affinity_terms(edge, pair, masks, weights, gradients[0])
            total += add_displacement_terms(displacement, pair, masks, weights, gradients[1])
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Scale the gradients that were found on the way."""
        by_edge, by_displacement = ctx.saved_tensors
        return by_edge * gradient, by_displacement * gradient, None, None


def match_seeds(seed: torch.Tensor, pair: PixelPair) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Find which pairs are both background, both of one class, and sure but unequal: booleans (h', w', B)."""
    first, second = pair.view(seed), pair.view(seed, pair.offset)
    is_sure, is_equal = (first != IGNORE_INDEX) & (second != IGNORE_INDEX), first == second
    is_background = first == BACKGROUND
    return is_equal & is_background, is_equal & is_sure & ~is_background, is_sure & ~is_equal


def add_affinity_terms(
    edge: torch.Tensor, pair: PixelPair, masks: tuple[torch.Tensor, ...], weights: torch.Tensor, gradient: torch.Tensor
) -> torch.Tensor:
    """Sum what the affinities of one kind of pair add to the loss, and add to the gradient by the edges."""
    background, foreground, negative = masks
    weight = 0.5 * (background * weights[0] + foreground * weights[1]) + negative * weights[2]
    best = find_path_maximum(edge, pair)
    right = torch.where(negative, best, 1 - best) + RELATION_EPSILON  # how sure the network is of what is so
    slope = weight / right
    add_at_path_maximum(gradient, edge, pair, best, torch.where(negative, -slope, slope))
    return -(weight * torch.log(right)).sum()


def add_displacement_terms(
    displacement: torch.Tensor, pair: PixelPair, masks: tuple[torch.Tensor, ...], weights: torch.Tensor,
    gradient: torch.Tensor,
) -> torch.Tensor:
    """Sum what the displacements of one kind of pair add to the loss, and add to the gradient by them."""
    background, foreground, _ = (mask[:, :, None] for mask in masks)
    weight = 0.5 * (background * weights[0] + foreground * weights[1])  # half for each of rows and columns
    offset = torch.tensor(pair.offset, device=displacement.device, dtype=displacement.dtype)[:, None]
    error = pair.view(displacement) - pair.view(displacement, pair.offset) - foreground * offset
    slope = weight * error.sign()
    pair.view(gradient).add_(slope)
    pair.view(gradient, pair.offset).sub_(slope)
    return (weight * error.abs()).sum()
