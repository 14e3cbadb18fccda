"""What is suspicious by itself: each kind is found where it is, and only there."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from amn_core.bench.damages import build_case, write_case
from amn_core.diagnose.diagnosis import diagnose


@pytest.fixture
def written(tmp_path):
    """Right maps as files: folder, spec, and the cut."""
    case = build_case([], 4)
    spec, folder = write_case(case, tmp_path)
    return Path(folder), spec, case.cut


def change(path: Path, edit) -> None:
    """Change one file of maps."""
    table = np.load(path, allow_pickle=True).item()
    np.save(path, edit(table), allow_pickle=True)


def list_findings(written) -> set[str]:
    """Name the findings of a folder."""
    folder, spec, cut = written
    return {finding.what for finding in diagnose((str(folder), spec, "train", "auto"), None, cut).findings}


def test_copied_files_are_found(written):
    files = sorted(written[0].iterdir())
    shutil.copy(files[0], files[1])
    assert "files with the same content" in list_findings(written)


def test_missing_files_are_found(written):
    sorted(written[0].iterdir())[0].unlink()
    assert list_findings(written) == {"images without a file"}


def test_planes_in_another_order_are_found(written):
    for path in written[0].iterdir():
        change(path, lambda table: table | {"high_res": table["high_res"][::-1]})
    assert "planes in another order than their classes" in list_findings(written)


def test_turned_maps_are_found(written):
    path = sorted(written[0].iterdir())[0]
    change(path, lambda table: table | {"high_res": np.ascontiguousarray(table["high_res"].transpose(0, 2, 1))})
    assert "maps of another shape than their images" in list_findings(written)


def test_a_small_map_among_full_ones_is_found(written):
    path = sorted(written[0].iterdir())[0]
    change(path, lambda table: table | {"high_res": table["high_res"][:, ::2, ::2]})
    assert "a few maps of another size" in list_findings(written)


def test_maps_that_were_cut_before_are_found(written):
    for path in written[0].iterdir():
        change(path, lambda table: table | {
            "high_res": np.where(table["high_res"] > written[2], table["high_res"], 0)})
    assert "most images are best at threshold 0" in list_findings(written)


def test_low_maps_are_found(written):
    for path in written[0].iterdir():
        change(path, lambda table: table | {"high_res": table["high_res"] * np.float32(0.6)})
    assert list_findings(written) == {"maps that do not reach 1"}


def test_maps_scaled_where_nothing_is_to_be_seen_are_found(written):
    for path in written[0].iterdir():
        table = np.load(path, allow_pickle=True).item()
        planes = np.random.default_rng(0).random((20, *table["high_res"].shape[1:])).astype(np.float32)
        planes /= planes.max(axis=(1, 2), keepdims=True)
        planes[table["keys"]] = table["high_res"]
        np.save(path, planes)
    assert "maps scaled one by one where nothing is to be seen" in list_findings(written)
