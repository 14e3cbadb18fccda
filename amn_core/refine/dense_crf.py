"""Fully connected CRF with Gaussian edges, by mean field in plain torch: no extension to compile.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials", NeurIPS 2011. The details follow pydensecrf, which the field's published
results were made with: both kernels filtered on the permutohedral lattice, normalised
symmetrically, Potts compatibility, and the whole message (a pixel's own share included).

What is ours is the order of the work. The beliefs of a pixel sum to 1, so the filter runs over the labels other than
background, and mean field over their log odds against it. Label sets of one image (the cuts of a map at many
thresholds) are filtered together, as channels of the same lattice, and equal ones once. Pixels lie in memory tile by
tile, so that those which share a lattice point share the cache too.
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
# Channels that are filtered at once on the CPU, and their most bytes: beyond, each result is a fresh piece of the
# system's memory (glibc's threshold of 32 MB), whose pages cost more than the filter itself.
CHANNELS, CHANNEL_BYTES = 32, 24_000_000
GPU_BYTES = 256_000_000
# Below this many label sets, the classes of each are filtered together: a class alone fills no vector register.
FEW_SETS = 8
TILE = 16


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
        self.order = order_pixels(self.shapes, self.device)
        self.lattices = build_lattices(images, self.order, self.config, self.device)
        self.n_pixels = len(self.order)
        self.gain = self.filter(torch.ones(1, self.n_pixels, 1, device=self.device))[0]

    def refine_labels(self, labels, n_labels, gt_prob: float = 0.7):
        """Refine hard labels: each pixel trusts its own with ``gt_prob``, and the others evenly with the rest.

        Args:
            labels: (H, W) integers 0 … n_labels − 1, or a stack of label sets (S, H, W); for several
                images a sequence of such arrays, with the same S.
            n_labels: number of labels; for several images one number, or one for each.

        Returns:
            The most probable labels, of the type and shape of ``labels``; the lowest label wins ties.

        Raises:
            ValueError: if sizes, types or values do not fit.
        """
        counts = [int(n) for n in np.broadcast_to(n_labels, len(self.shapes))]
        stack = self._as_list(labels)
        sets = [check_labels(one, n, shape) for one, n, shape in zip(stack, counts, self.shapes)]
        if len({len(one) for one in sets}) > 1:
            raise ValueError("labels hold different numbers of label sets: give every image the same")
        check_gt_prob(gt_prob)
        distinct, places = find_distinct(sets)
        flat = torch.from_numpy(np.concatenate([one[distinct].reshape(len(distinct), -1) for one in sets], 1))
        refined = self._refine_distinct(flat, counts, gt_prob)[places]
        shaped = [
            part.reshape(np.shape(given)).astype(np.asarray(given).dtype, copy=False)
            for part, given in zip(self._cut(refined), stack)]
        return shaped if self.is_batch else shaped[0]

    def _refine_distinct(self, flat: Tensor, counts: list[int], gt_prob: float) -> np.ndarray:
        """Refine label sets (S, N), some at a time, as many as fill the cache; returns (S, N) of their type."""
        n_classes = max(counts) - 1
        if n_classes == 0 or not len(flat):
            return flat.numpy()
        table = build_odds(counts, gt_prob).to(self.device)
        groups = pixel_groups(self.shapes, self.device, self.order)
        offset = 0 if groups is None else groups[:, None] * (n_classes + 1)
        parts = []
        for part in flat.tensor_split(math.ceil(len(flat) / self.choose_sets(n_classes))):
            rows = part.to(self.device).t()[self.order].long() + offset
            odds = self.infer(table.index_select(1, rows.reshape(-1)).view(n_classes, *rows.shape))
            parts.append(choose_labels(odds).to(flat.dtype))
        return self._restore(torch.cat(parts, 1))

    def choose_sets(self, n_classes: int) -> int:
        """Choose how many label sets are filtered together, at least 1."""
        most = min(CHANNELS, CHANNEL_BYTES // (4 * self.n_pixels * n_classes))
        return max(1, most if self.device.type == "cpu" else GPU_BYTES // (4 * self.n_pixels * n_classes))

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
        logs = torch.cat([probabilities_to_unary(one) for one in stack], 1).to(self.device)[:, self.order]
        belief = softmax_odds(self.infer((logs[1:] - logs[0])[..., None]))[..., 0] if len(logs) > 1 else logs[1:]
        first = (1 - belief.sum(0, keepdim=True)).clamp_(min=0)
        planes = self._cut(self._restore(torch.cat([first, belief]).t()))
        return planes if self.is_batch else planes[0]

    @torch.no_grad()
    def infer(self, odds: Tensor) -> Tensor:
        """Run mean field on the log odds of the classes against background.

        With b the beliefs of the classes and A the filters, background has 1 − Σb, so that its message is
        A1 − ΣAb, and the log odds of class k become odds_k − A1 + Ab_k + ΣAb.

        Args:
            odds: (K, N, S) float32 on the filters' device, of K classes and S label sets; N counts the pixels of all
                images in the filters' order. Used up.

        Returns:
            (K, N, S) float32, log odds again; `softmax_odds` makes them probabilities.
        """
        if not self.lattices or not self.config.iterations:
            return odds
        belief = softmax_odds(odds.clone())
        odds -= self.gain
        for i in range(self.config.iterations):
            message = self.filter(belief)
            belief = message.add_(message.sum(0) if len(message) > 1 else message).add_(odds)
            if i + 1 < self.config.iterations:
                softmax_odds(belief)
        return belief

    def filter(self, values: Tensor) -> Tensor:
        """Filter values (K, N, S) by all kernels, (K, N, S)."""
        n_classes, n_pixels, n_sets = values.shape
        if n_classes > 1 and n_sets >= FEW_SETS:
            return torch.stack([self.filter(one[None])[0] for one in values])
        flat = values.permute(1, 0, 2).reshape(n_pixels, -1)
        total = self.lattices[0].filter(flat) if self.lattices else torch.zeros_like(flat)
        for lattice in self.lattices[1:]:
            total += lattice.filter(flat)
        return total.view(n_pixels, n_classes, n_sets).permute(1, 0, 2).contiguous()

    def _as_list(self, given) -> list:
        """Return what was given for each image, one array each."""
        stack = list(given) if self.is_batch else [given]
        if len(stack) != len(self.shapes):
            raise ValueError(f"{len(stack)} arrays were given for {len(self.shapes)} images: pass one each")
        return stack

    def _restore(self, values: Tensor) -> np.ndarray:
        """Put values (N, C) of the pixels in the filters' order into that of the images, (C, N)."""
        restored = torch.empty_like(values)
        restored[self.order] = values
        return restored.t().contiguous().cpu().numpy()

    def _cut(self, planes: np.ndarray) -> list[np.ndarray]:
        """Cut values (C, N) of all pixels into arrays (C, H, W), one for each image."""
        ends = np.cumsum([height * width for height, width in self.shapes])[:-1]
        return [part.reshape(-1, *shape) for part, shape in zip(np.split(planes, ends, 1), self.shapes)]


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


def softmax_odds(odds: Tensor) -> Tensor:
    """Turn log odds against background, (K, …), into probabilities of the K classes, in place."""
    if len(odds) == 1:
        return odds.sigmoid_()
    top = odds.amax(0).clamp_(min=0)
    odds.sub_(top).exp_()
    return odds.div_(odds.sum(0).add_(top.neg_().exp_()))


def choose_labels(odds: Tensor) -> Tensor:
    """Choose the most probable labels (…) by log odds against background (K, …): 0 or k; the lowest wins ties."""
    if len(odds) == 1:
        return odds[0] > 0
    best, label = odds.max(0)
    return label.add_(1).mul_(best > 0)


def find_distinct(sets: list[np.ndarray]) -> tuple[list[int], np.ndarray]:
    """Find the label sets (S, H, W) that differ over all images: their indices, and (S,) the place of each there."""
    first: dict[tuple[bytes, ...], int] = {}
    keys = [tuple(one[i].tobytes() for one in sets) for i in range(len(sets[0]))]
    places = np.array([first.setdefault(key, len(first)) for key in keys], int)
    return [int(np.flatnonzero(places == i)[0]) for i in range(len(first))], places


def build_odds(counts: list[int], gt_prob: float) -> Tensor:
    """Build log odds against background by label, for images of different numbers of labels side by side.

    Returns:
        (K, images · (K + 1)) float32, with K + 1 the largest number of labels; −∞ for a class that an image lacks.
    """
    width = max(counts)
    tables = []
    for n_labels in counts:
        logs = torch.full((width, width), math.log((1 - gt_prob) / max(n_labels - 1, 1)), dtype=torch.float64)
        logs.fill_diagonal_(math.log(gt_prob))
        logs[n_labels:] = -math.inf
        tables.append(logs[1:] - logs[0])
    return torch.cat(tables, 1).float()


def probabilities_to_unary(probs: np.ndarray) -> Tensor:
    """Turn probabilities (L, H, W) into log probabilities (L, H·W) float32."""
    return torch.from_numpy(np.log(np.clip(probs, MIN_PROBABILITY, 1.0)).reshape(len(probs), -1))


def order_pixels(shapes: tuple, device: torch.device) -> Tensor:
    """Order the pixels of all images tile by tile, (N,) int64 places among their pixels row by row."""
    parts, first = [], 0
    for height, width in shapes:
        y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
        tile = (y // TILE) * (width // TILE + 1) + x // TILE
        parts.append(first + torch.argsort(tile.reshape(-1), stable=True))
        first += height * width
    return torch.cat(parts)


def build_lattices(
    images: list[np.ndarray], order: Tensor, config: CRFConfig, device: torch.device
) -> list[Lattice]:
    """Build the kernels that have a weight, normalised and weighted: Gaussian, then bilateral."""
    lattices = []
    shapes = tuple(one.shape[:2] for one in images)
    if config.gaussian_compat > 0:
        lattices.append(build_gaussian(shapes, config.gaussian_sxy, config.gaussian_compat, device))
    if config.bilateral_compat > 0:
        features = torch.cat([bilateral_features(one, config, device) for one in images])[order]
        lattices.append(normalised_lattice(features, pixel_groups(shapes, device, order), config.bilateral_compat))
    return lattices


@lru_cache(maxsize=8)
def build_gaussian(shapes: tuple, sxy: float, compat: float, device: torch.device) -> Lattice:
    """Build the kernel of places alone; kept, since the images of a data set share a few sizes."""
    order = order_pixels(shapes, device)
    features = torch.cat([pixel_places(shape, device) for shape in shapes])[order] / torch.tensor(sxy, device=device)
    return normalised_lattice(features, pixel_groups(shapes, device, order), compat)


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


def pixel_groups(shapes: tuple, device: torch.device, order: Tensor | None = None) -> Tensor | None:
    """Return the image of each pixel, (N,) int64, row by row or in an order; None for a single image."""
    if len(shapes) == 1:
        return None
    sizes = torch.tensor([height * width for height, width in shapes], device=device)
    groups = torch.arange(len(shapes), device=device).repeat_interleave(sizes)
    return groups if order is None else groups[order]
