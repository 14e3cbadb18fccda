"""The target as it is shown is the target that is trained with."""

import numpy as np
import pytest
import torch

from amn_core.train.losses import build_pixel_targets, per_pixel_classification_loss
from app.lessons.smoothing import build_target, find_levels, score_pixel_loss


@pytest.mark.parametrize(("seed", "n_classes", "epsilon"), [(0, 21, 0.4), (3, 11, 0.4), (2, 5, 0.0), (4, 5, 0.9)])
def test_target_equals_the_one_that_is_trained_with(seed: int, n_classes: int, epsilon: float) -> None:
    trained = build_pixel_targets(torch.tensor([[[seed]]]), n_classes, epsilon)[0, :, 0, 0].numpy()
    assert build_target(seed, n_classes, epsilon) == pytest.approx(trained, abs=1e-6)


def test_loss_equals_the_one_that_is_trained_with() -> None:
    probability = np.array([0.05, 0.3, 0.6, 0.95])
    for value, loss in zip(probability, score_pixel_loss(probability, 11, 0.4)):
        logits = torch.full((1, 11, 1, 2), float(np.log((1 - value) / 10)))
        logits[0, 2, 0, 0] = logits[0, 0, 0, 1] = float(np.log(value))
        trained = per_pixel_classification_loss(logits, torch.tensor([[[2, 0]]]), 0.4)
        assert loss == pytest.approx(float(trained), abs=1e-5)


@pytest.mark.parametrize("epsilon", [0.1, 0.4, 0.7])
def test_loss_is_least_at_the_target_and_not_at_1(epsilon: float) -> None:
    grid = np.linspace(0.01, 0.99, 99)
    assert grid[score_pixel_loss(grid, 21, epsilon).argmin()] == pytest.approx(1 - epsilon, abs=0.011)


def test_levels_are_the_softmax_over_background_and_present_classes() -> None:
    assert find_levels(1, 21, 0.4) == pytest.approx((0.6 / 0.62, 0.02 / 0.62))
    assert find_levels(2, 21, 0.4) == pytest.approx((0.6 / 0.64, 0.02 / 0.64))
    assert find_levels(3, 11, 0.0) == pytest.approx((1.0, 0.0))
