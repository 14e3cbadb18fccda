"""Backgrounds that are not a constant, against the argmax with that background in front."""

import numpy as np
import pytest

from amn_core.sweep import CountsBuilder, score_confusion
from amn_core.sweep.backgrounds import OFFSETS, build_exponent_thresholds, find_exponent_threshold
from tests.sweep.reference import NAMES, count_confusion, make_image

DTYPES = (np.float16, np.float32, np.float64)
EXPONENTS = (10, 8, 4, 2.5, 2, 1, 0.5)


def predict(cam, class_ids, background) -> np.ndarray:
    return np.array([0, *class_ids])[np.argmax(np.concatenate([background, cam]), axis=0)]


@pytest.mark.parametrize(("exponent", "threshold"), [(1, 0.5), (2, 0.382), (4, 0.2755), (10, 0.165)])
def test_exponent_backgrounds_are_the_known_thresholds(exponent, threshold):
    assert find_exponent_threshold(exponent) == pytest.approx(threshold, abs=5e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(3))
def test_exponent_background_equals_its_argmax_to_the_bit(dtype, seed):
    thresholds = build_exponent_thresholds(EXPONENTS, dtype)
    cam, class_ids, gt = make_image(seed, 3, dtype, thresholds, size=(20, 30))
    cam = np.clip(cam, 0, 1)
    builder = CountsBuilder(NAMES, thresholds)
    builder.add("image", cam, class_ids, gt)
    for found, exponent in zip(score_confusion(builder.build()), EXPONENTS):
        background = np.power(1 - cam.max(axis=0, keepdims=True), dtype(exponent))
        np.testing.assert_array_equal(found, count_confusion(predict(cam, class_ids, background), gt))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_planes", [1, 3])
def test_learnt_background_at_offset_zero_equals_its_argmax_to_the_bit(dtype, n_planes):
    cam, class_ids, gt = make_image(7, n_planes, dtype, size=(20, 30))
    background = np.where(np.random.default_rng(1).random(gt.shape) < 0.5, cam[0], cam[-1] * dtype(0.7))
    builder = CountsBuilder(NAMES, OFFSETS)
    builder.add("image", cam, class_ids, gt, background)
    found = score_confusion(builder.build())[np.flatnonzero(OFFSETS == 0)[0]]
    np.testing.assert_array_equal(found, count_confusion(predict(cam, class_ids, background[None]), gt))


def test_offsets_are_added_to_a_learnt_background():
    cam, background = np.array([[[0.75, 0.5]]]), np.array([[0.25, 0.5]])
    builder = CountsBuilder(NAMES, [-0.125, 0.0, 0.375, 0.5])
    builder.add("image", cam, [1], np.ones((1, 2), dtype=np.uint8), background)
    assert score_confusion(builder.build())[:, 1, 1].tolist() == [2, 1, 1, 0]


def test_learnt_background_without_a_class_is_all_background():
    builder = CountsBuilder(NAMES, OFFSETS)
    gt = np.zeros((2, 3), dtype=np.uint8)
    builder.add("image", np.zeros((0, 2, 3), dtype=np.float32), [], gt, np.zeros((2, 3), dtype=np.float32))
    assert (score_confusion(builder.build())[:, 0, 0] == 6).all()
