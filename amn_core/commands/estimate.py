"""How long a reproduction will take, and how much memory, measured on a few steps and images of it.

Nothing is written. The first step of a training, which is slower than the rest, is left out.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from amn_core.commands.pipeline import (
    ReproduceConfig,
    find_trained,
    plan_steps,
    resolve_seed_thresholds,
    resolve_splits,
)
from amn_core.commands.reproduce import Stages, build_train_config, choose_methods, choose_scales
from amn_core.commands.segment import SegmentConfig
from amn_core.compute.devices import choose_device, choose_precision
from amn_core.data import Dataset, load_dataset
from amn_core.formats.maps import STRIDE
from amn_core.infer.extractor import Extractor, parse_scales
from amn_core.infer.segmenter import Segmenter
from amn_core.infer.walker import Walker
from amn_core.refine.random_walk import WalkConfig
from amn_core.sweep.seeds import build_seed
from amn_core.train.config import resolve_train_config
from amn_core.train.loop import default_workers, measure_memory, run_step
from amn_core.train.samples import build_loader
from amn_core.train.stages import build_optimizer, build_training_model
from amn_core.train.training import Training

STEPS = 2
IMAGES = 3


def estimate(config: ReproduceConfig) -> dict[str, Any]:
    """Measure a few steps of each stage of a reproduction and say what the whole will take.

    Returns:
        ``stages``, a list of {name, seconds}; ``seconds`` of all; ``memory``, the most that was held, in
        bytes, of the GPU where there is one; ``device``; ``images`` to train on and ``measured`` images.

    Raises:
        ValueError: what `reproduce` would say about the data or the options.
    """
    config, methods = resolve_splits(config), choose_methods(config)
    trained = load_dataset(config.data, config.train_split, config.skip_broken)
    measured = load_dataset(config.measure_data, config.split, config.skip_broken)
    times, stages = {}, []
    for method in find_trained(methods):
        training = prepare(config, method, trained)
        times[f"train {method}"] = time_training(training)
        times[method] = time_images(config, training, measured)
    memory, device = measure_memory(training.device), training.device
    times["crf"] = time_seeds(config, trained)
    per_trained_image = {
        "seeds": times["cam"] + times["crf"] * config.crf,
        "seeds for IRN": times.get("amn", 0) + times["crf"] * config.crf,
        "pseudo masks": times.get("amn", 0) + times.get("irn", 0)}
    for step in plan_steps(methods):
        if step.kind == "labels":
            seconds = per_trained_image[step.name] * len(trained.ids)
        else:
            seconds = times[step.name] if step.kind == "train" else times[step.method] * len(measured.ids)
        stages.append({"name": step.name, "seconds": seconds})
    return {
        "stages": stages, "seconds": sum(stage["seconds"] for stage in stages), "memory": memory,
        "device": str(device), "images": len(trained.ids), "measured": len(measured.ids)}


def prepare(config: ReproduceConfig, method: str, dataset: Dataset) -> Training:
    """Prepare a training that will never be written down; an AMN learns from empty seeds, which take as long."""
    with tempfile.TemporaryDirectory() as nowhere:
        wanted = build_train_config(Stages(replace(config, out=nowhere)), method, Path(nowhere))
    train_config = replace(resolve_train_config(wanted), seeds="")
    device = choose_device(config.device)
    model, arguments = build_training_model(train_config, len(dataset.class_names))
    model = model.to(device, memory_format=torch.channels_last)
    return Training(train_config, dataset, model, arguments, build_optimizer(model, train_config), device)


def time_training(training: Training) -> float:
    """Time a few steps and return the seconds of all; probes after each epoch are counted like other images."""
    config = training.config
    dtype = choose_precision(config.precision, training.device, config.backbone)
    workers = config.workers if config.workers is not None else default_workers(training.device)
    batches = iter(build_loader(training.dataset, config, 0, workers))
    training.model.train()
    run_step(training, next(batches)[:3], dtype)
    each = time_each(lambda batch: run_step(training, batch[:3], dtype), repeat_last(batches), STEPS, training.device)
    return each * training.total_steps


def repeat_last(batches: Iterator) -> Iterator:
    """Go on with the last batch for ever where a training has only few."""
    batch = None
    for batch in batches:
        yield batch
    while batch is not None:
        yield batch


def time_each(work: Callable, items: Iterator, number: int, device: torch.device) -> float:
    """Time some work on some items, fetching them included: seconds for each."""
    began, done = time.perf_counter(), 0
    for item in items:
        work(item)
        done += 1
        if done == number:
            break
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - began) / max(1, done)


def time_images(config: ReproduceConfig, training: Training, dataset: Dataset) -> float:
    """Time what a method makes of a few images, maps or masks: seconds for each."""
    infer = build_inference(config, training, dataset)
    ids = iter(dataset.ids)
    return time_each(lambda i: infer(dataset.image(i), dataset.class_ids(i)), ids, IMAGES, training.device)


def build_inference(config: ReproduceConfig, training: Training, dataset: Dataset) -> Callable[..., Any]:
    """Build what turns an image and its classes into what the method gives."""
    dtype, model = choose_precision("auto", training.device, config.backbone), training.model.eval()
    method = training.config.method
    if method == "irn":
        walker = Walker(model, training.device, dtype)
        return lambda image, class_ids: walker.walk([image], [build_even_maps(image, class_ids, STRIDE)], WalkConfig())
    if method == "segmentation":
        scales = parse_scales(SegmentConfig().scales)
        segmenter = Segmenter(model, dataset.class_names, training.device, dtype, scales, flip=True)
        return lambda image, class_ids: segmenter.infer_mask(image)
    scales = parse_scales(choose_scales(config))
    return Extractor(model, dataset.class_names, training.device, dtype, scales).infer_map


def build_even_maps(image: np.ndarray, class_ids: np.ndarray, stride: int) -> np.ndarray:
    """Build maps of one value, (K, H/stride, W/stride) float32, which take as long as any others."""
    return np.full((len(class_ids), *(-(-side // stride) for side in image.shape[:2])), 0.5, np.float32)


def time_seeds(config: ReproduceConfig, dataset: Dataset) -> float:
    """Time the seed of one image, whose CRF is what takes time."""
    image_id = dataset.ids[0]
    image, class_ids = dataset.image(image_id), dataset.class_ids(image_id)
    cam, levels = build_even_maps(image, class_ids, 1), resolve_seed_thresholds(config)
    began = time.perf_counter()
    build_seed(cam, class_ids, *levels, image)
    return time.perf_counter() - began


def format_estimate(result: dict[str, Any]) -> str:
    """Word an estimate: a line for each stage, then the whole."""
    lines = [f"{stage['name']:24} {stage['seconds']:10.0f} s" for stage in result["stages"]]
    return "\n".join([*lines, f"{'all':24} {result['seconds']:10.0f} s",
                      f"{'memory':24} {result['memory'] / 1e9:10.1f} GB on {result['device']}"])
