"""Scores by the size of objects and image by image, held to loops over pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amn_core.sweep import CountsBuilder, score_images
from amn_core.sweep.images import find_image_quantiles, score_image_rates
from amn_core.sweep.sizes import SIZE_CUTS, check_cuts, name_sizes, score_sizes
from tests.sweep.reference import GRIDS, N_CLASSES, NAMES, make_image, predict

MEASURES = ("iou", "precision", "recall", "false_positive_rate")


def score_pixels(is_called: np.ndarray, is_true: np.ndarray) -> tuple[float, ...]:
    """Score one class from boolean pixels: IoU, precision, recall and false positive rate, NaN where undefined."""
    hit, called, true = (is_called & is_true).sum(), is_called.sum(), is_true.sum()
    parts = ((hit, called + true - hit), (hit, called), (hit, true), (called - hit, len(is_true) - true))
    return tuple(part / whole if whole else np.nan for part, whole in parts)


def average(values: list) -> np.ndarray:
    """Average rows measure by measure, NaN left out."""
    columns = [[v for v in column if not np.isnan(v)] for column in zip(*values, strict=True)]
    return np.array([np.mean(column) if column else np.nan for column in columns] or [np.nan] * len(MEASURES))


def score_size_naively(images: list, threshold: float, low: float, high: float) -> tuple[int, int, np.ndarray]:
    """Score the objects of one size at one threshold: pairs, classes, and the mean over classes of each measure."""
    called, true = ({label: [] for label in range(1, N_CLASSES)} for _ in range(2))
    for cam, class_ids, gt in images:
        scored = gt != 255
        for label in range(1, N_CLASSES):
            is_true = (gt == label)[scored]
            if is_true.any() and low <= is_true.mean() < high:
                called[label].append((predict(cam, class_ids, threshold) == label)[scored])
                true[label].append(is_true)
    have = [label for label in called if called[label]]
    values = [score_pixels(np.concatenate(called[label]), np.concatenate(true[label])) for label in have]
    return sum(map(len, called.values())), len(have), average(values)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.sampled_from([0.05, 0.1, 0.2, 0.4]), unique=True).map(sorted))
def test_sizes_equal_a_loop_over_pixels(seed, cuts):
    thresholds = GRIDS["coarse"]
    images = [make_image(seed + i, (i + seed) % 4, thresholds=thresholds) for i in range(4)]
    builder = CountsBuilder(NAMES, thresholds)
    for i, image in enumerate(images):
        builder.add(str(i), *image)
    scores = score_sizes(builder.build(), cuts)
    edges = [0, *cuts, 1.1]
    for b in range(len(cuts) + 1):
        for t, threshold in enumerate(thresholds):
            pairs, classes, expected = score_size_naively(images, threshold, edges[b], edges[b + 1])
            assert (scores.pairs[b], scores.classes[b]) == (pairs, classes)
            found = [getattr(scores, name)[b, t] for name in MEASURES]
            np.testing.assert_allclose(found, expected, equal_nan=True)
    np.testing.assert_allclose(scores.false_negative_rate, 1 - scores.recall, equal_nan=True)


@pytest.mark.parametrize("seed", range(3))
def test_rates_of_each_image_equal_a_loop_over_pixels(seed):
    thresholds = GRIDS["coarse"]
    images = [make_image(seed + i, (i + seed) % 4, thresholds=thresholds) for i in range(4)]
    builder = CountsBuilder(NAMES, thresholds)
    for i, image in enumerate(images):
        builder.add(str(i), *image)
    rates = score_image_rates(builder.build(), ["class 0", "class 2", "class 3", "class 5"])
    for i, (cam, class_ids, gt) in enumerate(images):
        scored, present = gt != 255, [c for c in (2, 3, 5) if (gt == c).any()]
        for t, threshold in enumerate(thresholds):
            called = predict(cam, class_ids, threshold)
            expected = average([score_pixels((called == c)[scored], (gt == c)[scored]) for c in present])
            found = [getattr(rates, name)[i, t] for name in MEASURES[1:]]
            np.testing.assert_allclose(found, expected[1:], equal_nan=True)


def test_blocks_of_images_change_no_score(monkeypatch):
    builder = CountsBuilder(NAMES, GRIDS["coarse"])
    for i in range(6):
        builder.add(str(i), *make_image(i, i % 4))
    counts = builder.build()
    whole = score_sizes(counts), score_image_rates(counts)
    monkeypatch.setattr("amn_core.sweep.images.BLOCK", 2)
    for first, second in zip(whole, (score_sizes(counts), score_image_rates(counts)), strict=True):
        for name in ("precision", "recall", "false_positive_rate"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_cuts_that_do_not_rise_are_refused_by_value():
    for cuts in ((0.2, 0.1), (0.1, 0.1), (0, 0.1), (0.5, 1)):
        with pytest.raises(ValueError, match="shares of the image"):
            check_cuts(cuts)
    assert name_sizes(SIZE_CUTS) == ("under 2 %", "2 to 10 %", "10 to 35 %", "35 % and more")


def test_quantiles_of_image_curves_leave_out_images_without_a_score():
    builder = CountsBuilder(NAMES, GRIDS["coarse"])
    for i in range(5):
        builder.add(str(i), *make_image(i, i % 4))
    builder.add("ignored", np.ones((1, 2, 2), np.float32), [1], np.full((2, 2), 255, np.uint8))
    miou = score_images(builder.build()).miou
    found = find_image_quantiles(miou, [0, 0.5, 1])
    for t in range(miou.shape[1]):
        known = sorted(value for value in miou[:, t].tolist() if value == value)
        assert found[:, t].tolist() == [known[0], known[len(known) // 2], known[-1]]
    assert np.isnan(find_image_quantiles(np.full((2, 3), np.nan))).all()
