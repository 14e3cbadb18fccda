"""What IRN adds to the loop: its loss, what learns, and the mean displacement that is measured at the end."""


import numpy as np
import torch
from torch import nn

from amn_core.compute.devices import autocast, choose_precision
from amn_core.compute.progress import track
from amn_core.data import Dataset
from amn_core.models.irn import STRIDE
from amn_core.train.config import TrainConfig
from amn_core.train.labels import reduce_labels
from amn_core.train.losses import inter_pixel_loss

# Images whose displacements are averaged; the mean of so many hardly moves with more.
MEASURED_IMAGES = 250


def compute_irn_loss(model: nn.Module, batch: tuple[torch.Tensor, ...], config: TrainConfig) -> torch.Tensor:
    """Compute IRN's loss of a batch, from the pairs of its seeds, one label for each output of stride 4."""
    images, _, seed = batch
    edge, displacement = model(images)
    small_seed = reduce_labels(seed, edge.shape[-2:], config, STRIDE)
    return inter_pixel_loss(edge, displacement, small_seed)


def find_branches(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Find what learns in IRN: the edge branch, and the displacement branch, which learns faster."""
    return model.edge_parameters(), model.displacement_parameters()


@torch.no_grad()
def measure_mean_displacement(
    model: nn.Module, dataset: Dataset, config: TrainConfig, device: torch.device
) -> None:
    """Measure the mean displacement over the training images, and store it in the model.

    Images are taken at their own size, at most `MEASURED_IMAGES` of them, evenly spaced; each counts the same.
    """
    dtype, chosen = choose_precision(config.precision, device, config.backbone), choose_evenly(dataset.ids)
    model.eval()
    model.displacement_mean.zero_()
    total = torch.zeros_like(model.displacement_mean)
    for image_id in track(chosen, "mean displacement", len(chosen)):
        pixels = torch.from_numpy(dataset.image(image_id).copy()).to(device).permute(2, 0, 1)[None]
        with autocast(device, dtype):
            _, displacement = model(pixels)
        total += displacement[0].float().mean((1, 2))
    model.displacement_mean.copy_(total / len(chosen))


def choose_evenly(ids: tuple[str, ...]) -> list[str]:
    """Choose at most `MEASURED_IMAGES` ids, evenly spaced."""
    places = np.linspace(0, len(ids), min(len(ids), MEASURED_IMAGES), endpoint=False)
    return [ids[int(place)] for place in places]
