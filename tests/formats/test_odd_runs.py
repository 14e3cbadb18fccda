"""A run.json of any content: refused with one line that names the file, or a run that the package can use."""

import json
from pathlib import Path

import pytest

from amn_core.formats.runs import find_runs, load_run
from tests.odd_files import RUN, list_odd_runs

ODD = list_odd_runs()


@pytest.mark.parametrize("name", ODD)
def test_odd_run_is_refused_in_one_line_that_names_the_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(ODD[name])
    with pytest.raises(ValueError, match=r"run\.json: .") as caught:
        load_run(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_whole_run_is_opened_beside_odd_ones(tmp_path: Path) -> None:
    for number, file in enumerate([*ODD.values(), json.dumps(RUN).encode()]):
        (tmp_path / f"{number:03d}").mkdir()
        (tmp_path / f"{number:03d}" / "run.json").write_bytes(file)
    assert [run.path.name for run in find_runs(tmp_path)] == [f"{len(ODD):03d}"]


def test_description_that_is_a_folder_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with pytest.raises(ValueError, match="not a run folder"):
        load_run(tmp_path)
