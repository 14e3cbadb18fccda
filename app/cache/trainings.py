"""The caches of *Train* and *Figures*; keys are those of `app.cache.runs`: paths, modification times and questions."""

import json
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import streamlit as st

from amn_core.commands.pipeline import ReproduceConfig
from app import roots


@st.cache_data(ttl="10s", max_entries=16, show_spinner="Looking at the data…")
def check_start(config: ReproduceConfig, root: str) -> list:
    """Check what a training needs before it starts (`amn_core.commands.checks`)."""
    from amn_core.commands import checks

    return checks.check_start(config, Path(root))


@st.cache_resource
def get_estimator() -> ThreadPoolExecutor:
    """Get the one thread that waits for estimates, so that two never measure at once."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="app-estimate")


@st.cache_resource(max_entries=32, ttl="1h", show_spinner=False)
def ask_estimate(words: tuple[str, ...]) -> Future:
    """Ask how long a command takes and how much memory; measured in a process of its own, once an hour."""
    return get_estimator().submit(run_estimate, words)


def run_estimate(words: tuple[str, ...]) -> dict:
    """Run the command that measures a few steps.

    Raises:
        ValueError: what it said was wrong.
    """
    answer = subprocess.run(
        [sys.executable, "-m", "amn_core", *words, "--json"], cwd=roots.REPOSITORY, capture_output=True, text=True,
        check=False)
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise ValueError(last.removeprefix("error: "))
    return json.loads(answer.stdout.splitlines()[-1])


def mark_probe(probe, epoch: int) -> tuple[str, int, int]:
    """Mark what a training showed after an epoch, for a cache: folder, epoch, time of modification."""
    path = probe.folder / f"epoch-{epoch:03d}" / "counts.npz"
    return str(probe.folder), epoch, path.stat().st_mtime_ns


def load_probe_counts(probe, epoch: int):
    """Load the counts of the probe images after an epoch."""
    return read_probe(*mark_probe(probe, epoch), probe)[0]


def summarise_probe(probe, epoch: int):
    """Summarise the probe images after an epoch."""
    return read_probe(*mark_probe(probe, epoch), probe)[1]


@st.cache_resource(max_entries=64, show_spinner=False)
def read_probe(folder: str, epoch: int, modified: int, _probe) -> tuple:
    """Read and summarise the counts of a probe, once for each epoch and time of modification."""
    from amn_core.sweep import summarise

    counts = _probe.counts(epoch)
    return counts, summarise(counts)


def render_probe_sheet(probe) -> bytes:
    """Render the maps of the probe images over time, as PNG."""
    return draw_probe_sheet(*mark_probe(probe, probe.epochs[-1]), probe)


@st.cache_data(max_entries=16, show_spinner=False)
def draw_probe_sheet(folder: str, epoch: int, modified: int, _probe) -> bytes:
    """Draw the sheet of maps, once for each last epoch and time of modification."""
    from app.charts.trainings import render_sheet

    return render_sheet(_probe)


def build_figure(config, folders: tuple[Path, ...]):
    """Build a figure for print (`amn_core.figures.make.build_output`), read from these folders."""
    names = ("run.json", "counts.npz", "metrics.jsonl", "consequence.json")
    marks = tuple((folder / name).stat().st_mtime_ns for folder in folders for name in names
                  if (folder / name).is_file())
    return draw_figure(config, tuple(map(str, folders)), marks)


@st.cache_resource(max_entries=32, show_spinner="Drawing…")
def draw_figure(config, folders: tuple[str, ...], marks: tuple[int, ...]):
    """Draw a figure, once for each config and version of what it is made from."""
    from amn_core.figures.make import build_output

    return build_output(config, folders)


@st.cache_data(ttl="5s", show_spinner=False)
def find_trainings() -> dict[str, Path]:
    """Find the folders of trainings by their path, up to four levels below the roots of runs and ``jobs/``."""
    return find_folders("metrics.jsonl")


def find_consequences() -> dict[str, Path]:
    """Find the folders that ``consequence`` wrote into by their path."""
    return find_folders("consequence.json")


def find_folders(name: str) -> dict[str, Path]:
    """Find the folders that hold a file of a name, up to four levels below the roots of runs and ``jobs/``."""
    found = {}
    for root in (*roots.list_run_roots(), roots.REPOSITORY / "jobs"):
        for depth in range(1, 5):
            for path in sorted(root.glob("*/" * depth + name)):
                found.setdefault(path.parent.relative_to(root).as_posix(), path.parent)
    return found
