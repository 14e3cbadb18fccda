"""The segmentation network that learns from pseudo masks: DeepLab-v2's or DeepLabV3's head on any backbone."""

import torch
from torch import nn

from amn_core.models.backbones import Backbone
from amn_core.models.heads import AtrousPyramid, SharedDropout

HEADS = ("v2", "v3")
LAYERS = ("all", "late")
V3_RATES = {8: (12, 24, 36), 16: (6, 12, 18)}
GROUPS = 32


class SegmentationNetwork(nn.Module):
    """Classifies every pixel of an image, without its labels.

    Source: Chen et al., DeepLab (2018), the network that the paper trains on its pseudo masks, and Rethinking
    Atrous Convolution (2017), the head as in torchvision. Batch norm of the backbone stays frozen at its ImageNet
    statistics, since batches are small, on a CPU above all, and their statistics poor. The head of DeepLabV3 has
    no statistics to freeze: its batch norm is replaced by group norm (Wu and He, 2018), which does not know the
    batch, so that a batch of one, a shared batch and a whole one give the same (ours).

    Args:
        head: ``v2``: the atrous pyramid of AMN. ``v3``: torchvision's DeepLabHead.
        layers: ``all`` learn, or ``late``: those behind the point where CAM and AMN stop the gradient.
        label_at: ``feature`` or ``centre`` of its cell: where logits are drawn (`amn_core.models.registration`).

    Raises:
        ValueError: no such head or choice of layers.
    """

    method = "segmentation"

    def __init__(
        self, backbone: Backbone, n_classes: int, head: str = "v2", layers: str = "late", label_at: str = "feature"
    ) -> None:
        super().__init__()
        for name, value, known in (("head", head, HEADS), ("layers", layers, LAYERS)):
            if value not in known:
                raise ValueError(f"{name} is {value!r}; use {' or '.join(known)}")
        self.backbone, self.head_name, self.label_at = backbone, head, label_at
        self.backbone.is_open = layers == "all"
        build = AtrousPyramid if head == "v2" else build_v3_head
        self.head = build(backbone.out_channels, n_classes, *(() if head == "v2" else (backbone.stage_strides[-1],)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Classify every position: (B, 3, H, W) in 0–255 to logits (B, C, h, w), background first."""
        return self.head(self.backbone(images))

    def infer_scores(self, images: torch.Tensor) -> torch.Tensor:
        """Infer the logits of all classes, (B, C, h, w) float32, background first."""
        return self(images).float()

    def backbone_parameters(self) -> list[nn.Parameter]:
        """List the parameters of the backbone that learn."""
        learning = self.backbone if self.backbone.is_open else self.backbone.late
        return [parameter for parameter in learning.parameters() if parameter.requires_grad]

    def head_parameters(self) -> list[nn.Parameter]:
        """List the parameters that are new, that is, not from ImageNet."""
        return list(self.head.parameters())


def build_v3_head(inputs: int, n_classes: int, stride: int) -> nn.Module:
    """Build torchvision's head of DeepLabV3 for features at a stride of 8 or 16, free of batch statistics."""
    from torchvision.models.segmentation.deeplabv3 import DeepLabHead  # torchvision takes a second to import

    return replace_batch_layers(DeepLabHead(inputs, n_classes, V3_RATES[stride]))


def replace_batch_layers(module: nn.Module) -> nn.Module:
    """Replace batch norm by group norm, and dropout by dropout that a batch may share; returns the module."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.GroupNorm(GROUPS, child.num_features))
        elif isinstance(child, nn.Dropout):
            setattr(module, name, SharedDropout(child.p))
        else:
            replace_batch_layers(child)
    return module
