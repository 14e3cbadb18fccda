"""The queue: jobs that compute on the same device take turns, in the order in which they were started.

A device is held by a lock on a file, which the system lets go when the last process that has it ends,
however it ends; nothing has to be cleaned up.
"""

import fcntl
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from amn_core.jobs.folder import Job, list_jobs

LOCKS = ".devices"


def count_gpus() -> int:
    """Count the NVIDIA GPUs that may be used, without importing torch."""
    return len(list_gpu_names())


def list_gpu_names() -> list[str]:
    """List the GPUs that may be used by the names that CUDA_VISIBLE_DEVICES takes."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [part.strip() for part in visible.split(",") if part.strip() not in ("", "-1")]
    return [str(number) for number in range(count_installed_gpus())]


@cache
def count_installed_gpus() -> int:
    """Count the GPUs that the driver lists; asked once, since asking takes time and none is built in meanwhile."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    answer = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in answer.stdout.splitlines())


def choose_devices(device: str) -> tuple[str, ...]:
    """Choose the devices that a job with this option ``device`` may run on: ``cpu``, or every GPU by name."""
    names = tuple(f"cuda-{name}" for name in list_gpu_names()) if device != "cpu" else ()
    return names or ("cpu",)


def list_ahead(job: Job) -> list[Job]:
    """List the jobs that were queued before this one, want the same devices, and have not ended."""
    ours, devices = (job.status.get("queued") or 0.0, job.id), set(choose_devices(job.device))
    return [
        other for other in list_jobs(job.path.parent)
        if other.id != job.id and (other.status.get("queued") or 0.0, other.id) < ours
        and devices & set(choose_devices(other.device)) and other.is_active]


def take_devices(root: Path, names: tuple[str, ...], needed: int) -> dict[str, int] | None:
    """Take so many of the devices if they are free now.

    Returns:
        The open lock of each device that was taken, as a file descriptor; None if too few are free.
    """
    (root / LOCKS).mkdir(parents=True, exist_ok=True)
    taken: dict[str, int] = {}
    for name in names:
        if len(taken) == needed:
            break
        lock = try_lock(root / LOCKS / name)
        if lock is not None:
            taken[name] = lock
    if len(taken) == needed:
        return taken
    for lock in taken.values():
        os.close(lock)
    return None


def try_lock(path: Path) -> int | None:
    """Lock a file if nobody else has: an open descriptor, which holds the lock until all its copies are closed."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
