"""Activation spread over an image by a random walk that class boundaries hold back, in plain torch.

Source: Ahn and Kwak, Learning Pixel-level Semantic Affinity (CVPR 2018), and Ahn, Cho and Kwak, Weakly
Supervised Learning of Instance Segmentation with Inter-pixel Relations (CVPR 2019). The walk goes step by step
with one sparse matrix for any number of images, a block each: K maps of N pixels cost steps × neighbours × N × K
products, where the N × N matrix raised to a power, as the public code does it, costs N³. The normalisation ``mean``
is ours.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from amn_core.constants import WALK_NORMALISATIONS
from amn_core.refine.pixel_pairs import build_pairs, find_path_maximum

EPSILON = 1e-5


@dataclass(frozen=True)
class WalkConfig:
    """Parameters of the random walk; the defaults are those of AMN's code.

    Attributes:
        beta: exponent of the affinities. steps: of the walk, 2^8. radius: pixels of the maps' grid within which a
            step leads. power: exponent of the maps before the first step.
        normalisation: ``largest``: all maps of an image are divided by the largest value among them + 1e-5, as in
            the codes of IRN and AMN. ``mean`` (ours): each pixel gets the mean activation of those that the walk
            brings to it, each counted by 1 − its edge. Nothing is stretched from image to image, so that a threshold
            means after the walk what it meant before.
    """

    beta: float = 10.0
    steps: int = 256
    radius: int = 5
    power: float = 1.3
    normalisation: str = "largest"

    def __post_init__(self) -> None:
        """Refuse parameters that make no walk."""
        if self.beta <= 0 or self.power <= 0:
            raise ValueError(f"beta is {self.beta} and power is {self.power}; both must be above 0")
        if self.steps < 1 or self.radius < 2:
            raise ValueError(f"steps is {self.steps} and radius is {self.radius}: at least 1 step, and a radius of 2")
        if self.normalisation not in WALK_NORMALISATIONS:
            raise ValueError(f"normalisation is {self.normalisation!r}; use {' or '.join(WALK_NORMALISATIONS)}")


def spread_maps(
    maps: Sequence[torch.Tensor], edges: Sequence[torch.Tensor], config: WalkConfig | None = None
) -> list[torch.Tensor]:
    """Spread the maps of some images along their affinities.

    The affinity of two pixels is (1 − the largest edge between them)^β, that of a pixel with itself 1. In each step
    every pixel takes the mean of its neighbours' activation, weighted by affinity. Maps start at 0 on edges (× 1 −
    edge). At the end they are normalised (`WalkConfig.normalisation`).

    Args:
        maps: (K, h, w) float in [0, 1] of each image, on one device; K may be 0 and differ.
        edges: (h, w) float in [0, 1] of each image, its size that of the maps.

    Returns:
        (K, h, w) float32 in [0, 1] of each image.

    Raises:
        ValueError: sizes differ.
    """
    config = config or WalkConfig()
    for i, (cam, edge) in enumerate(zip(maps, edges, strict=True)):
        if cam.shape[1:] != edge.shape:
            raise ValueError(f"maps of image {i} are {tuple(cam.shape[1:])} but its edges are {tuple(edge.shape)}")
    if not any(len(cam) for cam in maps):
        return [cam.float() for cam in maps]
    values = stack_values(maps, edges, config)
    matrix = build_transitions(edges, config)
    for _ in range(config.steps):
        values = matrix @ values
    parts = values.split([edge.numel() for edge in edges])
    is_mean = config.normalisation == "mean"
    return [
        divide(part.T[:len(cam)].reshape(cam.shape), part.T[-1].view_as(cam[0]) if is_mean else None)
        if len(cam) else cam.float() for part, cam in zip(parts, maps, strict=True)]


def stack_values(maps: Sequence[torch.Tensor], edges: Sequence[torch.Tensor], config: WalkConfig) -> torch.Tensor:
    """Stack what the walk starts from, (N pixels of all images, most maps of one), 0 where an image has fewer.

    For the normalisation ``mean`` a last column holds what each pixel counts, 1 − its edge.
    """
    most = max(len(cam) for cam in maps)
    columns = []
    for cam, edge in zip(maps, edges, strict=True):
        weight = 1 - edge.float()
        start = torch.nn.functional.pad((cam.float() ** config.power * weight).flatten(1).T, (0, most - len(cam)))
        columns.append(torch.cat([start, weight.view(-1, 1)], 1) if config.normalisation == "mean" else start)
    return torch.cat(columns).contiguous()


def divide(cam: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Divide maps (K, h, w) by the largest value among them, or by the weight (h, w) that reached each pixel."""
    return cam / (cam.max() + EPSILON) if weight is None else cam / weight.clamp(min=torch.finfo(cam.dtype).tiny)


def build_transitions(edges: Sequence[torch.Tensor], config: WalkConfig) -> torch.Tensor:
    """Build the matrix of one step for all images, (N, N) sparse CSR float32; each row sums to 1."""
    rows, columns, values, first = [], [], [], 0
    for edge in edges:
        number = edge.numel()
        own = torch.arange(number, device=edge.device) + first
        starts, ends, affinities = find_affinities(edge.float(), config)
        rows += [own, starts + first, ends + first]
        columns += [own, ends + first, starts + first]
        values += [torch.ones(number, device=edge.device), affinities, affinities]
        first += number
    row, column, value = torch.cat(rows), torch.cat(columns), torch.cat(values)
    value = value / torch.zeros(first, device=value.device).index_add_(0, row, value)[row]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse", category=UserWarning)  # torch calls CSR a beta
        return torch.sparse_coo_tensor(torch.stack([row, column]), value, (first, first)).coalesce().to_sparse_csr()


def find_affinities(edge: torch.Tensor, config: WalkConfig) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Find all pairs of pixels of an image within the radius, each once.

    Args:
        edge: (h, w) in [0, 1].

    Returns:
        Indices of the first and of the second pixel, row by row, and their affinity, (P,) each.
    """
    places = torch.arange(edge.numel(), device=edge.device).view_as(edge)
    parts = [
        (pair.view(places).flatten(), pair.view(places, pair.offset).flatten(),
         ((1 - find_path_maximum(edge, pair)) ** config.beta).flatten())
        for pair in build_pairs(config.radius)]
    starts, ends, affinities = zip(*parts, strict=True)
    return torch.cat(starts), torch.cat(ends), torch.cat(affinities)
