"""``python -m amn_core jobs list|show|stop|resume``: what the screen shows and does, without the screen."""

import argparse
import json
import time
from datetime import datetime
from pathlib import Path

from amn_core.commands.progress import list_stages
from amn_core.jobs.control import resume_job, stop_job, wait_for_job
from amn_core.jobs.folder import Job, describe_job, find_job, find_jobs_root, list_jobs, read_log

WAIT = 24 * 3600.0


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add ``list``, ``show``, ``stop`` and ``resume`` to the parser of ``jobs``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, handle, text in (
        ("list", print_jobs, "list all jobs, the newest first"), ("show", show_job, "show how a job stands"),
        ("stop", stop_named, "ask a job to save a checkpoint and stop"),
        ("resume", resume_named, "go on with a job from its last checkpoint"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        if name != "list":
            action.add_argument("job", help="name of the job, or a beginning of it that fits no other")
        if name in ("list", "show"):
            action.add_argument("--json", action="store_true", help="print JSON")
        else:
            action.add_argument("--wait", action="store_true", help="wait until the job has ended")
        if name == "stop":
            action.add_argument("--now", action="store_true", help="kill it; work since the last checkpoint is lost")
        action.add_argument("--root", type=Path, default=None, help="folder of the jobs (default: AMN_JOBS, or jobs)")
        action.set_defaults(handle=handle)


def choose_root(options: argparse.Namespace) -> Path:
    """Choose the folder of the jobs."""
    return options.root.resolve() if options.root else find_jobs_root()


def print_jobs(options: argparse.Namespace) -> None:
    """Print all jobs."""
    jobs = list_jobs(choose_root(options))
    if options.json:
        print(json.dumps([describe_job(job) for job in jobs]))
        return
    for job in jobs:
        print(f"{job.state:12} {measure_progress(job):4.0%}  {job.id}  {job.title}")
    if not jobs:
        print(f"no jobs in {choose_root(options)}")


def measure_progress(job: Job) -> float:
    """Measure how much of a job is done, its stages counted alike."""
    stages = list_stages(job)
    return sum(stage.done for stage in stages) / len(stages)


def show_job(options: argparse.Namespace) -> None:
    """Print how a job stands: its command, its stages, the end of its log."""
    job = find_job(choose_root(options), options.job)
    if options.json:
        print(json.dumps(describe_job(job)))
        return
    began = job.status.get("began")
    print(f"{job.title}: {job.state}" + (f", since {datetime.fromtimestamp(began):%Y-%m-%d %H:%M:%S}" if began else ""))
    print(f"python -m amn_core {' '.join(job.words)}")
    for stage in list_stages(job):
        print(f"{stage.done:5.0%}  {stage.name}")
    for line in ([f"error: {job.error}"] if job.error else []) + read_log(job.path, 8):
        print(line)


def stop_named(options: argparse.Namespace) -> None:
    """Ask a job to stop."""
    job = find_job(choose_root(options), options.job)
    stop_job(job, at_once=options.now)
    report(job, options.wait)


def resume_named(options: argparse.Namespace) -> None:
    """Go on with a job."""
    report(resume_job(find_job(choose_root(options), options.job)), options.wait)


def report(job: Job, is_waiting: bool) -> None:
    """Print how a job stands, once it has ended if that is to be waited for."""
    job = wait_for_job(job, WAIT if is_waiting else 0)
    print(f"{job.id}: {'stopping' if job.is_stopping else job.state}")
    if is_waiting and job.state == "failed":
        raise ValueError(f"{job.id} failed after {time.time() - job.status['queued']:.0f} s: {job.error}")
