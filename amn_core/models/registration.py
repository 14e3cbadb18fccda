"""Where what belongs to a feature lies in the image that it was made from, and maps drawn there.

Drawn as if a feature lay at the centre of its cell, as the public codes do, ResNet's appear half a cell too far right
and below, EfficientNet-Lite0's up to half a cell too far left and above, and a mirrored copy as far to the other side.
A network that learnt the labels of pixels beside its features answers for those pixels, so that is where its scores
lie (`LABEL_PLACES`); scores of CAM, which learns no pixel, lie where the features do.
"""

import torch
import torch.nn.functional as F

from amn_core.models.backbones import Backbone

AnyBackbone = Backbone | type[Backbone]


def draw_maps(
    features: torch.Tensor, size: tuple[int, int], backbone: AnyBackbone, view: tuple[int, int],
    label_at: str = "feature", is_registered: bool = True, stride: int | None = None,
) -> torch.Tensor:
    """Draw what belongs to features as maps of an image, bilinearly; beyond the last feature its value goes on.

    A mirrored view is drawn first and mirrored back afterwards: its features lie elsewhere.

    Args:
        features: (B, C, h, w), or what was computed at each of them.
        size: height and width of the maps, which cover the image evenly, pixel centres at halves.
        view: height and width of the image as the backbone saw it, which may be scaled.
        label_at: the pixel whose label each feature learnt (`compute_shift`).
        is_registered: otherwise as if features lay at the centres of their cells.
        stride: of the features, pixels of the view; by default that of the backbone's output.

    Returns:
        (B, C, height, width) float32; if not registered, of the type of the features.
    """
    if not is_registered:
        return F.interpolate(features, size=size, mode="bilinear", align_corners=False)
    stride = stride or backbone.stage_strides[-1]
    shift = compute_shift(label_at, backbone, stride)
    places = [(torch.arange(new, dtype=torch.float64) + 0.5) * seen / new - 0.5 - shift
              for new, seen in zip(size, view, strict=True)]
    return sample_features(features, places, backbone, view, stride)


def compute_shift(label_at: str, backbone: AnyBackbone, stride: int) -> float:
    """Compute how many pixels behind its feature the pixel lies whose label was learnt, along each axis.

    Args:
        label_at: ``feature``: the pixel where the feature lies; or ``first`` or ``centre`` of the feature's cell, in
            crops whose sides are multiples of the stride.
    """
    if label_at == "feature":
        return 0.0
    return {"first": 0.0, "centre": (stride - 1) / 2}[label_at] - backbone.compute_offset(stride, stride)


def sample_features(
    features: torch.Tensor, places: list[torch.Tensor], backbone: AnyBackbone, view: tuple[int, int],
    stride: int,
) -> torch.Tensor:
    """Interpolate features (B, C, h, w) at places in the view, rows and columns in pixels: (B, C, H, W) float32.

    The centre of the first pixel is 0. Two products of matrices, so that gradients come out the same on each run.
    """
    rows, columns = (
        build_weights((place - backbone.compute_offset(side, stride)) / stride, number).to(features.device)
        for place, side, number in zip(places, view, features.shape[-2:], strict=True))
    with torch.autocast(features.device.type, enabled=False):
        return rows @ features.float() @ columns.T


def move_features(
    features: torch.Tensor, backbone: AnyBackbone, view: tuple[int, int], stride: int, target: int,
) -> torch.Tensor:
    """Interpolate features of one stride at the places of those of another: (B, C, h, w) to their size."""
    places = [torch.arange(backbone.compute_offset(side, target), side, target, dtype=torch.float64) for side in view]
    return sample_features(features, places, backbone, view, stride).to(features.dtype)


def build_weights(places: torch.Tensor, number: int) -> torch.Tensor:
    """Build the weights of linear interpolation along an axis: (P,) places counted in features to (P, number)."""
    inside = places.clamp(0, number - 1)
    distances = (inside[:, None] - torch.arange(number, dtype=inside.dtype)).abs()
    return (1 - distances).clamp(min=0).float()


def take_labels(labels: torch.Tensor, backbone: AnyBackbone, stride: int) -> torch.Tensor:
    """Take the label of the pixel at which each feature lies: (B, H, W) to (B, ceil(H/stride), ceil(W/stride))."""
    top, left = (backbone.compute_offset(side, stride) for side in labels.shape[-2:])
    return labels[..., top::stride, left::stride]
