"""Descriptions that cannot be read take no page down: Data and runs names them, and takes them off the list."""

import shutil
from pathlib import Path

import pytest

from app import roots
from tests.odd_files import list_odd_jobs, list_odd_runs


@pytest.fixture
def odd_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Every odd run and job where the app looks; returns how many."""
    files = {"runs": list_odd_runs(), "jobs": list_odd_jobs()}
    for folder, odd in files.items():
        for number, content in enumerate(odd.values()):
            path = tmp_path / folder / f"odd-{number:03d}" / f"{folder[:-1]}.json"
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))
    return sum(map(len, files.values()))


def test_every_odd_file_at_once_is_named_and_breaks_nothing(odd_folders: int, open_app, tmp_path: Path) -> None:
    at = open_app("data_and_runs")
    assert not at.exception and f"{odd_folders} descriptions" in " ".join(one.value for one in at.warning)
    button = next(one for one in at.button if one.label == "Remove from the list")
    hidden = Path(button.key.removeprefix("hide:"))
    at = button.click().run()
    assert not at.exception and f"{odd_folders - 1} descriptions" in " ".join(one.value for one in at.warning)
    assert hidden.is_file() and f"hide:{hidden}" not in {one.key for one in at.button}


@pytest.mark.parametrize("screen", ["explore", "train"])
def test_other_pages_open_beside_odd_files(screen: str, odd_folders: int, open_app) -> None:
    assert not open_app(screen).exception


@pytest.mark.parametrize("how", ["empty", "text", "cut"])
def test_broken_counts_are_named_and_break_no_page(how: str, open_app, runs, tmp_path: Path, monkeypatch) -> None:
    for name in ("whole", "broken"):
        shutil.copytree(runs["cam"].path, tmp_path / "copies" / name)
    path = tmp_path / "copies" / "broken" / "counts.npz"
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"no counts", "cut": content[: len(content) // 2]}[how])
    monkeypatch.setenv("AMN_RUNS", str(tmp_path / "copies"))
    assert not open_app("explore").exception
    assert list(roots.find_runs()) == ["whole"] and list(roots.find_faults()) == [path]
    at = open_app("data_and_runs")
    assert not at.exception and any("counts" in one.value and "cut short" in one.value for one in at.markdown)
