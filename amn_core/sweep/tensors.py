"""One image that lies on a graphics card, to its counts, without moving a map. Imports torch when called.

The same cells as in `pixels`, from the same tests; only the sums come back to the processor.
"""

from collections.abc import Sequence

import numpy as np

from amn_core.constants import BACKGROUND, IGNORE_INDEX
from amn_core.sweep.binning import Grid, build_grid
from amn_core.sweep.pixels import (
    ImageCounts,
    check_shapes,
    count_array,
    gather_rows,
    gather_unlabelled,
    is_tensor,
)


def count_tensor(
    cam, class_ids: np.ndarray, gt, thresholds: np.ndarray, n_classes: int, background=None
) -> ImageCounts:
    """Count one image given as a tensor: where it lies, or as an array if that is the processor's memory."""
    if cam.device.type != "cpu":
        return count_on_device([cam], [class_ids], [gt], thresholds, n_classes, background)[0]
    arrays = [to_array(values) for values in (cam, gt, background)]
    return count_array(arrays[0], class_ids, arrays[1], thresholds, n_classes, arrays[2])


def to_array(values):
    """Turn a tensor into an array; None and arrays are left as they are."""
    if not is_tensor(values):
        return values
    if str(values.dtype) == "torch.bfloat16":
        raise ValueError("map is bfloat16, which numpy does not know: convert it with .float()")
    return values.detach().cpu().numpy()


def count_on_device(
    cams: Sequence, class_ids: Sequence[np.ndarray], gts: Sequence, thresholds: np.ndarray, n_classes: int,
    background=None,
) -> list[ImageCounts]:
    """Count tensors on the device where they lie, any device; the sums of all images come back together."""
    import torch

    sums = []
    for cam, ids, gt in zip(cams, class_ids, gts):
        check_shapes(cam, ids, gt, background)
        labels = to_tensor(gt, cam.device)
        sums.append(sum_tensor(cam, ids, labels, thresholds, n_classes, background))
    check_flags(torch.stack([flags for _, _, flags in sums]).cpu().numpy(), n_classes)
    sizes = [len(cells) for cells, _, _ in sums]
    cells = torch.cat([cells for cells, _, _ in sums]).cpu().numpy()
    moments = torch.cat([moments for _, moments, _ in sums]).cpu().numpy()
    results, planes = [], 0
    for part, ids in zip(np.split(cells, np.cumsum(sizes)[:-1]), class_ids):
        if len(ids):
            shape = (len(ids), n_classes + 1, len(thresholds) + 1, 2)
            by_label = part.reshape(shape)[:, :-1].transpose(0, 1, 3, 2)
            results.append(gather_rows(by_label, moments[planes : planes + len(ids)], ids, thresholds))
        else:
            results.append(gather_unlabelled(part[:-1], thresholds))
        planes += len(ids)
    return results


def to_tensor(values, device):
    """Put an array or a tensor on a device; arrays are copied, since they may be read-only."""
    import torch

    return values.to(device) if is_tensor(values) else torch.tensor(np.asarray(values), device=device)


def check_flags(flags: np.ndarray, n_classes: int) -> None:
    """Raise ValueError if an image (N, 2) has a map that is not finite, or a label that is unknown."""
    if not flags[:, 0].all():
        raise ValueError("map holds NaN or infinity: check the division by the maximum of an empty map")
    if not flags[:, 1].all():
        raise ValueError(
            f"mask holds labels outside 0 to {n_classes - 1} and {IGNORE_INDEX}: check the label table, "
            "or give n_classes"
        )


def sum_tensor(cam, class_ids: np.ndarray, gt, thresholds: np.ndarray, n_classes: int, background=None) -> tuple:
    """Sum one image on its device, without waiting for it.

    Returns:
        cells: flat int64 pixels by plane, label (the last stands for 255), bin and whether the plane is the
        strongest; by label alone if there is no plane. moments: (K, 3, 2) float64. flags: (2,) bool, whether
        the maps are finite and the labels known.
    """
    import torch

    gt = gt.reshape(-1).long()
    is_known = ((gt >= 0) & (gt < n_classes)) | (gt == IGNORE_INDEX)
    labels = torch.where(gt == IGNORE_INDEX, n_classes, gt).clamp(0, n_classes)
    planes = cam.reshape(len(class_ids), gt.numel())
    if not len(class_ids):
        flags = torch.stack([is_known.all(), is_known.all()])
        empty = torch.zeros(0, 3, 2, dtype=torch.float64, device=cam.device)
        return torch.bincount(labels, minlength=n_classes + 1), empty, flags
    name = str(cam.dtype).removeprefix("torch.")
    if name not in ("float16", "float32", "float64", "uint8"):
        raise ValueError(f"map must be float16, float32, float64 or uint8, not {name}")
    wide = planes.float() if name == "float16" else planes
    own = wide if background is None else subtract_tensor(wide, background, name)
    flags = torch.stack([torch.isfinite(own).all(), is_known.all()])
    levels = find_bins(torch.nan_to_num(own) if own.is_floating_point() else own, build_grid(thresholds, name))
    winner = find_strongest(wide)
    rows = torch.arange(len(class_ids), device=cam.device)[:, None]
    codes = ((rows * (n_classes + 1) + labels) * (len(thresholds) + 1) + levels) * 2 + (winner == rows)
    n_cells = len(class_ids) * (n_classes + 1) * (len(thresholds) + 1) * 2
    return torch.bincount(codes.reshape(-1), minlength=n_cells), sum_regions(own, gt, class_ids), flags


def subtract_tensor(planes, background, name: str):
    """Subtract a background channel, as `pixels.subtract_background` does."""
    background = to_tensor(background, planes.device)
    if name == "uint8" or str(background.dtype) != f"torch.{name}":
        raise ValueError(
            f"map is {name} and background channel is {background.dtype}: give both as the same float"
        )
    return planes - background.reshape(1, -1).to(planes.dtype)


def find_bins(values, grid: Grid):
    """Find the bin of each value (K, P), int64; as `Grid.find_levels`, in the device's own operations."""
    import torch

    if grid.table is not None:
        return torch.as_tensor(grid.table, device=values.device)[values.long()]
    cast = torch.as_tensor(grid.cast, device=values.device)
    if grid.ratio is None:
        return torch.searchsorted(cast, values)
    # Thresholds are looked up: a device may divide by multiplying with the inverse, which is not exact.
    guess = (values * grid.ratio.denominator - grid.ratio.offset).round()
    guess = guess.clamp(0, len(grid.cast) - 1).long()
    return guess + (values > cast[guess])


def find_strongest(planes):
    """Find the strongest plane (K, P) at each pixel: (P,) int64; the first wins ties."""
    import torch

    best, winner = planes[0], torch.zeros_like(planes[0], dtype=torch.int64)
    for k in range(1, len(planes)):
        winner = torch.where(planes[k] > best, k, winner)
        best = torch.maximum(best, planes[k])
    return winner


def sum_regions(own, gt, class_ids: np.ndarray):
    """Sum maps (K, P) and their squares on own class, background and other classes: (K, 3, 2) float64."""
    import torch

    values = own.double() / 255 if own.dtype == torch.uint8 else own.double()
    is_own = gt == torch.as_tensor(class_ids, device=gt.device)[:, None]
    is_background = (gt == BACKGROUND).expand_as(is_own)
    is_other = ~is_own & ~is_background & (gt != IGNORE_INDEX)
    regions = torch.stack([is_own, is_background, is_other], dim=1).double()
    return regions @ torch.stack([values, values * values], dim=2)
