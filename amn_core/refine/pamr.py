"""Pixel-adaptive mask refinement (PAMR): the cheap relative of the dense CRF.

Araslanov and Roth, "Single-Stage Semantic Segmentation from Image Labels", CVPR 2020.
Every pixel repeatedly takes the average of its neighbours' probabilities, weighted by how
alike their colours are in units of the local contrast.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from amn_core.refine.checks import check_image, check_labels, check_probabilities

# A neighbour that differs by a tenth of the local deviation weighs 1/e: the factor of the authors' code.
CONTRAST = 0.1
# Keeps the weights finite in flat regions, where every neighbour is alike.
TINY = 1e-8


@dataclass(frozen=True)
class PAMRConfig:
    """Parameters of PAMR; the defaults are the authors'.

    Attributes:
        dilations: distances in pixels of the rings of 8 neighbours.
        iterations: how often every pixel averages its neighbours.
    """

    dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24)
    iterations: int = 10

    def __post_init__(self) -> None:
        """Refuse an empty list of dilations, one below 1, and negative iterations."""
        if not self.dilations or min(self.dilations) < 1:
            raise ValueError(f"dilations is {self.dilations} but must hold distances of 1 pixel and more")
        if self.iterations < 0:
            raise ValueError(f"iterations is {self.iterations} but must not be negative")


def pamr_probabilities(
    image: np.ndarray, probs: np.ndarray, config: PAMRConfig | None = None,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Refine the probabilities of one image by PAMR.

    Args:
        image: (H, W, 3) uint8.
        probs: (L, H, W), any planes of finite numbers; those of a pixel keep their sum if it is the same
            everywhere, such as 1.

    Returns:
        (L, H, W) float32.

    Raises:
        ValueError: if type or size do not fit.
    """
    image = check_image(image)
    probs = check_probabilities(probs, image.shape[:2])
    planes = torch.tensor(probs, device=device)[None]
    return adapt_masks(to_planes(image, device), planes, config or PAMRConfig())[0].cpu().numpy()


def pamr_labels(
    image: np.ndarray, labels: np.ndarray, n_labels: int, config: PAMRConfig | None = None,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Refine the hard labels of one image by PAMR: the strongest plane wins, the lowest label among equals.

    Args:
        image: (H, W, 3) uint8.
        labels: (H, W) integers 0 … n_labels − 1.

    Returns:
        (H, W) int64.

    Raises:
        ValueError: if type, size or values do not fit.
    """
    labels = check_labels(labels, n_labels, check_image(image).shape[:2])[0]
    planes = np.stack([labels == label for label in range(n_labels)]).astype(np.float32)
    return pamr_probabilities(image, planes, config, device).argmax(0)


def pamr_label_sets(
    image: np.ndarray, labels: np.ndarray, n_labels: int, config: PAMRConfig | None = None,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Refine several label sets (S, H, W) of one image as `pamr_labels` does, its neighbours weighed once.

    Returns:
        (S, H, W) of the type of `labels`.

    Raises:
        ValueError: if type, size or values do not fit.
    """
    image, config = check_image(image), config or PAMRConfig()
    sets = check_labels(labels, n_labels, image.shape[:2])
    weights = neighbour_weights(to_planes(image, device), config.dilations)
    refined = []
    for one in sets:
        planes = torch.stack([torch.from_numpy(one == label) for label in range(n_labels)])[None]
        refined.append(average_neighbours(planes.float().to(device), weights, config)[0].argmax(0).cpu().numpy())
    return np.stack(refined).astype(sets.dtype)


def to_planes(image: np.ndarray, device: str | torch.device) -> Tensor:
    """Turn an image (H, W, 3) into planes (1, 3, H, W) float32."""
    return torch.tensor(image, device=device).permute(2, 0, 1)[None].float()


def adapt_masks(images: Tensor, masks: Tensor, config: PAMRConfig) -> Tensor:
    """Run PAMR on masks (B, L, H, W) float32 of images (B, C, H, W) float32; returns (B, L, H, W)."""
    return average_neighbours(masks, neighbour_weights(images, config.dilations), config)


@torch.no_grad()
def average_neighbours(masks: Tensor, weights: Tensor, config: PAMRConfig) -> Tensor:
    """Replace each pixel of masks (B, L, H, W) by the mean of its neighbours, weighted, again and again.

    Beyond the border the image and the masks repeat their outermost pixels.
    """
    for _ in range(config.iterations):
        total = torch.zeros_like(masks)
        for i, neighbour in enumerate(shifted(masks, config.dilations)):
            total.addcmul_(neighbour, weights[:, i, None])
        masks = total
    return masks


@torch.no_grad()
def neighbour_weights(images: Tensor, dilations: tuple[int, ...]) -> Tensor:
    """Weigh the 8 neighbours at each distance by their likeness: (B, 8 · dilations, H, W), sum 1."""
    scale = CONTRAST * local_deviation(images, dilations) + TINY
    likeness = [-((n - images).abs() / scale).mean(1) for n in shifted(images, dilations)]
    return torch.softmax(torch.stack(likeness, 1), 1)


def local_deviation(images: Tensor, dilations: tuple[int, ...]) -> Tensor:
    """Return the standard deviation of each channel over a pixel and its neighbours, (B, C, H, W).

    The pixel itself counts once for each distance, as the authors have it. Sums run over
    differences from the pixel, so that a flat region has a deviation of exactly 0.
    """
    total, squares = torch.zeros_like(images), torch.zeros_like(images)
    for neighbour in shifted(images, dilations):
        difference = neighbour - images
        total += difference
        squares.addcmul_(difference, difference)
    n = 9 * len(dilations)
    return ((squares - total**2 / n) / (n - 1)).clamp_(min=0).sqrt()


def shifted(planes: Tensor, dilations: tuple[int, ...]) -> Iterator[Tensor]:
    """Yield views of planes (B, C, H, W) moved to each of the 8 neighbours at each distance."""
    reach = max(dilations)
    padded = F.pad(planes, (reach, reach, reach, reach), mode="replicate")
    height, width = planes.shape[-2:]
    for distance in dilations:
        steps = (reach - distance, reach, reach + distance)
        for top in steps:
            for left in steps:
                if (top, left) != (reach, reach):
                    yield padded[..., top : top + height, left : left + width]
