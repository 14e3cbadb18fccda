"""Counts against the argmax, and counts as something that adds up."""

import dataclasses
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amn_core.sweep import Counts, CountsBuilder, count_image, merge_counts, pool_counts, score_confusion
from tests.sweep.reference import (
    GRIDS,
    N_CLASSES,
    NAMES,
    assert_same,
    count_confusion,
    make_counts,
    make_image,
    predict,
)

DTYPES = (np.float16, np.float32, np.float64, np.uint8)


def sweep(cam, class_ids, gt, thresholds, background=None) -> np.ndarray:
    builder = CountsBuilder(NAMES, thresholds)
    builder.add("image", cam, class_ids, gt, background)
    return score_confusion(builder.build())


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6), n_planes=st.integers(0, 4), dtype=st.sampled_from(DTYPES),
    grid=st.sampled_from(sorted(GRIDS)),
)


def test_sweep_equals_the_argmax_at_every_threshold(seed, n_planes, dtype, grid):
    thresholds = GRIDS[grid]
    cam, class_ids, gt = make_image(seed, n_planes, dtype, thresholds)
    found = sweep(cam, class_ids, gt, thresholds)
    for j in range(0, len(thresholds), max(len(thresholds) // 20, 1)):
        np.testing.assert_array_equal(found[j], count_confusion(predict(cam, class_ids, thresholds[j]), gt))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    values=st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=30),
    thresholds=st.lists(st.floats(-4, 4), min_size=1, max_size=30, unique=True).map(sorted),
)


def test_bins_count_the_thresholds_strictly_below_on_any_grid(values, thresholds):
    cam = np.array(values + [np.float32(t) for t in thresholds], dtype=np.float32).reshape(1, 1, -1)
    gt = np.zeros(cam.shape[1:], dtype=np.uint8)
    counts = count_image(cam, [1], gt, thresholds, N_CLASSES)
    bins = (cam.ravel()[:, None] > np.array(thresholds, dtype=np.float32)).sum(axis=1)
    expected = np.bincount(bins, minlength=len(thresholds) + 1)
    np.testing.assert_array_equal(counts.decision_bins[0], expected)
    np.testing.assert_array_equal(counts.separation_bins[0, 1], expected)


@pytest.mark.parametrize("dtype", DTYPES[:3])
def test_every_threshold_of_a_map_drawn_on_the_thresholds_is_exact(dtype):
    thresholds = GRIDS["default"]
    on = thresholds.astype(dtype)
    cam = np.stack([on, np.nextafter(on, dtype(2)), np.nextafter(on, dtype(-2))])[None]
    gt = np.zeros(cam.shape[1:], dtype=np.uint8)
    found = sweep(cam, [3], gt, thresholds)
    for j, threshold in enumerate(thresholds):
        assert found[j, 0, 3] == (cam > dtype(threshold)).sum()


def test_threshold_is_cast_to_half_precision_first():
    cam = np.full((1, 1, 1), 0.3, dtype=np.float16)
    assert float(cam[0, 0, 0]) > 0.3
    assert sweep(cam, [2], np.full((1, 1), 2, dtype=np.uint8), [0.3])[0, 2, 0] == 1


def test_background_wins_ties_and_among_classes_the_first():
    cam = np.array([[[0.5, 0.6]], [[0.5, 0.6]]], dtype=np.float32)
    found = sweep(cam, [4, 2], np.zeros((1, 2), dtype=np.uint8), [0.5])
    assert found[0, 0].tolist() == [1, 0, 0, 0, 1, 0, 0, 0]


def test_images_larger_than_a_chunk_are_counted_whole():
    cam, class_ids, gt = make_image(5, 3, size=(301, 457))
    found = sweep(cam, class_ids, gt, GRIDS["default"])
    for j in (0, 37, 160, 200):
        predicted = predict(cam, class_ids, GRIDS["default"][j])[gt != 255]
        expected = np.bincount(gt[gt != 255].astype(int) * N_CLASSES + predicted, minlength=N_CLASSES**2)
        np.testing.assert_array_equal(found[j].ravel(), expected)


@pytest.mark.parametrize("thresholds", [[0, 1e-45], [-1e39, 0.5, 1e39], [1e-40, 2e-40, 3e-40], [0.5, 70000.0]])
@pytest.mark.parametrize("dtype", DTYPES)
def test_grids_beyond_the_number_type_are_exact(thresholds, dtype):
    cam = np.array([[[0, 1, 0.5]]]).astype(dtype) * dtype(255 if dtype == np.uint8 else 1)
    values = cam.ravel() / np.float32(255) if dtype == np.uint8 else cam.ravel()
    with np.errstate(over="ignore"):
        cast = np.array(thresholds).astype(values.dtype)
    found = sweep(cam, [1], np.ones((1, 3), dtype=np.uint8), thresholds)
    assert found[:, 1, 1].tolist() == [(values > t).sum() for t in cast]


def test_values_far_outside_the_grid_are_counted():
    cam = np.array([[[-3e38, 3e38, -1, 2]]], dtype=np.float32)
    assert sweep(cam, [1], np.ones((1, 4), dtype=np.uint8), GRIDS["default"])[200, 1].tolist()[:2] == [2, 2]


def test_image_without_classes_is_background_even_below_zero():
    gt = np.array([[0, 3, 255]], dtype=np.uint8)
    found = sweep(np.zeros((0, 1, 3), dtype=np.float32), [], gt, [-1.0, 0.0])
    assert found[:, 0, 0].tolist() == [1, 1] and found[:, 3, 0].tolist() == [1, 1] and found.sum() == 4


def test_ignored_pixels_are_nowhere():
    cam, class_ids, gt = make_image(3, 2)
    found = count_image(cam, class_ids, np.full_like(gt, 255), n_classes=N_CLASSES)
    assert found.decision_bins.sum() == 0 and found.separation_bins.sum() == 0 and found.separation_moments.sum() == 0


def test_arrays_in_any_memory_order_count_alike():
    cam, class_ids, gt = make_image(11, 3)
    strided = np.asfortranarray(np.repeat(cam, 2, axis=2))[:, :, ::2]
    strided.setflags(write=False)
    np.testing.assert_array_equal(
        sweep(strided, class_ids, np.asfortranarray(gt), GRIDS["default"]), sweep(cam, class_ids, gt, GRIDS["default"])
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), n_planes=st.integers(1, 3), dtype=st.sampled_from(DTYPES))
def test_separation_holds_each_map_on_own_background_and_other(seed, n_planes, dtype):
    cam, class_ids, gt = make_image(seed, n_planes, dtype)
    counts = count_image(cam, class_ids, gt, n_classes=N_CLASSES)
    values = cam.astype(np.float32) / np.float32(255) if dtype == np.uint8 else cam
    cast = GRIDS["default"].astype(values.dtype)
    for k, class_id in enumerate(class_ids):
        regions = (gt == class_id, gt == 0, (gt != class_id) & (gt != 0) & (gt != 255))
        for r, region in enumerate(regions):
            own = values[k][region]
            bins = np.bincount((own[:, None] > cast).sum(axis=1), minlength=202)
            np.testing.assert_array_equal(counts.separation_bins[k, r], bins)
            wide, tolerance = own.astype(np.float64), 1e-6 if dtype == np.uint8 else 1e-12
            np.testing.assert_allclose(
                counts.separation_moments[k, r], [wide.sum(), (wide**2).sum()], rtol=tolerance
            )


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 100), order=st.permutations(range(6)))
def test_parts_add_up_to_the_whole_in_any_order(seed, order):
    whole = make_counts(seed)
    parts = [whole.select([i]) for i in order]
    merged = merge_counts([merge_counts(parts[:2]), merge_counts(parts[2:])])
    assert_same(merged.select(whole.image_ids), whole)
    np.testing.assert_array_equal(score_confusion(merged), score_confusion(whole))


def test_parts_counted_by_other_processes_add_up():
    with get_context("spawn").Pool(2) as pool:
        parts = pool.map(make_counts, [1, 2])
    renamed = [
        dataclasses.replace(part, image_ids=tuple(f"{i} {name}" for name in part.image_ids))
        for i, part in enumerate(parts)
    ]
    total = sum(score_confusion(make_counts(seed)) for seed in (1, 2))
    np.testing.assert_array_equal(score_confusion(merge_counts(renamed)), total)


def test_tiles_of_one_image_add_up_to_the_image():
    cam, class_ids, gt = make_image(8, 3, size=(20, 30))
    tiles, whole = CountsBuilder(NAMES), CountsBuilder(NAMES)
    for rows in (slice(0, 7), slice(7, 20)):
        tiles.add("image", cam[:, rows], class_ids, gt[rows])
    whole.add("image", cam, class_ids, gt)
    assert_same(tiles.build(), whole.build())


def test_pooled_counts_keep_the_totals_and_lose_the_images():
    counts = make_counts(4)
    pooled = pool_counts(counts)
    assert pooled.image_ids == ("all",)
    np.testing.assert_array_equal(score_confusion(pooled), score_confusion(counts))


def test_pooled_counts_of_a_huge_data_set_do_not_overflow():
    counts = pool_counts(make_counts(4))
    big = dataclasses.replace(counts, decision_bins=counts.decision_bins.astype(np.int64) * 10**9)
    others = [dataclasses.replace(big, image_ids=(name,)) for name in ("a", "b", "c")]
    pooled = pool_counts(merge_counts(others))
    np.testing.assert_array_equal(score_confusion(pooled), score_confusion(counts) * 3 * 10**9)


def test_selection_by_id_index_and_mask_agree():
    counts = make_counts(2)
    by_index = counts.select([1, 4])
    assert by_index.image_ids == ("image 1", "image 4")
    assert_same(by_index, counts.select(["image 1", "image 4"]))
    assert_same(by_index, counts.select(np.isin(np.arange(6), [1, 4])))
    np.testing.assert_array_equal(score_confusion(by_index), score_confusion(counts, images=["image 4", "image 1"]))


def test_empty_builder_gives_counts_without_images():
    counts = CountsBuilder(NAMES).build()
    assert isinstance(counts, Counts) and counts.image_ids == () and score_confusion(counts).sum() == 0
