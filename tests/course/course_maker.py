"""An assignment that somebody has worked through, made by the tests from blurred masks."""

import json
from pathlib import Path

from amn_core.course.assignment import QUESTIONS, Assignment, load_assignment, new_assignment
from amn_core.course.numbers import build_numbers, rank_images
from amn_core.course.work import find_runs, note, save_answers
from amn_core.data import Dataset, load_dataset, name_ground_truth
from amn_core.formats.runs import Run, load_run, save_run
from tests.app.conftest import make_run

SCENES = "scenes:size=64,n=6,seed=7"
LONG = "I took the threshold at which half of the answered points were object; it is near the middle of the plateau."


def make_course(folder: Path, data: str = SCENES) -> Assignment:
    """Make an assignment on a few scenes of 64 pixels, with runs of CAM and AMN."""
    new_assignment("scenes", str(folder))
    stored = json.loads((folder / "course.json").read_text())
    dataset = load_dataset(data, "val")
    (folder / "course.json").write_text(json.dumps(stored | {"data": dataset.spec}))
    assignment = load_assignment(folder)
    for method in ("cam", "amn"):
        name_truth(make_run(assignment.runs / method, method, dataset), dataset)
    return assignment


def name_truth(run: Run, dataset: Dataset) -> Run:
    """Say in a run what its ground truth is, as `count` does."""
    protocol = run.meta["protocol"] | {"ground_truth": name_ground_truth(dataset)}
    return save_run(run.path, run.meta | {"protocol": protocol})


def refine(assignment: Assignment, threshold: float) -> None:
    """Make a run that says it was refined at a threshold."""
    dataset = load_dataset(assignment.data, assignment.split)
    run = make_run(assignment.runs / f"refined-{threshold:g}", "amn", dataset, "AMN + PAMR")
    run = name_truth(run, dataset)
    save_run(run.path, run.meta | {"refinement": {"method": "pamr", "parameters": {"threshold": threshold}}})


def read_curves(assignment: Assignment) -> dict[str, float]:
    """Read the numbers of the curves as a careful student does."""
    numbers = build_numbers(find_runs(assignment), {})
    keys = {"cam_threshold": "cam.peak_threshold", "cam_miou": "cam.peak_miou", "amn_threshold": "amn.peak_threshold",
            "amn_miou": "amn.peak_miou", "cam_lost": "cam.lost"}
    return {name: float(numbers[key].text) for name, key in keys.items()}


def work_through(assignment: Assignment, student: str = "Ada", words: str = LONG) -> Assignment:
    """Work an assignment through to the report."""
    folder = assignment.folder
    save_answers(folder, "student", {"student": student})
    (folder / "check.json").write_text(json.dumps(
        {"data": assignment.data, "split": assignment.split, "images": 6, "errors": 0}))
    save_answers(folder, "guess", {"peak_threshold": 0.4, "lost": 6})
    for image_id in rank_images(load_run(assignment.runs / "cam"))[:3]:
        note(folder, "image", image_id)
    save_answers(folder, "curves", read_curves(assignment))
    save_answers(folder, "choose", {"threshold": 0.3, "why": words})
    refine(assignment, 0.3)
    answers = {name: f"{words} {i}" for i, name in enumerate(QUESTIONS)}
    save_answers(folder, "words", answers)
    return assignment
