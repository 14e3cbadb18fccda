"""One writer a folder: a second is refused while the first lives, and takes over when it died."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amn_core.cli import COMMANDS, load_name
from amn_core.jobs.writers import name_lock, writing_into

HOLD = """
import os, sys, time
from pathlib import Path
from amn_core.jobs.writers import writing_into
with writing_into(Path(sys.argv[1]), "train"):
    if len(sys.argv) > 2 and os.fork() == 0:
        time.sleep(float(sys.argv[2]))  # a process that loads images outlives its parent for a moment
        os._exit(0)
    print("held", flush=True)
    time.sleep(600)
"""


def hold(folder: Path, *words: str) -> subprocess.Popen:
    """Hold a folder from another process; returns once it is held."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder), *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen, number: int) -> None:
    """End a process by a signal."""
    process.send_signal(number)
    process.communicate()


def test_second_writer_is_told_who_writes_since_when(tmp_path: Path) -> None:
    process = hold(tmp_path / "out")
    try:
        (tmp_path / "way").symlink_to(tmp_path)
        for folder in (tmp_path / "out", tmp_path / "way" / "out", tmp_path / "x" / ".." / "out"):
            with pytest.raises(ValueError, match=rf"`train` of .* since {time.strftime('%Y')}-.* {process.pid}\)"):
                writing_into(folder, "import").__enter__()
    finally:
        end(process, signal.SIGKILL)


@pytest.mark.parametrize("words", [(), ("1.0",)])
def test_writer_that_died_is_followed_by_another(words: tuple[str, ...], tmp_path: Path) -> None:
    end(hold(tmp_path / "out", *words), signal.SIGKILL)
    assert name_lock(tmp_path / "out").exists()
    with writing_into(tmp_path / "out", "import"):
        assert str(os.getpid()) in name_lock(tmp_path / "out").read_text()
    assert not name_lock(tmp_path / "out").exists()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wrong"), writing_into(tmp_path / "a" / "out", "count"):
        raise ValueError("wrong")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written_is_left_to_the_command(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with writing_into(tmp_path / "out", "count"):
        assert not name_lock(tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["train", "extract", "count", "import", "refine", "segment", "reproduce", "seed"])
def test_commands_that_write_a_folder_hold_it(name: str) -> None:
    command = COMMANDS[name]
    assert command.writes in load_name(command.config).__dataclass_fields__


def test_command_is_refused_while_another_writes(tmp_path: Path) -> None:
    process = hold(tmp_path / "out")
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "amn_core", "seed", "--run", str(tmp_path), "--out", str(tmp_path / "out")],
            capture_output=True, text=True, check=False)
    finally:
        end(process, signal.SIGKILL)
    assert answer.returncode == 1 and answer.stderr.startswith("error: ")
    assert "being written by `train`" in answer.stderr
