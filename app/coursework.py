"""What the screens of the course work with: assignments, jobs of their steps, what was opened. No Streamlit."""

from pathlib import Path
from typing import Any

from amn_core.course.assignment import (
    NAME,
    Assignment,
    build_refinement,
    list_commands,
    load_assignment,
    new_assignment,
)
from amn_core.course.work import note
from amn_core.data.pets import BELOW
from amn_core.formats.files import read_json
from amn_core.formats.runs import Run
from amn_core.formats.specs import split_spec
from amn_core.jobs import Job, find_jobs_root, list_jobs, start_job
from app import roots

CHECKED = "course-check.json"
TITLES = {"data": "Course: check the data", "maps": "Course: make the maps", "refine": "Course: refine"}


def find_assignments() -> dict[str, Assignment]:
    """Find the assignments that can be read, by folder; the one to open first comes first."""
    found = {}
    for folder in roots.list_courses():
        try:
            found[str(folder)] = load_assignment(folder)
        except ValueError:
            continue
    return found


def open_or_begin(kind: str, folder: str, data: str) -> Assignment:
    """Open the assignment that lies in a folder, or write one into a new folder; it is remembered.

    Raises:
        ValueError: no whole path, or what `new_assignment` says.
        OSError: it could not be written.
    """
    path = Path(folder.strip()).expanduser()
    if not folder.strip() or not path.is_absolute():
        raise ValueError("Give the whole path of a folder on this machine, from the root.")
    is_there = (path / NAME).is_file()
    assignment = load_assignment(path) if is_there else new_assignment(kind, str(path), data.strip())
    roots.store_added("courses", str(assignment.folder))
    return assignment


def suggest_folder() -> str:
    """Suggest a folder for a new assignment: one below ``runs/`` that is not there yet."""
    names = ("course", *(f"course-{number}" for number in range(2, 100)))
    return str(next(path for name in names if not (path := roots.REPOSITORY / "runs" / name).exists()))


def has_data(assignment: Assignment) -> bool:
    """Whether the pets of an assignment are on this machine; scenes always are."""
    spec = split_spec(assignment.data)
    return spec is None or any((Path(spec.root) / below / "annotations").is_dir() for below in ("", BELOW))


def start_step(assignment: Assignment, step: str, threshold: float | None = None) -> list[Job]:
    """Start the commands of a step as jobs, one after the other; what is there already is not got again.

    Raises:
        ValueError, OSError: one did not start.
    """
    commands = build_refinement(assignment, threshold) if step == "refine" else list_commands(assignment)[step]
    device = "auto" if step == "maps" else "cpu"
    return [start_job(find_jobs_root(), TITLES[step], lambda _, words=words: words, device) for words in commands
            if words[:2] != ["data", "get"]]


def start_get(assignment: Assignment) -> Job:
    """Start to get the pets of an assignment; raises ValueError or OSError if it does not start."""
    words = list_commands(assignment)["data"][0]
    return start_job(find_jobs_root(), "Course: get the pets", lambda _: words, "cpu")


def list_own_jobs(assignment: Assignment) -> list[Job]:
    """List the jobs of an assignment, the newest first: those whose words name its folder or its data."""
    own = (str(assignment.folder), assignment.data)
    return [job for job in list_jobs(find_jobs_root()) if job.title.startswith("Course: ")
            and any(word in own or word.startswith(f"{assignment.folder}/") for word in job.words)]


def note_image(run: Run, image_id: str) -> None:
    """Note in the assignments on a run's data that an image was opened."""
    for assignment in find_assignments().values():
        if (run.meta["data"], run.meta["split"]) == (assignment.shown, assignment.split):
            note(assignment.folder, "image", image_id)


def mark_version(assignment: Assignment) -> tuple[tuple[str, int], ...]:
    """Mark what an assignment's steps are judged by, for a cache: its files by their times."""
    folder = assignment.folder
    files = [*(path for path in folder.glob("*.*") if path.is_file()), *assignment.runs.glob("*/*.*"),
             *assignment.runs.glob("*/maps")]
    return tuple(sorted((str(path), path.stat().st_mtime_ns) for path in files))


def start_reports_check(folder: str, data: str) -> Job:
    """Start to check a folder of reports as a job; its table lies in the job's folder.

    Raises:
        ValueError: no folder or data given. OSError: it could not be written.
    """
    for name, text in (("folder", folder), ("data set", data)):
        if not text.strip() or text.strip().startswith("-"):
            raise ValueError(f"Give a {name} that does not begin with a dash.")

    def build_words(path: Path) -> list[str]:
        return ["course", "check", folder.strip(), "--data", data.strip(), "--out", str(path / CHECKED)]

    return start_job(find_jobs_root(), "Course: check reports", build_words, "cpu")


def find_reports_check() -> Job | None:
    """Find the check of reports that was started last."""
    return next((job for job in list_jobs(find_jobs_root()) if tuple(job.words[:2]) == ("course", "check")), None)


def read_table(job: Job) -> list[dict[str, Any]]:
    """Read the table that a check of reports has written; empty without one."""
    try:
        rows = read_json(job.path / CHECKED)
    except ValueError:
        return []
    return rows if isinstance(rows, list) else []
