"""How far a job has come, read from what its command leaves behind: models, metrics, and its own file of progress."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amn_core.commands.pipeline import ReproduceConfig, Step, complete_methods, plan_steps
from amn_core.compute.progress import read_progress
from amn_core.formats.consequences import NAME as CONSEQUENCES
from amn_core.formats.consequences import load_consequences
from amn_core.formats.files import read_json
from amn_core.formats.trainings import read_metrics
from amn_core.jobs.folder import PROGRESS, PROJECT, Job

RECENT = 12


@dataclass(frozen=True)
class Stage:
    """A part of a job: its name, where it leaves its results, how much is done, in [0, 1], and whether it trains."""

    name: str
    folder: Path
    done: float
    is_training: bool = False


def find_out(job: Job) -> Path:
    """Find the folder that the job's command writes into; the job's own if it names none."""
    words = list(job.words)
    after = words[words.index("--out") + 1:] if "--out" in words else []
    return PROJECT / after[0] if after else job.path


def list_stages(job: Job) -> list[Stage]:
    """List the stages of a job in order: of a reproduction all, of a training or another command one.

    Words that no command of ours has are one stage.
    """
    try:
        return list_known_stages(job)
    except (ValueError, OSError):
        return [Stage(job.words[0], job.path, float(job.state == "done"))]


def list_known_stages(job: Job) -> list[Stage]:
    """List the stages of a job whose words are those of a command."""
    out, command = find_out(job), job.words[0]
    if command == "train":
        return [measure_training(f"train {job.words[1]}", out)]
    if command == "consequence":
        return list_consequence(job, out)
    if command != "reproduce":
        return [Stage(command, out, 1.0 if job.state == "done" else read_share(job))]
    return list_reproduction(job, out)


def list_reproduction(job: Job, out: Path) -> list[Stage]:
    """List the stages of a reproduction; how far one without metrics has come is in the job's file of progress."""
    stages = [measure_step(step, out) for step in plan_steps(find_methods(job))]
    current = find_current(stages)
    return [
        replace(stage, done=read_share(job, stage.name)) if stage == current and not stage.is_training else stage
        for stage in stages]


def list_consequence(job: Job, out: Path) -> list[Stage]:
    """List the two stages of networks behind masks: the masks, then all trainings, by how many are finished."""
    found = read_progress(job.path / PROGRESS)
    share = found.get("share", 0.0)
    if not (out / CONSEQUENCES).is_file():
        return [Stage(found.get("stage") or "masks", out, share), Stage("networks", out, 0.0)]
    runs, seeds = load_consequences(out), read_json(out / CONSEQUENCES).get("seeds") or [0]
    total = len(seeds) * sum(len(one.thresholds) for one in runs)
    finished = sum(len(scores) for one in runs for scores in one.networks)
    done = 1.0 if job.state == "done" else min(0.999, (finished + share) / max(1, total))
    return [Stage("masks", out, 1.0), Stage(f"networks: {finished} of {total}", out, done)]


def measure_step(step: Step, out: Path) -> Stage:
    """Measure how far a stage of a reproduction has come: a training by its metrics, another by its last file."""
    if step.kind == "train":
        return measure_training(step.name, out / step.folder)
    return Stage(step.name, out / step.folder, float((out / step.folder / step.done).is_file()))


def find_methods(job: Job) -> tuple[str, ...]:
    """Find the methods that a reproduction measures."""
    words = list(job.words)
    if "--methods" in words[:-1]:
        return complete_methods(words[words.index("--methods") + 1].split(","))
    return complete_methods(ReproduceConfig().methods.split(","))


def find_current(stages: list[Stage]) -> Stage | None:
    """Find the stage that is at work, or would be: the first that is not done."""
    return next((stage for stage in stages if stage.done < 1), None)


def measure_training(name: str, folder: Path) -> Stage:
    """Measure how far a training has come by its last metrics; done means that its model was written."""
    if (folder / "model.pth").is_file():
        return Stage(name, folder, 1.0, is_training=True)
    last = (read_metrics(folder / "metrics.jsonl") or [{"step": 0, "steps": 1}])[-1]
    return Stage(name, folder, min(0.999, last["step"] / max(1, last["steps"])), is_training=True)


def read_share(job: Job, stage: str = "") -> float:
    """Read how much of a stage its worker says is done, in [0, 1); 0 where it says nothing or works on another."""
    found = read_progress(job.path / PROGRESS)
    return found["share"] if found and found["stage"] == stage else 0.0


def estimate_rest(entries: list[dict[str, Any]], since: float = 0.0) -> float | None:
    """Estimate the seconds to the end of a training from its last metrics; None before there are two.

    Args:
        entries: as `read_metrics` gives them.
        since: entries from before this time, of an earlier attempt, tell nothing.
    """
    recent = [entry for entry in entries[-RECENT:] if entry["time"] >= since]
    if len(recent) < 2 or recent[-1]["time"] <= recent[0]["time"]:
        return None
    first, last = recent[0], recent[-1]
    return (last["steps"] - last["step"]) * (last["time"] - first["time"]) / (last["step"] - first["step"])


