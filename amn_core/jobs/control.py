"""Start, stop, resume and delete jobs."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from amn_core.jobs.folder import PROJECT, Job, load_job, name_job, save_job

# Commands that go on from their last checkpoint only if told to; the others do so by themselves.
RESUME_WORDS = {"train": "--resume"}


def start_job(
    root: Path, title: str, build_words: Callable[[Path], Sequence[str]], device: str = "auto", gpus: int = 1,
    config: dict[str, Any] | None = None,
) -> Job:
    """Start a command of ``python -m amn_core`` as a job; it runs when its device is free.

    Args:
        root: the folder of all jobs. title: a few words for people.
        build_words: given the job's new folder, the command and its options; relative paths are seen from
            the project's folder.
        device: what the command computes on. gpus: how many of them.
        config: the options as a dict, kept for a later run with changes.

    Raises:
        ValueError: the job could not be started; the message says why.
        OSError: its folder could not be written.
    """
    path = name_job(root, title)
    words = tuple(str(word) for word in build_words(path))
    save_job(Job(path, title, words, device, gpus, config or {}, time.time()))
    return launch(path)


def resume_job(job: Job) -> Job:
    """Run the same command again, in the same folder: it goes on from its last checkpoint.

    Raises:
        ValueError: the job still runs, or is done.
    """
    job = load_job(job.path)
    if not job.can_resume:
        raise ValueError(f"{job.id} is {job.state}: only a job that ended early can be resumed")
    flag = RESUME_WORDS.get(job.words[0])
    if flag and flag not in job.words:
        save_job(replace(job, words=(*job.words, flag)))
    return launch(job.path)


def launch(path: Path) -> Job:
    """Start the process that looks after a job, and wait until it has taken over."""
    answer = subprocess.run(
        [sys.executable, "-m", "amn_core.jobs.runner", str(path)], cwd=PROJECT, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines() or ["no reason was given"])[-1].partition(": ")[2]
        raise ValueError(f"{path.name} did not start: {reason}")
    return load_job(path)


def stop_job(job: Job, at_once: bool = False) -> None:
    """Ask a job to stop: it saves a checkpoint and ends, with everything it started. Returns without waiting.

    Args:
        at_once: kill it; what was done since the last checkpoint is lost.

    Raises:
        ValueError: it does not run.
    """
    job = load_job(job.path)
    if not job.is_active:
        raise ValueError(f"{job.id} is {job.state}: there is nothing to stop")
    (job.path / "cancel").touch()
    processes = job.processes
    command = processes.get("command")
    if command is not None and at_once:
        command.kill_group()
    elif command is not None and not processes["runner"].is_alive:  # nobody else is left to pass it on
        command.send(signal.SIGTERM)


def wait_for_job(job: Job, timeout: float, poll: float = 0.1) -> Job:
    """Wait until a job has ended, or the time in seconds is over; returns it as it stands then."""
    deadline = time.monotonic() + timeout
    while (job := load_job(job.path)).is_active and time.monotonic() < deadline:
        time.sleep(poll)
    return job


def delete_job(job: Job) -> None:
    """Delete a job with its log, its checkpoints and its results; out of sight first, then from the disk.

    Raises:
        ValueError: it still waits or runs.
    """
    job = load_job(job.path)
    if job.is_active:
        raise ValueError(f"{job.id} is {job.state}: stop it first")
    hidden = job.path.with_name(f".deleted-{job.id}")
    job.path.rename(hidden)
    shutil.rmtree(hidden)
