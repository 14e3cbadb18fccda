"""Counts on disk: the same when read again, and refused when damaged."""

import dataclasses
import hashlib
import json
import re
import zlib

import numpy as np
import pytest

import amn_core.formats.counts as counts_file
from amn_core.formats.archives import pack_arrays, read_arrays
from amn_core.formats.counts import CountsFileError, encode_counts, load_counts, save_counts
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
        (b"", "is not a file of counts"), (b"PK\x03\x04 something else\n", "cut short or changed"),
        (b"amn-counts 9\nx\n", "has version 9, this program reads 2"), (b"amn-counts 1\n", "cut short or changed"),
        (pack_arrays({"maps": np.zeros(3)}), "cut short or changed"),
        (pack_arrays({"format": np.array("maps 1")}, is_sealed=True), "is not a file of counts"),
        (pack_arrays({"format": np.array("amn-counts 3")}, is_sealed=True), "has version 3"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "counts"
    path.write_bytes(content)
    with pytest.raises(CountsFileError, match=f"{re.escape(str(path))} .*{message}"):
        load_counts(path)


def test_numpy_opens_the_file_and_every_array_has_its_name(tmp_path):
    counts = make_counts(4)
    save_counts(tmp_path / "counts.npz", counts)
    with np.load(tmp_path / "counts.npz") as found:
        for name in ("thresholds", "class_names", "image_ids", "decision_image", "decision_gt", "decision_class",
                     "separation_image", "separation_class", "separation_moments"):
            np.testing.assert_array_equal(found[name], getattr(counts, name))
        bins = found["decision_bins"].astype(np.int64)
        bins[bins == 255] = found["decision_bins_large"]
        np.testing.assert_array_equal(bins, counts.decision_bins)


def test_same_counts_give_the_same_bytes():
    assert encode_counts(make_counts(5)) == encode_counts(make_counts(5))


def pack_old(arrays: dict, head: dict | None = None) -> bytes:
    """Pack a file of version 1, as this program once wrote it."""
    head = head or {"arrays": {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items() if a.dtype.kind != "U"}}
    head |= {name: a.tolist() for name, a in arrays.items() if a.dtype.kind == "U"}
    data = b"".join(a.tobytes() for a in arrays.values() if a.dtype.kind != "U")
    body = json.dumps(head).encode() + b"\n" + zlib.compress(data, 1)
    return b"amn-counts 1\n%s\n" % hashlib.sha256(body).hexdigest().encode() + body


def unpack(counts) -> dict:
    """Take the arrays of a file apart, without its seal."""
    arrays = read_arrays(encode_counts(counts), 10**8)
    return {name: array for name, array in arrays.items() if name not in ("sha256", "format")}


def test_files_of_the_first_version_are_read(tmp_path):
    counts = make_counts(6)
    (tmp_path / "counts").write_bytes(pack_old(unpack(counts)))
    found = load_counts(tmp_path / "counts")
    assert_same(found, counts)
    assert found.decision_bins.dtype == counts.decision_bins.dtype


FORGERIES = {
    "rows of no image": {"decision_image": np.full(40, 99, dtype="<i4")}, "no axis": {"thresholds": np.array(0.5)},
    "texts": {"separation_class": np.array(["a"])}, "names twice": {"image_ids": np.array(["a"] * 6)},
    "wide": {"decision_bins": np.zeros((3, 999), dtype=np.uint8)}, "not finite": {"thresholds": np.full(201, np.nan)},
    "long list": {"decision_bins_large": np.full(9, 300, dtype="<u4")}, "missing": {"separation_image": None},
    "no class": {"class_names": np.array(["a"])}, "numbers for names": {"image_ids": np.arange(6)},
    "odd moments": {"separation_moments": np.zeros((2, 5, 5))}, "axes": {"decision_gt": np.zeros((2, 2), dtype="u1")},
}


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.parametrize("version", [1, 2])
def test_forged_files_with_a_right_sum_are_one_error_that_names_them(tmp_path, name, version):
    arrays = {key: value for key, value in (unpack(make_counts(7)) | FORGERIES[name]).items() if value is not None}
    sealed = {"format": np.array("amn-counts 2")} | arrays
    path = tmp_path / "counts"
    path.write_bytes(pack_old(arrays) if version == 1 else pack_arrays(sealed, is_sealed=True))
    with pytest.raises(CountsFileError) as caught:
        load_counts(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("head", [
    {"arrays": []}, {"arrays": {}}, {"arrays": {"thresholds": ["<f8", [10**30]]}}, {"arrays": {"thresholds": "<f8"}},
    {"arrays": {"thresholds": ["O", [1]]}}, {"arrays": {"thresholds": ["<f8", [-1]]}}, {"arrays": 3}, {"other": 1},
    {"arrays": {"thresholds": ["<f8", ["x"]]}}, {"arrays": {"thresholds": ["nonsense", [1]]}},
])  # fmt: skip
def test_forged_heads_of_the_first_version_are_one_error(tmp_path, head):
    (tmp_path / "counts").write_bytes(pack_old({}, head))
    with pytest.raises(CountsFileError, match="counts"):
        load_counts(tmp_path / "counts")


@pytest.mark.parametrize("version", [1, 2])
def test_a_small_file_cannot_ask_for_much_memory(tmp_path, monkeypatch, version):
    monkeypatch.setattr(counts_file, "MIN_BYTES", 1 << 16)
    arrays = unpack(make_counts(8)) | {"decision_bins": np.zeros((50_000, 202), dtype=np.uint8)}
    arrays["decision_image"] = np.zeros(50_000, dtype="<i4")
    sealed = {"format": np.array("amn-counts 2")} | arrays
    (tmp_path / "counts").write_bytes(pack_old(arrays) if version == 1 else pack_arrays(sealed, is_sealed=True))
    with pytest.raises(CountsFileError, match="bytes, more than"):
        load_counts(tmp_path / "counts")


def test_counts_of_a_data_set_take_few_bytes(tmp_path):
    builder, rng = CountsBuilder(NAMES), np.random.default_rng(0)
    y, x = np.mgrid[0:1:94j, 0:1:125j]
    for i in range(40):
        distance = np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.3, 0.7))
        builder.add(str(i), np.exp(-9 * distance**2)[None], [1], (distance < 0.3).astype(np.uint8))
    save_counts(tmp_path / "counts", builder.build())
    assert (tmp_path / "counts").stat().st_size / 40 < 3000
