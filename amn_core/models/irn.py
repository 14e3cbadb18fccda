"""The inter-pixel relation network: where class boundaries run, and where an object's centre lies.

Source: Ahn, Cho and Kwak, Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations
(CVPR 2019), and its public code. The backbone learns nothing; two branches read its five stages.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import nn

from amn_core.models.backbones import Backbone
from amn_core.models.registration import move_features

STRIDE = 4
EDGE_CHANNELS, EDGE_GROUPS = 32, 4
# Channels and groups of the displacement branch, a pair for each stage, and of the two layers that join them.
DISPLACEMENT_SIZES = ((64, 8), (128, 16), (256, 16), (256, 16), (256, 16))
JOINED_CHANNELS, JOINED_GROUPS = 256, 16


class Branch(nn.Module):
    """A 1×1 convolution without bias and group norm; enlarging and ReLU come behind it."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = nn.GroupNorm(groups, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the branch: (B, C, h, w) to (B, C', h, w)."""
        return self.norm(self.conv(x))


class IRNetwork(nn.Module):
    """Class boundaries and displacements to centroids, both at stride 4, from the stages of a fixed backbone.

    Attributes:
        displacement_mean: (2,) mean displacement (rows, columns) over the training images, measured after
            training and taken off in evaluation mode.

    Args:
        n_classes: as of the other networks; nothing in this one depends on it.
        label_at: the pixel whose label an output learns: where a feature of stride 4 lies (``feature``), where the
            stages are then joined too; or the ``centre`` of its cell, all stages joined as if they lay there.
    """

    method = "irn"

    def __init__(self, backbone: Backbone, n_classes: int, label_at: str = "feature") -> None:
        super().__init__()
        self.backbone, self.label_at = backbone.requires_grad_(False), label_at
        channels = backbone.stage_channels
        self.edges = nn.ModuleList(
            Branch(inputs, EDGE_CHANNELS, EDGE_GROUPS) for inputs in channels)
        self.edge = nn.Conv2d(EDGE_CHANNELS * len(channels), 1, 1)
        self.displacements = nn.ModuleList(
            Branch(inputs, *size) for inputs, size in zip(channels, DISPLACEMENT_SIZES, strict=True))
        widths = [size[0] for size in DISPLACEMENT_SIZES]
        self.joined_far = Branch(sum(widths[2:]), JOINED_CHANNELS, JOINED_GROUPS)
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
        stages, view = self.backbone.extract_stages(images), images.shape[-2:]
        displacement = self.infer_displacement(stages, view)
        if not self.training:
            displacement = displacement - self.displacement_mean[:, None, None]
        return self.infer_edge(stages, view), displacement

    def infer_edge(self, stages: list[torch.Tensor], view: tuple[int, int]) -> torch.Tensor:
        """Infer the edge logits (B, 1, h, w) from the stages of images of a size."""
        return self.edge(self.join(self.edges, stages, self.backbone.stage_strides, STRIDE, view))

    def infer_displacement(self, stages: list[torch.Tensor], view: tuple[int, int]) -> torch.Tensor:
        """Infer the displacement (B, 2, h, w) from the stages, its mean not taken off.

        Two stages stay at stride 4, three meet at stride 8 first.
        """
        branches, strides = list(self.displacements), self.backbone.stage_strides
        near = self.join(branches[:2], stages[:2], strides[:2], STRIDE, view)
        far = self.join(branches[2:], stages[2:], strides[2:], 2 * STRIDE, view)
        far = self.join([self.joined_far], [far], [2 * STRIDE], STRIDE, view)
        both = torch.cat([near, far], dim=1)
        return self.displacement(self.join([self.joined], [both], [STRIDE], STRIDE, view))

    def join(
        self, branches: Iterable[nn.Module], stages: Iterable[torch.Tensor], strides: Iterable[int], target: int,
        view: tuple[int, int],
    ) -> torch.Tensor:
        """Run each branch on its features, enlarge them to one stride, and join the channels."""
        found = [self.enlarge(branch(stage), stride, target, view)
                 for branch, stage, stride in zip(branches, stages, strides, strict=True)]
        return torch.cat([F.relu(one) for one in found], dim=1)

    def enlarge(self, features: torch.Tensor, stride: int, target: int, view: tuple[int, int]) -> torch.Tensor:
        """Enlarge features from one stride to another, bilinearly, where they lie or as if at centres of cells."""
        if stride == target:
            return features
        if self.label_at == "feature":
            return move_features(features, self.backbone, view, stride, target)
        height, width = (-(-side // target) for side in view)
        return F.interpolate(
            features, scale_factor=stride // target, mode="bilinear", align_corners=False)[..., :height, :width]

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
