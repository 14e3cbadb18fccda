"""What a soak happens to: a folder of jobs, a clock that can jump, a small disk, a server, and somebody who looks."""

import contextlib
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amn_core.bench.serving import REPOSITORY, end_app, find_port, start_app, start_viewers
from amn_core.jobs import Job, list_jobs
from amn_core.jobs.processes import PROC

TOKEN, CLOCK = "AMN_SOAK", "AMN_SOAK_CLOCK"
MEGABYTE = 2**20
SMALL = 128 * MEGABYTE  # a training needs about 95: last checkpoint, the next one beside it, and the model
STEPS = 40
TRAINING = (
    "train", "cam", "--data", "scenes:size=64,n=8,seed=3", "--backbone", "efficientnet_lite0", "--epochs",
    str(STEPS // 2), "--batch", "4", "--crop", "32", "--long-side-min", "32", "--long-side-max", "48", "--device",
    "cpu")
# Loaded by every Python of the soak at its start; `time.time` alone jumps, as a clock that somebody sets does.
JUMPING = f"""
import os, time
_real = time.time
def _jump():
    try:
        with open(os.environ["{CLOCK}"]) as file:
            return _real() + float(file.read() or 0)
    except (KeyError, OSError, ValueError):
        return _real()
time.time = _jump
"""


@dataclass
class World:
    """Where all of it happens.

    Attributes:
        token: in the environment of every process of the soak, so that none is overlooked. room: what limits the
            small disk, in words. faults: what must not have been. started: trainings to be done in the end.
    """

    folder: Path
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    room: str = ""
    faults: list[str] = field(default_factory=list)
    port: int = field(default_factory=find_port)
    server: subprocess.Popen | None = None
    viewers: list[subprocess.Popen] = field(default_factory=list)

    @property
    def jobs(self) -> Path:
        """The folder of the jobs."""
        return self.folder / "jobs"

    @property
    def disk(self) -> Path:
        """The small disk."""
        return self.folder / "small"

    @property
    def clock(self) -> Path:
        """The file that says by how many seconds the clock is wrong."""
        return self.folder / "clock" / "offset"

    def list_active(self) -> list[Job]:
        """List the jobs that wait or run."""
        return [job for job in list_jobs(self.jobs) if job.is_active]

    def start_server(self) -> None:
        """Start the server, on the same port each time."""
        self.server = start_app(self.port)

    def start_viewers(self, number: int, seconds: float, seed: int) -> None:
        """Let somebody open one screen after the other."""
        self.viewers.append(start_viewers(
            f"127.0.0.1:{self.port}", number, seconds, "--tour", "--pause", "2", "--seed", str(seed)))


@contextlib.contextmanager
def building(folder: Path) -> Iterator[World]:
    """Build a world in a folder, and leave no process and no mount of it behind, however it ends."""
    world = World(folder)
    for path in (world.jobs, world.disk, world.clock.parent):
        path.mkdir()
    (world.clock.parent / "sitecustomize.py").write_text(JUMPING)
    world.clock.write_text("0")
    before = dict(os.environ)
    os.environ |= {TOKEN: world.token, CLOCK: str(world.clock), "AMN_JOBS": str(world.jobs), "OMP_NUM_THREADS": "1",
                   "AMN_RUNS": str(world.jobs), "PYTHONPATH": str(world.clock.parent)}
    is_mounted = mount(world)
    try:
        yield world
    finally:
        if world.server is not None:
            end_app(world.server)
        for pid in list_processes(world.token):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.environ.clear()
        os.environ.update(before)
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(world.disk)], check=False)


def mount(world: World) -> bool:
    """Mount a small disk where that is allowed; elsewhere the size of a file will be limited in its place."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(world.disk)]
    is_mounted = bool(shutil.which("mount")) and not subprocess.run(
        command, stderr=subprocess.DEVNULL, check=False).returncode
    world.room = f"a tmpfs of {SMALL >> 20} MB" if is_mounted else (
        "a limit on the size of each file, as no tmpfs may be mounted here")
    return is_mounted


def fill(world: World, room: int) -> Callable[[], None] | None:
    """Leave so much room on the small disk, in bytes; returns what a process has to call where there is no disk."""
    if not world.room.startswith("a tmpfs"):
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    free = shutil.disk_usage(world.disk).free
    with (world.disk / "filler").open("wb") as file:
        file.truncate(0)
        os.posix_fallocate(file.fileno(), 0, max(1, free - room))
    return None


def empty(world: World) -> None:
    """Make room again."""
    (world.disk / "filler").unlink(missing_ok=True)


def run_training(out: Path, *more: str, limit: Callable[[], None] | None = None) -> subprocess.CompletedProcess:
    """Run a training by itself, without a job."""
    return subprocess.run([sys.executable, "-m", "amn_core", *TRAINING, "--out", str(out), *more], cwd=REPOSITORY,
                          capture_output=True, text=True, preexec_fn=limit, timeout=600, check=False)


def list_processes(token: str) -> list[int]:
    """List the processes of a soak: those with its token in their environment, this one left out."""
    mark, found = f"{TOKEN}={token}".encode(), []
    for path in PROC.glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid() and not is_zombie(pid)]


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and only waits to be noticed."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):
        return True


def read_words(pid: int) -> str:
    """Read the command line of a process."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def wait_until(is_so: Callable[[], Any], seconds: float) -> bool:
    """Wait until something is so; tells whether it came to that."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
