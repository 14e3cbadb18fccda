"""The stages of a reproduction in order, as the command runs them and the screen Train shows them. Free of torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from amn_core.constants import WALK_NORMALISATIONS
from amn_core.options import option
from amn_core.presets import (
    BACKBONES,
    COCO_MASK_THRESHOLD,
    CRF_THRESHOLDS,
    DEVICES,
    MASK_THRESHOLD,
    PRESET_NAMES,
    REFINE_THRESHOLDS,
    SEED_THRESHOLDS,
)


@dataclass(frozen=True)
class ReproduceConfig:
    """What `reproduce` needs: a data set in, three methods compared out."""

    data: str = option("", "data set: voc:ROOT, folder:ROOT, coco:ROOT or scenes[:key=value,…]", required=True)
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

# Every method that can be measured, in the order of the pipeline. The last three go on from AMN: its masks
# refined by a dense CRF, its maps by IRN's random walk, and a segmentation network trained on what IRN gives.
METHODS = ("cam", "amn-without-lcm", "amn", "crf", "irn", "segmentation")
TRAINED = ("cam", "amn-without-lcm", "amn", "irn", "segmentation")
NEEDS = {"crf": ("amn",), "irn": ("amn",)}


@dataclass(frozen=True)
class Step:
    """A stage: its name, its folder below that of the reproduction, and the file in it that says it is done."""

    name: str
    folder: str
    done: str


def complete_methods(asked: Sequence[str]) -> tuple[str, ...]:
    """Complete the methods to measure with those that they go on from, in the order of the pipeline."""
    wanted = {*asked, *(need for method in asked for need in NEEDS.get(method, ()))}
    return tuple(method for method in METHODS if method in wanted)


def find_trained(methods: Sequence[str]) -> tuple[str, ...]:
    """Find what has to be trained so that some methods can be measured, in order."""
    wanted = {"cam", *methods}
    if "segmentation" in wanted:
        wanted.add("irn")
    if "irn" in wanted:
        wanted.add("amn")
    return tuple(method for method in TRAINED if method in wanted)


def plan_steps(methods: Sequence[str]) -> list[Step]:
    """Plan the stages of a reproduction: every training behind what it learns from, then the measurements."""
    trained = find_trained(methods)
    before = {"irn": Step("seeds for IRN", "irn-seeds", "done"),
              "segmentation": Step("pseudo masks", "pseudo-masks", "done")}
    steps = []
    for method in trained:
        steps += [before[method]] if method in before else []
        steps.append(Step(f"train {method}", f"train/{method}", "model.pth"))
        steps += [Step("seeds", "seeds", "done")] if method == "cam" and len(trained) > 1 else []
    return steps + [Step(f"measure {method}", method, "counts.npz") for method in methods]


def resolve_splits(config: ReproduceConfig) -> ReproduceConfig:
    """Fill in the splits and the data set to measure on, where they were left open."""
    is_drawn = config.data.partition(":")[0] == "scenes"
    return replace(
        config, train_split=config.train_split or ("train" if is_drawn else "train_aug"),
        split=config.split or ("val" if is_drawn else "train"), measure_data=config.measure_data or config.data)


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


def choose_given(value: float | None, default: float) -> float:
    """Choose a value if one was given."""
    return default if value is None else value
