"""Packed tables: they read like the array that they hold."""

import dataclasses

import numpy as np
import pytest

from amn_core.sweep import bins as packed
from amn_core.sweep import bootstrap_runs, summarise
from amn_core.sweep.bins import join_bins, pack_bins, settle_bins, split_rows, take_rows
from amn_core.sweep.images import find_degenerate
from amn_core.sweep.scores import settle_masks
from tests.sweep.reference import make_counts


def make_bins(shape=(7, 3, 5), seed=0, top=2000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 0.5, rng.integers(0, 300, shape), rng.integers(0, top, shape)).astype(np.uint32)


@pytest.mark.parametrize("index", [
    3, -1, slice(None), slice(1, 6, 2), slice(0, 0), np.array([5, 0, 5]), np.arange(7) % 2 == 0,
    (slice(None), 1), (np.array([2, 1]), slice(0, 2)), (4, 2),
])  # fmt: skip
def test_rows_are_those_of_the_array(index):
    wide = make_bins()
    np.testing.assert_array_equal(pack_bins(wide)[index], wide[index])


def test_shape_dtype_sums_and_array_are_those_of_the_array(monkeypatch):
    monkeypatch.setattr(packed, "ROWS", 2)
    wide = make_bins()
    found = pack_bins(wide)
    assert (found.shape, found.ndim, found.size, len(found)) == (wide.shape, wide.ndim, wide.size, len(wide))
    assert found.dtype == np.uint32 and np.asarray(found).dtype == np.uint32
    np.testing.assert_array_equal(np.asarray(found), wide)
    for axis in (0, 1, 2):
        np.testing.assert_array_equal(found.sum(axis=axis), wide.sum(axis=axis))


def test_counts_of_any_size_are_kept():
    wide = make_bins().astype(np.int64) * 10**10
    assert pack_bins(wide).dtype == np.int64
    np.testing.assert_array_equal(pack_bins(wide)[:], wide)


def test_an_empty_table_is_one_too():
    empty = pack_bins(np.zeros((0, 4), dtype=np.uint32))
    assert empty[:].shape == (0, 4) and empty.sum(axis=0).tolist() == [0] * 4 and empty.sum(axis=1).shape == (0,)


def test_taken_rows_stay_packed_only_where_there_are_many(monkeypatch):
    wide = make_bins()
    rows = np.array([6, 0, 3])
    assert isinstance(take_rows(pack_bins(wide), rows), np.ndarray)
    monkeypatch.setattr(packed, "PACKED", 10)
    assert take_rows(pack_bins(wide), rows).small.shape == (3, 3, 5) and settle_bins(pack_bins(wide)).size == 105
    np.testing.assert_array_equal(take_rows(pack_bins(wide), rows)[:], wide[rows])
    np.testing.assert_array_equal(take_rows(wide, rows), wide[rows])


def test_blocks_are_all_rows_in_order(monkeypatch):
    monkeypatch.setattr(packed, "ROWS", 3)
    wide, rows = make_bins(), np.array([1, 2, 4, 6])
    for values in (wide, pack_bins(wide)):
        found = list(split_rows(values, rows))
        np.testing.assert_array_equal(np.concatenate([index for index, _ in found]), rows)
        np.testing.assert_array_equal(np.concatenate([block for _, block in found]), wide[rows])


@pytest.mark.parametrize("large", [[300], [300, 400, 500], [254, 300]])
def test_a_list_that_does_not_fit_is_refused(large):
    small = np.array([[1, 255], [255, 0]], dtype=np.uint8)
    with pytest.raises(ValueError, match="the list of them has"):
        join_bins(small, np.array(large, dtype=np.uint32))


def test_scores_of_packed_counts_are_those_of_the_wide_ones(monkeypatch):
    counts = make_counts(3, n_images=9)
    tables = {name: pack_bins(getattr(counts, name)) for name in ("decision_bins", "separation_bins")}
    before = summarise(counts).to_dict(), bootstrap_runs([counts], resamples=5)[0]
    monkeypatch.setattr(packed, "PACKED", 0)
    monkeypatch.setattr(packed, "ROWS", 4)
    large = dataclasses.replace(counts, **tables)
    found = summarise(large).to_dict()
    for name, value in before[0].items():
        assert found[name] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-12)), name
    drawn = bootstrap_runs([large], resamples=5)[0]
    for name, values in before[1].samples.items():
        np.testing.assert_allclose(drawn.samples[name], values, rtol=1e-12)
    np.testing.assert_array_equal(large.select([2, 0]).decision_bins[:], counts.select([2, 0]).decision_bins)
    np.testing.assert_array_equal(settle_masks(large).decision_bins, settle_masks(counts).decision_bins)
    assert find_degenerate(large).tolist() == find_degenerate(counts).tolist()
