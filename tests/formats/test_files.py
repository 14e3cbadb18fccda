"""Writing files: whole or not at all, whatever interrupts it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amn_core.formats.files import write_bytes

WRITE_FOR_EVER = """
import sys
from pathlib import Path
from amn_core.compute.failures import ending_on_sigterm
from amn_core.formats.files import write_bytes
print("ready", flush=True)
with ending_on_sigterm():
    for i in range(10**9):
        write_bytes(Path(sys.argv[1]) / f"{i % 50}.bin", bytes(2000))
"""


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.011, 0.029])
def test_sigterm_twice_while_files_are_written_leaves_no_half_of_one(tmp_path: Path, delay: float):
    process = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    assert process.stdout.readline() == "ready\n"
    deadline = time.monotonic() + 60
    while not any(tmp_path.glob("*.bin")) and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    process.stdout.close()
    written = sorted(tmp_path.iterdir())
    assert written and all(path.suffix == ".bin" and path.stat().st_size == 2000 for path in written)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="the disk is full"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
