"""Peak, plateau, mean and slope of curves that can be read by eye."""

import numpy as np
import pytest

from amn_core.sweep.curves import (
    find_peak,
    find_plateau,
    find_threshold,
    score_mean,
    score_sensitivity,
    score_slope,
    score_width,
)

T = np.arange(11) / 10
#               0    .1   .2     .3   .4   .5     .6   .7   .8     .9   1
CURVE = np.array([0.1, 0.3, 0.495, 0.5, 0.5, 0.491, 0.4, 0.3, 0.499, 0.2, 0.0])


def test_peak_is_the_lowest_threshold_among_equals():
    assert find_peak(CURVE) == 3
    assert find_peak(np.array([np.nan, 0.2, np.nan, 0.2])) == 1
    assert find_peak(np.full(4, np.nan)) == 0


def test_plateau_is_the_unbroken_run_around_the_peak():
    first, last = find_plateau(CURVE)
    assert (first, last) == (2, 5)
    assert score_width(CURVE, T) == pytest.approx(0.3)


def test_plateau_stops_at_a_missing_score_and_reaches_the_ends():
    assert find_plateau(np.array([0.5, np.nan, 0.5, 0.5])) == (0, 0)
    assert find_plateau(np.full(5, 0.7)) == (0, 4)


def test_plateau_tolerance_is_part_of_the_question():
    assert find_plateau(CURVE, tolerance=0) == (3, 4)
    assert find_plateau(CURVE, tolerance=0.25) == (1, 8)


def test_curves_are_scored_together_as_alone():
    rng = np.random.default_rng(0)
    curves = rng.random((40, 11))
    first, last = find_plateau(curves, 0.2)
    for i, curve in enumerate(curves):
        assert (first[i], last[i]) == find_plateau(curve, 0.2)
        low = high = int(find_peak(curve))
        while low > 0 and curve[low - 1] >= curve.max() - 0.2:
            low -= 1
        while high < 10 and curve[high + 1] >= curve.max() - 0.2:
            high += 1
        assert (first[i], last[i]) == (low, high)


def test_mean_is_the_area_over_the_range():
    assert score_mean(T, T) == pytest.approx(0.5)
    assert score_mean(T, T, low=0.2, high=0.4) == pytest.approx(0.3)
    assert score_mean(T**0, T[::-1]) == pytest.approx(1)
    assert np.isnan(score_mean(CURVE, np.zeros(11)))


def test_slope_is_the_difference_of_the_neighbours():
    assert score_slope(CURVE, T, 1) == pytest.approx((0.495 - 0.1) / 0.2)
    assert score_slope(CURVE, T, 0) == pytest.approx(2)
    assert score_slope(CURVE, T, 10) == pytest.approx(-2)
    assert np.isnan(score_slope(CURVE, np.zeros(11), 4))


def test_sensitivity_is_the_largest_loss_within_reach():
    assert score_sensitivity(CURVE, T, 3, reach=0.1) == pytest.approx(0.005)
    assert score_sensitivity(CURVE, T, 3, reach=0.3) == pytest.approx(0.4)
    assert score_sensitivity(CURVE, T, 10, reach=0.05) == 0


def test_threshold_is_found_nearest_and_lower_in_a_tie():
    assert find_threshold(T, 0.34) == 3
    assert find_threshold(np.array([0.0, 0.5, 1.0]), 0.25) == 0
    with pytest.raises(ValueError, match=r"threshold is -0.2, outside 0 to 1"):
        find_threshold(T, -0.2)
