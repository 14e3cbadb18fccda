"""Frozen batch norms folded into the convolutions before them: fewer passes over memory, for inference alone."""

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from amn_core.models.backbones import NormalisedConv2d


@torch.no_grad()
def fold_norms(model: nn.Module) -> nn.Module:
    """Fold every batch norm of a network in evaluation mode, in place; the outputs stay the same but for rounding.

    Returns:
        The network, which can no longer be trained or saved as a checkpoint.
    """
    for module in model.modules():
        if isinstance(module, NormalisedConv2d):
            module.fold()
        for conv, norm in find_pairs(module):
            fused = fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm))
            setattr(module, conv, fused)
            setattr(module, norm, nn.Identity())
    return model


def find_pairs(module: nn.Module) -> list[tuple[str, str]]:
    """Find the names of a module's convolutions with the batch norms that follow them, as ResNet names them."""
    children = dict(module.named_children())
    named = [(f"conv{number}", f"bn{number}") for number in (1, 2, 3)] + [("0", "1")]  # the last is a downsampling
    return [
        (conv, norm) for conv, norm in named
        if isinstance(children.get(conv), nn.Conv2d) and isinstance(children.get(norm), nn.BatchNorm2d)]
