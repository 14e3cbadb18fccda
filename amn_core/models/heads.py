"""What several networks put behind a backbone: the atrous pyramid of classifiers, and dropout that can be shared."""

import torch
from torch import nn

ASPP_RATES = (6, 12, 18, 24)


class SharedDropout(nn.Dropout):
    """Dropout that drops the same of a batch that several processes share as one process would drop of the whole."""

    part: tuple[int, int] | None = None

    def set_part(self, number: int, parts: int) -> None:
        """Say that what comes is the part of this number, from 0, of a batch in so many equal parts."""
        self.part = (number, parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop some of (B, C, h, w), and scale the rest up, in training."""
        if self.part is None or not self.training:
            return super().forward(x)
        number, parts = self.part
        ones = x.new_ones(parts * len(x), *x.shape[1:])  # the draws depend on the order in memory
        is_last = x.is_contiguous(memory_format=torch.channels_last)
        whole = super().forward(ones.contiguous(memory_format=torch.channels_last) if is_last else ones)
        return x * whole[number * len(x):(number + 1) * len(x)]


class AtrousPyramid(nn.ModuleList):
    """Classifiers of 3×3 at four dilations whose scores are summed.

    Source: Chen et al., DeepLab (2018), ASPP-L; AMN has the same.
    """

    def __init__(self, inputs: int, n_classes: int) -> None:
        super().__init__(nn.Conv2d(inputs, n_classes, 3, padding=rate, dilation=rate) for rate in ASPP_RATES)
        for branch in self:
            nn.init.normal_(branch.weight, 0, 0.01)
            nn.init.zeros_(branch.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Classify every position: (B, inputs, h, w) to logits (B, n_classes, h, w)."""
        return torch.stack([branch(features) for branch in self]).sum(0)
