"""A CAM or AMN model over one image: scales and mirror images averaged, then normalised."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from amn_core.compute.devices import autocast, choose_device, choose_precision
from amn_core.constants import BACKGROUND, METHOD_LABELS
from amn_core.formats.checkpoints import load_checkpoint
from amn_core.formats.maps import compute_map_size, resize_maps
from amn_core.infer.official import keep_dropout, resize_pixels_officially
from amn_core.models import AMNetwork, CAMNetwork
from amn_core.models.folding import fold_norms
from amn_core.models.registration import draw_maps

CAM_EPSILON = 1e-5
NEEDS_SEEDS = "the normalisation 'official' needs the seeds of the CAM: pass --seeds DIR, made by the command seed"
MULTIPLE = 16


@dataclass(frozen=True)
class Extractor:
    """A loaded model with its way of making maps.

    Attributes:
        scales: factors of the image's size; the maps of all are summed.
        normalisation: see `normalise_scores`.
        official: resize and sum as the official code does; ``auto`` is then its normalisation.
        is_registered: draw scores where they lie (`amn_core.models.registration`); otherwise, and with `official`, at
            the centres of the features' cells.
        dropout_seed: leaves dropout on, with draws from this seed and the image (`amn_core.infer.official`); None: off.
    """

    model: CAMNetwork | AMNetwork
    class_names: tuple[str, ...]
    device: torch.device
    dtype: torch.dtype
    scales: tuple[float, ...] = (0.5, 1.0, 1.5)
    flip: bool = True
    normalisation: str = "auto"
    official: bool = False
    dropout_seed: int | None = None
    is_registered: bool = True

    @property
    def registration(self) -> str:
        """How scores are drawn: where they lie, by the ``features``, or at the centres of their ``cells``."""
        return "features" if self.is_registered and not self.official else "cells"

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.model.method

    @property
    def n_classes(self) -> int:
        """Number of classes with background."""
        return len(self.class_names)

    def infer_map(
        self, image: np.ndarray, class_ids: np.ndarray, seed: np.ndarray | None = None
    ) -> np.ndarray:
        """Infer the activation maps of an image at a quarter of its size.

        Args:
            image: (H, W, 3) uint8.
            class_ids: (K,) the image's classes, 1-based, increasing.
            seed: (H, W) seed labels, for the normalisation ``official`` alone.

        Returns:
            (K, ceil(H/4), ceil(W/4)) float32 in [0, 1].
        """
        is_off = self.dropout_seed is None
        with nullcontext() if is_off else keep_dropout(self.model, image, self.dropout_seed):
            return self.infer_together([image], [class_ids], [seed])[0]

    def infer_batch(
        self, images: list[np.ndarray], class_ids: list[np.ndarray], seeds: list[np.ndarray | None]
    ) -> list[np.ndarray]:
        """Infer the maps of several images of one size, as `infer_map` does of one, together in one batch.

        Dropout that is left on has draws for each image: they then go one by one.
        """
        if self.dropout_seed is not None:
            return [self.infer_map(*one) for one in zip(images, class_ids, seeds, strict=True)]
        return self.infer_together(images, class_ids, seeds)

    @torch.inference_mode()
    def infer_together(
        self, images: list[np.ndarray], class_ids: list[np.ndarray], seeds: list[np.ndarray | None]
    ) -> list[np.ndarray]:
        """Infer the maps of several images of one size in one batch; those without a class need no model."""
        size = compute_map_size(*images[0].shape[:2])
        maps = [np.zeros((0, *size), dtype=np.float32)] * len(images)
        chosen = [i for i, present in enumerate(class_ids) if len(present)]
        if chosen:
            labels = torch.zeros(len(chosen), self.n_classes - 1)
            for row, i in zip(labels, chosen, strict=True):
                row[torch.from_numpy(np.asarray(class_ids[i])) - 1] = 1
            scores = self.sum_batch(torch.from_numpy(np.stack([images[i] for i in chosen])), labels, size)
            normalisation = resolve_normalisation(self)
            found = [normalise_scores(one, class_ids[i], normalisation, seeds[i])
                     for one, i in zip(scores, chosen, strict=True)]
            for i, cam in zip(chosen, found, strict=True):  # copied once all are under way
                maps[i] = cam.cpu().numpy()
        return maps

    def infer_maps(self, image: np.ndarray, class_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Infer the activation maps at the image's size: cam (K, H, W) float32 in [0, 1], class_ids (K,)."""
        small = self.infer_map(image, class_ids)
        return resize_maps(small, *image.shape[:2]), np.asarray(class_ids, dtype=np.int64)

    @torch.inference_mode()
    def predict_labels(self, image: np.ndarray) -> np.ndarray:
        """Predict the image's classes: probabilities (C−1,) float32 of the foreground classes.

        Raises:
            ValueError: the model is no classifier; ask a CAM.
        """
        if not isinstance(self.model, CAMNetwork):
            raise ValueError(f"{METHOD_LABELS[self.method]} predicts no labels; take those of a CAM checkpoint")
        pixels = resize_pixels(torch.from_numpy(image.copy()).to(self.device), 1.0)
        with autocast(self.device, self.dtype):
            return torch.sigmoid(self.model(pixels).float())[0].cpu().numpy()

    @torch.inference_mode()
    def decompose_map(self, image: np.ndarray, class_id: int) -> tuple[np.ndarray, np.ndarray]:
        """Decompose a class activation map into the sum that it is, at the image's own size, without mirroring.

        Args:
            image: (H, W, 3) uint8. class_id: from 1.

        Returns:
            Features (D, h, w) and weights (D,), float32; the sum over D of weight × feature, negative values cut off,
            is the map before normalisation.

        Raises:
            ValueError: the model is no classifier; ask a CAM.
        """
        if not isinstance(self.model, CAMNetwork):
            raise ValueError(f"{METHOD_LABELS[self.method]} is no weighted sum of features; ask a CAM checkpoint")
        pixels = resize_pixels(torch.from_numpy(image.copy()).to(self.device), 1.0)
        features = self.model.backbone(pixels)[0].float().cpu().numpy()
        return features, self.model.classifier.weight[class_id - 1].flatten().float().cpu().numpy()

    def sum_scores(self, image: torch.Tensor, class_ids: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Average the scores of all scales and mirror images, resized to one size: (C or C−1, h, w).

        The official code sums those of CAM.
        """
        labels = torch.zeros(1, self.n_classes - 1)
        labels[0, class_ids - 1] = 1
        return self.sum_batch(image[None], labels, size)[0]

    def sum_batch(self, images: torch.Tensor, labels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Average the scores of a batch as `sum_scores` does: images (B, H, W, 3) uint8, labels (B, C−1) multi-hot.

        Returns:
            (B, C or C−1, h, w) float32.
        """
        images, number = images.to(self.device), len(images)
        labels = labels.to(self.device).repeat(2 if self.flip else 1, 1)
        total = torch.zeros(1, device=self.device)
        for scale in self.scales:
            pixels = self.resize_batch(images, scale)
            views = torch.cat([pixels, pixels.flip(-1)]) if self.flip else pixels
            with autocast(self.device, self.dtype):
                scores = self.model.infer_scores(views, labels)
            scores = draw_maps(
                scores, size, self.model.backbone, pixels.shape[-2:], self.model.label_at,
                self.registration == "features")
            total = total + (scores[:number] + scores[number:].flip(-1) if self.flip else scores)
        is_sum = self.official and self.method == "cam"
        return total if is_sum else total / (len(self.scales) * (2 if self.flip else 1))

    def resize_batch(self, images: torch.Tensor, scale: float) -> torch.Tensor:
        """Resize images for the model, (B, H, W, 3) uint8 to (B, 3, H', W') float32 in 0–255."""
        if self.official:
            return torch.cat([resize_pixels_officially(image, scale) for image in images])
        return resize_pixels(images, scale)


def resize_pixels(images: torch.Tensor, scale: float) -> torch.Tensor:
    """Resize images for the model: (B, H, W, 3) or (H, W, 3) uint8 to (B, 3, H', W') float32 in 0–255."""
    pixels = images.reshape(-1, *images.shape[-3:]).permute(0, 3, 1, 2).float()
    if scale == 1.0:
        return pixels
    size = [max(MULTIPLE, round(side * scale)) for side in pixels.shape[-2:]]
    return F.interpolate(pixels, size=size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 255)


def resolve_normalisation(extractor: Extractor) -> str:
    """Resolve ``auto``: the maximum for CAM; for AMN the softmax over the image's classes, or the official code's."""
    if extractor.normalisation != "auto":
        return extractor.normalisation
    return "max" if extractor.method == "cam" else "official" if extractor.official else "image-softmax"


def normalise_scores(
    scores: torch.Tensor, class_ids: np.ndarray, normalisation: str, seed: np.ndarray | None = None
) -> torch.Tensor:
    """Normalise scores to activation maps of the image's classes.

    Args:
        scores: (C−1, h, w) of CAM, or (C, h, w) logits of AMN, background first.
        class_ids: (K,) the image's classes, 1-based.
        normalisation:
            ``max``: each class divided by its maximum + 1e-5 (IRN).
            ``softmax``: over all classes; background dropped.
            ``image-softmax``: over background and the image's classes; background dropped (ours).
            ``min-max``: softmax over all, then each class to [0, 1] over the image.
            ``official``: as min-max, but pixels whose seed is background keep the raw softmax (AMN's code).
        seed: (H, W) labels, for ``official``.

    Returns:
        (K, h, w) float32 in [0, 1].

    Raises:
        ValueError: a normalisation that the method does not have, or ``official`` without a seed.
    """
    chosen = torch.as_tensor(np.asarray(class_ids), device=scores.device)
    if normalisation == "max":
        cam = scores[chosen - 1].clamp(min=0)
        return cam / (cam.amax(dim=(1, 2), keepdim=True) + CAM_EPSILON)
    if normalisation == "image-softmax":
        with_background = torch.cat([torch.full_like(chosen[:1], BACKGROUND), chosen])
        return torch.softmax(scores[with_background], dim=0)[1:]
    probabilities = torch.softmax(scores, dim=0)[chosen]
    if normalisation == "softmax":
        return probabilities
    if normalisation == "official" and seed is None:
        raise ValueError(NEEDS_SEEDS)
    low, high = (f(probabilities, dim=(1, 2), keepdim=True) for f in (torch.amin, torch.amax))
    stretched = (probabilities - low) / (high - low + CAM_EPSILON)
    if normalisation == "min-max":
        return stretched
    small = F.interpolate(torch.from_numpy(seed)[None, None].float(), size=scores.shape[-2:], mode="nearest-exact")
    return torch.where(small[0].to(scores.device) == BACKGROUND, probabilities, stretched)


def load_extractor(
    checkpoint: str | Path, device: str = "auto", precision: str = "auto", scales: tuple[float, ...] = (0.5, 1.0, 1.5),
    flip: bool = True, normalisation: str = "auto", official: bool = False, dropout_seed: int | None = None,
    is_registered: bool = True,
) -> Extractor:
    """Load a checkpoint and get it ready to make maps.

    Raises:
        ValueError: a checkpoint that cannot be read, no such device, or a normalisation of another method.
    """
    model, content = load_checkpoint(checkpoint)
    if model.method == "irn":
        raise ValueError(f"{checkpoint} is IRN, which makes no maps of its own: pass it to refine --method irn")
    if model.method == "segmentation":
        raise ValueError(f"{checkpoint} is a segmentation network, which makes finished masks, no maps with a "
                         "threshold: use the command segment")
    where = choose_device(device)
    model = (model if official else fold_norms(model)).to(where, memory_format=torch.channels_last)
    dtype = choose_precision(precision, where, content["model"]["backbone"])
    extractor = Extractor(
        model, tuple(content["class_names"]), where, dtype, scales, flip, normalisation, official, dropout_seed,
        is_registered)
    if (resolve_normalisation(extractor) == "max") != (extractor.method == "cam"):
        raise ValueError(f"normalisation {normalisation!r} is not for {METHOD_LABELS[extractor.method]}")
    return extractor


def parse_scales(text: str) -> tuple[float, ...]:
    """Parse scales such as ``0.5,1,1.5``.

    Raises:
        ValueError: not numbers, none, or one that is not above 0.
    """
    try:
        scales = tuple(float(part) for part in text.split(","))
    except ValueError:
        scales = ()
    if not scales or not all(scale > 0 for scale in scales):
        raise ValueError(f"scales {text!r}: expected numbers above 0 separated by commas, such as 0.5,1,1.5")
    return scales
