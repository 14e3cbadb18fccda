"""How long `consequence` will take, measured on a few images and steps; nothing stays."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from amn_core.commands.consequence import Cell, ConsequenceConfig, build_train_config, refine_cuts
from amn_core.commands.estimate import time_each, time_training
from amn_core.compute.devices import choose_device, choose_precision
from amn_core.data import Dataset, load_dataset
from amn_core.formats.runs import Run, resolve_spec
from amn_core.infer.extractor import load_extractor
from amn_core.infer.segmenter import Segmenter
from amn_core.train.config import resolve_train_config
from amn_core.train.stages import build_optimizer, build_training_model
from amn_core.train.training import Training

IMAGES = 4


def estimate_consequence(
    config: ConsequenceConfig, runs: Sequence[Run], dataset: Dataset, cells: Sequence[Cell]
) -> dict[str, Any]:
    """Measure a few images and steps of each stage.

    Returns:
        ``stages``, a list of {name, seconds}; ``seconds`` of all that is left to do; ``trainings`` left.
    """
    left = [cell for cell in cells if not cell.is_done]
    measured = load_dataset(resolve_spec(runs[0]), runs[0].meta["split"])
    training = prepare_training(config, cells[0], dataset)
    names = [run.name for run in runs if any(
        cell.run is run and not (cell.folder / "masks.npz").is_file() for cell in cells)]
    stages = []
    for run in (run for run in runs if run.name in names):
        maps, masks = time_masks(config, run, dataset, cells)
        mapped = len(dataset.ids) + (0 if run.has_maps else len(measured.ids))
        stages.append({"name": f"maps of {run.name}", "seconds": maps * mapped})
        stages.append({"name": f"masks of {run.name}", "seconds": masks * (len(dataset.ids) + len(measured.ids))})
    stages.append({"name": f"{len(left)} trainings", "seconds": time_training(training) * len(left)})
    stages.append({"name": "masks of the networks",
                   "seconds": time_network(training, measured) * len(measured.ids) * len(left)})
    return {"stages": stages, "seconds": sum(stage["seconds"] for stage in stages), "trainings": len(left),
            "device": str(training.device)}


def prepare_training(config: ConsequenceConfig, cell: Cell, dataset: Dataset) -> Training:
    """Prepare a training that will never be written down; it learns from empty masks, which take as long."""
    with tempfile.TemporaryDirectory() as nowhere:
        wanted = build_train_config(config, replace(cell, folder=Path(nowhere)), dataset)
    train_config = replace(resolve_train_config(wanted), seeds="")
    device = choose_device(config.device)
    model, arguments = build_training_model(train_config, len(dataset.class_names))
    model = model.to(device, memory_format=torch.channels_last)
    return Training(train_config, dataset, model, arguments, build_optimizer(model, train_config), device)


def time_masks(
    config: ConsequenceConfig, run: Run, dataset: Dataset, cells: Sequence[Cell]
) -> tuple[float, float]:
    """Time the maps of an image, and its masks at all thresholds: seconds for each."""
    extractor = load_extractor(
        str(run.checkpoint_path), config.device, scales=tuple(run.meta["protocol"]["scales"]),
        flip=run.meta["protocol"].get("flip", True))
    ids = dataset.ids[:IMAGES]
    maps = time_each(
        lambda i: extractor.infer_map(dataset.image(i), dataset.class_ids(i)), iter(ids), IMAGES, extractor.device)
    thresholds = sorted({cell.threshold for cell in cells if cell.run is run})
    began = time.perf_counter()
    for image_id in ids:
        image, n = dataset.image(image_id), len(dataset.class_ids(image_id))
        cam = np.linspace(0, 1, image.shape[1], dtype=np.float32) * np.ones((n, image.shape[0], 1), np.float32)
        refine_cuts(config, image, cam, thresholds)
    return maps, (time.perf_counter() - began) / len(ids)


def time_network(training: Training, dataset: Dataset) -> float:
    """Time what a network makes of an image, seconds."""
    dtype = choose_precision("auto", training.device, training.config.backbone)
    segmenter = Segmenter(training.model.eval(), dataset.class_names, training.device, dtype)
    ids = iter(dataset.ids)
    return time_each(lambda i: segmenter.infer_mask(dataset.image(i)), ids, IMAGES, training.device)


def format_estimate(result: dict[str, Any]) -> str:
    """Word an estimate: a line for each stage, then the whole."""
    lines = [f"{stage['name']:32} {stage['seconds']:10.0f} s" for stage in result["stages"]]
    return "\n".join([*lines, f"{'all on ' + result['device']:32} {result['seconds']:10.0f} s"])
