"""The networks of the paper on any backbone: CAM, AMN without LCM, AMN; IRN and segmentation are beside them."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from amn_core.models.backbones import Backbone, build_backbone
from amn_core.models.heads import AtrousPyramid, SharedDropout
from amn_core.models.irn import IRNetwork
from amn_core.models.segmentation import SegmentationNetwork

DROPOUT = 0.1


class CAMNetwork(nn.Module):
    """A multilabel classifier whose weights, applied at every position, give class activation maps.

    Source: Zhou et al., Learning Deep Features for Discriminative Localization (2016); the head as in IRN:
    a 1×1 convolution without bias on the global average.
    """

    method = "cam"
    label_at = "feature"  # no pixel's label is learnt: scores lie where the features do

    def __init__(self, backbone: Backbone, n_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Conv2d(backbone.out_channels, n_classes - 1, 1, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Classify images: (B, 3, H, W) in 0–255 to logits (B, C−1) of the foreground classes."""
        pooled = self.backbone(images).mean(dim=(2, 3), keepdim=True)
        return self.classifier(pooled).flatten(1)

    def infer_scores(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Infer the activation of every foreground class before normalisation.

        Args:
            images: (B, 3, H, W) in 0–255.
            labels: (B, C−1) multi-hot; not used, CAM does not know the labels.

        Returns:
            (B, C−1, h, w) float32, ReLU of the class scores at output stride 16.
        """
        features = self.backbone(images)
        return F.relu(F.conv2d(features, self.classifier.weight)).float()

    def head_parameters(self) -> list[nn.Parameter]:
        """List the parameters that are new, that is, not from ImageNet."""
        return list(self.classifier.parameters())


class AMNetwork(nn.Module):
    """The activation manipulation network: features, label conditioning, atrous pyramid of classifiers.

    Source: Lee, Kim and Shim, Threshold Matters in WSSS (2022).

    Args:
        has_lcm: with the label conditioning module: features × Linear(labels), one factor a channel.
        label_at: the pixel whose label a logit learns (`amn_core.models.registration`).
    """

    def __init__(
        self, backbone: Backbone, n_classes: int, has_lcm: bool = True, label_at: str = "feature"
    ) -> None:
        super().__init__()
        self.backbone, self.label_at = backbone, label_at
        self.label_enc = nn.Linear(n_classes - 1, backbone.out_channels) if has_lcm else None
        self.dropout = SharedDropout(DROPOUT)
        self.aspp = AtrousPyramid(backbone.out_channels, n_classes)

    @property
    def method(self) -> str:
        """Name of the method: ``amn`` or ``amn-without-lcm``."""
        return "amn" if self.label_enc is not None else "amn-without-lcm"

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Classify every position.

        Args:
            images: (B, 3, H, W) in 0–255.
            labels: (B, C−1) multi-hot image labels, for the label conditioning.

        Returns:
            (B, C, h, w) logits at output stride 16, background first.
        """
        features = self.backbone(images)
        if self.label_enc is not None:
            features = features * self.label_enc(labels.to(features.dtype))[:, :, None, None]
        return self.aspp(self.dropout(features))

    def infer_scores(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Infer the logits of all classes, (B, C, h, w) float32, background first."""
        return self(images, labels).float()

    def head_parameters(self) -> list[nn.Parameter]:
        """List the parameters that are new, that is, not from ImageNet."""
        known = {id(parameter) for parameter in self.backbone.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in known]


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "cam": CAMNetwork,
    "amn-without-lcm": partial(AMNetwork, has_lcm=False),
    "amn": AMNetwork,
    "irn": IRNetwork,
    "segmentation": SegmentationNetwork,
}


def build_model(
    name: str, backbone: str, n_classes: int, backbone_options: dict[str, object] | None = None,
    options: dict[str, object] | None = None,
) -> nn.Module:
    """Build a network with random weights.

    Args:
        name: one of `NETWORKS`.
        backbone: one of `BACKBONES`, such as ``resnet50`` or ``efficientnet_lite0``.
        n_classes: with background, 21 for VOC.
        backbone_options: further arguments of the backbone, such as ``stride_on`` or ``dilation``.
        options: further arguments of the network, such as segmentation's ``head``.

    Raises:
        ValueError: an unknown model or backbone.
    """
    if name not in NETWORKS:
        raise ValueError(f"model {name!r} is unknown; use one of {', '.join(NETWORKS)}")
    return NETWORKS[name](build_backbone(backbone, **(backbone_options or {})), n_classes, **(options or {}))
