"""A drawn data set with a known answer to every question, small enough to simulate hundreds of people on."""

import numpy as np

from amn_core.sweep import Counts, CountsBuilder

CLASSES = ("background", "cat", "dog", "cow")


def build_counts(n_images: int = 40, size: int = 24, seed: int = 0, sharpness: float = 6.0) -> Counts:
    """Count images with one object each, now and then two, on maps that rise towards it with noise."""
    rng, builder = np.random.default_rng(seed), CountsBuilder(CLASSES, np.linspace(0, 1, 51))
    y, x = np.mgrid[:size, :size] / size
    for i in range(n_images):
        class_ids = np.array([1 + i % 3] if i % 4 else [1 + i % 3, 1 + (i + 1) % 3])
        gt, cam = np.zeros((size, size), np.uint8), np.zeros((len(class_ids), size, size), np.float32)
        for k, class_id in enumerate(class_ids):
            radius = np.hypot(x - rng.uniform(0.2, 0.8), y - rng.uniform(0.2, 0.8)) / rng.uniform(0.15, 0.35)
            gt[radius < 1] = class_id
            cam[k] = 1 / (1 + np.exp(sharpness * (radius - rng.uniform(0.8, 1.2)) + rng.normal(0, 1, (size, size))))
        gt[:2] = 255
        builder.add(f"image-{i}", cam, class_ids, gt)
    return builder.build()
