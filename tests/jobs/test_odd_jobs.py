"""job.json, status.json and metrics of any content: passed over and named, never believed, never an error."""

import json
from pathlib import Path

import pytest

from amn_core.commands.progress import list_stages
from amn_core.formats.trainings import load_probe, read_metrics
from amn_core.jobs import describe_job, list_jobs, load_job, scan_jobs
from amn_core.jobs.folder import write_status
from amn_core.jobs.processes import Process
from tests.odd_files import JOB, ODD_VALUES, STATUS, WHOLE_FILES, list_odd_jobs, list_odd_statuses

ODD_JOBS, ODD_STATUSES = list_odd_jobs(), list_odd_statuses()


def make_job(path: Path, status: bytes | None = None, **changes: object) -> Path:
    """Make the folder of a job by hand."""
    path.mkdir(parents=True)
    (path / "job.json").write_text(json.dumps(JOB | changes))
    if status is not None:
        (path / "status.json").write_bytes(status)
    return path


@pytest.mark.parametrize("name", ODD_JOBS)
def test_odd_job_is_passed_over_and_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "job.json").write_bytes(ODD_JOBS[name])
    make_job(tmp_path / "whole", json.dumps(STATUS).encode())
    jobs, faults = scan_jobs(tmp_path)
    assert [job.id for job in jobs] == ["whole"] and list(faults) == [tmp_path / "odd" / "job.json"]
    assert 5 < len(faults[tmp_path / "odd" / "job.json"]) < 600


@pytest.mark.parametrize("name", ODD_STATUSES)
def test_odd_status_is_an_interruption_that_says_why(name: str, tmp_path: Path) -> None:
    job = load_job(make_job(tmp_path / "job", ODD_STATUSES[name]))
    assert job.state == "interrupted" and not job.is_active and "status.json" in job.error
    assert json.loads(json.dumps(describe_job(job)))["state"] == "interrupted"
    assert write_status(job.path, state="queued")["state"] == "queued"  # a runner that takes over writes anew


def test_process_without_a_beginning_is_not_alive() -> None:
    assert not Process(2**22, None).is_alive and not Process(2**22, "").is_alive


@pytest.mark.parametrize("words", [
    ["reproduce", "--methods"], ["reproduce", "--methods", "nonsense"], ["reproduce", "--out", "x" * 5000],
    ["train", "cam", "--out", "y" * 5000], ["count", "--out"], ["-"]])
def test_words_of_no_command_are_one_stage_or_the_usual_ones(words: list[str], tmp_path: Path) -> None:
    job = load_job(make_job(tmp_path / "job", json.dumps(STATUS).encode(), words=words))
    assert list_jobs(tmp_path) and all(0 <= stage.done <= 1 for stage in list_stages(job))


@pytest.mark.parametrize("key", ["step", "steps", "time", "memory", "epoch", "lr"])
@pytest.mark.parametrize("kind", [kind for kind in ODD_VALUES if kind not in ("number", "nan")])
def test_metrics_of_odd_values_are_passed_over(key: str, kind: str, tmp_path: Path) -> None:
    keys = ("step", "epoch", "loss", "loss_smooth", "lr", "images_per_second", "time")
    whole = dict.fromkeys(keys, 5) | {"steps": 40}
    lines = [json.dumps(whole), json.dumps(whole | {"step": 10, key: ODD_VALUES[kind]})]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    assert read_metrics(tmp_path / "metrics.jsonl") == [whole]


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_odd_probe_is_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "probe" / "epoch-001").mkdir(parents=True)
    (tmp_path / "probe" / "epoch-001" / "counts.npz").touch()
    (tmp_path / "probe" / "probe.json").write_bytes(WHOLE_FILES[name])
    assert load_probe(tmp_path) is None
