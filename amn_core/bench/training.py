"""``bench train``: steps of training by the plain loop of the field's public code and by ours, in the same run."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from amn_core.bench.meters import Meter
from amn_core.bench.plain import GRADIENTS, make_plain, run_step_plainly
from amn_core.compute.devices import choose_device, choose_precision
from amn_core.data import Dataset, load_dataset
from amn_core.options import option
from amn_core.presets import BACKBONES, DEVICES, PRECISIONS
from amn_core.train.config import TrainConfig
from amn_core.train.loop import default_workers, run_step
from amn_core.train.samples import build_loader, count_steps
from amn_core.train.stages import build_optimizer, build_training_model
from amn_core.train.training import Training

# What must hold to say that both agree: the difference of the first step's losses, as a share.
LOSS_DIFFERENCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
WARM_UP = 1


@dataclass(frozen=True)
class BenchTrainConfig:
    """What `bench train` needs."""

    method: str = option("cam", "what to train; AMN learns from empty seeds, which take as long",
                         choices=("cam", "amn-without-lcm", "amn"))
    data: str = option("scenes:size=320,n=64", "data set: voc|coco|pets|folder:ROOT or scenes[:key=value,…]")
    split: str = option("train", "split or path of a list")
    steps: int = option(6, "steps to measure each way, without the one that warms up")
    batch: int = option(8, "images a step")
    crop: int = option(224, "side of the square crop, pixels")
    backbone: str = option("efficientnet_lite0", "feature extractor", choices=BACKBONES)
    weights: str = option("imagenet", "start from: imagenet, none, or a file with ImageNet weights")
    stride_on: str = option("conv2", "ResNet-50 only: the convolution of a block that strides (v1: conv1)",
                            choices=("conv1", "conv2"))
    plain_gradient: str = option(
        "stopped", "the plain loop's gradient: stopped after the early layers as in the official code, or through all",
        choices=GRADIENTS)
    workers: int | None = option(None, "our decoding processes; by default as in `train`")
    precision: str = option("auto", "our arithmetic, bf16 autocast or fp32; the plain one is fp32", choices=PRECISIONS)
    compile: bool = option(False, "compile our network first")
    device: str = option("auto", "where to compute", choices=DEVICES)

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to do."""
        for name in ("steps", "batch", "crop"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")


def bench_train(config: BenchTrainConfig) -> dict[str, Any]:
    """Run the same steps both ways by turns, from the same weights, decoding and augmentation included.

    Returns:
        A dict for JSON: the fields of ``config``; ``ours`` and ``plain``, each with ``images_per_second``,
        ``seconds_per_image``, ``cpu_seconds_per_image`` and ``peak_memory_mb`` (`Meter`); ``ratio``, how many times
        faster ours is by the clock; the ``loss`` and ``plain_loss`` of the first step; ``agree``: they differ by less
        than `LOSS_DIFFERENCE`.

    Raises:
        ValueError: data, weights or options are wrong.
    """
    dataset, device = load_dataset(config.data, config.split), choose_device(config.device)
    wanted = build_config(config, len(dataset.ids))
    dtype = choose_precision(config.precision, device, config.backbone)
    ours, workers = prepare_ours(config, wanted, dataset, device, dtype)
    plain = prepare_plain(config, wanted, dataset, device)
    meters = (Meter(device), Meter(device))
    losses = [way() for way in (ours, plain)]  # from the same weights; also warms up
    for _ in range(config.steps):
        for meter, way in zip(meters, (ours, plain), strict=True):
            meter.run(config.batch, way)
    share = abs(losses[0] - losses[1]) / abs(losses[1])
    return {
        "bench": "train", **asdict(config), "arithmetic": str(dtype), "device": str(device), "workers": workers,
        "ours": meters[0].describe(), "plain": meters[1].describe(), "ratio": meters[1].seconds / meters[0].seconds,
        "loss": losses[0], "plain_loss": losses[1], "agree": share <= LOSS_DIFFERENCE[dtype]}


def build_config(config: BenchTrainConfig, n_images: int) -> TrainConfig:
    """Build the configuration that both share, with as many epochs as the steps need."""
    epochs = -(-(config.steps + WARM_UP) // count_steps(n_images, config.batch))
    sizes = {"long_side_min": config.crop, "long_side_max": config.crop * 3 // 2} if config.method == "cam" else {
        "scale_min": 0.5, "scale_max": 1.5}
    return TrainConfig(
        method=config.method, data=config.data, split=config.split, backbone=config.backbone, weights=config.weights,
        stride_on=config.stride_on, epochs=epochs, batch=config.batch, crop=config.crop, optimizer="sgd", lr=1e-4,
        head_factor=10.0, schedule="constant", weight_decay=0.0, momentum=1e-4, **sizes)


def build_network(wanted: TrainConfig, dataset: Dataset) -> tuple[nn.Module, dict]:
    """Build the network that both start from; nothing is dropped, since draws depend on the order in memory."""
    model, arguments = build_training_model(wanted, len(dataset.class_names))
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model, arguments


def prepare_ours(
    config: BenchTrainConfig, wanted: TrainConfig, dataset: Dataset, device: torch.device, dtype: torch.dtype
) -> tuple[Callable[[], float], int]:
    """Prepare our training: a function that runs its next step and returns the loss, and the number of processes."""
    model, arguments = build_network(wanted, dataset)
    model = model.to(device, memory_format=torch.channels_last).train()
    training = Training(wanted, dataset, model, arguments, build_optimizer(model, wanted), device)
    if config.compile:
        model.compile()
    workers = default_workers(device) if config.workers is None else config.workers
    batches = read_batches(dataset, wanted, workers)

    def step() -> float:
        loss = run_step(training, next(batches), dtype)
        training.step += 1
        return loss

    return step, workers


def prepare_plain(
    config: BenchTrainConfig, wanted: TrainConfig, dataset: Dataset, device: torch.device
) -> Callable[[], float]:
    """Prepare the plain training, as a function that runs its next step and returns the loss."""
    model, _ = build_network(wanted, dataset)
    plain = make_plain(model, config.plain_gradient).to(device).train()
    optimizer, batches = build_optimizer(plain, wanted), read_batches(dataset, wanted, 0)
    return lambda: run_step_plainly(plain, optimizer, next(batches), wanted, device)


def read_batches(dataset: Dataset, wanted: TrainConfig, workers: int) -> Iterator[tuple[torch.Tensor, ...]]:
    """Read batch after batch: images, labels, seed."""
    for batch in build_loader(dataset, wanted, 0, workers):
        yield tuple(batch[:3])
