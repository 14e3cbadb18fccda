"""The plain loop of the field's public code, as a reference: single precision, rows of planes, one thing at a time.

Batch norms are modules of their own, nothing is folded, cast or laid out otherwise. The maps are made of one image
and one scale at a time, both mirror images in one call; the images of a training are decoded where they are used.
"""

from copy import deepcopy
from types import MethodType

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from amn_core.formats.maps import compute_map_size
from amn_core.infer.extractor import Extractor, normalise_scores, resize_pixels, resolve_normalisation
from amn_core.models.backbones import Backbone, NormalisedConv2d
from amn_core.models.registration import draw_maps
from amn_core.train.config import TrainConfig
from amn_core.train.stages import compute_loss

GRADIENTS = ("stopped", "all")


class PlainConv2d(nn.Module):
    """A convolution, then its batch norm, padded as `NormalisedConv2d` pads."""

    def __init__(self, source: NormalisedConv2d) -> None:
        super().__init__()
        self.source, self.conv, self.norm = [source], source.conv, source.norm  # in a list: no module of this one

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pad, convolve and normalise."""
        (top, bottom), (left, right) = (self.source[0].split_padding(size) for size in x.shape[-2:])
        return self.norm(self.conv(F.pad(x, (left, right, top, bottom))))


def make_plain(model: nn.Module, gradient: str = "stopped") -> nn.Module:
    """Copy a network with its weights as the plain loop has it.

    Args:
        gradient: ``stopped`` after the early layers, whose activations are kept nevertheless, as in the official
            code; ``all`` goes through every layer.
    """
    plain = deepcopy(model).to(memory_format=torch.contiguous_format)
    for module in list(plain.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, NormalisedConv2d):
                setattr(module, name, PlainConv2d(child))
    plain.requires_grad_(True)

    def forward(backbone: Backbone, images: torch.Tensor) -> torch.Tensor:
        early = backbone.early((images.float() - backbone.mean) / backbone.std)
        return backbone.late(early.detach() if gradient == "stopped" else early)

    plain.backbone.forward = MethodType(forward, plain.backbone)
    return plain


@torch.no_grad()
def infer_map_plainly(extractor: Extractor, plain: nn.Module, image: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Infer the maps of an image as `Extractor.infer_map` does, one scale after another: (K, h, w) float32."""
    size = compute_map_size(*image.shape[:2])
    labels = torch.zeros(2, extractor.n_classes - 1, device=extractor.device)
    labels[:, torch.from_numpy(class_ids) - 1] = 1
    total = torch.zeros(1, device=extractor.device)
    for scale in extractor.scales:
        pixels = resize_pixels(torch.from_numpy(image.copy()).to(extractor.device), scale).contiguous()
        scores = plain.infer_scores(torch.cat([pixels, pixels.flip(-1)]), labels)
        scores = draw_maps(
            scores, size, plain.backbone, pixels.shape[-2:], plain.label_at, extractor.registration == "features")
        total = total + scores[0] + scores[1].flip(-1)
    total = total / (2 * len(extractor.scales))
    return normalise_scores(total, class_ids, resolve_normalisation(extractor)).cpu().numpy()


def run_step_plainly(
    plain: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple[torch.Tensor, ...], config: TrainConfig,
    device: torch.device,
) -> float:
    """Run one step of training in single precision; returns the loss."""
    images, labels, seed = (part.to(device) for part in batch)
    optimizer.zero_grad()
    loss = compute_loss(plain, (images.float().contiguous(), labels, seed), config)
    loss.backward()
    optimizer.step()
    return float(loss.detach())
