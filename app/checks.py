"""What the screen works with to check a data set: the form's values to a job, and its report back. No Streamlit."""

from pathlib import Path
from typing import Any

from amn_core.formats.files import read_json
from amn_core.jobs import Job, find_jobs_root, list_jobs, start_job

WORDS = ("data", "check")
REPORT = "check.json"


def start_check(spec: str, split: str) -> Job:
    """Start to check a data set as a job; its report lies in the job's folder.

    Raises:
        ValueError, OSError: no data set or split was given, one that reads as an option, or it did not start.
    """
    for name, text in (("data set", spec), ("split", split)):
        if not text.strip() or text.strip().startswith("-"):
            raise ValueError(f"Give a {name} that does not begin with a dash.")

    def build_words(path: Path) -> list[str]:
        return [*WORDS, spec.strip(), "--split", split.strip(), "--out", str(path / REPORT)]

    return start_job(find_jobs_root(), f"Check {spec.strip()}, {split.strip()}", build_words, "cpu")


def find_last_check() -> Job | None:
    """Find the check that was started last."""
    return next((job for job in list_jobs(find_jobs_root()) if tuple(job.words[:2]) == WORDS), None)


def read_findings(job: Job) -> dict[str, Any] | None:
    """Read the report of a check; None if it has none, or none that can be read."""
    try:
        report = read_json(job.path / REPORT)
    except ValueError:
        return None
    return report if isinstance(report, dict) and isinstance(report.get("findings"), list) else None


def build_rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Build a row of the table for each finding, errors first as the report has them."""
    return [
        {"kind": "error" if finding["is_error"] else "note", "images": finding["count"],
         "found": finding["text"][:1].upper() + finding["text"][1:], "such as": "; ".join(finding["examples"]),
         "do": finding["remedy"][:1].upper() + finding["remedy"][1:]}
        for finding in report["findings"]
    ]


def describe_report(report: dict[str, Any]) -> str:
    """Describe what was checked in a sentence."""
    return (f"{report['images']} images, {len(report['classes'])} classes, labels from {report['label_source']}, "
            f"{report['masks']} masks ({report['ground_truth']}).")
