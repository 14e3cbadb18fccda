"""The inter-pixel relation network: where class boundaries run, and where an object's centre lies.

Source: Ahn, Cho and Kwak, Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations
(CVPR 2019), and its public code. The backbone learns nothing; two branches read its five stages.
"""

import torch
import torch.nn.functional as F
from torch import nn

from amn_core.models.backbones import Backbone

STRIDE = 4
EDGE_CHANNELS, EDGE_GROUPS = 32, 4
# Channels and groups of the displacement branch, a pair for each stage, and of the two layers that join them.
DISPLACEMENT_SIZES = ((64, 8), (128, 16), (256, 16), (256, 16), (256, 16))
JOINED_CHANNELS, JOINED_GROUPS = 256, 16


class Branch(nn.Module):
    """A 1×1 convolution without bias, group norm, upsampling and ReLU, in this order.

    Args:
        factor: of the upsampling, bilinear with pixel centres at halves; 1 for none.
    """

    def __init__(self, inputs: int, outputs: int, groups: int, factor: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = nn.GroupNorm(groups, outputs)
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the branch: (B, C, h, w) to (B, C', factor·h, factor·w)."""
        x = self.norm(self.conv(x))
        if self.factor > 1:
            x = F.interpolate(x, scale_factor=self.factor, mode="bilinear", align_corners=False)
        return F.relu(x)


class IRNetwork(nn.Module):
    """Class boundaries and displacements to centroids, both at stride 4, from the stages of a fixed backbone.

    Attributes:
        displacement_mean: (2,) mean displacement (rows, columns) over the training images, measured after
            training and taken off in evaluation mode.

    Args:
        n_classes: as of the other networks; nothing in this one depends on it.
    """

    method = "irn"

    def __init__(self, backbone: Backbone, n_classes: int) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        channels, strides = backbone.stage_channels, backbone.stage_strides
        self.edges = nn.ModuleList(
            Branch(inputs, EDGE_CHANNELS, EDGE_GROUPS, stride // STRIDE)
            for inputs, stride in zip(channels, strides, strict=True))
        self.edge = nn.Conv2d(EDGE_CHANNELS * len(channels), 1, 1)
        near = (STRIDE, STRIDE, *(2 * STRIDE,) * 3)  # two branches stay at stride 4, three meet at 8
        self.displacements = nn.ModuleList(
            Branch(inputs, *size, stride // target)
            for inputs, size, stride, target in zip(channels, DISPLACEMENT_SIZES, strides, near, strict=True))
        widths = [size[0] for size in DISPLACEMENT_SIZES]
        self.joined_far = Branch(sum(widths[2:]), JOINED_CHANNELS, JOINED_GROUPS, 2)
        self.joined = Branch(sum(widths[:2]) + JOINED_CHANNELS, JOINED_CHANNELS, JOINED_GROUPS)
        self.displacement = nn.Conv2d(JOINED_CHANNELS, 2, 1, bias=False)
        self.register_buffer("displacement_mean", torch.zeros(2))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Infer boundaries and displacements.

        Args:
            images: (B, 3, H, W) in 0–255.

        Returns:
            Edge logits (B, 1, ceil(H/4), ceil(W/4)), and displacement (B, 2, ceil(H/4), ceil(W/4)) in pixels of
            that grid, rows first; its mean is taken off in evaluation mode alone.
        """
        stages = self.backbone.extract_stages(images)
        displacement = self.infer_displacement(stages)
        if not self.training:
            displacement = displacement - self.displacement_mean[:, None, None]
        return self.infer_edge(stages), displacement

    def infer_edge(self, stages: list[torch.Tensor]) -> torch.Tensor:
        """Infer the edge logits (B, 1, h, w) from the stages."""
        return self.edge(join(self.edges, stages, stages[1].shape[-2:]))

    def infer_displacement(self, stages: list[torch.Tensor]) -> torch.Tensor:
        """Infer the displacement (B, 2, h, w) from the stages, its mean not taken off."""
        near, far = stages[:2], stages[2:]
        size = near[1].shape[-2:]
        far = self.joined_far(join(self.displacements[2:], far, far[0].shape[-2:]))[..., :size[0], :size[1]]
        return self.displacement(self.joined(torch.cat([join(self.displacements[:2], near, size), far], dim=1)))

    def edge_parameters(self) -> list[nn.Parameter]:
        """List the parameters of the edge branch."""
        return [*self.edges.parameters(), *self.edge.parameters()]

    def displacement_parameters(self) -> list[nn.Parameter]:
        """List the parameters of the displacement branch."""
        parts = (self.displacements, self.joined_far, self.joined, self.displacement)
        return [parameter for part in parts for parameter in part.parameters()]

    def head_parameters(self) -> list[nn.Parameter]:
        """List the parameters that are new, that is, not from ImageNet."""
        return self.edge_parameters() + self.displacement_parameters()


def join(branches: nn.ModuleList, stages: list[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """Run each branch on its stage, crop what came out one row or column too large, and join the channels."""
    features = [branch(stage) for branch, stage in zip(branches, stages, strict=True)]
    return torch.cat([feature[..., :size[0], :size[1]] for feature in features], dim=1)
