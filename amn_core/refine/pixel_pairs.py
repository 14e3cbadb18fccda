"""Pairs of pixels within a radius, the path between each two, and the largest value along it.

Source: Ahn, Cho and Kwak, Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations
(CVPR 2019): a class boundary parts two pixels if it is crossed anywhere on the way between them.

Rows and columns come first here, (h, w, …): what lies at an offset from every pixel is then a view whose rows
are whole stretches of memory, even for a batch.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch

Offset = tuple[int, int]


@dataclass(frozen=True)
class PixelPair:
    """Two pixels: the second lies below the first, or right of it in the same row.

    Attributes:
        offset: (rows, columns) from the first to the second.
        path: offsets from the first to every pixel nearer than 1 to the line between both, both included.
    """

    offset: Offset
    path: tuple[Offset, ...]

    def view(self, planes: torch.Tensor, at: Offset = (0, 0)) -> torch.Tensor:
        """View what lies at an offset from the first pixels of all such pairs in an image.

        Args:
            planes: (h, w, …).
            at: one of `path`; (0, 0) is the first pixel, `offset` the second.

        Returns:
            (h − rows, w − |columns|, …), of no size where the image is too small for the pair.
        """
        rows, columns = self.offset
        top, left = at[0], at[1] + max(0, -columns)
        height, width = max(0, planes.shape[0] - rows), max(0, planes.shape[1] - abs(columns))
        return planes[top:top + height, left:left + width]


@lru_cache(maxsize=8)
def build_pairs(radius: int) -> tuple[PixelPair, ...]:
    """Build the pairs of pixels whose distance is below a radius in pixels, each pair once.

    Raises:
        ValueError: a radius below 2, within which there is no other pixel.
    """
    if radius < 2:
        raise ValueError(f"radius is {radius}; it must be at least 2 for a pixel to have a neighbour")
    return tuple(
        PixelPair((rows, columns), find_path(rows, columns))
        for rows in range(radius) for columns in range(1 - radius, radius)
        if (rows > 0 or columns > 0) and rows**2 + columns**2 < radius**2)


def find_path(rows: int, columns: int) -> tuple[Offset, ...]:
    """Find the pixels between two whose distance to the line through both is below 1, both included."""
    low, high = sorted((0, columns))
    return tuple(
        (row, column) for row in range(rows + 1) for column in range(low, high + 1)
        if (rows * column - columns * row) ** 2 < rows**2 + columns**2)


def find_path_maximum(planes: torch.Tensor, pair: PixelPair) -> torch.Tensor:
    """Find the largest value on the path of every such pair: (h, w, …) to (h − rows, w − |columns|, …)."""
    best = pair.view(planes, pair.path[0]).clone()
    for at in pair.path[1:]:
        torch.maximum(best, pair.view(planes, at), out=best)
    return best


def add_at_path_maximum(
    total: torch.Tensor, planes: torch.Tensor, pair: PixelPair, best: torch.Tensor, gradient: torch.Tensor
) -> None:
    """Add a gradient of `find_path_maximum` to the pixel that was the largest, the first of equals.

    Args:
        total: (h, w, …), added to. planes: as they were. best: what was found. gradient: like best; used up.
    """
    is_best = torch.empty_like(best)  # 0 or 1, as a number: several times faster than a boolean on the CPU
    for at in pair.path:
        torch.eq(pair.view(planes, at), best, out=is_best)
        pair.view(total, at).addcmul_(gradient, is_best)
        gradient.addcmul_(gradient, is_best, value=-1)
