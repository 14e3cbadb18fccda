"""One frozen dataclass a command: its fields make the command's options and what is saved with the result.

Free of torch, so that a form can be made from a config without loading a model. A field whose default is
None is filled in by the preset (`resolve_train_config`).
"""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from amn_core.constants import WALK_NORMALISATIONS

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16")
BACKBONES = ("efficientnet_lite0", "efficientnet_lite0_small", "resnet50", "resnet101")
PRESET_NAMES = ("minutes", "paper", "scenes")
# The stage that a method belongs to, its entry in `PRESETS`; all but the first learn from labels of pixels.
STAGE_OF = {"cam": "cam", "amn-without-lcm": "amn", "amn": "amn", "irn": "irn", "segmentation": "segmentation"}


def option(default: Any, help_text: str, **more: Any) -> Any:
    """Declare a field with its help text; `choices` and `positional` steer the command line."""
    return field(default=default, metadata={"help": help_text, **more})


@dataclass(frozen=True)
class TrainConfig:
    """What `train` needs; the preset fills in what is left open."""

    method: str = option("cam", "what to train", choices=tuple(STAGE_OF), positional=True)
    data: str = option("", "data set: voc:ROOT, folder:ROOT, coco:ROOT or scenes[:key=value,…]", required=True)
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
        None, "AMN: the pixel of a logit's cell whose label it learns, by default first, and centre with --official",
        choices=("first", "centre"))
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


# Constants of the paper's official code. Its optimiser passes the weight decay into SGD's momentum slot, so that the
# effective momentum is 1e-4; CAM is trained without decay here, and with the decay that its groups carry all the
# same under `official`; IRN with it.
PRESETS: dict[tuple[str, str], dict[str, Any]] = {
    ("paper", "cam"): {
        "epochs": 5, "batch": 16, "crop": 512, "long_side_min": 320, "long_side_max": 640, "optimizer": "sgd",
        "lr": 0.1, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 0.0, "momentum": 1e-4},
    ("paper", "amn"): {
        "epochs": 5, "batch": 16, "crop": 512, "scale_min": 0.5, "scale_max": 1.5, "optimizer": "adam",
        "lr": 5e-6, "head_factor": 20.0, "schedule": "constant", "weight_decay": 1e-4, "momentum": 0.9},
    ("paper", "irn"): {
        "epochs": 3, "batch": 32, "crop": 512, "scale_min": 0.5, "scale_max": 1.5, "optimizer": "sgd",
        "lr": 0.1, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 1e-4, "momentum": 1e-4},
    # As DeepLab-v2 is trained on VOC: 20,000 steps of 10 images are 19 passes over 10,582 images.
    ("paper", "segmentation"): {
        "epochs": 19, "batch": 10, "crop": 321, "scale_min": 0.5, "scale_max": 1.5, "optimizer": "sgd",
        "lr": 2.5e-4, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 5e-4, "momentum": 0.9,
        "layers": "all", "output_stride": 8},
    ("minutes", "cam"): {
        "epochs": 5, "batch": 16, "crop": 256, "long_side_min": 224, "long_side_max": 416,
        "optimizer": "adamw", "lr": 2e-4, "head_factor": 10.0, "schedule": "polynomial",
        "weight_decay": 1e-4, "momentum": 0.9},
    ("minutes", "amn"): {
        "epochs": 3, "batch": 16, "crop": 256, "scale_min": 0.6, "scale_max": 1.4, "optimizer": "adamw",
        "lr": 5e-5, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 1e-4, "momentum": 0.9},
    ("minutes", "irn"): {
        "epochs": 6, "batch": 16, "crop": 256, "scale_min": 0.6, "scale_max": 1.4, "optimizer": "sgd",
        "lr": 0.05, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 1e-4, "momentum": 0.9},
    ("minutes", "segmentation"): {
        "epochs": 5, "batch": 16, "crop": 256, "scale_min": 0.6, "scale_max": 1.4, "optimizer": "adamw",
        "lr": 1e-4, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 1e-4, "momentum": 0.9,
        "layers": "late", "output_stride": 16},
    ("scenes", "cam"): {
        "epochs": 5, "batch": 8, "crop": 144, "long_side_min": 144, "long_side_max": 208,
        "optimizer": "adamw", "lr": 3e-4, "head_factor": 10.0, "schedule": "polynomial",
        "weight_decay": 1e-4, "momentum": 0.9},
    ("scenes", "amn"): {
        "epochs": 6, "batch": 8, "crop": 144, "scale_min": 0.8, "scale_max": 1.4, "optimizer": "adamw",
        "lr": 3e-4, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 1e-4, "momentum": 0.9},
    ("scenes", "irn"): {
        "epochs": 4, "batch": 8, "crop": 144, "scale_min": 0.8, "scale_max": 1.4, "optimizer": "sgd",
        "lr": 0.05, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 1e-4, "momentum": 0.9},
    ("scenes", "segmentation"): {
        "epochs": 6, "batch": 8, "crop": 144, "scale_min": 0.8, "scale_max": 1.4, "optimizer": "adamw",
        "lr": 3e-4, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 1e-4, "momentum": 0.9,
        "layers": "late", "output_stride": 16},
}

# What the official code does otherwise (`amn_core.train.official`): each of its groups of parameters carries the
# weight decay too, so that it also decays; and its arithmetic is in single precision.
OFFICIAL_TRAINING: dict[str, dict[str, Any]] = {
    "cam": {"weight_decay": 1e-4}, "amn": {"label_at": "centre"}, "irn": {}}

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
    config = replace(config, label_at=(config.label_at or "first") if stage == "amn" else None)
    for name in ("epochs", "batch", "crop", "lr"):
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be above 0")
    if not 0 <= config.epsilon < 1:
        raise ValueError(f"epsilon is {config.epsilon}; it must be at least 0 and below 1")
    return config


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


@dataclass(frozen=True)
class ExtractConfig:
    """What `extract` needs: a model and images give activation maps in a run folder."""

    checkpoint: str = option("", "checkpoint of CAM or AMN", required=True)
    data: str = option("", "data set: voc:ROOT, folder:ROOT, coco:ROOT or scenes[:key=value,…]", required=True)
    split: str = option("train", "split or path of a list")
    out: str = option("", "run folder to write", required=True)
    name: str = option("", "name of the run; by default that of the method")
    scales: str | None = option(
        None, "scales whose maps are summed; by default 0.5,1,1.5, and 1,0.5,1.5,2 with --official")
    flip: bool = option(True, "also use the mirrored image")
    normalisation: str = option(
        "auto", "auto: max for CAM, image-softmax for AMN",
        choices=("auto", "max", "image-softmax", "softmax", "min-max", "official"))
    seeds: str = option("", "folder of the CAM's seed labels, needed by the normalisation 'official' alone")
    official: bool = option(
        False, "make the maps as the paper's official code does: scales, normalisation by the CAM's seed, dropout on")
    dropout_seed: int = option(0, "seed of the dropout that --official leaves on")
    device: str = option("auto", "where to compute", choices=DEVICES)
    precision: str = option("auto", "arithmetic: bf16 autocast or fp32", choices=PRECISIONS)
    skip_broken: bool = option(False, "leave out images that are missing or broken")
    overwrite: bool = option(False, "make maps again that are there already")
    batch: int | None = option(None, "images of one size at once; by default 1 on a CPU, 16 on a GPU")
    workers: int | None = option(None, "threads that read ahead and write behind; by default 1 on a CPU, up to 8 else")
    compile: bool = option(False, "compile the network first, which takes minutes; bench extract says whether it pays")


@dataclass(frozen=True)
class SeedConfig:
    """What `seed` needs: the maps of a run give labels that are sure, and 255 elsewhere."""

    run: str = option("", "run folder with maps", required=True)
    data: str = option("", "data set of the run; by default the one it was made from")
    split: str = option("", "split or path of a list; by default that of the run")
    foreground: float = option(0.30, "threshold above which foreground is sure")
    background: float = option(0.05, "threshold below which background is sure")
    crf: bool = option(False, "refine both label images with a dense CRF first, as the paper does")
    out: str = option("", "folder for the labels, one PNG an image", required=True)
    workers: int = option(0, "processes; 0 for one a core")


@dataclass(frozen=True)
class CountConfig:
    """What `count` needs: the maps of a run and ground truth give the counts of every threshold."""

    run: str = option("", "run folder with maps", required=True)
    data: str = option("", "data set with ground truth; by default the one the run was made from")
    split: str = option("", "split or path of a list; by default that of the run")
    classes: str = option("", "names of the classes to average over, background included, kept as the run's protocol")
    workers: int = option(0, "processes; 0 for one a core")
    skip_broken: bool = option(False, "leave out images without a mask or a map")


@dataclass(frozen=True)
class CompareConfig:
    """What `compare` needs: runs with counts, and how to average."""

    runs: tuple[str, ...] = option((), "run folders with counts", positional=True)
    classes: str = option("", "class names or ids to average over, background included, or all; "
                          "by default those of each run's protocol")
    protocol: str = option("irn", "averaging rule: irn, seam or toco")
    images: str = option("", "list of image ids to restrict every run to")
    part: str = option("all", "all images, or only those at even or odd places of the list, counted from 0",
                       choices=("all", "even", "odd"))
    intervals: bool = option(False, "95 % bootstrap intervals over images, and what each run gains over the one before")
    json: bool = option(False, "print JSON")


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


# The paper's pair; one for maps of EfficientNet-Lite0, which peak at a higher threshold; and one for scenes.
# The second was chosen on every other image of VOC2012-animals `train`: by the precision and coverage of what
# is sure, and between two trainings (the other pair was 0.50, 0.25) by the lower imbalance of AMN.
SEED_THRESHOLDS = {"paper": (0.30, 0.05), "minutes": (0.45, 0.10), "scenes": (0.45, 0.20)}


# Of AMN's maps, for the seeds that IRN learns from (foreground, background); of AMN's masks for the CRF; and of
# IRN's maps for the masks that segmentation learns from, which is the CRF's where the walk leaves a threshold its
# meaning. Those of `paper` are its own, for the maps of its normalisation. The others are ours: a softmax over
# background and the image's classes calls a pixel more likely object than not above 0.5, and 0.15 around it is unsure.
REFINE_THRESHOLDS = {"paper": (0.45, 0.15), "minutes": (0.65, 0.35), "scenes": (0.65, 0.35)}
CRF_THRESHOLDS = {"paper": 0.25, "minutes": 0.5, "scenes": 0.5}
MASK_THRESHOLD = 0.25  # of IRN's maps, divided by the largest value of the image
COCO_MASK_THRESHOLD = 0.22  # of IRN's maps on COCO, the one constant of the paper that differs there


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


def check_walk_scale(scale: float) -> None:
    """Refuse a scale of the images for IRN's walk that nobody can mean."""
    if not 0.1 <= scale <= 10:
        raise ValueError(f"scale is {scale:g}; it must lie between 0.1 and 10")


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


def describe_config(config: Any) -> dict[str, Any]:
    """Describe a config as a dict, as it is saved with a result."""
    return asdict(config)
