"""The inner loop where it branches: small chunks, wide codes, many classes, values beyond the grid."""

import numpy as np
import pytest

from amn_core.sweep import cells, count_image
from amn_core.sweep.binning import build_grid
from tests.sweep.reference import GRIDS, N_CLASSES, make_image


def count_plainly(cam, class_ids, gt, thresholds, n_classes) -> tuple[dict, np.ndarray]:
    """Count pixel by pixel: decision rows by (gt, class), and each class's own map by region."""
    thresholds = np.asarray(thresholds).astype(cam.dtype)
    decision, separation = {}, np.zeros((len(class_ids), 3, len(thresholds) + 1), dtype=np.int64)
    for y, x in zip(*np.nonzero(gt != 255), strict=True):
        bins = [(cam[k, y, x] > thresholds).sum() for k in range(len(class_ids))]
        best = int(np.argmax(cam[:, y, x]))
        row = decision.setdefault((int(gt[y, x]), int(class_ids[best])), np.zeros(len(thresholds) + 1, dtype=np.int64))
        row[bins[best]] += 1
        for k, class_id in enumerate(class_ids):
            separation[k, 0 if gt[y, x] == class_id else 1 if gt[y, x] == 0 else 2, bins[k]] += 1
    return decision, separation


def assert_plain(cam, class_ids, gt, thresholds, n_classes=N_CLASSES) -> None:
    counts = count_image(cam, class_ids, gt, thresholds, n_classes)
    decision, separation = count_plainly(cam, class_ids, gt, thresholds, n_classes)
    keys = list(zip(counts.decision_gt.tolist(), counts.decision_class.tolist(), strict=True))
    assert keys == sorted(decision)
    for key, bins in zip(keys, counts.decision_bins, strict=True):
        np.testing.assert_array_equal(bins, decision[key])
    np.testing.assert_array_equal(counts.separation_bins, separation)


@pytest.mark.parametrize("n_planes", [1, 2, 3])
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_counts_do_not_depend_on_the_chunks(monkeypatch, n_planes, chunk):
    monkeypatch.setattr(cells, "CHUNK", chunk)
    assert_plain(*make_image(n_planes, n_planes), GRIDS["default"])


@pytest.mark.parametrize("n_thresholds", [255, 256, 1001])
def test_more_levels_than_fit_a_byte_are_counted(n_thresholds):
    thresholds = np.arange(n_thresholds) / (n_thresholds - 1)
    assert_plain(*make_image(5, 2, thresholds=thresholds), thresholds)


@pytest.mark.parametrize("n_classes", [126, 127, 128, 200, 255])
@pytest.mark.parametrize("n_thresholds", [2, 201])
def test_as_many_classes_as_a_label_can_name_are_counted(n_classes, n_thresholds):
    rng = np.random.default_rng(n_classes)
    ids = np.array([1, n_classes - 1])
    gt = rng.choice([0, 1, n_classes - 2, n_classes - 1, 255], (8, 9)).astype(np.uint8)
    assert_plain(rng.random((2, 8, 9)).astype(np.float32), ids, gt, np.linspace(0, 1, n_thresholds), n_classes)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_beyond_the_grid_come_to_its_ends(dtype):
    values = np.array([-3e4, -1, -1e-7, -0.0, 0, 6e-8, 0.5, 1, 1.001, 2, 6e4], dtype=dtype).reshape(1, 1, -1)
    cam = np.concatenate([values, values[:, :, ::-1]])
    assert_plain(cam, [2, 5], np.full((1, 11), 5, dtype=np.uint8), GRIDS["default"])
    assert_plain(cam[:1], [2], np.zeros((1, 11), dtype=np.uint8), GRIDS["offsets"])


@pytest.mark.parametrize("grid", ["default", "linspace", "thirds", "offsets"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_even_grids_are_reached_by_arithmetic(grid, dtype):
    assert build_grid(GRIDS[grid], dtype).ratio is not None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("grid", ["default", "thirds", "offsets"])
def test_the_neighbours_of_every_threshold_fall_on_their_own_side(grid, dtype):
    on = GRIDS[grid].astype(dtype)
    near = np.concatenate([on, np.nextafter(on, dtype(9)), np.nextafter(on, dtype(-9))])
    found = count_image(near.reshape(1, 1, -1), [1], np.zeros((1, near.size), dtype=np.uint8), GRIDS[grid], N_CLASSES)
    expected = np.bincount((near[:, None] > on).sum(axis=1), minlength=len(on) + 1)
    np.testing.assert_array_equal(found.separation_bins[0, 1], expected)


def test_counts_are_not_overwritten_by_the_next_image():
    first = count_image(*make_image(1, 2), n_classes=N_CLASSES)
    kept = [array.copy() for array in (first.decision_bins, first.separation_bins)]
    count_image(*make_image(2, 2), n_classes=N_CLASSES)
    np.testing.assert_array_equal(first.decision_bins, kept[0])
    np.testing.assert_array_equal(first.separation_bins, kept[1])


@pytest.mark.parametrize("chunk", [5, 1 << 18])
def test_moments_are_the_sums_over_each_region(monkeypatch, chunk):
    monkeypatch.setattr(cells, "CHUNK", chunk)
    cam, class_ids, gt = make_image(3, 3)
    moments = count_image(cam, class_ids, gt, n_classes=N_CLASSES).separation_moments
    for k, class_id in enumerate(class_ids):
        regions = (gt == class_id, gt == 0, (gt != class_id) & (gt != 0) & (gt != 255))
        for found, region in zip(moments[k], regions, strict=True):
            values = cam[k][region].astype(np.float64)
            np.testing.assert_allclose(found, [values.sum(), (values**2).sum()], rtol=1e-13)
