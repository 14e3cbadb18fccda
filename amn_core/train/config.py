"""One frozen dataclass a command: its fields make the command's options and what is saved with the result.

Free of torch, so that a form can be made from a config without loading a model. A field whose default is
None is filled in by the preset (`resolve_train_config`).
"""

from dataclasses import dataclass, fields, replace

from amn_core.options import option
from amn_core.presets import (
    BACKBONES,
    DEVICES,
    LABEL_PLACES,
    OFFICIAL_TRAINING,
    PRECISIONS,
    PRESET_NAMES,
    PRESETS,
    STAGE_OF,
)


@dataclass(frozen=True)
class TrainConfig:
    """What `train` needs; the preset fills in what is left open."""

    method: str = option("cam", "what to train", choices=tuple(STAGE_OF), positional=True)
    data: str = option("", "data set: voc|coco|pets|folder:ROOT or scenes[:key=value,…]", required=True)
    split: str = option("train", "split or path of a list")
    out: str = option("", "folder for checkpoints and metrics", required=True)
    backbone: str = option(
        "efficientnet_lite0", "feature extractor", choices=BACKBONES)
    preset: str = option("minutes", "sizes and schedules: minutes on a CPU, the paper's, or for drawn scenes",
                         choices=PRESET_NAMES)
    seeds: str = option("", "folder of seed labels (all but CAM), as the command seed writes")
    weights: str = option("imagenet", "start from: imagenet, none, or a file with ImageNet weights")
    stride_on: str = option("conv2", "ResNet only: the convolution of a block that strides (v1: conv1)",
                            choices=("conv1", "conv2"))
    head: str = option("v2", "segmentation only: DeepLab-v2's pyramid, which AMN has too, or DeepLabV3's",
                       choices=("v2", "v3"))
    layers: str | None = option(None, "segmentation only: layers that learn, all or late (those of CAM and AMN)",
                                choices=("all", "late"))
    output_stride: int | None = option(None, "segmentation on a ResNet only: pixels a side that a feature stands for",
                                       choices=(8, 16))
    epochs: int | None = option(None, "passes over the data")
    batch: int | None = option(None, "images a step")
    crop: int | None = option(None, "side of the square crop, pixels")
    long_side_min: int | None = option(None, "CAM: smallest long side of the resized image, pixels")
    long_side_max: int | None = option(None, "CAM: largest long side of the resized image, pixels")
    scale_min: float | None = option(None, "AMN, segmentation: smallest scale of the resized image")
    scale_max: float | None = option(None, "AMN, segmentation: largest scale of the resized image")
    optimizer: str | None = option(None, "optimiser", choices=("sgd", "adam", "adamw"))
    lr: float | None = option(None, "learning rate of the backbone")
    head_factor: float | None = option(None, "learning rate of the new layers, times that of the backbone")
    schedule: str | None = option(None, "learning rate over time", choices=("polynomial", "constant"))
    weight_decay: float | None = option(None, "weight decay")
    momentum: float | None = option(None, "momentum (SGD only)")
    epsilon: float = option(0.4, "label smoothing of the per-pixel classification loss")
    label_at: str | None = option(
        None, "all but CAM: the pixel whose label a feature learns: where it lies (feature, the default), or of its "
        "cell the centre (the default with --official) or the first (AMN alone)", choices=LABEL_PLACES)
    official: bool = option(
        False, "train as the paper's official code does, where ours differs; with --preset paper --backbone resnet50")
    seed: int = option(0, "seed of every random draw")
    device: str = option("auto", "where to compute", choices=DEVICES)
    precision: str = option("auto", "arithmetic: bf16 autocast or fp32", choices=PRECISIONS)
    workers: int | None = option(None, "processes that decode and augment; by default 0 on the CPU")
    probe: int = option(0, "images with ground truth to count after each epoch, for a curve that grows; 0 for none")
    compile: bool = option(False, "compile the network first, which takes minutes; bench train says whether it pays")
    resume: bool = option(False, "go on from the last checkpoint in the output folder")
    skip_broken: bool = option(False, "leave out images that are missing or broken")


# What a stage learns from, and where that comes from.
LEARNS_FROM = {
    "amn": "seeds: pass --seeds DIR, made by the command seed from a CAM run",
    "irn": "seeds: pass --seeds DIR, made by the command seed from a run of AMN or CAM",
    "segmentation": "masks: pass --seeds DIR with one PNG of class indices an image, such as pseudo masks",
}


def resolve_train_config(config: TrainConfig) -> TrainConfig:
    """Fill in from the preset whatever is None, and check what can be checked without the data.

    Raises:
        ValueError: no seeds where the stage learns from them, a probe of IRN, or a number out of its range.
    """
    stage, is_resnet = STAGE_OF[config.method], config.backbone.startswith("resnet")
    if config.output_stride and not is_resnet:
        raise ValueError(f"output stride {config.output_stride}: {config.backbone} has 16 alone; leave the option out")
    preset = PRESETS[config.preset, stage]
    if config.official:
        config, preset = refuse_other_training(config), preset | OFFICIAL_TRAINING[stage]
    known = {f.name for f in fields(config)}
    open_fields = {k: v for k, v in preset.items() if k in known and getattr(config, k) is None}
    config = replace(config, **open_fields)
    if stage != "cam" and not config.seeds:
        raise ValueError(f"{config.method} learns from {LEARNS_FROM[stage]}")
    if stage == "irn" and config.probe:
        raise ValueError("irn makes no maps of its own that a probe could count: leave out --probe")
    if stage == "segmentation" and config.probe:
        raise ValueError("segmentation has no threshold whose curve a probe could count: leave out --probe")
    if not is_resnet:
        config = replace(config, output_stride=None)
    config = replace(config, label_at=resolve_label_place(config))
    for name in ("epochs", "batch", "crop", "lr"):
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be above 0")
    if not 0 <= config.epsilon < 1:
        raise ValueError(f"epsilon is {config.epsilon}; it must be at least 0 and below 1")
    return config


def resolve_label_place(config: TrainConfig) -> str | None:
    """Resolve the pixel whose label a feature learns; None for CAM, which learns no pixel.

    Raises:
        ValueError: the first pixel of cells, for something else than AMN.
    """
    stage = STAGE_OF[config.method]
    if stage in ("irn", "segmentation") and config.label_at == "first":
        raise ValueError(f"{config.method} learns labels at the feature or at the centre of its cell, not at the "
                         "first pixel: pass --label-at feature or centre")
    return None if stage == "cam" else config.label_at or "feature"


def refuse_other_training(config: TrainConfig) -> TrainConfig:
    """Refuse ``official`` with what the official code does not have, and settle its arithmetic.

    Raises:
        ValueError: another preset than the paper's, another backbone, or a stage that it does not have.
    """
    if STAGE_OF[config.method] not in OFFICIAL_TRAINING:
        raise ValueError(f"--official: the official code trains no {config.method}")
    if (config.preset, config.backbone) != ("paper", "resnet50"):
        raise ValueError(
            f"--official reproduces the official training, not --preset {config.preset} --backbone "
            f"{config.backbone}: pass --preset paper --backbone resnet50")
    return replace(config, precision="fp32" if config.precision == "auto" else config.precision)


