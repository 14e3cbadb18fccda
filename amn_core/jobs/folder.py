"""A job on disk: what was asked for, how it stands, and what it said.

JOB/job.json      the command, written once
JOB/status.json   how it stands, written by whoever runs it, always in one step
JOB/log.txt       what the command printed
JOB/progress.json how far the command says it is (`amn_core.compute.progress`)
JOB/cancel        somebody asked it to stop
and whatever the command writes, if its ``--out`` is the job's folder.
"""

import os
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from amn_core.formats.files import read_json, write_json
from amn_core.jobs.checks import describe_job_fault, describe_status_fault
from amn_core.jobs.processes import Process

PROJECT = Path(__file__).resolve().parents[2]
FORMAT = "amn-job"
ACTIVE = ("queued", "running")
INTERRUPTED = "the process ended without a word: it was killed, or the machine went down"
TAIL = 65_536
PROGRESS = "progress.json"


@dataclass(frozen=True)
class Job:
    """A job as it stands at the moment of reading.

    Attributes:
        words: the command and its options, what follows ``python -m amn_core``.
        device: ``cpu``, ``cuda`` or ``auto``. gpus: how many at once; above 1, torchrun starts the command.
        config: the options as a dict, for a form that starts from them; may be empty.
        status: content of status.json; `state` is what to believe.
    """

    path: Path
    title: str
    words: tuple[str, ...]
    device: str = "auto"
    gpus: int = 1
    config: dict[str, Any] = field(default_factory=dict)
    created: float = 0.0
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Name of the job's folder."""
        return self.path.name

    @property
    def processes(self) -> dict[str, Process]:
        """The processes of the job by role: ``runner``, and ``command`` once it has begun."""
        found = self.status.get("processes") or {}
        return {role: Process(one["pid"], one["began"]) for role, one in found.items()}

    @property
    def state(self) -> str:
        """One of `STATES` of `checks`; a job whose processes are gone is never called running, whatever is written."""
        state = self.status.get("state", "interrupted")
        if state in ACTIVE and not any(process.is_alive for process in self.processes.values()):
            return "interrupted"
        return state

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ACTIVE

    @property
    def can_resume(self) -> bool:
        """Whether it ended before it was done."""
        return self.state in ("failed", "stopped", "interrupted") and bool(self.words)

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop and has not yet."""
        return self.is_active and (self.path / "cancel").exists()

    @property
    def error(self) -> str:
        """Why it did not get done; empty if there is nothing to say."""
        return INTERRUPTED if self.state == "interrupted" and not self.status.get("error") else (
            self.status.get("error") or "")


def find_jobs_root() -> Path:
    """Find the folder of all jobs: that of the variable AMN_JOBS, else ``jobs`` in the project's folder."""
    return Path(os.environ.get("AMN_JOBS") or PROJECT / "jobs").resolve()


def name_job(root: Path, title: str) -> Path:
    """Name the folder of a new job after the time and its title; the folder is made."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "job"
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{words}"
    for number in range(1, 1000):
        path = root / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            continue
    raise ValueError(f"{root}: too many jobs of the name {stem}; remove some")


def save_job(job: Job) -> None:
    """Write job.json."""
    write_json(job.path / "job.json", {
        "format": FORMAT, "title": job.title, "words": list(job.words), "device": job.device, "gpus": job.gpus,
        "config": job.config, "created": job.created})


def load_job(path: str | Path) -> Job:
    """Read a job.

    Raises:
        ValueError: no such job, or its description is broken.
    """
    path = Path(path)
    meta = read_json(path / "job.json")
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ValueError(f"{path / 'job.json'}: not the description of a job")
    fault = describe_job_fault(meta)
    if fault:
        raise ValueError(f"{path / 'job.json'}: {fault}")
    return Job(path, meta["title"], tuple(meta["words"]), meta["device"], meta["gpus"], meta["config"],
               meta["created"], load_status(path))


def load_status(path: Path) -> dict[str, Any]:
    """Read how a job stands; one whose status says what no runner writes was interrupted, and its error says so."""
    try:
        status = read_json(path / "status.json")
    except ValueError as error:
        return {"state": "interrupted", "error": str(error)}
    fault = describe_status_fault(status)
    return {"state": "interrupted", "error": f"{path / 'status.json'}: {fault}"} if fault else status


def list_jobs(root: Path) -> list[Job]:
    """List all jobs, the newest first; folders without a readable description are passed over."""
    return scan_jobs(root)[0]


def scan_jobs(root: Path) -> tuple[list[Job], dict[Path, str]]:
    """List all jobs, the newest first, and what is wrong with each description that cannot be read, by its file."""
    jobs, faults = [], {}
    for path in sorted(root.glob("[!.]*/job.json")) if root.is_dir() else ():
        try:
            jobs.append(load_job(path.parent))
        except ValueError as error:
            faults[path] = str(error).removeprefix(f"{path}: ")
    return sorted(jobs, key=lambda job: job.created, reverse=True), faults


def find_job(root: Path, name: str) -> Job:
    """Find a job by its id, or by a beginning of it that fits one alone.

    Raises:
        ValueError: none or several fit.
    """
    fitting = [job for job in list_jobs(root) if job.id.startswith(name)]
    exact = [job for job in fitting if job.id == name]
    if len(exact or fitting) != 1:
        what = "no job" if not fitting else f"{len(fitting)} jobs"
        raise ValueError(f"{name!r} names {what} in {root}: `jobs list` shows the names")
    return (exact or fitting)[0]


def write_status(path: Path, **changes: Any) -> dict[str, Any]:
    """Change some entries of a job's status; it is replaced in one step."""
    status = load_status(path) | changes
    write_json(path / "status.json", status)
    return status


def describe_job(job: Job) -> dict[str, Any]:
    """Describe a job as JSON, as ``jobs show --json`` prints it."""
    described = asdict(job) | {"path": str(job.path), "id": job.id, "state": job.state, "error": job.error}
    return {key: described[key] for key in sorted(described)}


def read_log(path: Path, lines: int = 40) -> list[str]:
    """Read the last lines of a job's log; of a line that was written over, as a progress bar is, only the last form."""
    try:
        with (path / "log.txt").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    kept = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return [line for line in kept if line.strip()][-lines:]


