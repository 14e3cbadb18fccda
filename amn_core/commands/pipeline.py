"""The stages of a reproduction in order, as the command runs them and the screen Train shows them. Free of torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from amn_core.constants import WALK_NORMALISATIONS
from amn_core.options import option
from amn_core.presets import (
    BACKBONES,
    COCO_MASK_THRESHOLD,
    CRF_THRESHOLDS,
    DEVICES,
    MASK_THRESHOLD,
    PRESET_NAMES,
    PRESETS,
    REFINE_THRESHOLDS,
    SEED_THRESHOLDS,
    STAGE_OF,
)


@dataclass(frozen=True)
class ReproduceConfig:
    """What `reproduce` needs: a data set in, three methods compared out."""

    data: str = option("", "data set: voc|coco|pets|folder:ROOT or scenes[:key=value,…]", required=True)
    train_split: str = option("", "split to train on; by default train_aug, of drawn scenes train")
    split: str = option("", "split to measure on; by default train, of drawn scenes val")
    measure_data: str = option("", "data set to measure on; by default the one to train on")
    out: str = option("runs/reproduce", "folder for everything")
    preset: str = option("minutes", "sizes and schedules", choices=PRESET_NAMES)
    backbone: str = option(
        "efficientnet_lite0", "feature extractor", choices=BACKBONES)
    weights: str = option("imagenet", "start from: imagenet, none, or a file with ImageNet weights")
    stride_on: str = option("conv2", "ResNet only: the convolution of a block that strides (v1: conv1)",
                            choices=("conv1", "conv2"))
    foreground: float | None = option(None, "threshold above which foreground is sure; the preset's by default")
    background: float | None = option(None, "threshold below which background is sure; the preset's by default")
    crf: bool = option(True, "refine the seeds with a dense CRF")
    refine_foreground: float | None = option(None, "IRN: threshold above which AMN's foreground is sure")
    refine_background: float | None = option(None, "IRN: threshold below which AMN's background is sure")
    crf_threshold: float | None = option(None, "threshold of the AMN masks that the method crf refines")
    mask_threshold: float | None = option(None, "threshold of IRN's maps for the masks that segmentation learns from")
    walk_normalisation: str | None = option(
        None, "of IRN's maps, as in refine: by default largest with the preset paper, and mean with the others",
        choices=tuple(WALK_NORMALISATIONS))
    walk_scale: float = option(1.0, "scale of the images for IRN's walk, as in refine")
    methods: str = option(
        "cam,amn-without-lcm,amn", "methods to measure, separated by commas: also crf, irn and segmentation, which go "
        "on from AMN; what one learns from is made along the way")
    classes: str = option("", "names of the classes to average over, background included; all by default")
    cam_epochs: int | None = option(None, "passes over the data for CAM")
    amn_epochs: int | None = option(None, "passes over the data for AMN")
    irn_epochs: int | None = option(None, "passes over the data for IRN")
    segmentation_epochs: int | None = option(None, "passes over the data for segmentation")
    batch: int | None = option(None, "images a step")
    crop: int | None = option(None, "side of the square crop, pixels")
    cam_lr: float | None = option(None, "learning rate of the backbone for CAM")
    amn_lr: float | None = option(None, "learning rate of the backbone for AMN")
    probe: int = option(0, "images with ground truth to count after each epoch, for a curve that grows; 0 for none")
    seed: int = option(0, "seed of every random draw")
    device: str = option("auto", "where to compute", choices=DEVICES)
    bundle: str = option("", "also copy checkpoints (fp16) and tables into this folder")
    bundle_models: bool = option(True, "put the checkpoints into the bundle, not the tables alone")
    skip_broken: bool = option(False, "leave out images that are missing or broken")


@dataclass(frozen=True)
class Step:
    """A stage of the pipeline.

    Attributes:
        name: what people read, and what progress is reported under.
        kind: ``train`` a model, make the ``labels`` that one learns from, or ``measure`` a method.
        method: what is trained or measured; of labels, the method whose maps they are cut from.
        folder: below that of the reproduction. done: the file in it that is written last.
        needs: names of the steps that come before.
    """

    name: str
    kind: str
    method: str
    folder: str
    done: str
    needs: tuple[str, ...] = ()


def describe_training(method: str, *needs: str) -> Step:
    """Describe the training of a method."""
    return Step(f"train {method}", "train", method, f"train/{method}", "model.pth", needs)


def describe_measurement(method: str, *needs: str) -> Step:
    """Describe the measurement of a method."""
    return Step(f"measure {method}", "measure", method, method, "counts.npz", needs)


# Every stage, in the order in which they are run. The last three methods go on from AMN: its masks refined by a
# dense CRF, its maps by IRN's random walk, and a segmentation network trained on what IRN gives.
STEPS = (
    describe_training("cam"),
    Step("seeds", "labels", "cam", "seeds", "done", ("train cam",)),
    describe_training("amn-without-lcm", "seeds"),
    describe_training("amn", "seeds"),
    Step("seeds for IRN", "labels", "amn", "irn-seeds", "done", ("train amn",)),
    describe_training("irn", "seeds for IRN"),
    Step("pseudo masks", "labels", "irn", "pseudo-masks", "done", ("train irn",)),
    describe_training("segmentation", "pseudo masks"),
    describe_measurement("cam", "train cam"),
    describe_measurement("amn-without-lcm", "train amn-without-lcm"),
    describe_measurement("amn", "train amn"),
    describe_measurement("crf", "measure amn"),
    describe_measurement("irn", "measure amn", "train irn"),
    describe_measurement("segmentation", "train segmentation"),
)
METHODS = tuple(step.method for step in STEPS if step.kind == "measure")
TRAINED = tuple(step.method for step in STEPS if step.kind == "train")


def plan_steps(methods: Sequence[str]) -> list[Step]:
    """Plan the stages that measure some methods, with all that they need, in order."""
    wanted = {f"measure {method}" for method in methods}
    for step in reversed(STEPS):
        wanted |= set(step.needs) if step.name in wanted else set()
    return [step for step in STEPS if step.name in wanted]


def complete_methods(asked: Sequence[str]) -> tuple[str, ...]:
    """Complete the methods to measure with those that they go on from, in the order of the pipeline."""
    return tuple(step.method for step in plan_steps(asked) if step.kind == "measure")


def find_trained(methods: Sequence[str]) -> tuple[str, ...]:
    """Find what has to be trained so that some methods can be measured, in order."""
    return tuple(step.method for step in plan_steps(methods) if step.kind == "train")


def find_due(steps: Sequence[Step], is_done: Callable[[Step], bool]) -> list[Step]:
    """Find the steps that are left to do, in order; labels are not made again once what learns from them is trained."""
    left = [step for step in steps if not is_done(step)]
    needed = {name for step in left for name in step.needs}
    return [step for step in left if step.kind != "labels" or step.name in needed]


# Options that the preset fills in where they are None, and whose value in it they are. Batch and crop stay open:
# they differ from stage to stage.
FROM_PRESET = {
    "cam_epochs": ("cam", "epochs"), "amn_epochs": ("amn", "epochs"), "cam_lr": ("cam", "lr"),
    "amn_lr": ("amn", "lr"), "irn_epochs": ("irn", "epochs"), "segmentation_epochs": ("segmentation", "epochs"),
}
BY_STAGE = ("batch", "crop")


def resolve_reproduce_config(config: ReproduceConfig) -> ReproduceConfig:
    """Fill in everything that was left open, from the preset and the data; batch and crop stay with their stages."""
    config = resolve_splits(config)
    seeds, refined = resolve_seed_thresholds(config), resolve_refine_thresholds(config)
    cut, mask = resolve_mask_thresholds(config)
    preset = {
        name: choose_given(getattr(config, name), PRESETS[config.preset, stage][entry])
        for name, (stage, entry) in FROM_PRESET.items()}
    return replace(
        config, foreground=seeds[0], background=seeds[1], refine_foreground=refined[0], refine_background=refined[1],
        crf_threshold=cut, mask_threshold=mask, walk_normalisation=resolve_walk_normalisation(config), **preset)


def describe_open(config: ReproduceConfig, name: str) -> str:
    """Describe what an option is where it is left open, such as ``5``, or ``16, irn 32`` where stages differ."""
    value = getattr(resolve_reproduce_config(config), name)
    if name not in BY_STAGE:
        return f"{value:g}" if isinstance(value, int | float) else str(value)
    trained = find_trained([method for method in config.methods.split(",") if method in METHODS])
    stages = list(dict.fromkeys(STAGE_OF[method] for method in trained))
    sizes = {stage: PRESETS[config.preset, stage][name] for stage in stages}
    usual = next(iter(sizes.values()))
    return ", ".join([str(usual), *(f"{stage} {size}" for stage, size in sizes.items() if size != usual)])


def resolve_splits(config: ReproduceConfig) -> ReproduceConfig:
    """Fill in the splits and the data set to measure on, where they were left open."""
    kind, _, rest = config.data.partition(":")
    measured = {"scenes": "val", "pets": "test"}.get(kind, "train")
    return replace(
        config, train_split=config.train_split or choose_train_split(kind, rest), split=config.split or measured,
        measure_data=config.measure_data or config.data)


def choose_train_split(kind: str, rest: str) -> str:
    """Choose the split to train on: of VOC as it is downloaded, which has no ``train_aug``, all that is annotated."""
    if kind in ("scenes", "pets"):
        return "train" if kind == "scenes" else "trainval"
    from amn_core.data.voc import choose_train_split as choose_of_voc
    from amn_core.formats.errors import DataError

    try:
        return choose_of_voc(rest) if kind == "voc" else "train_aug"
    except DataError:
        return "train_aug"  # what is wrong with the folder is said when it is opened


def resolve_seed_thresholds(config: ReproduceConfig) -> tuple[float, float]:
    """Resolve the thresholds of sure foreground and background in CAM: those given, else the preset's."""
    foreground, background = SEED_THRESHOLDS[config.preset]
    return choose_given(config.foreground, foreground), choose_given(config.background, background)


def resolve_refine_thresholds(config: ReproduceConfig) -> tuple[float, float]:
    """Resolve the thresholds of sure foreground and background in AMN: those given, else the preset's."""
    foreground, background = REFINE_THRESHOLDS[config.preset]
    return choose_given(config.refine_foreground, foreground), choose_given(config.refine_background, background)


def resolve_walk_normalisation(config: ReproduceConfig) -> str:
    """Resolve the normalisation of IRN's maps: the one given, else that of IRN's code with the preset `paper`."""
    return config.walk_normalisation or ("largest" if config.preset == "paper" else "mean")


def resolve_mask_thresholds(config: ReproduceConfig) -> tuple[float, float]:
    """Resolve where AMN is cut for the CRF, and IRN for segmentation: the thresholds given, else the preset's."""
    cut = choose_given(config.crf_threshold, CRF_THRESHOLDS[config.preset])
    is_papers_coco = config.preset == "paper" and config.data.partition(":")[0] == "coco"
    mask = COCO_MASK_THRESHOLD if is_papers_coco else MASK_THRESHOLD
    return cut, choose_given(config.mask_threshold, cut if resolve_walk_normalisation(config) == "mean" else mask)


def choose_given(value: Any, default: Any) -> Any:
    """Choose a value if one was given."""
    return default if value is None else value
