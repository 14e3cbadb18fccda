"""Separation against sums over all pixels, and against all pairs of pixels."""

import numpy as np
import pytest

from amn_core.sweep import CountsBuilder, summarise
from amn_core.sweep.separation import (
    pool_separation,
    score_auc,
    score_average_precision,
    score_class_separation,
    score_gini,
    score_pxap,
    score_separation,
    score_share_below,
)

GRID = np.arange(201) / 200


@pytest.fixture(scope="module")
def pixels() -> tuple[np.ndarray, np.ndarray]:
    """A map whose values are whole numbers of bins, so that histograms lose nothing, and its ground truth."""
    rng = np.random.default_rng(0)
    gt = rng.choice([0, 1, 2, 255], (20, 30), p=[0.5, 0.3, 0.1, 0.1]).astype(np.uint8)
    middle = rng.integers(0, 100, gt.shape) + 80 * (gt == 1)
    return ((middle + 0.5) / 200).astype(np.float32)[None], gt


@pytest.fixture(scope="module")
def counts(pixels):
    """The counts of that map."""
    builder = CountsBuilder(("background", "one", "two"))
    builder.add("image", pixels[0], [1], pixels[1])
    return builder.build()


def test_gap_and_imbalance_are_those_of_the_pixels(pixels, counts):
    own, ground = (pixels[0][0][pixels[1] == c].astype(float) for c in (1, 0))
    found = score_separation(counts.separation_bins, counts.separation_moments, GRID)
    assert found.gap[0] == pytest.approx(own.mean() - ground.mean(), rel=1e-12)
    assert found.imbalance[0] == pytest.approx(own.std() / own.mean(), rel=1e-9)


def test_auc_is_the_share_of_pairs_in_order(pixels, counts):
    own, ground, other = (pixels[0][0][pixels[1] == c] for c in (1, 0, 2))
    found = score_separation(counts.separation_bins, counts.separation_moments, GRID)
    for rest, score in ((ground, found.auc[0]), (other, found.auc_other[0])):
        pairs = (own[:, None] > rest).mean() + (own[:, None] == rest).mean() / 2
        assert score == pytest.approx(pairs, rel=1e-12)


def test_gini_is_half_the_mean_difference_over_the_mean(pixels, counts):
    own = pixels[0][0][pixels[1] == 1].astype(float)
    expected = np.abs(own[:, None] - own).mean() / (2 * own.mean())
    found = score_separation(counts.separation_bins, counts.separation_moments, GRID)
    assert found.gini[0] == pytest.approx(expected, rel=1e-6)


def test_pxap_is_the_average_precision_of_the_ranked_pixels(pixels, counts):
    values, is_own = pixels[0][0][pixels[1] != 255], (pixels[1] == 1)[pixels[1] != 255]
    expected = 0.0
    for level in np.unique(values):
        called = values >= level
        expected += is_own[called].mean() * (is_own & (values == level)).sum() / is_own.sum()
    scores = score_pxap(counts)
    assert scores[1] == pytest.approx(expected, rel=1e-12)
    assert np.isnan(scores[[0, 2]]).all()


def test_share_below_is_what_a_threshold_loses(pixels, counts):
    own = pixels[0][0][pixels[1] == 1]
    shares = score_share_below(counts.separation_bins[0, 0])
    for j in (0, 90, 150, 200):
        assert shares[j] == pytest.approx((own <= np.float32(GRID[j])).mean())


def test_separable_maps_score_one_and_equal_ones_a_half():
    low, high = np.array([5, 0, 0]), np.array([0, 0, 7])
    assert score_auc(high, low) == 1 and score_auc(low, high) == 0 and score_auc(low, 3 * low) == 0.5
    assert score_average_precision(high, low) == 1


def test_empty_areas_have_no_score():
    nothing, some = np.zeros(4, dtype=int), np.array([0, 1, 2, 0])
    assert np.isnan(score_auc(nothing, some)) and np.isnan(score_auc(some, nothing))
    assert np.isnan(score_gini(nothing, GRID[:3])) and np.isnan(score_average_precision(nothing, some))


def test_flat_foreground_is_in_balance():
    found = score_separation(
        np.array([[0, 9, 0], [3, 0, 0], [0, 0, 0]]), np.array([[4.5, 2.25], [0, 0], [0, 0]]), np.array([0.0, 1.0])
    )
    assert found.imbalance == 0 and found.gini == 0 and found.gap == 0.5 and np.isnan(found.auc_other)


def test_histograms_add_up_over_images():
    rng, names = np.random.default_rng(1), ("background", "one", "two")
    parts, whole = CountsBuilder(names), CountsBuilder(names)
    cam, gt = rng.random((2, 12, 8)).astype(np.float32), rng.integers(0, 3, (12, 8)).astype(np.uint8)
    whole.add("all", cam, [1, 2], gt)
    for i in range(3):
        parts.add(str(i), cam[:, 4 * i : 4 * i + 4], [1, 2], gt[4 * i : 4 * i + 4])
    one, other = pool_separation(parts.build()), pool_separation(whole.build())
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_allclose(one[1], other[1], rtol=1e-12)
    classes = score_class_separation(parts.build())
    assert np.isnan(classes.gap[0])
    np.testing.assert_allclose(classes.gap[1:], summarise_gaps(cam, gt), rtol=1e-6)


def summarise_gaps(cam: np.ndarray, gt: np.ndarray) -> list[float]:
    return [cam[k][gt == k + 1].mean() - cam[k][gt == 0].mean() for k in range(2)]


def test_summary_averages_pairs_with_both_areas_and_pools_the_same_pixels():
    builder = CountsBuilder(("background", "one"))
    cam = np.array([[[0.9, 0.1]]], dtype=np.float32)
    builder.add("both", cam, [1], np.array([[1, 0]], dtype=np.uint8))
    builder.add("object only", cam, [1], np.array([[1, 1]], dtype=np.uint8))
    builder.add("weak", cam / 2, [1], np.array([[1, 0]], dtype=np.uint8))
    summary = summarise(builder.build())
    assert summary.gap == pytest.approx((0.8 + 0.4) / 2, rel=1e-6)
    assert summary.gap_pooled == pytest.approx(0.675 - 0.075, rel=1e-6)
    assert summary.auc == 1 and summary.auc_pooled == 1
    assert summary.imbalance == pytest.approx(0, abs=1e-6)
    assert summary.imbalance_pooled == pytest.approx(1 / 3, rel=1e-5)
