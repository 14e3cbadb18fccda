"""Scores from a confusion matrix, worked out by hand, and the averaging rules of the field."""

import numpy as np
import pytest

from amn_core.sweep import CountsBuilder, score_confusion, score_iou, score_miou, summarise
from amn_core.sweep.confusion import count_mask, score_foreground_share, score_rates
from amn_core.sweep.protocols import PROTOCOLS, Protocol, find_protocol
from tests.sweep.reference import average_iou, count_confusion, make_counts

# Background, a class that is hit, a class that is only predicted, a class that is nowhere.
CONFUSION = np.array([[6, 1, 2, 0], [1, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def test_iou_is_hit_over_union_and_nan_without_union():
    np.testing.assert_array_equal(score_iou(CONFUSION), [6 / 10, 3 / 5, 0, np.nan])


@pytest.mark.parametrize(
    ("averaging", "expected"), [("union", (0.6 + 0.6 + 0) / 3), ("all", 1.2 / 4), ("present", 0.6)]
)


def test_miou_follows_each_averaging_rule(averaging, expected):
    assert score_miou(CONFUSION, averaging) == pytest.approx(expected, abs=1e-15)


def test_miou_of_some_classes_averages_only_those():
    assert score_miou(CONFUSION, classes=[0, 2]) == pytest.approx(0.3)
    assert np.isnan(score_miou(CONFUSION, classes=[3]))


def test_rates_are_worked_out_by_hand():
    rates = score_rates(CONFUSION)
    np.testing.assert_allclose(rates.precision, [6 / 7, 3 / 4, 0, np.nan])
    np.testing.assert_allclose(rates.recall, [6 / 9, 3 / 4, np.nan, np.nan])
    np.testing.assert_allclose(rates.f1, [12 / 16, 6 / 8, 0, np.nan])
    np.testing.assert_allclose(rates.over_activation, [1 / 10, 1 / 5, 1, np.nan])
    np.testing.assert_allclose(rates.under_activation, [3 / 10, 1 / 5, 0, np.nan])
    np.testing.assert_allclose(rates.false_positive_rate, [1 / 4, 1 / 9, 2 / 13, 0])
    np.testing.assert_allclose(rates.false_negative_rate, [3 / 9, 1 / 4, np.nan, np.nan])
    assert rates.pixel_accuracy == pytest.approx(9 / 13)


def test_iou_and_both_errors_add_up_to_one():
    confusion = score_confusion(make_counts(3))
    rates = score_rates(confusion)
    total = score_iou(confusion) + rates.over_activation + rates.under_activation
    np.testing.assert_allclose(total[~np.isnan(total)], 1)


def test_foreground_share_is_what_is_not_called_background():
    assert score_foreground_share(CONFUSION) == pytest.approx(6 / 13)
    assert (np.diff(score_foreground_share(score_confusion(make_counts(3)))) <= 0).all()


def test_scores_of_every_threshold_equal_those_of_one():
    confusion = score_confusion(make_counts(5))
    np.testing.assert_allclose(score_miou(confusion), [average_iou(c) for c in confusion])


@pytest.mark.parametrize(("unsure", "accuracy"), [("error", 2 / 4), ("ignore", 2 / 3)])
def test_unsure_predictions_count_as_the_protocol_says(unsure, accuracy):
    prediction = np.array([[0, 1, 255, 2, 255]], dtype=np.uint8)
    gt = np.array([[0, 1, 1, 0, 255]], dtype=np.uint8)
    confusion = count_mask(prediction, gt, 3, unsure)
    assert np.diag(confusion).sum() / confusion.sum() == accuracy
    assert confusion.shape == ((3, 4) if unsure == "error" else (3, 3))


def test_mask_without_unsure_pixels_equals_the_plain_confusion():
    rng = np.random.default_rng(0)
    prediction, gt = rng.integers(0, 5, (2, 30, 30)).astype(np.uint8)
    np.testing.assert_array_equal(count_mask(prediction, gt, 5, "ignore"), count_confusion(prediction, gt, 5))


def test_presets_average_as_their_projects_do():
    rules = {name: protocol.averaging for name, protocol in PROTOCOLS.items()}
    assert rules["irn"] == rules["weaktr"] == "union"
    assert rules["seam"] == rules["mctformer"] == "all"
    assert rules["toco"] == rules["clip-es"] == "present"


def predict_absent_class():
    """Count an image with one class in the ground truth, and another that only its map sees."""
    builder = CountsBuilder(("background", "there", "seen", "nowhere"))
    cam = np.array([[[0.8, 0.1, 0.2]], [[0.1, 0.6, 0.1]]], dtype=np.float32)
    builder.add("image", cam, [1, 2], np.array([[1, 0, 0]], dtype=np.uint8))
    return builder.build()


def test_same_counts_score_differently_under_protocols_and_say_which():
    counts = predict_absent_class()
    found = {name: summarise(counts, name) for name in ("irn", "seam", "toco")}
    assert {s.protocol for s in found.values()} == {"irn", "seam", "toco"}
    assert len({round(s.mean_miou, 9) for s in found.values()}) == 3


def test_own_protocol_is_taken_as_it_is_and_checked():
    own = Protocol("mine", "present")
    assert find_protocol(own) is own
    with pytest.raises(ValueError, match="averaging is 'median'"):
        Protocol("mine", "median")
