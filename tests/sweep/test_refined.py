"""Masks refined anew at each threshold: their counts against a confusion made pixel by pixel, and against maps'."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amn_core.formats.counts import load_counts, save_counts
from amn_core.sweep import CountsBuilder, bootstrap_runs, merge_counts, pool_counts, summarise
from amn_core.sweep.confusion import score_confusion, score_miou
from amn_core.sweep.images import score_images
from amn_core.sweep.refined import count_refined, find_common_thresholds, thin_counts
from amn_core.sweep.seeds import build_label_sets
from tests.sweep.reference import NAMES, assert_same, make_counts

GRID = np.arange(11) / 10


def draw_masks(rng, n_thresholds=11, size=(6, 8), n_classes=2):
    """Draw masks that are not nested, the classes of their labels, and a ground truth with 255."""
    labels = rng.integers(0, n_classes + 1, (n_thresholds, *size))
    class_ids = rng.choice(np.arange(1, len(NAMES)), n_classes, replace=False)
    gt = rng.choice([0, *class_ids, 255], size).astype(np.uint8)
    return labels, np.sort(class_ids), gt


def count_slowly(labels, class_ids, gt):
    """Count each pixel at each threshold: (T, C, C)."""
    confusion = np.zeros((len(labels), len(NAMES), len(NAMES)), int)
    for t, mask in enumerate(labels):
        for truth, label in zip(gt.ravel(), mask.ravel()):
            if truth != 255:
                confusion[t, truth, 0 if label == 0 else class_ids[label - 1]] += 1
    return confusion


def build_refined(seed, n_images=4):
    rng, builder, slow = np.random.default_rng(seed), CountsBuilder(NAMES, GRID), []
    for i in range(n_images):
        labels, class_ids, gt = draw_masks(rng, n_classes=int(rng.integers(1, 3)))
        builder.add_counts(f"image {i}", count_refined(labels, class_ids, gt, GRID, len(NAMES)))
        slow.append(count_slowly(labels, class_ids, gt))
    return builder.build(), np.array(slow)


@given(st.integers(0, 10_000))
def test_confusion_of_refined_masks_is_that_of_each_pixel(seed):
    counts, slow = build_refined(seed, 3)
    assert np.array_equal(score_confusion(counts), slow.sum(0))
    for i in range(3):
        assert np.array_equal(score_confusion(counts, [i]), slow[i])


def test_masks_that_are_only_cut_are_counted_like_their_maps():
    rng = np.random.default_rng(0)
    cut, maps = CountsBuilder(NAMES, GRID), CountsBuilder(NAMES, GRID)
    for i in range(3):
        _, class_ids, gt = draw_masks(rng)
        cam = rng.random((2, 6, 8)).astype(np.float32)
        labels = build_label_sets(cam, GRID)
        cut.add_counts(str(i), count_refined(labels, class_ids, gt, GRID, len(NAMES)))
        maps.add(str(i), cam, class_ids, gt)
    one, other = summarise(cut.build()), summarise(maps.build())
    np.testing.assert_array_equal(one.miou, other.miou)
    assert (one.peak_miou, one.plateau, one.oracle_miou) == (other.peak_miou, other.plateau, other.oracle_miou)


def test_peak_oracle_and_intervals_follow_and_activation_is_undefined():
    counts, slow = build_refined(1, 8)
    summary, scores = summarise(counts), score_images(counts)
    assert summary.peak_miou == score_miou(slow.sum(0)).max()
    best = [score_miou(one).argmax() for one in slow]
    assert scores.best_threshold.tolist() == GRID[best].tolist()
    assert summary.oracle_miou == pytest.approx(score_miou(sum(one[i] for one, i in zip(slow, best))))
    assert np.isnan([summary.gap, summary.auc, summary.imbalance, summary.pxap, summary.gap_pooled]).all()
    low, high = bootstrap_runs([counts], resamples=50)[0].interval("miou")
    assert (low <= summary.miou).all() and (summary.miou <= high).all() and (low < high).any()


def test_refined_counts_are_the_same_when_read_again(tmp_path):
    counts, _ = build_refined(2)
    assert counts.is_refined and counts.decision_bins.min() < 0 and not make_counts(1).is_refined
    save_counts(tmp_path / "counts", counts)
    found = load_counts(tmp_path / "counts")
    assert_same(found, counts)
    assert found.is_refined
    with np.load(tmp_path / "counts") as file:
        assert str(file["format"]) == "amn-refined-counts 1"


def test_refined_counts_select_merge_and_pool():
    counts, slow = build_refined(3, 5)
    parts = [counts.select([0, 2]), counts.select([1, 3, 4])]
    assert np.array_equal(score_confusion(merge_counts(parts)), slow.sum(0))
    assert np.array_equal(score_confusion(pool_counts(counts)), slow.sum(0))


def test_negative_counts_of_maps_and_of_what_is_above_are_refused():
    counts, _ = build_refined(4)
    wrong = counts.decision_bins.copy()
    wrong[0, -1] = -1
    with pytest.raises(ValueError, match="negative counts"):
        dataclasses.replace(counts, decision_bins=wrong)
    maps = make_counts(1)
    with pytest.raises(ValueError, match="negative counts"):
        dataclasses.replace(maps, decision_bins=maps.decision_bins.astype(np.int64) - 1)


def test_masks_of_another_size_are_refused():
    with pytest.raises(ValueError, match="a mask a threshold"):
        count_refined(np.zeros((10, 6, 8), int), np.array([1]), np.zeros((6, 8), np.uint8), GRID, 3)


def test_counts_on_fewer_thresholds_have_the_curve_of_those():
    rng, fine, coarse = np.random.default_rng(5), CountsBuilder(NAMES), CountsBuilder(NAMES, np.arange(201)[::4] / 200)
    for i in range(3):
        _, class_ids, gt = draw_masks(rng)
        cam = rng.random((2, 6, 8)).astype(np.float32)
        fine.add(str(i), cam, class_ids, gt)
        coarse.add(str(i), cam, class_ids, gt)
    assert_same(thin_counts(fine.build(), coarse.thresholds), coarse.build())
    refined, slow = build_refined(6)
    assert np.array_equal(score_confusion(thin_counts(refined, GRID[2:9:3])), slow.sum(0)[2:9:3])
    with pytest.raises(ValueError, match="not all of those"):
        thin_counts(refined, np.array([0.15]))


def test_common_thresholds_are_those_of_all():
    assert find_common_thresholds([np.arange(201) / 200, np.linspace(0, 1, 51)]).tolist() == (
        np.arange(201)[::4] / 200).tolist()
