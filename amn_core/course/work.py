"""What a student left in the folder of an assignment: answers, images that were opened, when each step was ticked.

FOLDER/answers.json  student, and the answers of each step with the time at which they were saved
FOLDER/log.jsonl     one line of JSON each: {"at", "image"} or {"at", "step"}; only ever added to
FOLDER/check.json    the report of ``data check``
FOLDER/runs          the runs
"""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from amn_core.course.assignment import QUESTIONS, Assignment
from amn_core.formats.files import append_line, read_json, write_json
from amn_core.formats.runs import Run, load_run
from amn_core.formats.specs import hide_root

ANSWERS, LOG, CHECK = "answers.json", "log.jsonl", "check.json"
# The fields of each step that is answered: the numbers with their bounds, or None for a text.
POINTS, SHARE = (0.0, 100.0), (0.0, 1.0)
FIELDS: dict[str, dict[str, tuple[float, float] | None]] = {
    "guess": {"peak_threshold": SHARE, "lost": POINTS},
    "curves": {"cam_threshold": SHARE, "cam_miou": POINTS, "amn_threshold": SHARE, "amn_miou": POINTS,
               "cam_lost": POINTS},
    "choose": {"threshold": SHARE, "why": None},
    "words": dict.fromkeys(QUESTIONS),
}
LONGEST = 4000  # characters of an answer
KEPT = ("guess",)  # answers that are kept as they were first saved


def load_answers(folder: Path) -> dict[str, Any]:
    """Load the answers; what is none of a step's fields, or no value of it, is left out."""
    try:
        stored = read_json(folder / ANSWERS)
    except ValueError:
        stored = {}
    return clean_answers(stored)


def clean_answers(stored: Any) -> dict[str, Any]:
    """Keep of some answers what is a value of a step's fields; ``student`` is always there."""
    stored = stored if isinstance(stored, dict) else {}
    student = stored.get("student")
    answers: dict[str, Any] = {"student": student[:200] if isinstance(student, str) else ""}
    for step, bounds in FIELDS.items():
        given = stored.get(step)
        if isinstance(given, dict) and all(is_value(given.get(name), bound) for name, bound in bounds.items()):
            at = given.get("at")
            answers[step] = {name: given[name] for name in bounds} | {"at": at if isinstance(at, str) else ""}
    return answers


def is_value(value: Any, bounds: tuple[float, float] | None) -> bool:
    """Whether a value is one of a field: a text, or a number within its bounds."""
    if bounds is None:
        return isinstance(value, str) and len(value) <= LONGEST
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return is_number and bounds[0] <= value <= bounds[1]


def save_answers(folder: Path, step: str, values: dict[str, Any]) -> None:
    """Save the answers of a step with the time of now; ``student`` is a step of its own.

    Raises:
        ValueError: a value outside its field, or a guess that was committed before.
    """
    answers = load_answers(folder)
    if step == "student":
        answers["student"] = str(values["student"]).strip()[:200]
    else:
        if step in KEPT and step in answers:
            raise ValueError(f"{step}: kept as it was saved first")
        wrong = [name for name, bounds in FIELDS[step].items() if not is_value(values.get(name), bounds)]
        if wrong:
            name, value = wrong[0].replace("_", " "), str(values.get(wrong[0]))[:40]
            raise ValueError(f"{step}: {name} is {value!r}: give a number in its range, or a text that is not too long")
        answers[step] = values | {"at": read_clock()}
    write_json(folder / ANSWERS, answers)


def read_clock() -> str:
    """Read the time of now, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def note(folder: Path, what: str, value: str) -> None:
    """Note in the log that an image was opened or a step ticked; once is enough."""
    if value not in read_log(folder)[what]:
        append_line(folder / LOG, json.dumps({"at": read_clock(), what: value}))


def read_log(folder: Path) -> dict[str, dict[str, str]]:
    """Read the log: for ``image`` and ``step``, each value with the time at which it was noted first."""
    found: dict[str, dict[str, str]] = {"image": {}, "step": {}}
    try:
        lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # cut short by a killed writer
        for what, values in found.items():
            if isinstance(entry, dict) and isinstance(entry.get(what), str):
                values.setdefault(entry[what], str(entry.get("at", "")))
    return found


def read_check(assignment: Assignment) -> dict[str, Any]:
    """Read what the check of the data said: how many images and kinds of errors, of which data; empty without one."""
    try:
        report = read_json(assignment.folder / CHECK)
        return {"data": hide_root(str(report["data"])), "split": str(report["split"]),
                "images": int(report["images"]), "errors": int(report["errors"])}
    except (ValueError, KeyError, TypeError):
        return {}


def find_runs(assignment: Assignment) -> list[Run]:
    """Find the runs of an assignment: with maps and counts, on its data; in the order of their folders, CAM first."""
    found = []
    for path in sorted(assignment.runs.glob("*/run.json")):
        try:
            run = load_run(path.parent)
        except ValueError:
            continue
        is_its = (run.meta["data"], run.meta["split"]) == (assignment.shown, assignment.split)
        if is_its and run.has_maps and run.has_counts and not run.is_refined:
            found.append(run)
    return sorted(found, key=lambda run: ["cam", "amn"].index(run.path.name) if run.path.name in ("cam", "amn") else 2)


def describe_work(assignment: Assignment) -> dict[str, Any]:
    """Describe what was done, plain values only: what the steps are judged by, and what a report holds of it."""
    log = read_log(assignment.folder)
    kept = ("kind", "split", "seed", "learnt", "made")
    return {
        "assignment": {name: getattr(assignment, name) for name in kept} | {"data": assignment.shown},
        "answers": load_answers(assignment.folder), "seen": list(log["image"]), "times": log["step"],
        "checked": read_check(assignment),
    }
