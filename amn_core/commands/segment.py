"""A segmentation network and images to finished masks with counts: the command ``segment``.

The network is not told which classes an image has, as CAM and AMN are: this is the last stage of the pipeline,
the one whose score papers report. RUN/maps holds the masks as maps of 0 and 255, which no threshold changes.
"""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from amn_core.commands.count import CountConfig, count, has_mask
from amn_core.commands.work import describe_run, refuse_other_run, write_command
from amn_core.compute.distributed import main_first, take_shard, wait_for_all
from amn_core.compute.parallel import count_cores
from amn_core.compute.progress import track
from amn_core.constants import METHOD_LABELS
from amn_core.data import DataError, Dataset, load_dataset
from amn_core.formats.files import hash_file
from amn_core.formats.maps import is_whole, save_levels
from amn_core.formats.masks import split_mask
from amn_core.formats.runs import Run, describe_data, load_run, save_run
from amn_core.infer.streaming import WriteBehind, read_ahead
from amn_core.options import describe_config, option
from amn_core.presets import DEVICES, PRECISIONS
from amn_core.sweep.protocols import parse_classes

if TYPE_CHECKING:
    from amn_core.infer.segmenter import Segmenter

NO_LABELS = "none: the network decides which classes an image has"


@dataclass(frozen=True)
class SegmentConfig:
    """What `segment` needs: a segmentation network and images give finished masks in a run folder."""

    checkpoint: str = option("", "checkpoint of a segmentation network, from train segmentation", required=True)
    data: str = option("", "data set: voc|coco|pets|folder:ROOT or scenes[:key=value,…]", required=True)
    split: str = option("train", "split or path of a list")
    out: str = option("", "run folder to write", required=True)
    name: str = option("", "name of the run; by default that of the method")
    scales: str = option("0.5,0.75,1,1.25,1.5", "scales whose probabilities are averaged")
    flip: bool = option(True, "also use the mirrored image")
    crf: bool = option(False, "refine the probabilities with a dense CRF, as DeepLab-v2 does")
    classes: str = option("", "names of the classes to average over, background included, kept as the run's protocol")
    device: str = option("auto", "where to compute", choices=DEVICES)
    precision: str = option("auto", "arithmetic: bf16 autocast or fp32", choices=PRECISIONS)
    skip_broken: bool = option(False, "leave out images that are missing or broken")


def segment(config: SegmentConfig) -> Path:
    """Make the masks of a whole split as a run folder, and count them where there is ground truth.

    Masks that are there already are kept. Several processes take a shard each.

    Returns:
        The run folder.

    Raises:
        ValueError: data, checkpoint or options are wrong, or the folder holds a run with other settings.
    """
    from amn_core.infer.extractor import parse_scales
    from amn_core.infer.segmenter import load_segmenter  # imports torch

    dataset = load_dataset(config.data, config.split, config.skip_broken)
    segmenter = load_segmenter(config.checkpoint, config.device, config.precision, parse_scales(config.scales),
                               config.flip, config.crf)
    if segmenter.class_names != dataset.class_names:
        raise ValueError(f"{config.checkpoint} knows other classes than {config.data}; train on this data set first")
    parse_classes(config.classes, dataset.class_names)  # a wrong name is an error before the work, not after
    run = open_run(config, dataset, segmenter)
    broken = make_masks(config, dataset, segmenter, run)
    if broken:
        print(f"left out {len(broken)} broken image(s): {', '.join(broken[:5])}", file=sys.stderr)
    wait_for_all()
    if any(has_mask(dataset, image_id) for image_id in dataset.ids):
        count(CountConfig(run=config.out, data=config.data, split=config.split, classes=config.classes,
                          skip_broken=True))
    return run.path


def open_run(config: SegmentConfig, dataset: Dataset, segmenter: "Segmenter") -> Run:
    """Open the run folder, made if need be; one with other settings is refused."""
    meta, folder = build_run_meta(config, dataset, segmenter), Path(config.out)
    with main_first():
        refuse_other_run(folder, meta, "model", "protocol")
        is_new = not (folder / "run.json").is_file()
        return save_run(folder, meta) if is_new else load_run(folder)


def make_masks(config: SegmentConfig, dataset: Dataset, segmenter: "Segmenter", run: Run) -> list[str]:
    """Make and save the masks of this process's images; returns the ids of those that are broken and left out."""
    ids, broken = take_shard(dataset.ids), []
    todo = [image_id for image_id in ids if not is_whole(run.map_path(image_id))]
    workers = 1 if segmenter.device.type == "cpu" else min(8, count_cores())
    images = read_ahead(partial(load_image, dataset, config.skip_broken), todo, workers)
    bar = track(images, "segment", len(ids), len(ids) - len(todo))
    with WriteBehind(workers) as writer:
        for image_id, image in zip(todo, bar, strict=True):
            if image is None:
                broken.append(image_id)
            else:
                writer.write(save_finished_mask, run.map_path(image_id), segmenter.infer_mask(image))
    return broken


def load_image(dataset: Dataset, skip_broken: bool, image_id: str) -> np.ndarray | None:
    """Load an image, (H, W, 3) uint8; None if it is broken and may be left out."""
    try:
        return dataset.image(image_id)
    except DataError:
        if skip_broken:
            return None
        raise


def save_finished_mask(path: Path, mask: np.ndarray) -> None:
    """Save a mask (H, W) uint8 as maps of 0 and 255."""
    save_levels(path, *split_mask(mask), mask.shape)


def build_run_meta(config: SegmentConfig, dataset: Dataset, segmenter: "Segmenter") -> dict[str, Any]:
    """Describe the run for its run.json."""
    model, (data, _) = segmenter.model, describe_data(config.data)
    protocol = {
        "normalisation": "finished masks", "scales": list(segmenter.scales), "flip": segmenter.flip,
        "registration": "features", "crf": describe_crf(config.crf), "image_labels": NO_LABELS}
    network = {
        "checkpoint": Path(config.checkpoint).name, "sha256": hash_file(Path(config.checkpoint)),
        "backbone": type(model.backbone).__name__, "head": f"DeepLab-{model.head_name}"}
    return describe_run(
        dataset, config.data, config.split, config.name or METHOD_LABELS[model.method], model.method,
        len(dataset.ids), protocol, network, kind="masks", label_source=NO_LABELS,
        command=write_command("segment", config), config=describe_config(config) | {"data": data})


def describe_crf(is_on: bool) -> str:
    """Describe the CRF for the protocol."""
    from amn_core.infer.segmenter import CRF  # imports torch

    if not is_on:
        return "none"
    return (f"dense, {CRF.iterations} iterations; kernel of places: deviation {CRF.gaussian_sxy:g}, weight "
            f"{CRF.gaussian_compat:g}; of places and colours: {CRF.bilateral_sxy:g} and {CRF.bilateral_srgb:g}, weight "
            f"{CRF.bilateral_compat:g}")
