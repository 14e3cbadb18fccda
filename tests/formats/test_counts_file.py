"""Counts on disk: the same when read again, and refused when damaged."""

import dataclasses

import numpy as np
import pytest

from amn_core.formats.counts import CountsFileError, load_counts, save_counts
from amn_core.sweep import CountsBuilder, pool_counts
from tests.sweep.reference import GRIDS, NAMES, assert_same, make_counts


@pytest.mark.parametrize("grid", ["default", "coarse"])
def test_counts_are_the_same_when_read_again(tmp_path, grid):
    counts = make_counts(1, thresholds=GRIDS[grid])
    save_counts(tmp_path / "new" / "counts.npz", counts)
    found = load_counts(tmp_path / "new" / "counts.npz")
    assert_same(found, counts)
    np.testing.assert_array_equal(found.separation_moments, counts.separation_moments)
    assert found.decision_bins.dtype == counts.decision_bins.dtype


def test_empty_and_huge_counts_are_kept(tmp_path):
    huge = pool_counts(make_counts(2))
    huge = dataclasses.replace(huge, decision_bins=huge.decision_bins.astype(np.int64) * 10**10)
    for counts in (CountsBuilder(NAMES).build(), huge):
        save_counts(tmp_path / "counts", counts)
        assert_same(load_counts(tmp_path / "counts"), counts)


def test_ids_in_any_alphabet_are_kept(tmp_path):
    counts = dataclasses.replace(make_counts(1, n_images=2), image_ids=("Straße 1", "猫"))
    save_counts(tmp_path / "counts", counts)
    assert load_counts(tmp_path / "counts").image_ids == ("Straße 1", "猫")


@pytest.mark.parametrize("cut", [1, 100, 1000])
def test_file_cut_short_is_refused(tmp_path, cut):
    path = tmp_path / "counts"
    save_counts(path, make_counts(3))
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(CountsFileError, match="cut short or changed"):
        load_counts(path)


def test_file_with_one_changed_bit_is_refused(tmp_path):
    path = tmp_path / "counts"
    save_counts(path, make_counts(3))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CountsFileError, match="cut short or changed"):
        load_counts(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a file of counts"), (b"PK\x03\x04 something else\n", "not a file of counts"),
        (b"amn-counts 9\nx\n", "has version 9, this program reads 1"), (b"amn-counts 1\n", "cut short or changed"),
    ],
)


def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "counts").write_bytes(content)
    with pytest.raises(CountsFileError, match=message):
        load_counts(tmp_path / "counts")


def test_counts_of_a_data_set_take_few_bytes(tmp_path):
    builder, rng = CountsBuilder(NAMES), np.random.default_rng(0)
    y, x = np.mgrid[0:1:94j, 0:1:125j]
    for i in range(40):
        distance = np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.3, 0.7))
        builder.add(str(i), np.exp(-9 * distance**2)[None], [1], (distance < 0.3).astype(np.uint8))
    save_counts(tmp_path / "counts", builder.build())
    assert (tmp_path / "counts").stat().st_size / 40 < 3000
