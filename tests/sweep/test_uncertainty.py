"""The bootstrap: the same as resampling by hand, paired, and honest where nothing differs."""

import dataclasses

import numpy as np
import pytest

from amn_core.sweep import bootstrap_runs, compare_bootstraps, merge_counts, summarise
from amn_core.sweep.uncertainty import MEASURES, draw_weights, find_interval
from tests.sweep.reference import make_counts


def repeat_images(counts, weights):
    """Build the counts of a resample the slow way: each image as often as it was drawn, under new names."""
    parts = []
    for i, times in enumerate(weights.astype(int)):
        for copy in range(times):
            part = counts.select([i])
            parts.append(dataclasses.replace(part, image_ids=(f"{i}, copy {copy}",)))
    return merge_counts(parts)


@pytest.mark.parametrize(("protocol", "classes"), [("irn", None), ("seam", None), ("toco", [0, 2, 3, 5])])
def test_resample_scores_equal_those_of_the_repeated_images(protocol, classes):
    counts = make_counts(3)
    found = bootstrap_runs([counts], protocol, classes, resamples=5, seed=2)[0]
    for r, weights in enumerate(draw_weights(6, 5, seed=2)):
        expected = summarise(repeat_images(counts, weights), protocol, classes)
        np.testing.assert_allclose(found.samples["miou"][r], expected.miou, rtol=1e-12)
        for measure in MEASURES:
            if measure != "oracle_gain":
                assert found.samples[measure][r] == pytest.approx(getattr(expected, measure), nan_ok=True), measure


def test_estimates_are_those_of_the_summary():
    counts = make_counts(4)
    found, summary = bootstrap_runs([counts], resamples=3)[0], summarise(counts)
    for measure in MEASURES:
        expected = summary.oracle_miou - summary.peak_miou if measure == "oracle_gain" else getattr(summary, measure)
        assert found.estimates[measure] == pytest.approx(expected), measure
    np.testing.assert_array_equal(found.estimates["miou"], summary.miou)


def test_draws_take_as_many_images_as_there_are_and_repeat_by_seed():
    weights = draw_weights(50, 200, seed=1)
    assert (weights.sum(axis=1) == 50).all() and abs((weights == 0).mean() - np.exp(-1)) < 0.02
    np.testing.assert_array_equal(weights, draw_weights(50, 200, seed=1))
    assert (weights != draw_weights(50, 200, seed=2)).any()


def test_run_against_itself_differs_by_nothing():
    counts = make_counts(5)
    first, second = bootstrap_runs([counts, counts.select(counts.image_ids[::-1])], resamples=50)
    difference = compare_bootstraps(first, second)
    assert (difference.estimate, difference.low, difference.high, difference.share_above) == (0, 0, 0, 0.5)


def test_pairing_cancels_what_the_runs_share():
    runs = bootstrap_runs([make_counts(6), make_counts(6, thresholds=np.arange(401) / 400)], resamples=200)
    low, high = runs[0].interval("peak_miou")
    difference = compare_bootstraps(*runs)
    assert difference.low <= difference.estimate <= difference.high
    assert difference.high - difference.low < (high - low) / 3


def test_curve_has_an_interval_at_every_threshold_that_holds_it():
    run = bootstrap_runs([make_counts(7)], resamples=300)[0]
    low, high = run.interval("miou")
    assert low.shape == high.shape == (201,) and (low <= high).all()
    inside = (run.samples["miou"] >= low) & (run.samples["miou"] <= high)
    assert 0.94 <= inside.mean() <= 0.97


def test_interval_leaves_out_what_is_undefined():
    samples = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    low, high = find_interval(samples, 0.5)
    assert (low[0], high[0]) == (1.5, 2.5) and np.isnan(low[1]) and np.isnan(high[1])


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    population, covered = make_counts(9, n_images=80, thresholds=np.arange(11) / 10), 0
    truth = summarise(population).miou[3]
    rng = np.random.default_rng(0)
    for trial in range(40):
        drawn = repeat_images(population, np.bincount(rng.integers(0, 80, 40), minlength=80))
        low, high = bootstrap_runs([drawn], resamples=100, seed=trial, level=0.9)[0].interval("miou")
        covered += low[3] <= truth <= high[3]
    assert 28 <= covered <= 40
