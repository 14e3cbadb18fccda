"""The curve after refinement: ``refine --every`` counts the refined mask at every threshold of a grid, as a run.

Nothing is written but counts: 51 masks an image would be more than the maps. Each image's counts are a file of their
own until all are there, so that the same command goes on where it was stopped.
"""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.commands.count import find_countable, remember_protocol
from amn_core.commands.refine import (
    FEW_IMAGES,
    RefineConfig,
    Source,
    choose_workers,
    load_source,
    resize_source,
    walk_sources,
)
from amn_core.commands.work import Work
from amn_core.compute.distributed import is_main, main_first, take_shard, wait_for_all
from amn_core.compute.parallel import Once, run_chunks
from amn_core.compute.parallel import choose_workers as choose_processes
from amn_core.data import DataError, Dataset
from amn_core.formats.counts import load_counts, save_counts
from amn_core.formats.runs import Run, load_run, save_run
from amn_core.sweep.counts import CountsBuilder, merge_counts
from amn_core.sweep.pixels import ImageCounts
from amn_core.sweep.refined import choose_grid, count_refined

PARTS = "parts"
CHUNK = 4
SAMPLE = 4


def refine_every(config: RefineConfig, meta: dict[str, Any], opening: Once) -> Path:
    """Refine and count every threshold of a grid; what was counted already is kept.

    Args:
        config: resolved. meta: of the new run. opening: of the run and its data.

    Returns:
        The run folder, with counts.

    Raises:
        ValueError: an image without maps or without ground truth, unless these may be left out.
    """
    target, dataset = Path(config.out), opening().dataset
    ids = find_countable(dataset, opening().run, config.skip_broken)
    with main_first():
        if is_main():
            save_run(target, meta)
    if load_run(target).has_counts:
        return target
    shard, words = take_shard(ids), f"refine {config.method} at every threshold"
    workers, work = choose_workers(config), partial(count_some, config)
    for _ in run_chunks(work, shard, words, workers, CHUNK, FEW_IMAGES, opening):
        pass
    wait_for_all()
    if is_main():
        join_parts(load_run(target), dataset, ids)
    wait_for_all()
    return target


def estimate_every(config: RefineConfig, work: Work, ids: Sequence[str]) -> dict[str, Any]:
    """Measure a few images, evenly taken, and say how long all would take; nothing is written.

    Args:
        config: resolved. work: the run and its data. ids: of the images to refine.

    Returns:
        ``stages``, a list of {name, seconds}; ``seconds`` of all; ``images``, ``processes`` and ``device``.
    """
    from amn_core.compute.devices import choose_device

    run, dataset = work.run, work.dataset
    grid, seconds = choose_grid(config.thresholds), []
    for image_id in [ids[0], *(ids[i * len(ids) // SAMPLE] for i in range(min(SAMPLE, len(ids))))]:
        began = time.perf_counter()
        source = load_source(config, work, image_id)
        if source is not None:
            count_source(config, source, dataset.gt(image_id), grid, len(run.class_names))
        seconds.append(time.perf_counter() - began)
    each = sum(seconds[1:]) / len(seconds[1:])  # the first also loads what all share
    processes = min(choose_workers(config) or choose_processes(len(ids), FEW_IMAGES), len(ids))
    total = each * len(ids) / processes
    name = f"{len(ids)} images at {len(grid)} thresholds, {processes} processes"
    return {"stages": [{"name": name, "seconds": total}], "seconds": total, "images": len(ids),
            "processes": processes, "device": str(choose_device(config.device))}


def find_part(run: Run, image_id: str) -> Path:
    """Find where the counts of one image are, or would be."""
    return run.path / PARTS / run.map_path(image_id).name


def join_parts(target: Run, dataset: Dataset, ids: Sequence[str]) -> None:
    """Join the counts of all images to those of the run; the parts are removed."""
    paths = [path for path in (find_part(target, image_id) for image_id in ids) if path.is_file()]
    if not paths:
        raise DataError(f"{target.path}: no image could be refined")
    save_counts(target.counts_path, merge_counts([load_counts(path) for path in paths]))
    remember_protocol(target, dataset, len(paths), {})
    for path in paths:
        path.unlink()
    (target.path / PARTS).rmdir()


def count_some(config: RefineConfig, work: Work, ids: Sequence[str]) -> None:
    """Refine some images at every threshold and count each, leaving those that are there already."""
    run, dataset = work.run, work.dataset
    target, grid = load_run(config.out), choose_grid(config.thresholds)
    for image_id in ids:
        path = find_part(target, image_id)
        source = None if path.is_file() else load_source(config, work, image_id)
        if source is None:
            continue
        builder = CountsBuilder(dataset.class_names, grid)
        builder.add_counts(image_id, count_source(config, source, dataset.gt(image_id), grid, len(run.class_names)))
        save_counts(path, builder.build())


def count_source(
    config: RefineConfig, source: Source, gt: np.ndarray, grid: np.ndarray, n_classes: int
) -> ImageCounts:
    """Refine the maps of one image at every threshold and count the masks."""
    from amn_core.compute.devices import choose_device
    from amn_core.infer.cuts import CutRefiner

    if config.method == "irn":
        source = walk_sources(config, [source])[0]
    cam = resize_source(source, source.image.shape[:2])
    method = "pamr" if config.method == "pamr" else "crf"
    refiner = CutRefiner(source.image, cam, method, config.gt_prob, choose_device(config.device))
    return count_refined(refiner.refine(grid), source.class_ids, gt, grid, n_classes)
