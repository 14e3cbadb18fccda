"""What the parts of a work share is opened once in each process."""

import os
import time
from functools import partial
from pathlib import Path

import pytest

from amn_core.compute.parallel import Once, run_chunks


def open_folder(folder):
    """Open something, and leave a mark that it was opened."""
    Path(folder, f"{os.getpid()}-{time.monotonic_ns()}").touch()
    return folder


def list_parts(folder, ids):
    """Say who worked on what, with what was opened."""
    return os.getpid(), str(folder), list(ids)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_all_parts_need_is_opened_once_in_each_process(workers, tmp_path):
    ids = [str(i) for i in range(12)]
    opening = Once(partial(open_folder, str(tmp_path)))
    parts = list(run_chunks(list_parts, ids, "work", workers, chunk=2, opening=opening))
    assert [part[2] for part in parts] == [ids[i:i + 2] for i in range(0, 12, 2)]
    assert {part[1] for part in parts} == {str(tmp_path)}
    marks = [path.name.partition("-")[0] for path in tmp_path.iterdir()]
    assert sorted(marks) == sorted({str(part[0]) for part in parts})


def test_error_of_the_opening_is_that_of_the_work(tmp_path):
    gone = Once(partial(open_folder, str(tmp_path / "gone")))
    with pytest.raises(FileNotFoundError):
        list(run_chunks(list_parts, ["a", "b", "c"], "work", 2, chunk=1, opening=gone))
