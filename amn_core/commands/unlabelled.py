"""Scores of all classes without image labels: the plane of class cut and threshold, and what is lost to which."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.commands.count import remember_protocol
from amn_core.commands.work import describe_run, refuse_other_run, write_command
from amn_core.compute.parallel import run_chunks
from amn_core.constants import DEFAULT_THRESHOLDS
from amn_core.data import DataError, Dataset, load_dataset
from amn_core.formats.all_scores import BACKGROUNDS, SCORES, build_all_maps
from amn_core.formats.counts import save_counts
from amn_core.formats.errors import FormatError
from amn_core.formats.map_folder import open_map_folder
from amn_core.formats.maps import quantise_maps, save_levels
from amn_core.formats.pickles.files import name_errors
from amn_core.formats.runs import save_run
from amn_core.formats.tables import save_csv
from amn_core.options import option
from amn_core.sweep import CountsBuilder
from amn_core.sweep.class_cuts import CutSums, count_class_cuts, count_given, split_loss
from amn_core.sweep.protocols import find_protocol

CHUNK = 32
MOST_CUTS = 101
SHOWN = 8


@dataclass(frozen=True)
class UnlabelledConfig:
    """What `unlabelled` needs: a folder with the scores of every class for each image, and ground truth."""

    maps: str = option("", "folder with one file of all-class scores for each image", positional=True)
    data: str = option("", "data set with ground truth: voc|coco|pets|folder:ROOT or scenes[:key=value,…]",
                       required=True)
    split: str = option("train", "split or path of a list")
    entry: str = option("auto", "entry of a dict or archive that holds the scores, such as msc_seg")
    scores: str = option("auto", "probabilities, or logits for a softmax over all planes", choices=SCORES)
    background: str = option("first", "which plane is background; none; or white: white pixels are background",
                             choices=BACKGROUNDS)
    class_cuts: int = option(21, "class cuts from 0 to 1: a class is in an image where its largest score is above")
    class_cut: float | None = option(None, "look at this class cut; by default at the best one")
    threshold: float | None = option(None, "look at this threshold; by default at the best one")
    protocol: str = option("irn", "averaging rule: irn, seam or toco")
    images: str = option("", "CSV to write one row an image to, at the pair that is looked at")
    out: str = option("", "run folder to write with the classes above that class cut, for every screen and command")
    name: str = option("", "name of that run; by default that of the folder with its class cut")
    workers: int = option(0, "processes; 0 for one a core")


def run_unlabelled(config: UnlabelledConfig) -> dict[str, Any]:
    """Score every pair of class cut and threshold, and split the loss at one.

    Returns:
        ``images``, ``class_cuts`` (M), ``thresholds`` (T), ``miou`` (M, T); ``best`` and ``at``, the best pair and the
        one looked at (``class_cut``, ``threshold``, ``miou``); ``told``, the best with the image's true classes;
        ``loss`` (``total``, ``wrong_class``, ``wrong_cut``), fractions of 1; ``classes``, one dict a class.

    Raises:
        ValueError: no file for an image, another number of planes, or no ground truth; names it.
    """
    if not 2 <= config.class_cuts <= MOST_CUTS:
        raise ValueError(f"class-cuts is {config.class_cuts}; it must lie between 2 and {MOST_CUTS}")
    averaging = find_protocol(config.protocol).averaging
    dataset, ids = find_scored(config)
    cuts = np.linspace(0, 1, config.class_cuts)
    parts = list(run_chunks(partial(count_some, config), ids, "all classes", config.workers, CHUNK))
    sums, told = (add_up(part[i] for part in parts) for i in (0, 1))
    scored, known = sums.score_miou(averaging), told.score_miou(averaging)[0]
    best = tuple(int(i) for i in np.unravel_index(np.nanargmax(scored), scored.shape))
    at = (find_nearest(cuts, config.class_cut, best[0]), find_nearest(DEFAULT_THRESHOLDS, config.threshold, best[1]))
    if config.images:
        save_images(config, dataset, ids, float(cuts[at[0]]), at[1], averaging)
    if config.out:
        save_as_run(config, dataset, ids, float(cuts[at[0]]))
    wrong_class, wrong_cut = split_loss(known, scored)
    place = int(np.nanargmax(known))
    return {
        "images": len(ids), "class_cuts": cuts.tolist(), "thresholds": DEFAULT_THRESHOLDS.tolist(),
        "miou": scored.tolist(), "best": describe_pair(cuts, scored, best), "at": describe_pair(cuts, scored, at),
        "told": {"threshold": float(DEFAULT_THRESHOLDS[place]), "miou": float(known[place])},
        "loss": {"total": float(known[place] - scored[at]), "wrong_class": float(wrong_class[at]),
                 "wrong_cut": float(wrong_cut[at[1]])},
        "classes": describe_classes(dataset, sums, told, at),
    }


def find_scored(config: UnlabelledConfig) -> tuple[Dataset, tuple[str, ...]]:
    """Find the images that have both scores and ground truth."""
    dataset = load_dataset(config.data, config.split)
    folder = open_map_folder(config.maps, dataset.ids, dataset.class_names, "maps")
    missing = [image_id for image_id in dataset.ids if image_id not in folder.files]
    if missing:
        raise DataError(f"{config.maps} has no file for {len(missing)} of {len(dataset.ids)} images, such as "
                        f"{missing[0]}: name a list of those that it has with --split")
    if dataset.gt(dataset.ids[0]) is None:
        raise DataError(f"{config.data}: no ground truth for {dataset.ids[0]}; choose a split that has it")
    return dataset, dataset.ids


def count_some(config: UnlabelledConfig, ids: Sequence[str]) -> tuple[CutSums, CutSums]:
    """Count some images under each class cut, and with their true classes."""
    dataset = load_dataset(config.data, config.split)
    cuts = np.linspace(0, 1, config.class_cuts)
    sums, told = [], []
    for image_id, cam, gt in read_images(config, dataset, ids):
        presence = cam.max(axis=(1, 2))
        sums.append(count_class_cuts(cam, presence, gt, DEFAULT_THRESHOLDS, cuts))
        told.append(count_given(cam, dataset.class_ids(image_id), gt, DEFAULT_THRESHOLDS))
        sums, told = [add_up(sums)], [add_up(told)]
    return sums[0], told[0]


def read_images(
    config: UnlabelledConfig, dataset: Dataset, ids: Sequence[str]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Read the maps of all classes of some images, with their ground truth."""
    folder, n_classes = open_map_folder(config.maps, ids, dataset.class_names, "maps"), len(dataset.class_names)
    for image_id in ids:
        gt = dataset.gt(image_id)
        if gt is None:
            raise DataError(f"{config.data}: no ground truth for {image_id}; choose a split that has it")
        raw = folder.read(image_id, dataset.class_names, config.entry, gt.shape)
        image = dataset.image(image_id) if config.background == "white" else None
        build = partial(build_all_maps, raw, n_classes, gt.shape, config.background, config.scores, image)
        yield image_id, name_errors(folder.files[image_id][0][1], build), gt


def add_up(parts: Iterator[CutSums] | list[CutSums]) -> CutSums:
    """Add up the pixels of parts."""
    total: CutSums | None = None
    for part in parts:
        total = part if total is None else total.add(part)
    if total is None:
        raise FormatError("no image to count")
    return total


def find_nearest(grid: np.ndarray, value: float | None, default: int) -> int:
    """Find the place of a value on a grid, the lower of two; the default where none is asked for."""
    return default if value is None else int(np.argmin(np.abs(grid - value)))


def describe_pair(cuts: np.ndarray, scored: np.ndarray, place: tuple[int, int]) -> dict[str, float]:
    """Describe a pair of class cut and threshold with its mIoU."""
    return {"class_cut": float(cuts[place[0]]), "threshold": float(DEFAULT_THRESHOLDS[place[1]]),
            "miou": float(scored[place])}


def describe_classes(dataset: Dataset, sums: CutSums, told: CutSums, at: tuple[int, int]) -> list[dict[str, Any]]:
    """Describe each class at a pair: its IoU, that with the true classes, and what the wrong ones cost it."""
    own, known = sums.score_iou()[at[0], :, at[1]], told.score_iou()[0, :, at[1]]
    return [{"class": name, "iou": none_if_nan(a), "told_iou": none_if_nan(b), "wrong_class": none_if_nan(b - a)}
            for name, a, b in zip(dataset.class_names, own, known, strict=True)]


def none_if_nan(value: float) -> float | None:
    """Give None for what is undefined."""
    return None if np.isnan(value) else float(value)


def save_images(
    config: UnlabelledConfig, dataset: Dataset, ids: Sequence[str], cut: float, threshold: int, averaging: str
) -> None:
    """Save one row an image: its classes, those that are called, and mIoU with either, at one pair."""
    grid, names, rows = DEFAULT_THRESHOLDS[threshold:threshold + 1], np.array(dataset.class_names), []
    for image_id, cam, gt in read_images(config, dataset, ids):
        presence, true = cam.max(axis=(1, 2)), dataset.class_ids(image_id)
        scored = count_class_cuts(cam, presence, gt, grid, np.array([cut])).score_miou(averaging)[0, 0]
        known = count_given(cam, true, gt, grid).score_miou(averaging)[0, 0]
        rows.append((image_id, ";".join(names[true]), ";".join(names[1:][presence > cut]), scored, known,
                     known - scored))
    save_csv(Path(config.images), ("image", "classes", "called", "miou", "told_miou", "wrong_class"), rows)


def save_as_run(config: UnlabelledConfig, dataset: Dataset, ids: Sequence[str], cut: float) -> None:
    """Save the maps of the classes above a class cut as a run, with its counts.

    Raises:
        ValueError: the folder holds another run.
    """
    meta = build_meta(config, dataset, len(ids), cut)
    refuse_other_run(Path(config.out), meta, "unlabelled")
    run, builder = save_run(config.out, meta), CountsBuilder(dataset.class_names)
    for image_id, cam, gt in read_images(config, dataset, ids):
        chosen = np.flatnonzero(cam.max(axis=(1, 2)) > cut)
        levels = quantise_maps(cam[chosen])
        save_levels(run.map_path(image_id), levels, chosen + 1, gt.shape)
        builder.add(image_id, levels, chosen + 1, gt)
    save_counts(run.counts_path, builder.build())
    remember_protocol(run, dataset, len(ids), {"averaging": find_protocol(config.protocol).name})


def build_meta(config: UnlabelledConfig, dataset: Dataset, images: int, cut: float) -> dict[str, Any]:
    """Describe the run of one class cut for its run.json."""
    folder = Path(config.maps).resolve().name
    return describe_run(
        dataset, config.data, config.split, config.name or f"{folder}, class cut {cut:g}", "imported", images,
        {"normalisation": f"scores of all classes ({config.scores})"}, {}, kind="maps",
        label_source=f"largest score of a class above {cut:g}",
        unlabelled={"maps": folder, "class_cut": cut, "scores": config.scores, "background": config.background},
        command=write_command("unlabelled", config))


def format_unlabelled(result: dict[str, Any]) -> str:
    """Format the plane on a coarse grid, the loss, and the classes that wrong classes cost most."""
    at, loss, told = result["at"], result["loss"], result["told"]
    columns = [i for i, t in enumerate(result["thresholds"]) if abs(t * 10 - round(t * 10)) < 1e-9]
    lines = ["mIoU % by class cut (down) and threshold (across)",
             "      " + "".join(f"{result['thresholds'][i]:6.1f}" for i in columns)]
    lines += [f"{cut:6.2f}" + "".join(f"{100 * row[i]:6.1f}" for i in columns)
              for cut, row in zip(result["class_cuts"], result["miou"], strict=True)]
    best = result["best"]
    lines += ["", f"best: {100 * best['miou']:.1f} at class cut {best['class_cut']:.2f} and threshold "
              f"{best['threshold']:.3f}; with the true classes {100 * told['miou']:.1f} at {told['threshold']:.3f}",
              f"at {at['class_cut']:.2f} and {at['threshold']:.3f}: {100 * loss['total']:.1f} points below that, "
              f"{100 * loss['wrong_class']:.1f} by wrong classes, {100 * loss['wrong_cut']:.1f} by the threshold"]
    worst = sorted((one for one in result["classes"] if one["wrong_class"] is not None),
                   key=lambda one: -one["wrong_class"])[:SHOWN]
    lines.append("wrong classes cost most: " + ", ".join(
        f"{one['class']} {100 * one['wrong_class']:.1f}" for one in worst))
    return "\n".join(lines)
