"""Scores of single images, the oracle, and the summary, against loops."""

import numpy as np
import pytest

import amn_core.sweep.images as images_module
from amn_core.sweep import CountsBuilder, score_confusion, score_images, score_miou, score_oracle, summarise
from amn_core.sweep.images import count_best_thresholds, find_best_spread, score_chosen
from tests.sweep.reference import GRIDS, NAMES, average_iou, make_counts


@pytest.mark.parametrize("seed", range(4))
def test_image_curves_equal_those_of_the_image_alone(seed):
    counts = make_counts(seed)
    scores = score_images(counts)
    for i in range(len(counts.image_ids)):
        confusion = score_confusion(counts, images=[i])
        np.testing.assert_allclose(scores.miou[i], [average_iou(c) for c in confusion], equal_nan=True)
        np.testing.assert_allclose(
            score_images(counts, "present").miou[i], score_miou(confusion, "present"), equal_nan=True
        )


def test_image_curves_of_some_classes_average_only_those():
    counts = make_counts(1)
    scores = score_images(counts, classes=["class 0", "class 3"])
    for i in range(len(counts.image_ids)):
        expected = score_miou(score_confusion(counts, images=[i]), classes=[0, 3])
        np.testing.assert_allclose(scores.miou[i], expected, equal_nan=True)


def test_best_threshold_is_the_lowest_of_the_best_and_regret_is_what_is_lost():
    scores = score_images(make_counts(2))
    for i, curve in enumerate(scores.miou):
        assert scores.best_miou[i] == np.nanmax(curve)
        assert scores.best_threshold[i] == scores.thresholds[np.flatnonzero(curve == np.nanmax(curve))[0]]
    regret = scores.regret(0.3)
    np.testing.assert_array_equal(regret, scores.best_miou - scores.miou[:, 60])
    assert (regret >= 0).all() and regret.max() > 0


def test_image_without_a_scored_pixel_has_no_score_and_changes_none():
    builder, plain = CountsBuilder(NAMES), make_counts(1)
    builder.add("ignored", np.ones((1, 2, 2), dtype=np.float32), [1], np.full((2, 2), 255, dtype=np.uint8))
    alone = builder.build()
    scores = score_images(alone)
    assert np.isnan(scores.best_miou[0]) and np.isnan(scores.best_threshold[0]) and np.isnan(scores.miou).all()
    assert count_best_thresholds(scores).sum() == 0 and np.isnan(find_best_spread(scores)).all()
    assert np.isnan(summarise(alone).peak_miou)
    assert score_oracle(images_module.Counts(**{**vars(plain), "image_ids": (*plain.image_ids, "ignored")})).miou == (
        score_oracle(plain).miou
    )


def test_oracle_lets_each_image_use_its_own_best_threshold():
    counts = make_counts(3)
    scores, total = score_images(counts), 0
    for i, j in enumerate(scores.best_index()):
        total = total + score_confusion(counts, images=[i])[j]
    oracle = score_oracle(counts)
    assert oracle.miou == pytest.approx(average_iou(total), abs=1e-15)
    np.testing.assert_array_equal(oracle.thresholds, scores.best_threshold)


def test_one_threshold_for_all_images_is_the_curve():
    counts = make_counts(5)
    curve = score_miou(score_confusion(counts))
    for j in (0, 50, 200):
        assert score_chosen(counts, np.full(6, j)).miou == pytest.approx(curve[j], abs=1e-15)


def test_blocks_of_images_change_nothing(monkeypatch):
    counts = make_counts(4)
    whole, chosen = summarise(counts).to_dict(), score_chosen(counts, np.arange(6) * 30).miou
    monkeypatch.setattr(images_module, "BLOCK", 2)
    assert summarise(counts).to_dict() == whole
    assert score_chosen(counts, np.arange(6) * 30).miou == chosen


def test_best_thresholds_are_counted_once_an_image():
    scores = score_images(make_counts(6))
    counted = count_best_thresholds(scores)
    assert counted.sum() == 6
    assert sorted(np.repeat(scores.thresholds, counted)) == sorted(scores.best_threshold)
    assert find_best_spread(scores, 0, 1) == (scores.best_threshold.min(), scores.best_threshold.max())


def test_summary_says_what_its_parts_say():
    counts = make_counts(7)
    summary, curve = summarise(counts, threshold=0.3), score_miou(score_confusion(counts))
    scores = score_images(counts)
    np.testing.assert_array_equal(summary.miou, curve)
    assert summary.peak_miou == curve.max() and summary.peak_threshold == summary.thresholds[curve.argmax()]
    assert summary.plateau == pytest.approx(summary.plateau_high - summary.plateau_low)
    assert summary.chosen_threshold == 0.3 and summary.chosen_miou == curve[60]
    assert summary.mean_regret == pytest.approx(scores.regret(0.3).mean())
    assert summary.mean_miou == pytest.approx(np.trapezoid(curve, summary.thresholds))
    assert summary.oracle_miou == score_oracle(counts).miou
    assert summary.images == 6


def test_summary_of_a_subset_is_that_of_its_images():
    counts = make_counts(8)
    assert summarise(counts, images=[1, 3]).to_dict() == summarise(counts.select(["image 1", "image 3"])).to_dict()


def test_verdict_on_robustness_survives_a_monotone_change_of_the_maps():
    y, x = np.mgrid[0:1:60j, 0:1:60j]
    rng, names = np.random.default_rng(0), ("background", "blob")
    plain, bent, fine = CountsBuilder(names), CountsBuilder(names), np.arange(2001) / 2000
    plain.thresholds = bent.thresholds = fine
    for i in range(5):
        distance = np.hypot(x - rng.uniform(0.3, 0.7), y - 0.5)
        cam = np.exp(-8 * distance**2)[None] * rng.uniform(0.7, 1, (1, 60, 60))
        gt = (distance < rng.uniform(0.2, 0.4)).astype(np.uint8)
        plain.add(str(i), cam, [1], gt)
        bent.add(str(i), np.sqrt(cam), [1], gt)
    one, other = summarise(plain.build()), summarise(bent.build())
    assert other.plateau != pytest.approx(one.plateau, rel=0.1) and other.gap != pytest.approx(one.gap, rel=0.1)
    assert other.plateau_share == pytest.approx(one.plateau_share, rel=0.03)
    for name in ("auc", "mean_miou_share", "peak_miou", "oracle_miou"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=0.01), name


def test_summary_as_a_dictionary_holds_plain_numbers():
    plain = summarise(make_counts(1, thresholds=GRIDS["coarse"])).to_dict()
    assert plain["thresholds"] == [0.05, 0.3, 0.31, 0.7] and len(plain["miou"]) == 4
    keys = "images protocol peak_miou peak_threshold plateau mean_miou oracle_miou gap auc imbalance"
    assert all(isinstance(plain[key], int | float | str) for key in keys.split())


def test_oracle_is_a_choice_for_each_image_and_no_bound():
    """A weak run of many classes: noise for maps; what is best for each image is not for the pooled pixels."""
    rng, names = np.random.default_rng(5), ("background", *(f"class {i}" for i in range(1, 21)))
    builder = CountsBuilder(names, np.linspace(0, 1, 21))
    for i in range(40):
        ids, gt = np.sort(rng.choice(np.arange(1, 21), 3, replace=False)), np.zeros((12, 12), np.uint8)
        for class_id in ids:
            y, x = rng.integers(0, 9, 2)
            gt[y:y + 3, x:x + 3] = class_id
        builder.add(str(i), rng.random((3, 12, 12), dtype=np.float32) * np.float32(rng.uniform(0.3, 1)), ids, gt)
    counts = builder.build()
    summary, scores = summarise(counts), score_images(counts)
    assert summary.oracle_miou < summary.peak_miou
    at_peak = scores.miou[:, list(summary.thresholds).index(summary.peak_threshold)]
    assert (scores.best_miou >= at_peak).all()  # for each image it is the best
