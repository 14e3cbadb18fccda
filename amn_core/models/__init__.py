"""CAM, AMN, IRN and segmentation on a choice of backbones; `build_model` makes any of them."""

from amn_core.models.backbones import BACKBONES, build_backbone, load_exactly
from amn_core.models.irn import IRNetwork
from amn_core.models.networks import AMNetwork, CAMNetwork, build_model
from amn_core.models.segmentation import SegmentationNetwork

__all__ = [
    "BACKBONES", "AMNetwork", "CAMNetwork", "IRNetwork", "SegmentationNetwork", "build_backbone", "build_model",
    "load_exactly",
]
