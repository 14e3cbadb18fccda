"""The paper's constants and the presets, once: sizes and schedules of every stage, and the thresholds between them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from amn_core.constants import COCO_CLASSES, VOC_CLASSES

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16")
BACKBONES = ("efficientnet_lite0", "efficientnet_lite0_small", "resnet50", "resnet101")
PRESET_NAMES = ("minutes", "paper", "scenes")
LABEL_PLACES = ("feature", "centre", "first")
# The stage that a method belongs to, its entry in `PRESETS`; all but the first learn from labels of pixels.
STAGE_OF = {"cam": "cam", "amn-without-lcm": "amn", "amn": "amn", "irn": "irn", "segmentation": "segmentation"}
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
        "epochs": 6, "batch": 8, "crop": 144, "scale_min": 0.5, "scale_max": 1.25, "optimizer": "adamw",
        "lr": 3e-4, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 1e-4, "momentum": 0.9},
    ("scenes", "irn"): {
        "epochs": 4, "batch": 8, "crop": 144, "scale_min": 0.5, "scale_max": 1.25, "optimizer": "sgd",
        "lr": 0.05, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 1e-4, "momentum": 0.9},
    ("scenes", "segmentation"): {
        "epochs": 6, "batch": 8, "crop": 144, "scale_min": 0.5, "scale_max": 1.25, "optimizer": "adamw",
        "lr": 3e-4, "head_factor": 10.0, "schedule": "polynomial", "weight_decay": 1e-4, "momentum": 0.9,
        "layers": "late", "output_stride": 16},
}
# What the official code does otherwise (`amn_core.train.official`): each of its groups of parameters carries the
# weight decay too, so that it also decays; and its arithmetic is in single precision.
OFFICIAL_TRAINING: dict[str, dict[str, Any]] = {
    "cam": {"weight_decay": 1e-4}, "amn": {"label_at": "centre"}, "irn": {"label_at": "centre"}}
# The paper's pair; one for maps of EfficientNet-Lite0, which peak at a higher threshold; and one for scenes.
# The second was chosen on every other image of VOC2012-animals `train`: by the precision and coverage of what
# is sure, and between two trainings (the other pair was 0.50, 0.25) by the lower imbalance of AMN.
SEED_THRESHOLDS = {"paper": (0.30, 0.05), "minutes": (0.45, 0.10), "scenes": (0.40, 0.10)}
# Of AMN's maps, for the seeds that IRN learns from (foreground, background); of AMN's masks for the CRF; and of
# IRN's maps for the masks that segmentation learns from, which is the CRF's where the walk leaves a threshold its
# meaning. Those of `paper` are its own, for the maps of its normalisation. The others are ours: a softmax over
# background and the image's classes calls a pixel more likely object than not above 0.5, and 0.15 around it is unsure.
REFINE_THRESHOLDS = {"paper": (0.45, 0.15), "minutes": (0.65, 0.35), "scenes": (0.65, 0.35)}
CRF_THRESHOLDS = {"paper": 0.25, "minutes": 0.5, "scenes": 0.5}
MASK_THRESHOLD = 0.25  # of IRN's maps, divided by the largest value of the image
COCO_MASK_THRESHOLD = 0.22  # of IRN's maps on COCO, the one constant of the paper that differs there
# Published constants by method: of the paper's code, and of IRN's for maps and after its random walk.
FIXED = {
    "paper": ("The paper's constant", "AMN's code", {"cam": 0.15, "amn-without-lcm": 0.25, "amn": 0.25, "irn": 0.25}),
    "irn": ("IRN's constant", "IRN's code", {"cam": 0.15, "irn": 0.25}),
    "irn-foreground": ("IRN's confident foreground", "IRN's code", {"cam": 0.30}),
    "amn-foreground": ("AMN's confident foreground", "AMN's code", {"amn-without-lcm": 0.45, "amn": 0.45}),
}
# Scales whose maps are averaged: by default, and those of the official code.
MAP_SCALES, OFFICIAL_SCALES = "0.5,1,1.5", "1,0.5,1.5,2"
PRESET_SCALES = {"paper": OFFICIAL_SCALES, "minutes": MAP_SCALES, "scenes": "0.75,1.25"}


@dataclass(frozen=True)
class Cuts:
    """Two cuts as a code base has them: above `high` the strongest class, up to `low` background, unsure between."""

    label: str
    high: float
    low: float
    source: str


# Cuts that are handed down from code to code, whatever the maps: `audit` says what each costs on a run. ToCo's are in
# its training scripts (--high_thre, --low_thre, --bkg_thre), IRN's in run_sample.py (--conf_fg_thres, --conf_bg_thres).
TWO_CUTS = {
    "toco-voc": Cuts("ToCo, VOC", 0.70, 0.25, "ToCo; unchanged in DuPL, SeCo, MoRe, and ExCEL on COCO too"),
    "toco-coco": Cuts("ToCo, COCO", 0.65, 0.25, "ToCo; unchanged in DuPL, SeCo and MoRe"),
    "irn": Cuts("IRN", *SEED_THRESHOLDS["paper"], "IRN's confident labels; AMN's for CAM"),
    "amn": Cuts("AMN for IRN", *REFINE_THRESHOLDS["paper"], "AMN's labels for IRN"),
    "lpcam": Cuts("LPCAM", 0.45, 0.25, "LPCAM's labels for IRN"),
}
# Single cuts that are handed down likewise: value, whose it is and what for.
ONE_CUT = (
    (0.15, "IRN's evaluation of CAM, and most code after it"),
    (MASK_THRESHOLD, "AMN's maps, IRN's masks"),
    (0.30, "LPCAM's evaluation"),
    (0.45, "ToCo's background on COCO"),
    (0.50, "ToCo's background on VOC"),
)


CUTS_HELP = f"both thresholds at once: HIGH,LOW or one of {', '.join(TWO_CUTS)}; goes before the two above"


def choose_cuts(cuts: str, foreground: float, background: float) -> tuple[float, float]:
    """Choose both thresholds of seeds: a pair as `parse_cuts` reads it, else those given one by one.

    Raises:
        ValueError: the pair cannot be read.

    >>> choose_cuts("toco-voc", 0.3, 0.05), choose_cuts("", 0.3, 0.05)
    ((0.7, 0.25), (0.3, 0.05))
    """
    return parse_cuts(cuts) if cuts else (foreground, background)


@dataclass(frozen=True)
class Smoothed:
    """Numbers of cuts that are fitted anew after each batch: CoSA's, from its code (args.py, ``gmm*``)."""

    ignored: float = 0.05  # activations up to it are left out
    decay: float = 0.99
    low: float = 0.25  # where both start
    high: float = 0.70
    batch: int = 2
    queue: int = 100  # batches


COSA = Smoothed()
# DuPL's high cut falls from the first number to one for each class (train_final_voc.py, train_final_coco.py).
DUPL_START, DUPL_END = 0.70, 0.55
DUPL_KEPT = ("aeroplane", "bicycle", "bird", "boat", "chair", "train")  # of VOC's classes these keep the first


def find_dupl_ends(class_names: tuple[str, ...]) -> tuple[float, np.ndarray] | None:
    """Find DuPL's first high cut and its last by class (C,), background first; None for classes it has none for.

    >>> find_dupl_ends(("background", "bird", "cat"))[1].tolist(), find_dupl_ends(("background", "circle"))
    ([0.55, 0.7, 0.55], None)
    """
    names = class_names[1:]
    if set(names) <= set(VOC_CLASSES):
        return DUPL_START, np.array([DUPL_START if name in DUPL_KEPT else DUPL_END for name in class_names])
    return (DUPL_START, np.full(len(class_names), DUPL_END)) if set(names) <= set(COCO_CLASSES) else None


def parse_cuts(text: str) -> tuple[float, float]:
    """Parse two cuts: the name of a preset in `TWO_CUTS`, or ``HIGH,LOW``.

    Raises:
        ValueError: neither, outside 0 to 1, or the high one below the low one.

    >>> parse_cuts("toco-voc"), parse_cuts("0.6, 0.2")
    ((0.7, 0.25), (0.6, 0.2))
    """
    if text in TWO_CUTS:
        return TWO_CUTS[text].high, TWO_CUTS[text].low
    try:
        high, low = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"cuts is {text!r}: give HIGH,LOW such as 0.7,0.25, or one of {', '.join(TWO_CUTS)}") from None
    if not 0 <= low <= high <= 1:
        raise ValueError(f"cuts is {text!r}: give the high one first, both from 0 to 1")
    return high, low
