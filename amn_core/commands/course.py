"""``python -m amn_core course new|show|report|check``: an assignment from data to report, and the truth of reports."""

import argparse
import json
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amn_core.course.assignment import KINDS, STEPS, Assignment, load_assignment, new_assignment, write_command

if TYPE_CHECKING:
    from amn_core.course.check import Remake, Verdict
    from amn_core.data import Dataset
    from amn_core.formats.runs import Run

BUNDLES = Path(__file__).resolve().parents[2] / "checkpoints"
CLOSE = 0.02  # mean difference of two maps of one model, on two machines and in 8 bits


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add ``new``, ``show``, ``report`` and ``check`` to the parser of ``course``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="write an assignment of about an hour into a folder")
    new.add_argument("kind", choices=tuple(KINDS), help="Oxford-IIIT Pet, or drawn scenes, which need no download")
    new.add_argument("--out", required=True, help="folder for the assignment and all work on it")
    new.add_argument("--data", default="", help="pets: where they lie, as pets:ROOT; by default below the folder")
    new.add_argument("--seed", type=int, default=7, help="which images are drawn; one for a class (default: 7)")
    new.set_defaults(handle=make_assignment)
    show = actions.add_parser("show", help="say which steps are done, judged by what is in the folder")
    report = actions.add_parser("report", help="write the report: one HTML file with its record and maps")
    for action, handle in ((show, show_assignment), (report, make_report)):
        action.add_argument("folder", help="folder of the assignment")
        action.set_defaults(handle=handle)
    check = actions.add_parser("check", help="compute every number of reports again from their records")
    check.add_argument("reports", nargs="+", metavar="REPORT", help="reports, or folders that hold them")
    check.add_argument("--data", required=True, help="your own data: the spec that course new prints")
    check.add_argument("--split", default="", help="split of the data; by default that of the assignment's kind")
    check.add_argument("--again", type=int, default=2,
                       help="images whose maps are made again where a bundled model made them (default: 2)")
    check.add_argument("--out", default="", help="file to write the table to as well, as JSON")
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(handle=check_all)


def make_assignment(options: argparse.Namespace) -> None:
    """Write an assignment and say what comes next, for the student and for the teacher."""
    assignment = new_assignment(options.kind, options.out, options.data, options.seed)
    print(f"{assignment.folder / 'ASSIGNMENT.md'}: {len(STEPS)} steps, about "
          f"{sum(step.minutes for step in STEPS)} minutes")
    print(f"work on it: {write_command(['run'])}, then Learn, The course; or {write_command(['course', 'show'])} "
          f"{assignment.folder}")
    print(f"check reports: {write_command(['course', 'check', 'REPORTS', '--data'])} {write_shared(assignment)}")


def write_shared(assignment: Assignment) -> str:
    """Write the spec as a teacher gives it to ``course check``."""
    return assignment.data


def show_assignment(options: argparse.Namespace) -> None:
    """Print which steps are done, and the commands of the others."""
    from amn_core.course.assignment import list_commands
    from amn_core.course.steps import judge_steps
    from amn_core.course.work import describe_work, find_runs

    assignment = load_assignment(options.folder)
    commands = list_commands(assignment)
    for tick in judge_steps(describe_work(assignment), find_runs(assignment)):
        print(f"[{'x' if tick.is_done else ' '}] {tick.step.title} ({tick.step.minutes} min): {tick.text}")
        for words in [] if tick.is_done else commands.get(tick.step.id, []):
            print(f"    $ {write_command(words)}")


def make_report(options: argparse.Namespace) -> None:
    """Write the report of an assignment; steps that are open are named on standard error."""
    from amn_core.course.report import write_report

    made = write_report(load_assignment(options.folder))
    if made["open"]:
        print(f"still open: {', '.join(made['open'])}", file=sys.stderr)
    print(made["file"])


def check_all(options: argparse.Namespace) -> None:
    """Check reports and print the table, or JSON.

    Raises:
        ValueError: a report is not what it says.
    """
    from amn_core.course.check import check_reports, find_reports
    from amn_core.data import load_dataset
    from amn_core.formats.files import write_json

    split = options.split or ("val" if options.data.startswith("scenes") else "trainval")
    dataset = load_dataset(options.data, split)
    verdicts = check_reports(find_reports(options.reports), dataset, build_remake(options.again))
    rows = [describe_verdict(verdict) for verdict in verdicts]
    if options.out:
        write_json(Path(options.out), rows)
    print(json.dumps(rows) if options.json else format_table(rows))
    wrong = sum(bool(row["findings"]) for row in rows)
    if wrong:
        raise ValueError(f"{wrong} of {len(rows)} reports are not what they say")


def describe_verdict(verdict: "Verdict") -> dict[str, Any]:
    """Describe a verdict as a row of the table, plain values only."""
    times = [time for time in (verdict.record.get("times") or {}).values() if isinstance(time, str)]
    texts = {key: number.text for key, number in verdict.numbers.items()}
    return {
        "report": str(verdict.report), "student": verdict.student, "is_true": not verdict.findings,
        "steps": sum(tick.is_done for tick in verdict.ticks), "of": len(STEPS) - 1, "numbers": texts,
        "minutes": count_minutes(verdict.record, times),
        "findings": [{"where": where, "what": what} for where, what in verdict.findings], "notes": verdict.notes,
    }


def count_minutes(record: dict[str, Any], times: list[str]) -> float | None:
    """Count the minutes from the first step that was ticked to the report, as the record states them."""
    from datetime import datetime

    try:
        begin, end = (datetime.fromisoformat(text) for text in (min(times), record["written"]))
        return round((end - begin).total_seconds() / 60, 1)
    except (ValueError, KeyError, TypeError):
        return None


def format_table(rows: list[dict[str, Any]]) -> str:
    """Format the table of reports: a line for each, below it what was found and noted."""
    heads = ("student", "report", "verdict", "steps", "CAM", "AMN", "chosen at", "regret", "minutes (stated)")
    lines = [(row["student"] or "–", Path(row["report"]).name, "true" if row["is_true"] else "FALSE",
              f"{row['steps']}/{row['of']}", *(row["numbers"].get(key, "–") for key in (
                  "cam.peak_miou", "amn.peak_miou", "chosen.threshold", "chosen.regret")),
              "–" if row["minutes"] is None else f"{row['minutes']:g}") for row in rows]
    widths = [max(len(line[i]) for line in (heads, *lines)) for i in range(len(heads))]
    text = []
    for line, row in zip((heads, *lines), (None, *rows), strict=True):
        text.append("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        text += [f"    {one['where']}: {one['what']}" for one in (row or {}).get("findings", [])]
        text += [f"    note: {one}" for one in (row or {}).get("notes", [])]
    return "\n".join(text)


def build_remake(number: int) -> "Remake | None":
    """Build what makes the maps of a few images of a run again, drawn anew each time; None for none."""
    if number < 1:
        return None

    def find_others(run: "Run", dataset: "Dataset") -> list[str] | None:
        checkpoint = find_bundled(run)
        if checkpoint is None:
            return None
        ids = random.SystemRandom().sample(dataset.ids, min(number, len(dataset.ids)))
        return remake_maps(run, dataset, checkpoint, ids)

    return find_others


def find_bundled(run: "Run") -> Path | None:
    """Find the bundled checkpoint that a run says it was made with, by its hash."""
    from amn_core.formats.runs import hash_once

    wanted = run.meta.get("model", {}).get("sha256")
    if run.is_masks or not wanted:
        return None
    return next((path for path in sorted(BUNDLES.glob("*/*/model.pth")) if hash_once(path) == wanted), None)


def remake_maps(run: "Run", dataset: "Dataset", checkpoint: Path, ids: list[str]) -> list[str]:
    """Make the maps of some images again as a run says; returns the images whose maps are others."""
    import numpy as np

    from amn_core.commands.extract import ExtractConfig, find_places, infer_group
    from amn_core.formats.maps import LEVELS, load_stored_map
    from amn_core.infer.extractor import load_extractor, parse_scales
    from amn_core.infer.streaming import Item

    protocol = run.meta["protocol"]
    scales = ",".join(f"{scale:g}" for scale in protocol.get("scales", ()))
    extractor = load_extractor(
        str(checkpoint), "auto", "auto", parse_scales(scales), protocol.get("flip", True),
        protocol.get("normalisation", "auto"), False, None, run.is_registered)
    places = find_places(ExtractConfig(checkpoint=str(checkpoint), data=dataset.spec), dataset, extractor)
    others = []
    for image_id in ids:
        item = Item(image_id, dataset.image(image_id), dataset.class_ids(image_id))
        (cam,) = infer_group(extractor, [item], 1, places)
        stored = load_stored_map(run.map_path(image_id))[0].astype(np.float32) / LEVELS
        if stored.shape != cam.shape or float(np.abs(stored - cam).mean()) > CLOSE:
            others.append(image_id)
    return others
