"""Jobs: real trainings that are stopped, killed and gone on with, and processes that are not what they seem."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amn_core.cli import main
from amn_core.commands.checks import check_disk, check_start, estimate_bytes, list_splits
from amn_core.commands.pipeline import ReproduceConfig, complete_methods, plan_steps
from amn_core.commands.progress import estimate_rest, list_stages
from amn_core.compute.progress import VARIABLE, set_stage, write_progress
from amn_core.data import load_dataset
from amn_core.formats.files import write_json
from amn_core.jobs import (
    Job,
    delete_job,
    find_job,
    list_jobs,
    load_job,
    read_log,
    read_metrics,
    resume_job,
    start_job,
    stop_job,
    wait_for_job,
)
from amn_core.jobs.devices import choose_devices, list_ahead
from amn_core.jobs.folder import PROGRESS
from amn_core.jobs.processes import Process, identify
from amn_core.jobs.runner import build_command
from amn_core.presets import BACKBONES

SCENES = "scenes:size=64,n=8,seed=3"
PATIENCE = 300.0
STEPS = 40
TRAINING = (
    "train", "cam", "--data", SCENES, "--epochs", str(STEPS // 2), "--batch", "4", "--crop", "32",
    "--long-side-min", "32", "--long-side-max", "48", "--device", "cpu")
LONG = ("data", "check", "scenes:size=256,n=4000")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder for jobs; what still runs in it at the end is killed."""
    yield tmp_path / "jobs"
    for job in list_jobs(tmp_path / "jobs"):
        for process in reversed(job.processes.values()):
            if process.pid != os.getpid():  # some tests name themselves, and may lead a group
                process.kill_group()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The weights of a training that ran as a job and that nobody disturbed."""
    job = wait_for_job(start_training(tmp_path_factory.mktemp("undisturbed")), PATIENCE)
    assert (job.state, job.error, job.status["exit"]) == ("done", "", 0)
    return read_weights(job)


def start_training(root: Path, *more: str) -> Job:
    return start_job(root, "Tiny CAM", lambda path: [*TRAINING, "--out", str(path), *more], "cpu")


def start_long(root: Path, device: str = "cpu") -> Job:
    return start_job(root, "Long", lambda path: LONG, device)


def read_weights(job: Job) -> dict:
    from amn_core.formats.checkpoints import read_checkpoint

    return read_checkpoint(job.path / "model.pth")["state"]


def are_equal(a: dict, b: dict) -> bool:
    import torch

    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def wait_for_step(job: Job, step: int) -> None:
    wait_until(lambda: any(e["step"] >= step for e in read_metrics(job.path / "metrics.jsonl")) or
               not load_job(job.path).is_active)
    assert load_job(job.path).is_active, read_log(job.path)


def test_training_outlives_the_server_and_sigkill_and_ends_at_the_same_weights(root: Path, undisturbed: dict) -> None:
    server = subprocess.Popen([sys.executable, "-c", f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.jobs.test_jobs import start_training
start_training(Path({str(root)!r}))
time.sleep(1000)
"""])
    wait_until(lambda: list_jobs(root) and "command" in list_jobs(root)[0].processes)
    server.send_signal(signal.SIGKILL)
    server.wait()
    job = list_jobs(root)[0]
    wait_for_step(job, random.choice((5, 10, 15, 20)))
    for process in load_job(job.path).processes.values():  # the runner first, so that nobody writes a word
        process.kill_group()
    wait_until(lambda: not load_job(job.path).is_active)
    job = load_job(job.path)
    assert job.status["state"] == "running" and job.state == "interrupted" and "killed" in job.error
    assert not (job.path / "model.pth").exists()

    job = wait_for_job(resume_job(job), PATIENCE)
    assert (job.state, job.error, job.status["attempt"]) == ("done", "", 2)
    assert are_equal(read_weights(job), undisturbed)
    assert [entry["step"] for entry in read_metrics(job.path / "metrics.jsonl")] == list(range(5, STEPS + 1, 5))


def test_stopped_training_saves_its_step_and_leaves_no_process(root: Path, undisturbed: dict) -> None:
    from amn_core.formats.checkpoints import read_checkpoint

    job = start_training(root, "--workers", "1")
    wait_for_step(job, 5)
    command = load_job(job.path).processes["command"]
    members = list_group(command.pid)
    assert len(members) > 1, "the loader's worker is in the group"
    stop_job(job)
    assert load_job(job.path).is_stopping or not load_job(job.path).is_active
    job = wait_for_job(job, PATIENCE)
    assert (job.state, job.error, job.status["exit"]) == ("stopped", "", 130)
    assert not list_group(command.pid)
    saved = read_checkpoint(job.path / "last.pth")["step"]
    assert 5 <= saved < STEPS and f"stopped after step {saved}" in read_log(job.path)[-1]

    job = wait_for_job(resume_job(job), PATIENCE)
    assert job.state == "done" and are_equal(read_weights(job), undisturbed)


def list_group(group: int) -> list[int]:
    """List the processes of a group that are more than zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def test_full_disk_is_named_and_costs_no_checkpoint(root: Path, undisturbed: dict) -> None:
    from amn_core.formats.checkpoints import read_checkpoint

    job = start_training(root)
    wait_for_step(job, 5)
    command = load_job(job.path).processes["command"]
    resource.prlimit(command.pid, resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))  # less than a checkpoint
    job = wait_for_job(job, PATIENCE)
    assert job.state == "failed" and "File too large" in job.error
    assert read_checkpoint(job.path / "last.pth")["step"] < STEPS

    job = wait_for_job(resume_job(job), PATIENCE)
    assert job.state == "done" and are_equal(read_weights(job), undisturbed)


def test_deleted_data_set_is_named(root: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    job = wait_for_job(start_job(root, "Gone", lambda path: ["data", "check", f"voc:{gone}"], "cpu"), PATIENCE)
    assert job.state == "failed" and job.status["exit"] == 1
    assert job.error == f"{gone}: no such folder; give the VOC2012 folder or the VOCdevkit that holds it"


def write_job(root: Path, name: str, **status: object) -> Job:
    write_json(root / name / "job.json", {
        "format": "amn-job", "title": name, "words": ["data", "check", "scenes"], "device": "cpu", "gpus": 1,
        "config": {}, "created": 0.0})
    write_json(root / name / "status.json", status)
    return load_job(root / name)


def test_reused_process_id_is_not_running(root: Path) -> None:
    here = identify(os.getpid())
    assert write_job(root, "a", state="running", processes={"command": here.describe()}).state == "running"
    other = Process(here.pid, here.began + "0")
    job = write_job(root, "b", state="running", processes={"command": other.describe()})
    assert job.state == "interrupted" and job.can_resume
    other.kill_group()  # must not reach this process


def test_process_of_another_boot_is_not_running(root: Path) -> None:
    pid, (boot, ticks) = os.getpid(), identify(os.getpid()).began.split(":")
    earlier = f"{boot[::-1]}:{ticks}"
    job = write_job(root, "a", state="queued", processes={"runner": {"pid": pid, "began": earlier}})
    assert job.state == "interrupted"


def test_zombie_is_not_running(root: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = identify(child.pid)
    job = write_job(root, "a", state="running", processes={"command": process.describe()})
    assert job.state == "running"
    child.kill()
    stat = Path(f"/proc/{child.pid}/stat")
    wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z")
    assert load_job(job.path).state == "interrupted"
    child.communicate()


def test_half_written_metrics_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    whole = {"step": 5, "steps": 40, "epoch": 0.5, "loss": 1.0, "loss_smooth": 1.0, "lr": 0.1,
             "images_per_second": 3.0, "time": 1e9}
    again = whole | {"loss": 0.9}
    path.write_text(f'{json.dumps(whole)}\n{{"step": 10, "lo{{"step": 15, "loss": 0.5}}\n{json.dumps(again)}\n'
                    '17\n{"step": 20, "loss": 0.')
    assert read_metrics(path) == [again]
    assert read_metrics(tmp_path / "none.jsonl") == []


def test_broken_status_and_description_are_no_running_job(root: Path) -> None:
    job = write_job(root, "a", state="running", processes={})
    (root / "a" / "status.json").write_text('{"state": "runn')
    assert load_job(job.path).state == "interrupted" and "not readable as JSON" in load_job(job.path).error
    (root / "a" / "job.json").write_text("[]")
    assert list_jobs(root) == []


def test_jobs_of_a_device_take_turns_in_order(root: Path) -> None:
    first, second, third = (start_long(root) for _ in range(3))
    wait_until(lambda: load_job(first.path).state == "running")
    assert [load_job(job.path).state for job in (second, third)] == ["queued", "queued"]
    assert [job.id for job in list_ahead(load_job(third.path))] == [second.id, first.id]
    stop_job(second)
    assert wait_for_job(second, PATIENCE).state == "stopped"
    stop_job(first)
    wait_until(lambda: load_job(third.path).state == "running")
    assert load_job(first.path).state == "stopped"
    stop_job(third, at_once=True)
    assert wait_for_job(third, PATIENCE).state == "stopped"


def test_jobs_on_different_gpus_run_together(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert choose_devices("auto") == ("cuda-4", "cuda-6") and choose_devices("cpu") == ("cpu",)
    jobs = [start_long(root, device) for device in ("cuda", "auto", "cuda", "cpu")]
    wait_until(lambda: [load_job(job.path).state for job in jobs] == ["running", "running", "queued", "running"])
    assert [load_job(job.path).status["devices"] for job in jobs[:2]] == [["cuda-4"], ["cuda-6"]]
    seen = Path(f"/proc/{load_job(jobs[1].path).processes['command'].pid}/environ").read_bytes().split(b"\0")
    assert b"CUDA_VISIBLE_DEVICES=6" in seen


def test_several_gpus_are_started_through_torchrun() -> None:
    job = Job(Path("x"), "x", ("train", "cam"), "cuda", 2)
    assert build_command(job, 1) == [sys.executable, "-m", "amn_core", "train", "cam"]
    assert build_command(job, 2) == [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "amn_core", "train",
        "cam"]


def test_job_is_not_started_twice_nor_deleted_while_it_runs(root: Path) -> None:
    from amn_core.jobs.control import launch

    job = start_long(root)
    with pytest.raises(ValueError, match="under way already"):
        launch(job.path)
    with pytest.raises(ValueError, match="only a job that ended early"):
        resume_job(job)
    with pytest.raises(ValueError, match="stop it first"):
        delete_job(job)
    stop_job(job)
    job = wait_for_job(job, PATIENCE)
    with pytest.raises(ValueError, match="nothing to stop"):
        stop_job(job)
    delete_job(job)
    assert not job.path.exists() and list_jobs(root) == []


def test_command_line_lists_shows_stops_and_resumes(root: Path, capsys: pytest.CaptureFixture) -> None:
    job, where = start_long(root), ["--root", str(root)]
    assert main(["jobs", "list", *where]) == 0
    assert job.id in capsys.readouterr().out
    assert main(["jobs", "stop", job.id[:15], "--wait", *where]) == 0
    assert capsys.readouterr().out == f"{job.id}: stopped\n"
    assert main(["jobs", "show", job.id, "--json", *where]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["state"], shown["words"]) == ("stopped", list(LONG))
    assert main(["jobs", "resume", job.id, *where]) == 0
    assert load_job(job.path).is_active and load_job(job.path).status["attempt"] == 2
    assert main(["jobs", "stop", "--now", job.id, *where]) == 0
    assert main(["jobs", "show", "nothing", *where]) == 1
    assert "'nothing' names no job" in capsys.readouterr().err


def test_job_is_found_by_a_beginning_that_fits_one_alone(root: Path) -> None:
    for name in ("20260101-cam", "20260101-cam-2", "20260102-amn"):
        write_job(root, name, state="done")
    assert find_job(root, "20260102").id == "20260102-amn"
    assert find_job(root, "20260101-cam").id == "20260101-cam"
    with pytest.raises(ValueError, match="2 jobs"):
        find_job(root, "20260101")


def test_rest_is_estimated_from_the_current_attempt() -> None:
    entries = [{"step": s, "steps": 100, "time": t} for s, t in ((5, 10.0), (10, 20.0), (15, 1000.0), (20, 1005.0))]
    assert estimate_rest(entries, since=900.0) == 80.0
    assert estimate_rest(entries[:3], since=900.0) is None and estimate_rest([]) is None


def test_stages_of_a_reproduction_follow_its_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = write_job(root, "a", state="done")
    job = Job(job.path, "a", ("reproduce", "--methods", "cam,amn", "--out", str(job.path)))
    names = ["train cam", "seeds", "train amn", "measure cam", "measure amn"]
    assert [(stage.name, stage.done) for stage in list_stages(job)] == [(name, 0.0) for name in names]
    others = dict.fromkeys(("epoch", "loss", "loss_smooth", "lr", "images_per_second", "time"), 1)
    for part in ("train/cam/model.pth", "train/amn/metrics.jsonl", "seeds/done"):
        (job.path / part).parent.mkdir(parents=True, exist_ok=True)
        (job.path / part).write_text(json.dumps(others | {"step": 5, "steps": 20}) + "\n")
    assert [stage.done for stage in list_stages(job)] == [1.0, 1.0, 0.25, 0.0, 0.0]
    (job.path / "train/amn/model.pth").touch()
    monkeypatch.setenv(VARIABLE, str(job.path / PROGRESS))
    set_stage("measure cam")
    write_progress("extract cam", 62, 100)
    assert [stage.done for stage in list_stages(job)] == [1.0, 1.0, 1.0, 0.62, 0.0]


def test_stages_of_a_whole_pipeline_come_in_order() -> None:
    methods = complete_methods(["irn", "segmentation", "crf"])
    assert methods == ("amn", "crf", "irn", "segmentation")
    assert [step.name for step in plan_steps(methods)] == [
        "train cam", "seeds", "train amn", "seeds for IRN", "train irn", "pseudo masks", "train segmentation",
        "measure amn", "measure crf", "measure irn", "measure segmentation"]
    assert [step.name for step in plan_steps(("cam",))] == ["train cam", "measure cam"]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_space_is_estimated_for_every_backbone_and_grows_with_the_pipeline(backbone: str) -> None:
    data = load_dataset(SCENES, "val")
    needed = [estimate_bytes(ReproduceConfig(data=SCENES, backbone=backbone, methods=methods), data, data)
              for methods in ("cam", "cam,amn", "cam,irn", "cam,segmentation")]
    assert needed == sorted(set(needed))


def test_checks_name_what_stands_in_the_way(tmp_path: Path) -> None:
    good = check_start(ReproduceConfig(data=SCENES, train_split="train", split="val"), tmp_path / "not" / "there")
    assert [(check.name, check.state) for check in good] == [("Data", "ok"), ("Ground truth", "ok"), ("Disk", "ok")]
    assert "8 images to learn from (train), 8 to measure on (val)" in good[0].text
    bad = check_start(ReproduceConfig(data=f"voc:{tmp_path / 'gone'}"), tmp_path)
    assert len(bad) == 1 and bad[0].is_error and "gone: no such folder" in bad[0].text
    assert check_disk(tmp_path, 1e18).is_error
    assert list_splits(SCENES) == ("train", "val")


def test_jobs_do_not_import_torch() -> None:
    code = "import sys, amn_core.jobs, amn_core.commands.jobs, amn_core.commands.checks, amn_core.jobs.runner\n"
    code += "sys.exit('torch' in sys.modules or 'streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
