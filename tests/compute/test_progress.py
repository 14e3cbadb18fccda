"""Progress: the bar's numbers reach the file of whoever started the work."""

import json
from pathlib import Path

import pytest

from amn_core.compute.progress import VARIABLE, Progress, read_progress, set_stage, track, write_progress


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that progress is asked for in."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


def test_progress_file_follows_the_work_and_names_its_stage(file: Path):
    set_stage("measure cam")
    assert read_progress(file) == {"stage": "measure cam", "what": "measure cam", "share": 0.0}
    with Progress("extract", 8, initial=2) as bar:
        assert read_progress(file)["share"] == 0.25
        bar.update(4)
    assert read_progress(file) == {"stage": "measure cam", "what": "extract", "share": 0.75}


def test_tracked_items_come_in_order_and_are_all_counted(file: Path):
    assert list(track("abc", "letters", 3)) == ["a", "b", "c"]
    assert json.loads(file.read_text())["done"] == 3
    assert read_progress(file)["share"] == 0.999, "the stage's own last file says that it is done"


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"stage": 1}', '{"stage": "", "what": "", "done": "x"}'])
def test_an_odd_file_of_progress_says_nothing(tmp_path: Path, text: str):
    (tmp_path / "progress.json").write_text(text)
    assert read_progress(tmp_path / "progress.json") == {}


def test_progress_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone" / "progress.json"))
    write_progress("extract", 1, 2)
    assert not (tmp_path / "gone").exists()
