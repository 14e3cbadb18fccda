"""Small images with known masks for the tests of refinement."""

import numpy as np


def make_scene(height=60, width=80, seed=0):
    """Draw a noisy bright disc on a dark ground, (H, W, 3) uint8, and its mask, (H, W) int64."""
    y, x = np.mgrid[:height, :width]
    mask = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (height / 3) ** 2
    noise = np.random.default_rng(seed).normal(0, 4, (height, width, 3))
    image = np.where(mask[..., None], (200, 120, 60), (40, 70, 110)) + noise
    return image.clip(0, 255).astype(np.uint8), mask.astype(np.int64)


def make_texture(height=90, width=120, seed=0):
    """Draw smooth coloured noise, (H, W, 3) uint8, and labels 0 … 2 that follow it only roughly."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (3, 7, 9))
    rows, columns = np.linspace(0, 5.99, height), np.linspace(0, 7.99, width)
    top, left = rows.astype(int), columns.astype(int)
    fy, fx = (rows - top)[:, None], (columns - left)[None]
    corner = [coarse[:, top + i][:, :, left + j] for i in (0, 1) for j in (0, 1)]
    smooth = (corner[0] * (1 - fx) + corner[1] * fx) * (1 - fy) + (corner[2] * (1 - fx) + corner[3] * fx) * fy
    image = (smooth.transpose(1, 2, 0) + rng.normal(0, 6, (height, width, 3))).clip(0, 255).astype(np.uint8)
    labels = np.digitize(np.roll(smooth[0], 7, axis=1), (100, 160))
    return image, labels.astype(np.int64)
