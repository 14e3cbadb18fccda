"""The maps of one image to its refined masks at many thresholds: what all of them share is done once."""

from functools import partial
from typing import Any

import numpy as np

from amn_core.refine import CRFFilters, pamr_label_sets
from amn_core.sweep.seeds import build_label_sets


class CutRefiner:
    """Refines the cut maps of one image, at the threshold that is looked at first, then at the others."""

    def __init__(
        self, image: np.ndarray, cam: np.ndarray, method: str = "crf", gt_prob: float = 0.7, device: Any = "cpu",
    ) -> None:
        """Build what all thresholds share.

        Args:
            image: (H, W, 3) uint8. cam: (K, H, W) float in [0, 1], of its size.
            method: ``crf`` or ``pamr``. gt_prob: trust of the CRF in the label of a pixel.

        Raises:
            ValueError: an unknown method, or sizes that differ.
        """
        if cam.shape[1:] != image.shape[:2]:
            raise ValueError(f"maps are {cam.shape[1:]} but the image is {image.shape[:2]}: resize the maps first")
        if method not in ("crf", "pamr"):
            raise ValueError(f"method is {method!r}; choose crf or pamr")
        self.cam, n_labels = cam, len(cam) + 1
        if not len(cam):  # nothing to decide without a class
            self.refine_sets = np.asarray
        elif method == "crf":
            self.refine_sets = partial(
                CRFFilters(image, device=device).refine_labels, n_labels=n_labels, gt_prob=gt_prob)
        else:
            self.refine_sets = partial(pamr_label_sets, image, n_labels=n_labels, device=device)

    def refine(self, thresholds: np.ndarray) -> np.ndarray:
        """Cut the maps at thresholds (T,) and refine: (T, H, W) uint8, 0 background, k for the k-th map."""
        return self.refine_sets(build_label_sets(self.cam, np.asarray(thresholds)))
