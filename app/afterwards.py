"""What comes after the maps, as jobs: the curve after refinement, the networks behind the masks, two runs as one.

From what a form holds to a command, and back. No Streamlit.
"""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from amn_core.commands.combine import CombineConfig
from amn_core.commands.consequence import ConsequenceConfig
from amn_core.commands.refine import RefineConfig
from amn_core.formats.consequences import NAME, Consequence, load_consequences
from amn_core.formats.errors import FormatError
from amn_core.formats.runs import Run
from amn_core.jobs import Job, find_jobs_root, start_job
from amn_core.options import format_command

REFINE, CONSEQUENCE, COMBINE = "refine", "consequence", "combine"
METHODS = {"crf": "dense CRF", "pamr": "PAMR", "irn": "IRN's random walk, then dense CRF"}
Config = RefineConfig | ConsequenceConfig | CombineConfig
COMMANDS = {RefineConfig: REFINE, ConsequenceConfig: CONSEQUENCE, CombineConfig: COMBINE}


def list_cut(runs: dict[str, Run]) -> dict[str, Run]:
    """List the runs whose maps can be cut and refined at every threshold."""
    return {key: run for key, run in runs.items() if run.has_maps and not run.is_masks and not run.is_refined}


def list_models(runs: dict[str, Run]) -> dict[str, Run]:
    """List the runs whose model can make masks to learn from: with a checkpoint and counts."""
    return {key: run for key, run in runs.items()
            if run.has_counts and not run.is_masks and not run.is_refined and run.checkpoint_path}


def find_irn(run: Run) -> Path | None:
    """Find the IRN that ``reproduce`` trained beside a run."""
    path = run.path.parent / "train" / "irn" / "model.pth"
    return path if path.is_file() else None


def list_methods(run: Run) -> list[str]:
    """List the ways to refine a run: IRN only where it was trained beside it."""
    return [method for method in METHODS if method != "irn" or find_irn(run)]


def build_refine(run: Run, spec: str, method: str, thresholds: int) -> RefineConfig:
    """Build the config of the curve after refinement; spec is where the images of the run are now."""
    return RefineConfig(
        run=str(run.path), method=method, every=True, thresholds=thresholds, data=spec,
        checkpoint=str(find_irn(run) or "") if method == "irn" else "",
        normalisation="mean" if method == "irn" else RefineConfig.normalisation)


def build_consequence(runs: Sequence[Run], seeds: int, thresholds: int, crf: bool) -> ConsequenceConfig:
    """Build the config of the networks behind the masks of some runs, with so many seeds."""
    return ConsequenceConfig(
        runs=tuple(str(run.path) for run in runs), seeds=",".join(map(str, range(seeds))), thresholds=thresholds,
        crf=crf)


def build_combine(runs: Sequence[Run], spec: str, by: str, masks: str = "", overlap: float = 0.5) -> CombineConfig:
    """Build the config of one run made of two, or of one and masks; spec is where their images are now."""
    return CombineConfig(runs=tuple(str(run.path) for run in runs), by=by, masks=masks, overlap=overlap, data=spec)


def name_command(config: Config) -> str:
    """Name the command that a config is of."""
    return COMMANDS[type(config)]


def write_command(config: Config) -> str:
    """Write the equivalent command line."""
    words = format_command(name_command(config), replace(config, out="runs/NAME"))
    return "python -m amn_core " + shlex.join(words)


def write_estimate(config: Config) -> tuple[str, ...]:
    """Write the words of the command that says how long it would take."""
    return tuple(format_command(name_command(config), replace(config, out="nowhere", estimate=True)))


def start(config: Config, title: str) -> Job:
    """Start it as a job; what it makes lies in the job's folder.

    Raises:
        ValueError, OSError: it did not start.
    """
    def build_words(path: Path) -> list[str]:
        out = path / ("networks" if isinstance(config, ConsequenceConfig) else "run")
        return format_command(name_command(config), replace(config, out=str(out)))

    return start_job(find_jobs_root(), title, build_words, getattr(config, "device", "cpu"))


def read_results(folder: Path) -> list[Consequence]:
    """Read what `consequence` has finished in a folder; empty before the first masks are measured."""
    if not (folder / NAME).is_file():
        return []
    try:
        return load_consequences(folder)
    except FormatError:
        return []
