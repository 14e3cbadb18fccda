"""The model of many images: the formula, and that images which are alike lose nothing to one threshold."""

import numpy as np
import pytest

from app.lessons.model import model_crowd, score_model_iou


def test_formula_is_the_iou_of_pixels_that_can_be_counted() -> None:
    rng = np.random.default_rng(0)
    foreground, background = rng.beta(4, 2, 300), rng.beta(2, 6, 1200)
    thresholds = np.array([0.1, 0.4, 0.8])
    below = [(values[:, None] <= thresholds).mean(0) for values in (foreground, background)]
    hit, wrong = ((values[:, None] > thresholds).sum(0) for values in (foreground, background))
    assert score_model_iou(300 / 1500, *below) == pytest.approx(hit / (300 + wrong))


def test_share_must_be_one() -> None:
    with pytest.raises(ValueError, match="share is 0"):
        score_model_iou(0, np.zeros(2), np.zeros(2))


def test_images_that_are_alike_lose_nothing_to_one_threshold() -> None:
    crowd = model_crowd(0.2, 0.5, 0.0)
    assert crowd.peak == pytest.approx(crowd.oracle)
    assert np.ptp(crowd.curves, axis=0).max() < 1e-9
