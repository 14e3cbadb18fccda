"""Wrong input: one clear error each, which names what is wrong."""

import dataclasses

import numpy as np
import pytest

from amn_core.sweep import CountsBuilder, bootstrap_runs, count_image, merge_counts, summarise
from amn_core.sweep.backgrounds import build_exponent_thresholds, find_exponent_threshold
from amn_core.sweep.confusion import count_mask, score_miou
from amn_core.sweep.images import score_chosen
from amn_core.sweep.uncertainty import compare_bootstraps
from tests.sweep.reference import NAMES, make_counts

CAM, GT = np.zeros((1, 4, 5), dtype=np.float32), np.zeros((4, 5), dtype=np.uint8)
NAN, INFINITE = CAM.copy(), CAM.copy()
NAN[0, 2, 2], INFINITE[0, 1, 1] = np.nan, np.inf
STRANGE = GT.copy()
STRANGE[0, 0] = 77


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((CAM, [1], GT.T), "map is 4×5 but mask is 5×4"),
        ((CAM[0], [1], GT), r"map must be \(K, H, W\)"),
        ((CAM, [1, 2], GT), "1 planes but there are 2 class ids"),
        ((CAM, [0], GT), "1-based"),
        ((CAM, [21], GT), "outside 1..20"),
        ((np.repeat(CAM, 2, 0), [3, 3], GT), "name a class twice"),
        ((CAM, [1.5], GT), "class_ids must be a list of integers"),
        ((NAN, [1], GT), "NaN or infinity"),
        ((INFINITE, [1], GT), "NaN or infinity"),
        ((NAN.astype(np.float16), [1], GT), "NaN or infinity"),
        ((CAM.astype(np.int32), [1], GT), "map must be float16"),
        ((CAM, [1], STRANGE), r"mask holds the labels \[77\]"),
        ((CAM, [1], GT.astype(np.int64) - 1), r"mask holds the labels \[-1\]"),
        ((CAM, [1], GT.astype(np.float32)), "mask must hold integers"),
        ((CAM, [1], GT, [0.2, 0.1]), "0.2 is followed by 0.1"),
        ((CAM, [1], GT, [0.2, 0.2]), "not strictly increasing"),
        ((CAM, [1], GT, []), "at least one number"),
        ((CAM, [1], GT, [0.1, np.nan]), "thresholds contain NaN"),
        ((CAM, [1], GT, [0.1], 300), "n_classes is 300"),
        ((CAM, [1], GT, [0.1], 21, GT), "give both as the same float"),
        ((CAM, [1], GT, [0.1], 21, CAM[0].T), "background channel is"),
        ((CAM, [1], GT, [0.1], 21, NAN[0]), "background channel holds NaN"),
    ],
)


def test_count_refuses_wrong_input_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        count_image(*arguments)


def test_counts_refuse_negative_numbers():
    counts = make_counts(1)
    with pytest.raises(ValueError, match="negative counts"):
        dataclasses.replace(counts, decision_bins=counts.decision_bins.astype(np.int64) - 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decision_gt": np.full(1, 3, dtype=np.uint8)}, "decision_gt has"),
        ({"image_ids": ("a", "a")}, "name an image twice"),
        ({"image_ids": ("a",)}, "points outside the 1 images"),
        ({"class_names": NAMES[:2]}, "but there are 2 class names"),
        ({"thresholds": np.array([0.5])}, "not integers"),
        ({"thresholds": np.array([0.5, 0.4])}, "not strictly increasing"),
    ],
)


def test_counts_refuse_arrays_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(make_counts(1), **change)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (["nobody"], "not in the counts, such as 'nobody'"), ([99], "index 99"), ([0, 0], "twice"),
        (np.ones(3, dtype=bool), "mask of"), ([-1], "images holds index -1"),
    ],
)


def test_selection_refuses_unknown_images(images, message):
    with pytest.raises(ValueError, match=message):
        make_counts(1).select(images)


def test_merge_refuses_other_thresholds_and_nothing():
    with pytest.raises(ValueError, match="different thresholds"):
        merge_counts([make_counts(1), make_counts(1, thresholds=np.array([0.1, 0.2]))])
    with pytest.raises(ValueError, match="parts is empty"):
        merge_counts([])


def test_builder_refuses_counts_with_other_thresholds():
    with pytest.raises(ValueError, match="other thresholds"):
        CountsBuilder(NAMES).add_counts("image", count_image(CAM, [1], GT, [0.5]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "mine"}, "protocol is 'mine'"), ({"classes": ["unicorn"]}, "unicorn"),
        ({"classes": [99]}, "99"), ({"classes": []}, "classes"), ({"threshold": 1.5}, "threshold is 1.5"),
    ],
)


def test_summary_refuses_what_it_does_not_know(options, message):
    with pytest.raises(ValueError, match=message):
        summarise(make_counts(1), **options)


def test_scores_refuse_unknown_rules():
    with pytest.raises(ValueError, match="averaging is 'mean'"):
        score_miou(np.eye(3), "mean")
    with pytest.raises(ValueError, match="unsure is"):
        count_mask(GT, GT, unsure="maybe")
    with pytest.raises(ValueError, match="resize one of them"):
        count_mask(GT, GT.T)
    with pytest.raises(ValueError, match="index is of shape"):
        score_chosen(make_counts(1), np.zeros(2, dtype=int))


def test_bootstrap_refuses_what_cannot_be_paired():
    counts = make_counts(1)
    with pytest.raises(ValueError, match="differ in 1 images, such as 'image 0'"):
        bootstrap_runs([counts, counts.select([1, 2, 3, 4, 5])])
    with pytest.raises(ValueError, match="no image to draw from"):
        bootstrap_runs([])
    with pytest.raises(ValueError, match="level is 1"):
        bootstrap_runs([counts], level=1)
    first, second = (bootstrap_runs([counts], resamples=5, seed=seed)[0] for seed in (0, 1))
    with pytest.raises(ValueError, match="resampled apart"):
        compare_bootstraps(first, second)
    with pytest.raises(ValueError, match="measure is 'beauty'"):
        first.interval("beauty")


def test_exponents_must_be_above_zero_and_fall():
    with pytest.raises(ValueError, match="exponent is 0"):
        find_exponent_threshold(0)
    with pytest.raises(ValueError, match="from the largest down"):
        build_exponent_thresholds([1, 2])
