"""The labels that features learn: one pixel's for each, taken where the configuration says."""

import torch
import torch.nn.functional as F

from amn_core.models import BACKBONES
from amn_core.models.registration import take_labels
from amn_core.train.config import TrainConfig


def reduce_labels(labels: torch.Tensor, size: tuple[int, int], config: TrainConfig, stride: int) -> torch.Tensor:
    """Reduce labels (B, H, W) int64 to one for each feature, (B, *size), taken at `TrainConfig.label_at`."""
    if config.label_at == "feature":
        return take_labels(labels, BACKBONES[config.backbone], stride)
    mode = "nearest-exact" if config.label_at == "centre" else "nearest"
    return F.interpolate(labels[:, None].float(), size=size, mode=mode)[:, 0].long()
