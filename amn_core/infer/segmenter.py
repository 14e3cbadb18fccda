"""A segmentation network over one image: probabilities averaged over scales and mirror images, then a mask."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from amn_core.compute.devices import autocast, choose_device, choose_precision
from amn_core.constants import METHOD_LABELS
from amn_core.formats.checkpoints import load_checkpoint
from amn_core.infer.extractor import resize_pixels
from amn_core.models import SegmentationNetwork
from amn_core.models.folding import fold_norms
from amn_core.models.registration import draw_maps
from amn_core.refine import CRFConfig, CRFFilters

# DeepLab-v2's dense CRF, as its PyTorch port sets it: it starts from probabilities, not from seeds.
CRF = CRFConfig(gaussian_sxy=1, gaussian_compat=3, bilateral_sxy=67, bilateral_srgb=3, bilateral_compat=4)


@dataclass(frozen=True)
class Segmenter:
    """A loaded segmentation network with its way of evaluation.

    Attributes:
        scales: factors of the image's size; the probabilities of all are averaged.
    """

    model: SegmentationNetwork
    class_names: tuple[str, ...]
    device: torch.device
    dtype: torch.dtype
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    crf: bool = False

    @torch.inference_mode()
    def infer_probabilities(self, image: np.ndarray) -> torch.Tensor:
        """Infer the probabilities of all classes, averaged over scales and mirror images.

        Logits are enlarged to the image's size first, then comes the softmax, as in DeepLab's evaluation.

        Args:
            image: (H, W, 3) uint8.

        Returns:
            (C, H, W) float32 that sums to 1 in every pixel, background first, on the model's device.
        """
        source, size = torch.from_numpy(image.copy()).to(self.device), image.shape[:2]
        views = [(scale, mirrored) for scale in self.scales for mirrored in ((False, True) if self.flip else (False,))]
        total = torch.zeros(len(self.class_names), *size, device=self.device)
        for scale, mirrored in views:
            pixels = resize_pixels(source, scale)
            with autocast(self.device, self.dtype):
                logits = self.model.infer_scores(pixels.flip(-1) if mirrored else pixels)
            drawn = draw_maps(logits, size, self.model.backbone, pixels.shape[-2:], self.model.label_at)[0]
            total += (drawn.flip(-1) if mirrored else drawn).softmax(0)
        return total / len(views)

    def infer_mask(self, image: np.ndarray) -> np.ndarray:
        """Infer the mask of an image, (H, W) uint8: the most probable class of every pixel, after the CRF if asked."""
        probabilities = self.infer_probabilities(image)
        if self.crf:
            return refine_mask(image, probabilities, self.device)
        return probabilities.argmax(0).to(torch.uint8).cpu().numpy()


def refine_mask(image: np.ndarray, probabilities: torch.Tensor, device: torch.device) -> np.ndarray:
    """Refine probabilities (C, H, W) with the dense CRF to a mask (H, W) uint8.

    Only classes that win a pixel, and background, take part (ours): of VOC's 21 these are two or three.
    """
    present = torch.cat([torch.zeros(1, dtype=torch.int64), probabilities.argmax(0).cpu().flatten()]).unique()
    if len(present) == 1:
        return np.zeros(image.shape[:2], np.uint8)
    refined = CRFFilters(image, CRF, device).refine_probabilities(probabilities.cpu().numpy()[present.numpy()])
    return present.numpy()[np.asarray(refined).argmax(0)].astype(np.uint8)


def load_segmenter(
    checkpoint: str | Path, device: str = "auto", precision: str = "auto", scales: tuple[float, ...] = (1.0,),
    flip: bool = False, crf: bool = False,
) -> Segmenter:
    """Load a checkpoint and get it ready to make masks.

    Raises:
        ValueError: a checkpoint that cannot be read or of another method, or no such device.
    """
    model, content = load_checkpoint(checkpoint)
    if not isinstance(model, SegmentationNetwork):
        raise ValueError(f"{checkpoint} is a checkpoint of {METHOD_LABELS[model.method]}, not of a segmentation "
                         "network: make its maps with extract, or train segmentation first")
    where = choose_device(device)
    dtype = choose_precision(precision, where, content["model"]["backbone"])
    model = fold_norms(model).to(where, memory_format=torch.channels_last)
    return Segmenter(model, tuple(content["class_names"]), where, dtype, scales, flip, crf)
