"""``bench scale``: what `compare` of two runs on a large data set takes, in time and memory."""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.constants import DEFAULT_THRESHOLDS
from amn_core.formats.counts import save_counts
from amn_core.formats.runs import save_run
from amn_core.options import option
from amn_core.sweep import Counts
from amn_core.sweep.bins import pack_bins

PIXELS = 48_000  # scored pixels of an image
OURS = "from amn_core.cli import main; main()"
PLAIN = "import amn_core.sweep.bins as bins; bins.PACKED = bins.ROWS = 1 << 62; " + OURS


@dataclass(frozen=True)
class BenchScaleConfig:
    """What `bench scale` needs."""

    images: int = option(40_000, "images in the data set, at least 1")
    classes: int = option(81, "classes, background counted, at least 4")
    seed: int = option(0, "seed of the counts")


def bench_scale(config: BenchScaleConfig) -> dict[str, Any]:
    """Make two runs of a large data set in a temporary folder, and compare them in a process of its own.

    The plain way widens every count when a run is opened, ours a block of rows at a time.

    Returns:
        The config; of both ways seconds and peak memory in MB; ``file_mb`` of a run; ``ratio`` of the times;
        ``agree``, whether both print the same.
    """
    if config.images < 1 or config.classes < 4:
        raise ValueError(f"there are {config.images} images and {config.classes} classes: give at least 1 and 4")
    with tempfile.TemporaryDirectory() as folder:
        runs = [Path(folder) / name for name in ("first", "second")]
        for i, path in enumerate(runs):
            make_run_apart(path, config, config.seed + i)
        size = (runs[0] / "counts.npz").stat().st_size / 1e6
        ours, plain = (compare_apart(code, runs) for code in (OURS, PLAIN))
    return asdict(config) | {
        "file_mb": size, "ours_seconds": ours[0], "ours_memory_mb": ours[1], "plain_seconds": plain[0],
        "plain_memory_mb": plain[1], "ratio": plain[0] / ours[0],
        "agree": is_alike(json.loads(ours[2]), json.loads(plain[2]))}


def is_alike(ours: Any, plain: Any) -> bool:
    """Tell whether two results are the same but for the order of sums: numbers to nine digits, the rest exactly."""
    if isinstance(ours, dict) and isinstance(plain, dict):
        return ours.keys() == plain.keys() and all(is_alike(ours[key], plain[key]) for key in ours)
    if isinstance(ours, list) and isinstance(plain, list):
        return len(ours) == len(plain) and all(map(is_alike, ours, plain))
    if isinstance(ours, float) and isinstance(plain, float):
        return math.isclose(ours, plain, rel_tol=1e-9)
    return ours == plain


def compare_apart(code: str, runs: list[Path]) -> tuple[float, float, str]:
    """Compare runs in a process of its own: seconds, peak memory in MB, and what it printed."""
    command = [sys.executable, "-c", code, "compare", *map(str, runs), "--json"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"compare ended with status {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss / 1e3, printed


def make_run_apart(path: Path, config: BenchScaleConfig, seed: int = 0) -> None:
    """Make a run in a process of its own: a process counts the memory of the one that started it as its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(make_run, path, config, seed).result()


def make_run(path: Path, config: BenchScaleConfig, seed: int) -> Path:
    """Make a run folder with counts alone."""
    names = ("background", *(f"class {i}" for i in range(1, config.classes)))
    save_run(path, {
        "name": path.name, "method": "cam", "data": "folder:scale", "split": "train", "class_names": names,
        "protocol": {"ground_truth": "drawn"}})
    save_counts(path / "counts.npz", make_counts(config, names, seed))
    return path


def make_counts(config: BenchScaleConfig, names: tuple[str, ...], seed: int) -> Counts:
    """Make counts of images with one to three classes each, every pair of ground truth and class with a row."""
    rng, bins = np.random.default_rng(seed), len(DEFAULT_THRESHOLDS) + 1
    n_present = rng.integers(1, 4, config.images)
    present = [np.sort(rng.choice(np.arange(1, config.classes), n, replace=False)) for n in n_present]
    rows = [(i, gt, label) for i, ids in enumerate(present) for gt in (0, *ids) for label in ids]
    image, gt, label = np.array(rows).T
    separation = np.array([(i, k) for i, ids in enumerate(present) for k in ids])
    decision = draw_bins(rng, gt == label, n_present[image], bins)
    own = np.tile([True, False, False], len(separation))
    regions = draw_bins(rng, own, np.full(len(own), 2), bins).reshape(len(separation), 3, bins)
    centres = np.arange(bins) / (bins - 1)
    moments = np.stack([regions @ centres, regions @ centres**2], axis=-1)
    return Counts(
        DEFAULT_THRESHOLDS, names, tuple(f"{i:012d}" for i in range(config.images)), image.astype(np.int32),
        gt.astype(np.uint8), label.astype(np.uint8), pack_bins(decision), separation[:, 0].astype(np.int32),
        separation[:, 1].astype(np.uint8), pack_bins(regions), moments)


def draw_bins(rng: np.random.Generator, is_own: np.ndarray, parts: np.ndarray, n_bins: int) -> np.ndarray:
    """Draw a histogram for each row (R,): a hill, higher up for a class on its own ground; (R, n_bins) uint32."""
    drawn = np.empty((len(is_own), n_bins), dtype=np.uint32)
    levels = np.arange(n_bins, dtype=np.float32) / n_bins
    for start in range(0, len(is_own), 4096):
        part = slice(start, start + 4096)
        centre = np.where(is_own[part], 0.6, 0.2) + rng.normal(0, 0.1, len(is_own[part]))
        hill = np.exp(-(((levels - centre[:, None]) / 0.15) ** 2))
        area = PIXELS * rng.uniform(0.02, 0.3, len(hill)) / parts[part]
        drawn[part] = hill / hill.sum(axis=1, keepdims=True) * area[:, None]
    return drawn
