"""``bench extract``: images to maps by the plain loop of the field's public code and by ours, in the same run."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from amn_core.bench.meters import Meter
from amn_core.bench.plain import infer_map_plainly, make_plain
from amn_core.commands.extract import ExtractConfig, resolve_batch
from amn_core.compute.devices import choose_device, choose_precision
from amn_core.data import Dataset, load_dataset
from amn_core.formats.checkpoints import load_checkpoint
from amn_core.infer.extractor import Extractor, parse_scales
from amn_core.infer.streaming import Item, group_by_size, read_ahead
from amn_core.models.folding import fold_norms
from amn_core.options import option
from amn_core.presets import BACKBONES, DEVICES, PRECISIONS
from amn_core.train.config import TrainConfig
from amn_core.train.stages import build_training_model

# What must hold to say that both agree: the mean difference of the maps, which are in [0, 1].
MEAN_DIFFERENCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2}


@dataclass(frozen=True)
class BenchExtractConfig:
    """What `bench extract` needs."""

    data: str = option("scenes:size=320,n=64", "data set: voc|coco|pets|folder:ROOT or scenes[:key=value,…]")
    split: str = option("train", "split or path of a list")
    images: int = option(32, "images, spread over the split, without those that warm up")
    checkpoint: str = option("", "checkpoint of CAM or AMN; by default a network that has learnt nothing yet")
    method: str = option("cam", "network to build without a checkpoint", choices=("cam", "amn-without-lcm", "amn"))
    backbone: str = option("efficientnet_lite0", "its feature extractor", choices=BACKBONES)
    weights: str = option("imagenet", "its weights: imagenet, none, or a file with ImageNet weights")
    stride_on: str = option("conv2", "ResNet-50 only: the convolution of a block that strides (v1: conv1)",
                            choices=("conv1", "conv2"))
    scales: str = option("1,0.5,1.5,2", "scales whose maps are summed")
    batch: int | None = option(None, "images of one size at once; by default 1 on a CPU, 16 on a GPU")
    workers: int | None = option(None, "threads that read ahead; by default as in `extract`")
    precision: str = option("auto", "our arithmetic, bf16 autocast or fp32; the plain one is fp32", choices=PRECISIONS)
    compile: bool = option(False, "compile our network first")
    device: str = option("auto", "where to compute", choices=DEVICES)

    def __post_init__(self) -> None:
        """Refuse a number that leaves nothing to do."""
        if self.images < 1:
            raise ValueError(f"images is {self.images}; it must be at least 1")


def bench_extract(config: BenchExtractConfig) -> dict[str, Any]:
    """Make the maps of the same images both ways, some images of each by turns, decoding included, writing not.

    Returns:
        A dict for JSON: the fields of ``config``; ``ours`` and ``plain``, each with ``images_per_second``,
        ``seconds_per_image``, ``cpu_seconds_per_image`` and ``peak_memory_mb`` (`Meter`); ``ratio``, how many times
        faster ours is by the clock; ``max_difference`` and ``mean_difference`` of the maps; ``agree``: the mean is
        below `MEAN_DIFFERENCE`.

    Raises:
        ValueError: data, checkpoint or options are wrong.
    """
    dataset, device = load_dataset(config.data, config.split), choose_device(config.device)
    ours, plain = build_both(config, dataset, device)
    batch, workers = resolve_batch(ExtractConfig(batch=config.batch, workers=config.workers), device)
    chunk = 2 * batch
    rest = choose_ids(dataset, config.images + chunk)
    chunks = [rest[i:i + chunk] for i in range(0, len(rest), chunk)]
    ways = (lambda ids: infer_ours(ours, dataset, ids, batch, workers), lambda ids: infer_plainly(plain, dataset, ids))
    for way in ways:  # warms up: kernels are chosen, and compiled if asked for
        way(chunks[0])
    meters, differences = (Meter(device), Meter(device)), []
    for ids in chunks[1:] or chunks:
        first, second = (meter.run(len(ids), way, ids) for meter, way in zip(meters, ways, strict=True))
        differences += [np.abs(first[i] - second[i]) for i in ids]
    return report(config, ours, meters, differences) | {"batch": batch, "workers": workers, "device": str(device)}


def build_both(config: BenchExtractConfig, dataset: Dataset, device: torch.device) -> tuple[Extractor, Callable]:
    """Build our extractor, and the plain function from image and classes to maps, with the same weights."""
    if config.checkpoint:
        model, content = load_checkpoint(config.checkpoint)
        backbone = content["model"]["backbone"]
    else:
        backbone = config.backbone
        model, _ = build_training_model(TrainConfig(
            method=config.method, backbone=backbone, weights=config.weights, stride_on=config.stride_on),
            len(dataset.class_names))
    scales, plain = parse_scales(config.scales), make_plain(model.eval()).to(device)
    ours = fold_norms(model).to(device, memory_format=torch.channels_last)
    if config.compile:
        ours.backbone.compile(dynamic=True)
    dtype = choose_precision(config.precision, device, backbone)
    extractor = Extractor(ours, tuple(dataset.class_names), device, dtype, scales)
    return extractor, lambda image, class_ids: infer_map_plainly(extractor, plain, image, class_ids)


def choose_ids(dataset: Dataset, number: int) -> list[str]:
    """Choose images with a class, spread over the data set."""
    ids = [i for i in dataset.ids[::max(1, len(dataset.ids) // number)] if len(dataset.class_ids(i))][:number]
    if not ids:
        raise ValueError(f"{dataset.spec}: no image with a class; choose another split")
    return ids


def infer_ours(
    extractor: Extractor, dataset: Dataset, ids: Sequence[str], batch: int, workers: int
) -> dict[str, np.ndarray]:
    """Infer the maps of some images as `extract` does."""
    items = read_ahead(lambda i: Item(i, dataset.image(i), dataset.class_ids(i)), ids, workers)
    maps: dict[str, np.ndarray] = {}
    for group in group_by_size(items, batch):
        found = extractor.infer_batch(
            [item.image for item in group], [item.class_ids for item in group], [None] * len(group))
        maps |= {item.image_id: cam for item, cam in zip(group, found, strict=True)}
    return maps


def infer_plainly(infer: Callable, dataset: Dataset, ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Infer the maps of some images one after another."""
    return {i: infer(dataset.image(i), dataset.class_ids(i)) for i in ids}


def report(config: BenchExtractConfig, extractor: Extractor, meters: tuple[Meter, Meter], differences: list) -> dict:
    """Word the outcome: see `bench_extract`."""
    ours, plain = meters
    mean = float(np.mean([part.mean() for part in differences]))
    return {
        "bench": "extract", **asdict(config), "images": ours.work, "arithmetic": str(extractor.dtype),
        "ours": ours.describe(), "plain": plain.describe(),
        "ratio": (plain.seconds / plain.work) / (ours.seconds / ours.work),
        "max_difference": float(max(part.max() for part in differences)), "mean_difference": mean,
        "agree": mean <= MEAN_DIFFERENCE[extractor.dtype]}
