"""A stranger's file takes no more memory and time than its maps may by right; each crafted kind, and changed ones."""

import io
import random
import subprocess
import sys

import numpy as np
import pytest

from amn_core.bench.hostile import MOST_MEMORY, READERS, BenchHostileConfig, bench_hostile, fuzz_files, read_quietly
from amn_core.bench.hostile_files import FILES, build_run_map
from amn_core.cli import main
from amn_core.formats.errors import FormatError
from amn_core.formats.foreign import parse_raw_map
from amn_core.formats.maps import load_stored_map

READ_ALL = """
import resource, sys
from pathlib import Path
from amn_core.bench.hostile import MOST_MEMORY, read_quietly
from amn_core.bench.hostile_files import FILES
path = Path(sys.argv[1])
for name, (kind, build) in FILES.items():
    path.write_bytes(build())
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_MEMORY, resource.RLIM_INFINITY))
    message = read_quietly(kind, path)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(f"{name}|{message}")
"""


def test_every_crafted_file_is_refused_under_a_limit_of_the_address_space(tmp_path):
    words = [sys.executable, "-c", READ_ALL, str(tmp_path / "file.png")]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    said = dict(line.split("|", 1) for line in result.stdout.splitlines())
    assert list(said) == list(FILES)
    for name, message in said.items():
        assert not message.startswith("!") and "MemoryError" not in message, (name, message)
        assert message or name == "empty array of huge sides", name  # of no planes: an image without a class


@pytest.mark.parametrize("seed", [random.randrange(1 << 30)])
def test_changed_files_are_read_or_refused_by_name(seed, tmp_path):
    found = fuzz_files(tmp_path / "file.npy", BenchHostileConfig(fuzz=1500, seed=seed))
    assert found["other"] == {} and found["read"] > 0 and found["refused"] > 0, f"seed {seed}: {found}"
    assert found["megabytes"] < MOST_MEMORY / (1 << 20)


def test_bench_prints_each_file_and_agrees(monkeypatch, capsys):
    few = {name: FILES[name] for name in ("shape of nested lists", "EPS named PNG", "map of a run of a huge image")}
    monkeypatch.setattr("amn_core.bench.hostile.FILES", few)
    report = bench_hostile(BenchHostileConfig(fuzz=20))
    assert report["agree"] and report["bound"] == "3 of 3" and report["fuzz"]["seed"] == 0
    assert main(["bench", "hostile", "--fuzz", "20", "--seed", "7"]) == 0
    text = capsys.readouterr().out
    assert "shape of nested lists" in text and "of seed 7" in text and "NOT BOUND" not in text


def test_an_error_of_another_kind_is_told_apart(tmp_path, monkeypatch):
    def fail(path):
        raise TypeError("unexpected")

    monkeypatch.setitem(READERS, "maps", fail)
    assert read_quietly("maps", tmp_path / "a.npy") == "! TypeError: unexpected"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_no_flipped_bit_of_an_archive_gives_other_numbers(save):
    cam, buffer = np.random.default_rng(0).random((1, 3, 4)).astype(np.float32), io.BytesIO()
    save(buffer, cam=cam, fg_cls=np.array([2]))
    content, same = buffer.getvalue(), 0
    for at in range(len(content)):
        for bit in (1, 16, 128):
            changed = bytearray(content)
            changed[at] ^= bit
            try:
                raw = parse_raw_map(bytes(changed))
            except FormatError:
                continue
            np.testing.assert_array_equal(raw.planes, cam)
            assert raw.keys is None or raw.keys.tolist() == [2]
            same += 1
    assert same < 3 * len(content) // 2  # times and versions of the archive mean nothing to the numbers


def test_no_flipped_bit_of_a_stored_map_gives_other_numbers(tmp_path):
    path = tmp_path / "a.npz"
    content = build_run_map(cam=np.arange(6, dtype=np.uint8).reshape(1, 2, 3))
    path.write_bytes(content)
    cam, class_ids, size = load_stored_map(path)
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1:])
        try:
            other = load_stored_map(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
            continue
        np.testing.assert_array_equal(other[0], cam)
        assert other[1].tolist() == class_ids.tolist() and other[2] == size


def test_a_file_larger_than_its_image_allows_is_not_even_read(tmp_path):
    from amn_core.formats.foreign import read_raw_map

    np.save(tmp_path / "a.npy", np.zeros((20, 600, 600), np.float32))
    assert read_raw_map(tmp_path / "a.npy", right=21 * 600 * 600 * 4).planes.shape == (20, 600, 600)
    with pytest.raises(FormatError, match=r"a\.npy: larger than 17 MB"):
        read_raw_map(tmp_path / "a.npy", right=21 * 60 * 60 * 4)
