"""An IRN and images to class boundaries, and maps that a random walk spreads between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from amn_core.compute.devices import autocast, choose_device, choose_precision
from amn_core.constants import METHOD_LABELS
from amn_core.formats.checkpoints import load_checkpoint
from amn_core.formats.maps import resize_maps
from amn_core.infer.extractor import resize_pixels
from amn_core.models import IRNetwork
from amn_core.models.irn import STRIDE
from amn_core.models.registration import draw_maps
from amn_core.refine.random_walk import WalkConfig, spread_maps


@dataclass(frozen=True)
class Walker:
    """A loaded IRN, ready to spread maps."""

    model: IRNetwork
    device: torch.device
    dtype: torch.dtype

    @torch.inference_mode()
    def infer_edge(self, image: np.ndarray, scale: float = 1.0) -> torch.Tensor:
        """Infer the class boundaries of an image, (H, W, 3) uint8, at a scale of its size.

        The logits of the image and of its mirror image are averaged, as in IRN's code; one that learnt the labels
        where its features lie is drawn there first.

        Returns:
            (ceil(H'/4), ceil(W'/4)) float32 in [0, 1], where H' and W' are the sides times `scale`, rounded.
        """
        pixels = resize_pixels(torch.from_numpy(image.copy()).to(self.device), scale)
        with autocast(self.device, self.dtype):
            logits, _ = self.model(torch.cat([pixels, pixels.flip(-1)]))
        size, view = logits.shape[-2:], pixels.shape[-2:]
        is_registered = self.model.label_at == "feature"
        logits = draw_maps(logits.float(), size, self.model.backbone, view, "feature", is_registered, STRIDE)
        plain, mirrored = logits[:, 0]
        return torch.sigmoid((plain + mirrored.flip(-1)) / 2)

    @torch.inference_mode()
    def walk(
        self, images: Sequence[np.ndarray], maps: Sequence[np.ndarray], config: WalkConfig, scale: float = 1.0
    ) -> list[np.ndarray]:
        """Spread the maps of some images.

        Args:
            images: (H, W, 3) uint8 each. maps: (K, h, w) float32 in [0, 1] each, of any size.
            scale: of the images, for the boundaries and the grid of the walk.

        Returns:
            (K, ceil(H'/4), ceil(W'/4)) float32 in [0, 1] each, as `infer_edge` says.
        """
        edges = [self.infer_edge(image, scale) for image in images]
        starts = [
            torch.from_numpy(resize_maps(cam, *edge.shape)).to(self.device)
            for cam, edge in zip(maps, edges, strict=True)]
        spread = spread_maps(starts, edges, config)
        return [cam.clamp(0, 1).cpu().numpy() for cam in spread]


def load_walker(checkpoint: str | Path, device: str = "auto", precision: str = "auto") -> Walker:
    """Load an IRN checkpoint and get it ready.

    Raises:
        ValueError: a checkpoint that cannot be read or is of another method, or no such device.
    """
    model, content = load_checkpoint(checkpoint)
    if model.method != "irn":
        raise ValueError(f"{checkpoint} is {METHOD_LABELS[model.method]}; refine needs a model that train irn made")
    where = choose_device(device)
    dtype = choose_precision(precision, where, content["model"]["backbone"])
    return Walker(model.to(where, memory_format=torch.channels_last), where, dtype)
