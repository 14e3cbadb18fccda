"""How the paper's official code makes its maps, where that differs from ours: the switch ``--official``.

It resizes with Pillow in 8 bits, sums a CAM over scales and mirror images instead of averaging (which matters
for the 1e-5 beside its maximum), stretches AMN's maps where the seed of the CAM is not background, and leaves
dropout on: its networks replace ``train`` by a method that changes no mode, so ``eval`` has no effect. There two
runs differ. Here the draws come from a seed and the image, so that they agree.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from amn_core.data.transforms import resize_image


@contextmanager
def keep_dropout(model: nn.Module, image: np.ndarray, seed: int) -> Iterator[None]:
    """Leave dropout on; its draws depend on the seed and the image alone, and no other draw is disturbed.

    Args:
        image: (H, W, 3) uint8, whose checksum makes the draws of two images different.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    devices = [p.device for p in list(model.parameters())[:1] if p.device.type == "cuda"]
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed * 1_000_003 + zlib.crc32(image.tobytes()))
        for layer in layers:
            layer.train()
        try:
            yield
        finally:
            for layer in layers:
                layer.eval()


def resize_pixels_officially(image: torch.Tensor, scale: float) -> torch.Tensor:
    """Resize with Pillow's bicubic filter, rounded to 8 bits: (H, W, 3) uint8 to (1, 3, H', W') float32 in 0–255."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    pixels = image.cpu().numpy() if scale == 1 else resize_image(image.cpu().numpy(), height, width)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float().to(image.device)


