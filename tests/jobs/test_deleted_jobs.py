"""The folder of a job is deleted while it runs: what it started ends with it, and nothing comes back."""

import os
import shutil
import time
from pathlib import Path

import pytest

from amn_core.jobs import load_job, runner
from amn_core.jobs.folder import Job, save_job
from amn_core.jobs.processes import identify
from amn_core.jobs.runner import Ending, is_gone, start_command, wait_for_command


@pytest.mark.parametrize("way", ["deleted", "moved"])
def test_job_whose_folder_is_gone_ends(way: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(runner, "build_command", lambda job, gpus: ["sleep", "600"])
    path = tmp_path / "job"
    path.mkdir()
    save_job(Job(path, "waits", ("count",), "cpu", 1, {}, 1e9))
    lock = os.open(path / "lock", os.O_CREAT | os.O_RDWR)
    command = start_command(load_job(path), {}, lock)
    os.close(lock)
    process = identify(command.pid)
    if way == "deleted":
        shutil.rmtree(path)
    else:
        path.rename(tmp_path / "moved")
    began = time.monotonic()
    wait_for_command(command, path, Ending())
    command.wait()
    assert is_gone(path) and not process.is_alive and time.monotonic() - began < 60 and not path.exists()
