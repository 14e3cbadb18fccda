"""Fully connected CRF with Gaussian edges, by mean field in plain torch: no extension to compile.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials", NeurIPS 2011. The details follow pydensecrf, which the field's published
results were made with: both kernels filtered on the permutohedral lattice, normalised
symmetrically, Potts compatibility, and the whole message (a pixel's own share included).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from amn_core.refine.checks import check_gt_prob, check_image, check_labels, check_probabilities
from amn_core.refine.permutohedral import Lattice, slice_gain

# The floor that pydensecrf puts under probabilities before their logarithm.
MIN_PROBABILITY = 1e-5
# Below this many labels, softmax over rows is slow on the CPU: a row fills no vector register.
FEW_LABELS = 16


@dataclass(frozen=True)
class CRFConfig:
    """Parameters of the dense CRF; the defaults are those of IRN and AMN.

    Attributes:
        iterations: of mean field.
        gaussian_sxy: deviation of the kernel of places, in pixels.
        gaussian_compat: its weight in the Potts penalty; 0 leaves the kernel out.
        bilateral_sxy: deviation in pixels of the kernel of places and colours.
        bilateral_srgb: its deviation in grey levels of 0 … 255.
        bilateral_compat: its weight; 0 leaves the kernel out.
    """

    iterations: int = 10
    gaussian_sxy: float = 3.0
    gaussian_compat: float = 3.0
    bilateral_sxy: float = 50.0
    bilateral_srgb: float = 5.0
    bilateral_compat: float = 10.0

    def __post_init__(self) -> None:
        """Refuse deviations that are not above 0, and negative weights and iterations."""
        for name in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)} but must be a number above 0")
        for name in ("iterations", "gaussian_compat", "bilateral_compat"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)} but must be a number of at least 0")


class CRFFilters:
    """The two kernels of an image, built once and used for any number of label sets.

    Given a sequence of images, of any sizes, it filters the pixels of all together, which fills a
    GPU; what an image is batched with changes its result by rounding only.
    """

    def __init__(
        self, image: np.ndarray | Sequence[np.ndarray], config: CRFConfig | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        """Build the kernels of one image (H, W, 3) uint8, or of a sequence of them.

        Raises:
            ValueError: if an image is something else, or there is none.
        """
        self.config = config or CRFConfig()
        self.device = torch.device(device)
        self.is_batch = not isinstance(image, np.ndarray)
        images = [check_image(one) for one in (image if self.is_batch else [image])]
        if not images:
            raise ValueError("image is an empty sequence: pass at least one image")
        self.shapes = tuple(one.shape[:2] for one in images)
        self.lattices = build_lattices(images, self.config, self.device)

    def refine_labels(self, labels, n_labels, gt_prob: float = 0.7):
        """Refine hard labels: each pixel trusts its own with ``gt_prob``, and the others evenly with the rest.

        Args:
            labels: (H, W) integers 0 … n_labels − 1, or a stack of label sets (S, H, W); for several
                images a sequence of such arrays, with the same S.
            n_labels: number of labels; for several images one number, or one for each.

        Returns:
            The most probable labels, int64, shaped as ``labels``; the lowest label wins ties.

        Raises:
            ValueError: if sizes, types or values do not fit.
        """
        counts = [int(n) for n in np.broadcast_to(n_labels, len(self.shapes))]
        stack = self._as_list(labels)
        sets = [check_labels(one, n, shape) for one, n, shape in zip(stack, counts, self.shapes)]
        if len({len(one) for one in sets}) > 1:
            raise ValueError("labels hold different numbers of label sets: give every image the same")
        check_gt_prob(gt_prob)
        unary = [labels_to_unary(one, n, max(counts), gt_prob) for one, n in zip(sets, counts)]
        best = self.infer(torch.cat(unary).to(self.device)).argmax(-1)
        shaped = [one.reshape(np.shape(given)) for one, given in zip(self._as_planes(best), stack)]
        return shaped if self.is_batch else shaped[0]

    def refine_probabilities(self, probs):
        """Refine probabilities (L, H, W), or a sequence of such arrays for several images, with the same L.

        They are clipped to at least 1e-5 first, as pydensecrf does.

        Returns:
            Probabilities, float32, shaped as ``probs``; those of a pixel sum to 1.

        Raises:
            ValueError: if sizes do not fit or a value is not finite.
        """
        stack = [check_probabilities(one, shape) for one, shape in zip(self._as_list(probs), self.shapes)]
        if len({len(one) for one in stack}) > 1:
            raise ValueError("probs hold different numbers of labels: give every image the same")
        unary = torch.cat([probabilities_to_unary(one) for one in stack])[:, None]
        planes = self._as_planes(self.infer(unary.to(self.device))[:, 0])
        return planes if self.is_batch else planes[0]

    @torch.no_grad()
    def infer(self, unary: Tensor) -> Tensor:
        """Run mean field on the log probabilities of S label sets.

        Args:
            unary: (N, S, L) float32 on the filters' device; N counts the pixels of all images, row by row.

        Returns:
            (N, S, L) float32, the probabilities.
        """
        belief = label_softmax(unary)
        for _ in range(self.config.iterations):
            flat = belief.reshape(len(belief), -1)
            messages = [lattice.filter(flat).view_as(unary) for lattice in self.lattices]
            belief = label_softmax(sum(messages, start=unary))
        return belief

    def _as_list(self, given) -> list:
        """Return what was given for each image, one array each."""
        stack = list(given) if self.is_batch else [given]
        if len(stack) != len(self.shapes):
            raise ValueError(f"{len(stack)} arrays were given for {len(self.shapes)} images: pass one each")
        return stack

    def _as_planes(self, pixels: Tensor) -> list[np.ndarray]:
        """Cut values (N, C) of all pixels into arrays (C, H, W), one for each image."""
        parts = torch.split(pixels.cpu(), [height * width for height, width in self.shapes])
        return [part.t().contiguous().numpy().reshape(-1, *shape) for part, shape in zip(parts, self.shapes)]


def refine_labels(
    image: np.ndarray, labels: np.ndarray, n_labels: int, gt_prob: float = 0.7,
    config: CRFConfig | None = None, device: str | torch.device = "cpu",
) -> np.ndarray:
    """Refine hard labels (H, W) of an image (H, W, 3) uint8: see ``CRFFilters.refine_labels``."""
    if n_labels == 1:  # nothing to decide, so no kernels to build
        return check_labels(labels, 1, check_image(image).shape[:2])[0].astype(np.int64)
    return CRFFilters(np.asarray(image), config, device).refine_labels(labels, n_labels, gt_prob)


def refine_probabilities(
    image: np.ndarray, probs: np.ndarray, config: CRFConfig | None = None,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Refine probabilities (L, H, W) of an image (H, W, 3) uint8: see ``CRFFilters.refine_probabilities``."""
    return CRFFilters(np.asarray(image), config, device).refine_probabilities(probs)


def label_softmax(logits: Tensor) -> Tensor:
    """Softmax over the last axis of (N, S, L); on the CPU, few labels go to the front for its duration.

    That takes 0.5 ms instead of 5 for 93,000 pixels and two labels.
    """
    if logits.device.type != "cpu" or logits.shape[-1] >= FEW_LABELS:
        return torch.softmax(logits, -1)
    return torch.softmax(logits.permute(2, 1, 0).contiguous(), 0).permute(2, 1, 0).contiguous()


def labels_to_unary(labels: np.ndarray, n_labels: int, width: int, gt_prob: float) -> Tensor:
    """Turn label sets (S, H, W) into log probabilities (H·W, S, width) float32.

    Channels from n_labels on, which only other images of a batch use, get no probability.
    """
    table = torch.full((n_labels, width), math.log((1 - gt_prob) / max(n_labels - 1, 1)))
    table[:, n_labels:] = -math.inf
    table.fill_diagonal_(math.log(gt_prob))
    return table[torch.from_numpy(labels.reshape(len(labels), -1).T.astype(np.int64))]


def probabilities_to_unary(probs: np.ndarray) -> Tensor:
    """Turn probabilities (L, H, W) into log probabilities (H·W, L) float32."""
    logs = np.log(np.clip(probs, MIN_PROBABILITY, 1.0))
    return torch.from_numpy(np.ascontiguousarray(logs.reshape(len(probs), -1).T))


def build_lattices(images: list[np.ndarray], config: CRFConfig, device: torch.device) -> list[Lattice]:
    """Build the kernels that have a weight, normalised and weighted: Gaussian, then bilateral."""
    lattices = []
    shapes = tuple(one.shape[:2] for one in images)
    if config.gaussian_compat > 0:
        lattices.append(build_gaussian(shapes, config.gaussian_sxy, config.gaussian_compat, device))
    if config.bilateral_compat > 0:
        features = torch.cat([bilateral_features(one, config, device) for one in images])
        lattices.append(normalised_lattice(features, pixel_groups(shapes, device), config.bilateral_compat))
    return lattices


@lru_cache(maxsize=8)
def build_gaussian(shapes: tuple, sxy: float, compat: float, device: torch.device) -> Lattice:
    """Build the kernel of places alone; kept, since the images of a data set share a few sizes."""
    features = torch.cat([pixel_places(shape, device) for shape in shapes]) / torch.tensor(sxy, device=device)
    return normalised_lattice(features, pixel_groups(shapes, device), compat)


def normalised_lattice(features: Tensor, groups: Tensor | None, compat: float) -> Lattice:
    """Build compat · D K D, where K filters and D = diag(1 / sqrt(K 1)) normalises symmetrically."""
    lattice = Lattice(features, groups)
    gain = slice_gain(features.shape[1])
    norm = lattice.filter(features.new_ones(len(features), 1))[:, 0] * gain
    factor = 1.0 / torch.sqrt(norm + 1e-20)
    lattice.scale(factor, factor * (gain * compat))
    return lattice


def pixel_places(shape: tuple[int, int], device: torch.device) -> Tensor:
    """Return x and y of each pixel, (H·W, 2) float32, row by row."""
    y, x = torch.meshgrid(*(torch.arange(n, device=device) for n in shape), indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], 1).float()


def bilateral_features(image: np.ndarray, config: CRFConfig, device: torch.device) -> Tensor:
    """Return place and colour of each pixel in units of their deviations, (H·W, 5) float32."""
    # Divided by tensors: by a Python number CUDA multiplies with its inverse, and the last bit matters
    # where pixels lie on the border between two simplices.
    sxy, srgb = torch.tensor((config.bilateral_sxy, config.bilateral_srgb), device=device)
    colours = torch.tensor(image, device=device).reshape(-1, 3).float()
    return torch.cat([pixel_places(image.shape[:2], device) / sxy, colours / srgb], 1)


def pixel_groups(shapes: tuple, device: torch.device) -> Tensor | None:
    """Return the image of each pixel, (N,) int64, or None for a single image."""
    if len(shapes) == 1:
        return None
    sizes = torch.tensor([height * width for height, width in shapes], device=device)
    return torch.arange(len(shapes), device=device).repeat_interleave(sizes)
