"""Our own archives: read as numpy reads them, and refused where a bit of them changed or they ask for too much."""

import io
import re
import zipfile

import numpy as np
import pytest

from amn_core.formats.archives import ArchiveError, read_arrays
from amn_core.formats.maps import load_stored_map, save_map

ARRAYS = {
    "levels": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "names": np.array(["sky", "a~b", "ä"]),
    "sums": np.array([[0.5, -1.0]]), "none": np.zeros((0, 5), dtype=np.int64), "one": np.array(7, dtype=np.int32),
}


def pack(arrays: dict, is_compressed: bool = True) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if is_compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def pack_members(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def write_header(text: str) -> bytes:
    header = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize("is_compressed", [True, False])
def test_arrays_are_those_that_numpy_reads(is_compressed):
    found = read_arrays(pack(ARRAYS, is_compressed), limit=10_000)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_every_flipped_bit_is_refused_or_changes_nothing():
    data = pack({"levels": np.arange(200, dtype=np.uint8).reshape(2, 10, 10), "size": np.array([3, 4])})
    expected = read_arrays(data, limit=10_000)
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            try:
                found = read_arrays(bytes(changed), 10_000, ("levels", "size"))
            except ArchiveError:
                continue
            for name, array in expected.items():
                np.testing.assert_array_equal(found[name], array)


def test_every_cut_is_refused():
    data = pack(ARRAYS)
    for length in range(len(data)):
        with pytest.raises(ArchiveError):
            read_arrays(data[:length], limit=10_000)


def test_size_is_taken_from_the_head_and_unpacking_ends_there():
    data = pack({"levels": np.zeros(1 << 20, dtype=np.uint8)})
    with pytest.raises(ArchiveError, match="more than the 1,000"):
        read_arrays(data, limit=1000)
    size = ((1 << 20) + 128).to_bytes(4, "little")
    with pytest.raises(ArchiveError, match="length and sum"):
        read_arrays(data.replace(size, (500).to_bytes(4, "little")), limit=1000)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (L,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 9), }", "((((((", "",
    ],
)
def test_odd_headers_are_refused(header):
    with pytest.raises(ArchiveError):
        read_arrays(pack_members({"levels.npy": write_header(header) + bytes(4)}), limit=1000)


def test_missing_and_doubled_arrays_are_named():
    with pytest.raises(ArchiveError, match="no array 'class_ids'"):
        read_arrays(pack(ARRAYS), 10_000, ("class_ids",))
    data = pack({"a": np.zeros(1), "b": np.zeros(1)})
    with pytest.raises(ArchiveError, match="two arrays 'a'"):
        read_arrays(data.replace(b"b.npy", b"a.npy"), 10_000)


def test_a_changed_map_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "a.npz"
    save_map(path, np.full((1, 30, 40), 0.5, dtype=np.float32), np.array([3]), (120, 160))
    data = bytearray(path.read_bytes())
    data[data.index(b"NUMPY") if b"NUMPY" in data else 60] ^= 4
    path.write_bytes(data)
    with pytest.raises(ValueError, match=re.escape(f"{path}: broken map")):
        load_stored_map(path)
