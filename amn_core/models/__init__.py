"""CAM and AMN on a choice of backbones; `build_model` makes any of them."""

from amn_core.models.backbones import BACKBONES, build_backbone, load_exactly
from amn_core.models.networks import AMNetwork, CAMNetwork, build_model

__all__ = ["BACKBONES", "AMNetwork", "CAMNetwork", "build_backbone", "build_model", "load_exactly"]
