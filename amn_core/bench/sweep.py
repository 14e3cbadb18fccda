"""``bench sweep`` and ``bench scores``: the naive evaluation and ours, timed in turn and compared."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.bench.naive import score_naive, sweep_naive
from amn_core.bench.path import bench_path
from amn_core.bench.timing import find_fastest, measure
from amn_core.formats.counts import load_counts, save_counts
from amn_core.options import option
from amn_core.presets import DEVICES
from amn_core.sweep import Counts, CountsBuilder, bootstrap_runs, count_image, count_images, score_images, summarise
from amn_core.sweep.confusion import score_confusion, score_miou

N_CLASSES = 21


@dataclass(frozen=True)
class BenchSweepConfig:
    """What `bench sweep` needs."""

    height: int = option(375, "height of the maps, pixels")
    width: int = option(500, "width of the maps, pixels")
    classes: int = option(2, "classes present in the image, 1 to 20")
    thresholds: int = option(201, "thresholds from 0 to 1, at least 2")
    dtype: str = option("float32", "number type of the maps", choices=("float16", "float32", "float64"))
    rounds: int = option(3, "times the naive sweep is run; ours is run 30 times in each")
    seed: int = option(0, "seed of the maps")
    device: str = option("auto", "also measure tensors there: auto, cpu for arrays only, cuda", choices=DEVICES)


@dataclass(frozen=True)
class BenchScoresConfig:
    """What `bench scores` needs."""

    images: int = option(1464, "images in the data set, at least 2")
    thresholds: int = option(201, "thresholds from 0 to 1, at least 2")
    resamples: int = option(1000, "resamples of the paired bootstrap")
    rounds: int = option(5, "times that our way is run")
    seed: int = option(0, "seed of the maps")


def bench_sweep(config: BenchSweepConfig) -> dict[str, Any]:
    """Time every threshold of one image, the naive way and ours, in turn, and check that they agree.

    Each time is that of the fastest of many runs, the one least disturbed by other programs; for the naive way
    the fastest single threshold, times their number, which is kind to it.

    Returns:
        The config, ``naive_one_ms`` and ``naive_ms`` (one threshold, and all), ``ours_ms`` (all, histograms
        for separation included), milliseconds an image; ``ratio`` of naive to ours; ``agree``; what `bench_path`
        finds for maps of this kind in the form of a run, from reading to counting; with a graphics card
        ``cuda_ms``, ``cuda_images_per_second``, ``cuda_agree``.

    Raises:
        ValueError: if a size is out of range, or a graphics card is asked for and there is none.
    """
    check_sizes(config.thresholds, config.rounds)
    cam, class_ids, gt = build_maps(config.height, config.width, config.classes, config.dtype, config.seed)
    thresholds = np.arange(config.thresholds) / (config.thresholds - 1)
    naive, ours = [], []
    count_image(cam, class_ids, gt, thresholds)
    for _ in range(config.rounds):
        for j in range(len(thresholds)):
            naive += measure(lambda j=j: sweep_naive(cam, class_ids, gt, thresholds[j : j + 1], N_CLASSES), 1)
        ours += measure(lambda: count_image(cam, class_ids, gt, thresholds), 30)
    expected = sweep_naive(cam, class_ids, gt, thresholds, N_CLASSES)
    naive_one, ours_ms = min(naive), min(ours)
    result = asdict(config) | {
        "naive_one_ms": naive_one, "naive_ms": naive_one * len(thresholds), "ours_ms": ours_ms,
        "ratio": naive_one * len(thresholds) / ours_ms,
        "agree": bool(np.array_equal(expected, score_one(cam, class_ids, gt, thresholds))),
    }
    result |= bench_path(cam, class_ids, gt, thresholds, N_CLASSES)
    return result | bench_device(config.device, cam, class_ids, gt, thresholds, expected)


def check_sizes(thresholds: int, rounds: int) -> None:
    """Raise ValueError if there is nothing to measure."""
    if thresholds < 2 or rounds < 1:
        raise ValueError(f"thresholds is {thresholds} and rounds is {rounds}: give at least 2 and 1")


def score_one(cam, class_ids, gt, thresholds: np.ndarray) -> np.ndarray:
    """Count one image our way and return its confusion at each threshold."""
    builder = CountsBuilder(tuple(map(str, range(N_CLASSES))), thresholds)
    builder.add("image", cam, class_ids, gt)
    return score_confusion(builder.build())


def build_maps(
    height: int, width: int, classes: int, dtype: str, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build smooth maps (K, H, W) with a blob for each class, their ids (K,), and ground truth (H, W)."""
    if not 1 <= classes < N_CLASSES or min(height, width) < 8:
        raise ValueError(f"maps are {classes} × {height} × {width}: give 1 to 20 classes and at least 8 pixels")
    rng = np.random.default_rng(seed)
    class_ids = np.sort(rng.choice(np.arange(1, N_CLASSES), classes, replace=False))
    y, x = np.mgrid[0:1 : height * 1j, 0:1 : width * 1j]
    cam, gt = np.empty((classes, height, width)), np.zeros((height, width), dtype=np.uint8)
    for k, class_id in enumerate(class_ids):
        top, left, size = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.25)
        distance = np.hypot(y - top, x - left) / size
        ripple = np.cos(rng.uniform(10, 40) * x + rng.uniform(10, 40) * y)
        cam[k] = np.exp(-(distance**2)) + 0.1 * (1 + ripple)
        gt[distance < 0.8] = class_id
        gt[np.abs(distance - 0.8) < 0.03] = 255
    cam /= cam.max(axis=(1, 2), keepdims=True)
    return cam.astype(dtype), class_ids, gt


def bench_device(
    device: str, cam: np.ndarray, class_ids: np.ndarray, gt: np.ndarray, thresholds: np.ndarray,
    expected: np.ndarray,
) -> dict[str, Any]:
    """Time maps that lie on a graphics card, one image and 64 together; nothing if there is no card."""
    if device == "cpu":
        return {}
    import torch

    if not torch.cuda.is_available():
        if device == "cuda":
            raise ValueError("device is cuda, but torch finds no graphics card: use --device cpu")
        return {}
    maps, labels = torch.from_numpy(cam).cuda(), torch.from_numpy(gt).cuda()
    together = [[maps.clone() for _ in range(64)], [class_ids] * 64, [labels.clone() for _ in range(64)]]
    count_images(*together, thresholds)
    one = find_fastest(lambda: count_image(maps, class_ids, labels, thresholds), 30)
    many = find_fastest(lambda: count_images(*together, thresholds), 5)
    agree = np.array_equal(expected, score_one(maps, class_ids, labels, thresholds))
    return {
        "cuda_ms": one, "cuda_images_per_second": 64000 / many, "cuda_agree": bool(agree),
    }


def bench_scores(config: BenchScoresConfig) -> dict[str, Any]:
    """Time the scores of a subset of a data set from its counts, image by image and ours, and what else follows.

    Each time is that of the fastest run.

    Returns:
        The config, ``naive_ms`` and ``ours_ms`` for the mIoU of half the images at every threshold, ``ratio``,
        ``agree``; ``images_ms`` for every image's curve, ``summary_ms``, ``load_ms`` and ``file_mb`` for the
        counts on disk, ``bootstrap_ms`` for two runs, resampled in pairs.

    Raises:
        ValueError: if a size is out of range.
    """
    check_sizes(config.thresholds, config.rounds)
    if config.images < 2:
        raise ValueError(f"images is {config.images}: give at least 2")
    first, second = (build_counts(config, seed) for seed in (config.seed, config.seed + 1))
    subset = np.random.default_rng(config.seed).permutation(config.images)[: config.images // 2]
    naive = measure(lambda: score_naive(first, subset), 1)[0]
    ours = find_fastest(lambda: score_miou(score_confusion(first, subset)), config.rounds)
    agree = np.allclose(score_naive(first, subset), score_miou(score_confusion(first, subset)), rtol=1e-12, atol=0)
    return asdict(config) | bench_file(first, config.rounds) | {
        "naive_ms": naive, "ours_ms": ours, "ratio": naive / ours, "agree": bool(agree),
        "images_ms": find_fastest(lambda: score_images(first), config.rounds),
        "summary_ms": find_fastest(lambda: summarise(first), config.rounds),
        "bootstrap_ms": find_fastest(lambda: bootstrap_runs([first, second], resamples=config.resamples), 1),
    }


def bench_file(counts: Counts, rounds: int) -> dict[str, float]:
    """Time the reading of counts from disk, and weigh the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counts"
        save_counts(path, counts)
        return {"load_ms": find_fastest(lambda: load_counts(path), rounds), "file_mb": path.stat().st_size / 1e6}


def build_counts(config: BenchScoresConfig, seed: int) -> Counts:
    """Build the counts of a data set of small images with one to three classes each."""
    builder = CountsBuilder(tuple(map(str, range(N_CLASSES))), np.arange(config.thresholds) / (config.thresholds - 1))
    for i in range(config.images):
        builder.add(str(i), *build_maps(48, 64, 1 + i % 3 % 2 + (i % 7 == 0), "float32", seed * config.images + i))
    return builder.build()
