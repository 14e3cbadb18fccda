"""From our maps of AMN to the official code's, step by step: what each of its choices does to every number.

All steps are drawn at the centres of cells, as the official code draws (`amn_core.models.registration`).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from amn_core.commands.compare import read_interval
from amn_core.commands.text import format_rows
from amn_core.compute.progress import track
from amn_core.constants import BACKGROUND
from amn_core.data import Dataset, load_dataset, load_label_image
from amn_core.formats.maps import LEVELS, compute_map_size, resize_maps
from amn_core.infer.extractor import Extractor, load_extractor, normalise_scores, parse_scales
from amn_core.infer.official import keep_dropout
from amn_core.options import option
from amn_core.presets import DEVICES, OFFICIAL_SCALES
from amn_core.sweep import Counts, CountsBuilder, bootstrap_runs, compare_bootstraps, summarise
from amn_core.sweep.protocols import parse_classes
from amn_core.sweep.seeds import build_seed

RESAMPLES = 1000
MEASURES = ("peak_miou", "peak_threshold", "plateau", "plateau_share", "mean_miou", "gap", "imbalance", "auc")
COLUMNS = (
    ("step", "step", "s"), ("peak_miou", "peak mIoU %", "%"), ("peak_threshold", "at", ".3f"),
    ("gain", "gain", "+"), ("gain_interval", "95 %", "pair"), ("plateau", "plateau", ".3f"),
    ("plateau_share", "plateau (share)", ".3f"), ("mean_miou", "mean mIoU %", "%"), ("gap", "gap", ".3f"),
    ("imbalance", "imbalance", ".3f"), ("auc", "AUC", ".3f"),
)


@dataclass(frozen=True)
class Step:
    """One step of the table: a normalisation, with dropout or without, and what it changes."""

    name: str
    normalisation: str
    has_dropout: bool
    meaning: str


STEPS = (
    Step("ours", "image-softmax", False,
         "softmax over background and the image's classes, dropout off"),
    Step("+ softmax over all classes", "softmax", False,
         "classes that the image does not have compete too, which takes a share of every score"),
    Step("+ stretched over the image", "min-max", False,
         "each class is stretched to reach from 0 to 1 in every image: order and AUC stay, scale and threshold move"),
    Step("+ except where the seed is background", "official", False,
         "where the CAM's seed says background, the score stays unstretched: the seed is now part of the map"),
    Step("+ dropout left on", "official", True,
         "a tenth of the features is dropped by chance; the official code has no seed for it, this table has one"),
)


@dataclass(frozen=True)
class BenchOfficialConfig:
    """What `bench official` needs: an AMN, a CAM or its seeds, and images with ground truth."""

    checkpoint: str = option("", "checkpoint of AMN, ours or official", required=True)
    cam: str = option("", "checkpoint of the CAM that the seeds are made from; or pass --seeds")
    seeds: str = option("", "folder of the CAM's seed labels, as the command seed writes")
    data: str = option("", "data set with ground truth: voc|coco|pets|folder:ROOT or scenes", required=True)
    split: str = option("train", "split or path of a list")
    images: int = option(100, "images, evenly taken from the split; 0 takes all")
    scales: str = option(OFFICIAL_SCALES, "scales whose maps are summed, the same for every step")
    foreground: float = option(0.30, "threshold above which the seed is sure of foreground")
    background: float = option(0.05, "threshold below which the seed is sure of background")
    crf: bool = option(True, "refine the seeds with a dense CRF, as the paper does")
    classes: str = option("", "names of the classes to average over, background included; all by default")
    dropout_seed: int = option(0, "seed of the dropout")
    device: str = option("auto", "where to compute", choices=DEVICES)

    def __post_init__(self) -> None:
        """Refuse a table without seeds, or with two kinds of them."""
        if bool(self.cam) == bool(self.seeds):
            raise ValueError("pass either --cam, a checkpoint to make the seeds from, or --seeds, a folder of them")
        if self.images < 0:
            raise ValueError(f"images is {self.images}; it must be at least 0, which takes all")


def bench_official(config: BenchOfficialConfig) -> dict[str, Any]:
    """Measure what each choice of the official inference adds, on the same images, network and scales.

    Maps are kept in 8 bits at a quarter of the size, as `extract` keeps them, and every image is resized as the
    official code does. Source of the steps: the public code of AMN; the measures are ours.

    Returns:
        The fields of ``config``; ``images``; ``seed_background``, the share of pixels where the seed says
        background; ``steps``, each with its ``step``, ``meaning``, the `MEASURES`, and ``gain``,
        ``gain_interval``: peak mIoU less that of the step before, with a paired 95 % interval over images;
        ``in_words``, where the gap comes from.

    Raises:
        ValueError: a checkpoint of another method or other classes, or an image without ground truth or seed.
    """
    dataset = load_dataset(config.data, config.split)
    extractors = load_both(config, dataset)
    ids = choose_ids(dataset.ids, config.images)
    counts, share = count_steps(config, dataset, extractors, ids)
    classes = parse_classes(config.classes, dataset.class_names)
    steps = describe_steps(counts, classes)
    return {"bench": "official", **asdict(config), "images": len(ids), "seed_background": share, "steps": steps,
            "in_words": write_in_words(steps)}


def load_both(config: BenchOfficialConfig, dataset: Dataset) -> dict[str, Extractor]:
    """Load AMN, and CAM unless there are seeds, in single precision and with the official resizing."""
    paths = {"amn": config.checkpoint} | ({"cam": config.cam} if config.cam else {})
    found = {
        name: load_extractor(path, config.device, "fp32", parse_scales(config.scales), official=True)
        for name, path in paths.items()}
    for name, extractor in found.items():
        if extractor.method.partition("-")[0] != name:
            raise ValueError(f"{paths[name]} is a checkpoint of {extractor.method}, expected one of {name}")
        if extractor.class_names != dataset.class_names:
            raise ValueError(f"{paths[name]} knows other classes than {config.data}")
    return found


def choose_ids(ids: Sequence[str], images: int) -> list[str]:
    """Take ids evenly from a split, all of them for 0 or where there are not more."""
    number = min(images or len(ids), len(ids))
    return [ids[i * len(ids) // number] for i in range(number)]


def count_steps(
    config: BenchOfficialConfig, dataset: Dataset, extractors: dict[str, Extractor], ids: Sequence[str]
) -> tuple[list[Counts], float]:
    """Count every step on all images; also returns the share of pixels where the seed says background."""
    builders, shares = [CountsBuilder(dataset.class_names) for _ in STEPS], []
    for image_id in track(ids, "official", len(ids)):
        image, class_ids, gt = dataset.image(image_id), dataset.class_ids(image_id), dataset.gt(image_id)
        if gt is None:
            raise ValueError(f"{image_id} has no ground truth: take another split")
        seed = find_seed(config, extractors, image_id, image, class_ids, len(dataset.class_names))
        shares.append((seed == BACKGROUND).mean())
        for builder, cam in zip(builders, infer_steps(config, extractors["amn"], image, class_ids, seed)):
            builder.add(image_id, resize_maps(cam, *gt.shape), class_ids, gt)
    return [builder.build() for builder in builders], float(np.mean(shares))


def find_seed(
    config: BenchOfficialConfig, extractors: dict[str, Extractor], image_id: str, image: np.ndarray,
    class_ids: np.ndarray, n_classes: int,
) -> np.ndarray:
    """Find the seed label of an image, (H, W) uint8: the one in the folder, else one made from the CAM."""
    if config.seeds:
        return load_label_image(Path(config.seeds) / f"{image_id}.png", n_classes)
    cam = resize_maps(round_to_levels(extractors["cam"].infer_map(image, class_ids)), *image.shape[:2])
    return build_seed(cam, class_ids, config.foreground, config.background, image if config.crf else None)


def infer_steps(
    config: BenchOfficialConfig, extractor: Extractor, image: np.ndarray, class_ids: np.ndarray, seed: np.ndarray
) -> list[np.ndarray]:
    """Infer the maps of every step, (K, h, w); the network runs once without dropout and once with it."""
    if not len(class_ids):
        return [np.zeros((0, *compute_map_size(*image.shape[:2])), np.float32)] * len(STEPS)
    plain = sum_scores(extractor, image, class_ids)
    with keep_dropout(extractor.model, image, config.dropout_seed):
        dropped = sum_scores(extractor, image, class_ids)
    cams = [
        normalise_scores(dropped if step.has_dropout else plain, class_ids, step.normalisation, seed)
        for step in STEPS]
    return [round_to_levels(cam.cpu().numpy()) for cam in cams]


@torch.inference_mode()
def sum_scores(extractor: Extractor, image: np.ndarray, class_ids: np.ndarray) -> torch.Tensor:
    """Average the logits over scales and mirror images, (C, h, w)."""
    size = compute_map_size(*image.shape[:2])
    return extractor.sum_scores(torch.from_numpy(image.copy()), torch.from_numpy(np.asarray(class_ids)), size)


def round_to_levels(cam: np.ndarray) -> np.ndarray:
    """Round maps to what is kept of them on disk."""
    return np.rint(cam * LEVELS).astype(np.float32) / np.float32(LEVELS)


def describe_steps(counts: Sequence[Counts], classes: list[str] | None) -> list[dict[str, Any]]:
    """Describe every step: its measures, and what its peak gains over the step before."""
    drawn = bootstrap_runs(list(counts), "irn", classes, RESAMPLES)
    rows = []
    for number, (step, own) in enumerate(zip(STEPS, counts, strict=True)):
        summary = summarise(own, "irn", classes=classes).to_dict()
        row = {"step": step.name, "meaning": step.meaning} | {name: summary[name] for name in MEASURES}
        if number:
            gain = compare_bootstraps(drawn[number], drawn[number - 1])
            row |= {"gain": float(gain.estimate), "gain_interval": read_interval((gain.low, gain.high))}
        rows.append(row)
    return rows


def write_in_words(steps: Sequence[dict[str, Any]]) -> str:
    """Write where the difference in gap and AUC comes from, by step."""
    parts = [
        f"{after['gap'] - before['gap']:+.3f} {after['step'].removeprefix('+ ')} "
        f"(AUC {after['auc'] - before['auc']:+.3f})" for before, after in pairwise(steps)]
    first, last = steps[0], steps[-1]
    return (f"Gap {first['gap']:.3f} to {last['gap']:.3f}: {', '.join(parts)}. "
            f"Peak mIoU {100 * first['peak_miou']:.1f} to {100 * last['peak_miou']:.1f}.")


def format_official(result: dict[str, Any]) -> str:
    """Format the table, a line that says what each step changes, and where the gap comes from."""
    lines = format_rows(COLUMNS, result["steps"])
    notes = [f"{row['step']}: {row['meaning']}" for row in result["steps"]]
    about = (f"{result['images']} images of {Path(result['split']).name}, scales {result['scales']}; "
             f"the seed says background on {100 * result['seed_background']:.0f} % of the pixels")
    return "\n".join([*lines, "", *notes, "", result["in_words"], about])

