"""What happens in a soak: each function does one thing to the world, and says if something must not have been."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from amn_core.bench.serving import REPOSITORY
from amn_core.bench.soak_world import (
    MEGABYTE,
    TRAINING,
    World,
    empty,
    fill,
    list_processes,
    read_words,
    run_training,
    wait_until,
)
from amn_core.jobs import Job, list_jobs, load_job, resume_job, scan_jobs, start_job, stop_job

MOST = 3  # jobs at once
SOON = 30.0  # seconds for what has to be seen at once, on a machine that has a lot to do
ODD = ("null", "[]", "{", "", '{"format": "amn-job", "title": 5}', '{"state": "running", "began": null}', "\x00")
YEAR = 365 * 86400
Event = Callable[[World, random.Random], None]


def start(world: World, draw: random.Random) -> None:
    """Start a job: a training most often, a check of a data set, or an export."""
    if len(world.list_active()) >= MOST:
        return
    kind = draw.choice(("train", "train", "check", "export"))
    words = {
        "train": lambda path: [*TRAINING, "--out", str(path)],
        "check": lambda path: ["data", "check", "scenes:size=96,n=300"],
        "export": lambda path: ["export", "checkpoints/scenes/amn", "--format", "masks", "--threshold", "0.25",
                                "--out", str(path / "masks")],
    }
    start_job(world.jobs, f"Soak {kind}", words[kind], "cpu")


def choose_running(world: World, draw: random.Random) -> Job | None:
    """Choose a job whose command runs."""
    running = [job for job in world.list_active() if "command" in job.processes]
    return draw.choice(running) if running else None


def kill_command(world: World, draw: random.Random) -> None:
    """Kill the command of a job, or ask it to end: the job must not be called running after that."""
    job = choose_running(world, draw)
    if job is None:
        return
    if draw.random() < 0.5:
        job.processes["command"].kill_group()
    else:
        job.processes["command"].send(signal.SIGTERM)
    expect_ended(world, job)


def kill_all(world: World, draw: random.Random) -> None:
    """Kill a job and whoever looks after it, so that nobody writes how it ended."""
    job = choose_running(world, draw)
    if job is None:
        return
    processes = list(load_job(job.path).processes.values())
    draw.shuffle(processes)
    for process in processes:
        process.kill_group()
    expect_ended(world, job)


def stop(world: World, draw: random.Random) -> None:
    """Stop a job as the screen does, at once or with time to save."""
    job = choose_running(world, draw)
    if job is None:
        return
    try:
        stop_job(job, at_once=draw.random() < 0.3)
    except ValueError:  # it has just ended by itself
        return
    expect_ended(world, job)


def expect_ended(world: World, job: Job) -> None:
    """Note it if a job that was ended is still called running."""
    if not wait_until(lambda: not load_job(job.path).is_active, 2 * SOON):
        world.faults.append(f"{job.id} is still called {load_job(job.path).state}")


def resume(world: World, draw: random.Random) -> None:
    """Resume a job that ended early."""
    early = [job for job in list_jobs(world.jobs) if job.can_resume]
    if early and len(world.list_active()) < MOST:
        resume_job(draw.choice(early))


def delete_folder(world: World, draw: random.Random) -> None:
    """Delete the folder of a job that runs, which nobody should: what it started has to end with it."""
    job = choose_running(world, draw)
    if job is None:
        return
    shutil.rmtree(job.path, ignore_errors=True)
    name = f"{job.path}/" if job.path.exists() else str(job.path)
    if not wait_until(lambda: not any(name in read_words(pid) for pid in list_processes(world.token)), 2 * SOON):
        world.faults.append(f"what {job.id} started goes on without its folder")
    shutil.rmtree(job.path, ignore_errors=True)


def forge(world: World, draw: random.Random) -> None:
    """Put odd files where jobs and runs are: each is passed over, and the others are listed as before."""
    before = {job.id for job in list_jobs(world.jobs)}
    path = world.jobs / f"odd-{draw.randrange(10**6)}"
    path.mkdir()
    for name in draw.sample(("job.json", "status.json", "run.json", "metrics.jsonl", "counts.npz"), 3):
        (path / name).write_text(draw.choice(ODD))
    jobs, _ = scan_jobs(world.jobs)
    if before - {job.id for job in jobs}:
        world.faults.append(f"odd files in {path.name} hide other jobs")
    if draw.random() < 0.7:
        shutil.rmtree(path)


def jump(world: World, draw: random.Random) -> None:
    """Set the clock, by seconds or by years, forth or back; nobody may be called dead or alive for that."""
    before = {job.id: job.state for job in list_jobs(world.jobs) if not job.is_active}
    span = draw.choice((1, 90, 3600, 86400, 2 * YEAR))
    world.clock.write_text(f"{draw.uniform(-span, span):.3f}")
    now = {job.id: job.state for job in list_jobs(world.jobs)}
    changed = [name for name, state in before.items() if now.get(name) != state]
    if changed:
        world.faults.append(f"the clock changed {', '.join(changed)}")


def fill_disk(world: World, draw: random.Random) -> None:
    """Train on a disk that is nearly full, then make room and go on; it ends as if nothing had been."""
    out = world.disk / "training"
    shutil.rmtree(out, ignore_errors=True)
    limit = fill(world, draw.randrange(1, 90 * MEGABYTE))
    answer = run_training(out, limit=limit)
    said = (answer.stderr.strip().splitlines() or [""])[-1]
    halves = [path.name for path in out.rglob(".*") if path.name.endswith(".half")]
    empty(world)
    if answer.returncode and not ("error: " in said and ("full" in said or "too large" in said)):
        world.faults.append(f"a full disk ended a training with {answer.returncode} and the words {said!r}")
    if halves:
        world.faults.append(f"a full disk left {', '.join(halves)}")
    again = run_training(out, "--resume")
    if again.returncode:
        world.faults.append(f"a training did not go on once there was room: {again.stderr.strip().splitlines()[-1:]}")
    else:
        compare(world, out)


def write_twice(world: World, draw: random.Random) -> None:
    """Start two trainings into one folder: one of them is refused, and names the other."""
    out = world.folder / "twice"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "amn_core", *TRAINING, "--out", str(out)]
    both = [subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
            for _ in range(2)]
    said = [process.communicate(timeout=600)[1] for process in both]
    ends = sorted(process.returncode for process in both)
    if ends != [0, 1] or not any("is being written by" in one for one in said):
        world.faults.append(f"two writers of one folder ended with {ends}")


def restart_server(world: World, draw: random.Random) -> None:
    """Kill the server, and start it again on its port."""
    os.kill(world.server.pid, signal.SIGKILL)
    world.server.wait()
    world.start_server()


def compare(world: World, out: Path) -> None:
    """Note it if the weights of a training are not those of one that nobody disturbed."""
    from amn_core.formats.checkpoints import read_checkpoint

    ours, right = (read_checkpoint(path / "model.pth")["state"] for path in (out, world.folder / "undisturbed"))
    if ours.keys() != right.keys() or any((ours[key] != right[key]).any() for key in right):
        world.faults.append(f"{out.name}: other weights than without disturbance")


def describe_leftovers(world: World) -> list[str]:
    """List temporary files that nobody took away."""
    return [str(path.relative_to(world.folder)) for path in world.folder.rglob(".*")
            if path.name.endswith((".half", ".writer"))]


def check_files(world: World) -> None:
    """Note it if a description of a job is not whole."""
    for path in world.jobs.glob("2*/job.json"):
        try:
            json.loads(path.read_text())
        except ValueError as error:
            world.faults.append(f"{path.parent.name}: half a description ({error})")


# What happens, and how often compared with the others.
EVENTS: dict[Event, int] = {
    start: 8, kill_command: 4, kill_all: 3, stop: 2, resume: 8, delete_folder: 1, forge: 3, jump: 4, fill_disk: 1,
    write_twice: 1, restart_server: 1,
}
