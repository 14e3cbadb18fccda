"""The model of one class: the formula, its distributions, and what real histograms say by it."""

import numpy as np
import pytest

from amn_core.constants import DEFAULT_THRESHOLDS
from app.lessons.model import build_below, find_beta, measure_class, score_model_iou


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


@pytest.mark.parametrize(("mean", "deviation"), [(0.7, 0.1), (0.3, 0.2), (0.5, 0.28)])
def test_distribution_has_the_mean_and_deviation_asked_for(mean: float, deviation: float) -> None:
    grid = np.linspace(0, 1, 4001)
    mass = np.diff(build_below(mean, deviation, grid))
    middle = (grid[1:] + grid[:-1]) / 2
    found = (mass * middle).sum()
    assert found == pytest.approx(mean, abs=2e-3)
    assert np.sqrt((mass * (middle - found) ** 2).sum()) == pytest.approx(deviation, abs=2e-3)


def test_distribution_rises_from_0_to_1_and_is_never_wider_than_possible() -> None:
    below = build_below(0.6, 5.0, DEFAULT_THRESHOLDS)
    assert below[0] == 0 and below[-1] == pytest.approx(1) and (np.diff(below) >= 0).all()
    assert min(find_beta(0.6, 5.0)) > 0


def test_imbalance_and_overlap_lower_the_peak() -> None:
    def peak(deviation: float, gap: float) -> float:
        ends = [build_below(0.5 + side * gap / 2, spread, DEFAULT_THRESHOLDS)
                for side, spread in ((1, deviation), (-1, 0.15))]
        return score_model_iou(0.2, *ends).max()

    assert peak(0.1, 0.5) > peak(0.3, 0.5) + 0.05
    assert peak(0.2, 0.7) > peak(0.2, 0.3) + 0.05


def test_real_class_is_measured_from_its_bins() -> None:
    bins = np.array([[0, 1, 3], [4, 2, 0], [1, 0, 1]])  # two thresholds, three bins
    share, foreground, background = measure_class(bins)
    assert share == pytest.approx(4 / 12)
    assert foreground == pytest.approx([0, 1 / 4]) and background == pytest.approx([5 / 8, 7 / 8])
    assert score_model_iou(share, foreground, background) == pytest.approx([4 / 7, 3 / 5])
