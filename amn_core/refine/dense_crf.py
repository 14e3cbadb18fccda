"""Fully connected CRF with Gaussian edges, by mean field in plain torch: no extension to compile.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials", NeurIPS 2011. The details follow pydensecrf, which the field's published
results were made with: both kernels filtered on the permutohedral lattice, normalised
symmetrically, Potts compatibility, and the whole message (a pixel's own share included).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from amn_core.refine.permutohedral import Lattice, slice_gain

MIN_PROBABILITY = 1e-5


@dataclass(frozen=True)
class CRFConfig:
    """Parameters of the dense CRF; the defaults are those of IRN and AMN.

    `*_sxy` are deviations in pixels, `bilateral_srgb` in grey levels of 0 … 255, `*_compat`
    the weights of the Potts penalties. A weight of 0 leaves a kernel out.
    """

    iterations: int = 10
    gaussian_sxy: float = 3.0
    gaussian_compat: float = 3.0
    bilateral_sxy: float = 50.0
    bilateral_srgb: float = 5.0
    bilateral_compat: float = 10.0

    def __post_init__(self) -> None:
        for name in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)} but must be above 0")
        for name in ("iterations", "gaussian_compat", "bilateral_compat"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)} but must not be negative")


class CRFFilters:
    """The two kernels of an image (or of several at once), built once for any number of label sets.

    `image` is (H, W, 3) uint8, or a sequence of such images of any sizes, whose pixels are
    then filtered together: on a GPU that fills the device. Results do not depend on what an
    image is batched with, up to rounding.
    """

    def __init__(
        self, image: np.ndarray | Sequence[np.ndarray], config: CRFConfig | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.config = config or CRFConfig()
        self.device = torch.device(device)
        self.is_batch = not isinstance(image, np.ndarray)
        images = [check_image(one) for one in (image if self.is_batch else [image])]
        if not images:
            raise ValueError("image is an empty sequence: pass one image at least")
        self.shapes = tuple(one.shape[:2] for one in images)
        self.lattices = build_lattices(images, self.config, self.device)

    def refine_labels(self, labels, n_labels, gt_prob: float = 0.7):
        """Refine hard labels, (H, W) or a stack of label sets (S, H, W), of values 0 … n_labels − 1.

        For a batch of images, `labels` is a sequence of such arrays with the same S, and
        `n_labels` one number or one for each. Each pixel trusts its label with `gt_prob` and
        spreads the rest evenly over the others. Returns the most probable labels in the same
        shape, int64; ties go to the lowest label. Raises ValueError on labels out of range.
        """
        sets, counts = self._as_sets(labels, n_labels)
        unary = [labels_to_unary(one, n, max(counts), gt_prob) for one, n in zip(sets, counts)]
        best = self.infer(torch.cat(unary).to(self.device)).argmax(-1).cpu().numpy()
        return self._unflatten(best, labels)

    def refine_probabilities(self, probs):
        """Refine probabilities (L, H, W), or one such array for each image; returns the same, float32.

        Probabilities are clipped to at least 1e-5 first, as pydensecrf does.
        """
        stack = list(probs) if self.is_batch else [probs]
        self._check_count(stack)
        unary = [probabilities_to_unary(p, shape) for p, shape in zip(stack, self.shapes)]
        refined = self.infer(torch.cat(unary)[:, None].to(self.device))[:, 0].cpu().numpy()
        parts = np.split(refined, np.cumsum([h * w for h, w in self.shapes])[:-1])
        shaped = [np.ascontiguousarray(p.T).reshape(-1, h, w) for p, (h, w) in zip(parts, self.shapes)]
        return shaped if self.is_batch else shaped[0]

    def infer(self, unary: Tensor) -> Tensor:
        """Run mean field on log probabilities (N, S, L) of S label sets; returns (N, S, L) float32.

        N counts the pixels of all images in order, row by row.
        """
        with torch.no_grad():
            belief = label_softmax(unary)
            for _ in range(self.config.iterations):
                belief = label_softmax(self._add_messages(unary, belief))
        return belief

    def _add_messages(self, unary: Tensor, belief: Tensor) -> Tensor:
        flat = belief.reshape(len(belief), -1)
        total = unary
        for lattice in self.lattices:
            total = total + lattice.filter(flat).view_as(unary)
        return total

    def _check_count(self, stack: Sequence) -> None:
        if len(stack) != len(self.shapes):
            raise ValueError(f"{len(stack)} arrays were given for {len(self.shapes)} images: pass one each")

    def _as_sets(self, labels, n_labels) -> tuple[list[np.ndarray], list[int]]:
        stack = list(labels) if self.is_batch else [labels]
        self._check_count(stack)
        counts = [int(n) for n in np.broadcast_to(n_labels, len(stack))]
        sets = [check_labels(one, n, shape) for one, n, shape in zip(stack, counts, self.shapes)]
        if len({len(one) for one in sets}) > 1:
            raise ValueError("labels hold different numbers of label sets: give every image the same")
        return sets, counts

    def _unflatten(self, best: np.ndarray, labels):
        parts = np.split(best, np.cumsum([h * w for h, w in self.shapes])[:-1])
        stack = list(labels) if self.is_batch else [labels]
        shaped = [np.ascontiguousarray(p.T).reshape(np.shape(one)) for p, one in zip(parts, stack)]
        return shaped if self.is_batch else shaped[0]


def refine_labels(
    image: np.ndarray, labels: np.ndarray, n_labels: int, gt_prob: float = 0.7,
    config: CRFConfig | None = None, device: str | torch.device = "cpu",
) -> np.ndarray:
    """Refine hard labels (H, W) of an image (H, W, 3) uint8: see `CRFFilters.refine_labels`."""
    if n_labels == 1:
        return check_labels(labels, 1, check_image(image).shape[:2])[0].astype(np.int64)
    return CRFFilters(image, config, device).refine_labels(labels, n_labels, gt_prob)


def refine_probabilities(
    image: np.ndarray, probs: np.ndarray, config: CRFConfig | None = None,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Refine probabilities (L, H, W) of an image (H, W, 3) uint8; returns (L, H, W) float32."""
    return CRFFilters(image, config, device).refine_probabilities(probs)


def label_softmax(logits: Tensor) -> Tensor:
    """Softmax over the last axis of (N, S, L).

    On the CPU torch is slow when a row is shorter than a vector register, so few labels
    are moved to the front first: 5 ms become 0.5 for 93,000 pixels and two labels.
    """
    if logits.device.type != "cpu" or logits.shape[-1] >= 16:
        return torch.softmax(logits, -1)
    return torch.softmax(logits.permute(2, 1, 0).contiguous(), 0).permute(2, 1, 0).contiguous()


def labels_to_unary(labels: np.ndarray, n_labels: int, width: int, gt_prob: float) -> Tensor:
    """Turn label sets (S, H, W) into log probabilities (H·W, S, width) float32.

    Channels from n_labels on, which only other images of a batch use, get no probability.
    """
    if not 0 < gt_prob < 1:
        raise ValueError(f"gt_prob is {gt_prob} but must lie between 0 and 1, both excluded")
    rest = math.log((1 - gt_prob) / max(n_labels - 1, 1))
    table = torch.full((n_labels, width), rest)
    table[:, n_labels:] = -math.inf
    table.fill_diagonal_(math.log(gt_prob))
    index = torch.from_numpy(labels.reshape(len(labels), -1).T.astype(np.int64))
    return table[index]


def probabilities_to_unary(probs: np.ndarray, shape: tuple[int, int]) -> Tensor:
    """Turn probabilities (L, H, W) into log probabilities (H·W, L) float32."""
    probs = np.asarray(probs, np.float32)
    if probs.ndim != 3 or probs.shape[1:] != shape:
        raise ValueError(f"probs is {probs.shape} but the image is {shape}: pass (L, H, W) of that size")
    if not np.isfinite(probs).all():
        raise ValueError("probs holds values that are not finite: check the map they come from")
    logs = np.log(np.clip(probs, MIN_PROBABILITY, 1.0))
    return torch.from_numpy(np.ascontiguousarray(logs.reshape(len(probs), -1).T))


def build_lattices(images: list[np.ndarray], config: CRFConfig, device: torch.device) -> list[Lattice]:
    """Build the kernels with a weight above 0, normalised and weighted: Gaussian, then bilateral."""
    lattices = []
    shapes = tuple(one.shape[:2] for one in images)
    if config.gaussian_compat > 0:
        lattices.append(build_gaussian(shapes, config.gaussian_sxy, config.gaussian_compat, device))
    if config.bilateral_compat > 0:
        features = torch.cat([bilateral_features(one, config, device) for one in images])
        groups = pixel_groups(shapes, device)
        lattices.append(normalised_lattice(features, groups, config.bilateral_compat))
    return lattices


@lru_cache(maxsize=16)
def build_gaussian(shapes: tuple, sxy: float, compat: float, device: torch.device) -> Lattice:
    """Build the kernel of places alone; kept, since most images of a data set share a few sizes."""
    features = torch.cat([pixel_places(shape, device) for shape in shapes]) / sxy
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
    colours = torch.tensor(image, device=device).reshape(-1, 3).float() / config.bilateral_srgb
    return torch.cat([pixel_places(image.shape[:2], device) / config.bilateral_sxy, colours], 1)


def pixel_groups(shapes: tuple, device: torch.device) -> Tensor | None:
    """Return the image of each pixel, (N,) int64, or None for a single image."""
    if len(shapes) == 1:
        return None
    sizes = torch.tensor([h * w for h, w in shapes], device=device)
    return torch.arange(len(shapes), device=device).repeat_interleave(sizes)


def check_image(image: np.ndarray) -> np.ndarray:
    """Return the image if it is (H, W, 3) uint8 with pixels in it; raise ValueError otherwise."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"image is {image.dtype} {image.shape} but must be uint8 (H, W, 3): convert it to RGB")
    return image


def check_labels(labels: np.ndarray, n_labels: int, shape: tuple[int, int]) -> np.ndarray:
    """Return label sets as (S, H, W); raise ValueError if size, type or values do not fit."""
    labels = np.asarray(labels)
    if labels.ndim not in (2, 3) or labels.shape[-2:] != tuple(shape):
        raise ValueError(f"labels is {labels.shape} but the image is {tuple(shape)}: check height and width")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels is {labels.dtype} but must hold integers")
    if n_labels < 1 or labels.min() < 0 or labels.max() >= n_labels:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()} but n_labels is {n_labels}: "
            "number the labels 0 … n_labels − 1"
        )
    return labels.reshape(-1, *shape)
