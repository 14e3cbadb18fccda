"""High-dimensional Gaussian filtering on the permutohedral lattice, in plain torch.

Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral
Lattice", Eurographics 2010. Every point is spread over the corners of the simplex
around it (splat), the corners are blurred along the d + 1 axes of the lattice, and
every point reads its corners back (slice). All three steps are weighted sums over
short lists of rows, so ``embedding_bag`` does them on the CPU and on CUDA alike,
without atomic additions: the result does not depend on the order of the threads.
(``index_select`` stands where indexing would do: on the CPU it is several times faster.)
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MAX_KEY = 2**62


@dataclass(frozen=True)
class Simplices:
    """The simplex around each of N points: packed keys of its corners, and their weights.

    ``keys`` and ``weights`` are (N, d + 1), int64 and float32, weights sum to 1 in a row.
    ``steps`` (d + 1,) is what a step along each axis of the lattice adds to a packed key.
    """

    keys: Tensor
    weights: Tensor
    steps: Tensor


class Lattice:
    """The filter ``x -> S B W x`` of N points: splat W, blur B along each axis, slice S.

    Built once from the points and applied to any number of channels. Only the corners
    of occupied simplices exist, as in the paper: what flows to others is dropped.
    """

    def __init__(self, features: Tensor, groups: Tensor | None = None) -> None:
        """Build the lattice of ``features`` (N, d) float32, in units of the filter's deviation.

        Points of different ``groups`` (N,) int64 never exchange anything, so the pixels of
        several images share one lattice. Raises ValueError if the points are spread too
        widely for packed 64-bit keys.
        """
        simplices = find_simplices(features, groups)
        self.weights = simplices.weights
        order, vertices, self.corners = number_vertices(simplices.keys)
        self.splat_rows = (order // self.corners.shape[1]).int()
        self.splat_weights = self.weights.reshape(-1).index_select(0, order)
        self.splat_starts = bag_starts(self.corners, order, len(vertices))
        self.blur_rows, self.blur_weights = find_neighbours(vertices, simplices.steps)
        self.n_vertices = len(vertices)

    def scale(self, before: Tensor, after: Tensor) -> None:
        """Fold diagonal factors, (N,) each, into the filter: x -> after * filter(before * x)."""
        self.splat_weights = self.splat_weights * before.index_select(0, self.splat_rows)
        self.weights = self.weights * after[:, None]

    def filter(self, values: Tensor) -> Tensor:
        """Filter ``values`` (N, C) float32; returns (N, C), not normalised."""
        grid = F.embedding_bag(
            self.splat_rows, values, self.splat_starts, mode="sum",
            per_sample_weights=self.splat_weights, include_last_offset=True,
        )
        for rows, weights in zip(self.blur_rows, self.blur_weights):
            grid = F.embedding_bag(rows, grid, mode="sum", per_sample_weights=weights)
        return F.embedding_bag(self.corners, grid, mode="sum", per_sample_weights=self.weights)


def slice_gain(dimension: int) -> float:
    """Return the factor that undoes the gain of d + 1 blurs of (1/2, 1, 1/2): 1 / (1 + 2^-d)."""
    return 1.0 / (1.0 + 2.0**-dimension)


def elevate(features: Tensor) -> Tensor:
    """Map points (N, d) onto the plane of zero sum, (d + 1, N), scaled to the lattice's blur."""
    d = features.shape[1]
    # Rounded to float32 where pydensecrf rounds: integer pixels lie on the borders between simplices
    # so often that the last bit decides which corners exist.
    spread = float(np.float32(math.sqrt(2 / 3) * (d + 1)))
    coordinates = [features[:, i] * (spread / math.sqrt((i + 1) * (i + 2))) for i in range(d)]
    elevated = features.new_empty(d + 1, len(features))
    total = torch.zeros_like(features[:, 0])
    for j in range(d, 0, -1):
        elevated[j] = total - j * coordinates[j - 1]
        total = total + coordinates[j - 1]
    elevated[0] = total
    return elevated


def nearest_origin(elevated: Tensor) -> tuple[Tensor, Tensor]:
    """Find the nearest lattice point of remainder 0 and the rank of each offset from it.

    Both (d + 1, N): the point in whole multiples of d + 1 (float), and the int64 place
    of each coordinate's offset when they are sorted from the largest (ranks 0 … d).
    """
    side = len(elevated)
    origin = torch.round(elevated * (1.0 / side))
    offset = elevated - origin * side
    rank = origin.sum(0).to(torch.int16).repeat(side, 1)
    for i in range(side):
        for j in range(i + 1, side):
            smaller = offset[i] < offset[j]
            rank[i] += smaller
            rank[j] += ~smaller
    # Rounding may leave the plane: whole steps bring the outermost coordinates back.
    shift = (rank < 0).short() - (rank >= side).short()
    return origin + shift, (rank + side * shift).long()


def corner_weights(elevated: Tensor, origin: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    """Return barycentric weights (N, d + 1) of the corners, and the axis at each rank (d + 1, N)."""
    side = len(elevated)
    offset = (elevated - origin * side) * (1.0 / side)
    ranked = torch.empty_like(offset).scatter_(0, rank, offset)
    axes = torch.arange(side, device=rank.device)[:, None].expand_as(rank)
    axis_at = torch.empty_like(rank).scatter_(0, rank, axes)
    ascending = ranked.flip(0)
    weights = torch.cat([1.0 + ascending[:1] - ascending[-1:], ascending[1:] - ascending[:-1]])
    return weights.t().contiguous(), axis_at


def pack_strides(origin: Tensor, groups: Tensor | None) -> tuple[Tensor, Tensor, int]:
    """Return the lowest coordinates (d,), strides (d,) and the size of a group in packed keys."""
    side = len(origin)
    low = origin[:-1].amin(1).long() * side - 2 * side
    span = origin[:-1].amax(1).long() * side + 2 * side + 1 - low
    sizes = span.tolist()
    n_groups = 1 if groups is None else int(groups.max()) + 1
    if math.prod(sizes) * n_groups > MAX_KEY:
        raise ValueError(
            f"features span {sizes} lattice steps in {n_groups} groups, too many for 64-bit keys: "
            "use a larger deviation or fewer images at once"
        )
    strides = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
    return low, torch.tensor(strides, device=origin.device), math.prod(sizes)


def find_simplices(features: Tensor, groups: Tensor | None = None) -> Simplices:
    """Find the simplex around each point of ``features`` (N, d): see ``Simplices``."""
    elevated = elevate(features)
    origin, rank = nearest_origin(elevated)
    weights, axis_at = corner_weights(elevated, origin, rank)
    low, strides, size = pack_strides(origin, groups)
    side = len(origin)
    # A step along axis j adds 1 to every coordinate and takes d + 1 off coordinate j;
    # the last coordinate follows from the others and is not packed.
    steps = strides.sum() - side * torch.cat([strides, strides.new_zeros(1)])
    first = ((origin[:-1].long() * side - low[:, None]) * strides[:, None]).sum(0)
    if groups is not None:
        first = first + groups * size
    keys = first.new_empty(len(first), side)
    for remainder in range(side):
        keys[:, remainder] = first
        first = first + steps.index_select(0, axis_at[side - 1 - remainder])
    return Simplices(keys, weights, steps)


def number_vertices(keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number the distinct keys in increasing order.

    Returns the sorting order of all corners (N (d + 1),), the distinct keys (M,) and the
    number of each corner's vertex (N, d + 1) int32.
    """
    ordered, order = torch.sort(keys.reshape(-1))
    is_new = torch.ones_like(ordered, dtype=torch.bool)
    torch.ne(ordered[1:], ordered[:-1], out=is_new[1:])
    numbers = torch.cumsum(is_new, 0, dtype=torch.int32) - 1
    corners = torch.empty_like(numbers).scatter_(0, order, numbers)
    return order, ordered[is_new], corners.view_as(keys)


def bag_starts(corners: Tensor, order: Tensor, n_vertices: int) -> Tensor:
    """Return where each vertex's points begin among the sorted corners, (M + 1,) int32."""
    counts = torch.bincount(corners.reshape(-1), minlength=n_vertices)
    starts = torch.zeros(n_vertices + 1, dtype=torch.int32, device=corners.device)
    starts[1:] = torch.cumsum(counts, 0)
    return starts


def find_neighbours(vertices: Tensor, steps: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Find, for each axis, the rows (M, 3) int32 and weights (M, 3) that blur by (1/2, 1, 1/2).

    A vertex without a neighbour on one side reads itself with weight 0 instead.
    """
    n = len(vertices)
    own = torch.arange(n, device=vertices.device, dtype=torch.int32)
    weights = torch.empty(len(steps), n, 3, device=vertices.device)
    rows = torch.empty(len(steps), n, 3, device=vertices.device, dtype=torch.int32)
    rows[...], weights[..., 0] = own[:, None], 1
    for step, row, weight in zip(steps, rows, weights):
        shifted = vertices + step
        place = find_places(vertices, shifted).clamp_(max=n - 1)
        found = vertices.index_select(0, place) == shifted
        row[:, 1] = torch.where(found, place.int(), own)
        weight[:, 1] = found * 0.5
        # What is not found writes to a place past the end, which is cut off.
        place = torch.where(found, place, n)
        row[:, 2] = torch.cat([own, own[:1]]).scatter_(0, place, own)[:n]
        weight[:, 2] = torch.zeros(n + 1, device=vertices.device).scatter_(0, place, 0.5)[:n]
    return list(rows), list(weights)


def find_places(ordered: Tensor, wanted: Tensor) -> Tensor:
    """Find where increasing keys would stand among ordered ones, int64; NumPy makes use of their being in order."""
    if ordered.device.type == "cpu":
        return torch.from_numpy(np.searchsorted(ordered.numpy(), wanted.numpy()))
    return torch.searchsorted(ordered, wanted)
