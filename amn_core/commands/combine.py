"""Two runs to one, and maps in the outlines of class-agnostic masks, as a run of its own: the command ``combine``."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.commands.count import CountConfig, count, find_countable
from amn_core.commands.work import refuse_other_run, write_command
from amn_core.compute.distributed import is_main, main_first, take_shard, wait_for_all
from amn_core.compute.parallel import run_chunks
from amn_core.data import load_dataset
from amn_core.formats.maps import is_whole, load_stored_map, quantise_maps, save_levels
from amn_core.formats.regions import find_regions, read_regions
from amn_core.formats.run_names import name_backbone
from amn_core.formats.runs import Run, describe_source, load_run, resolve_spec, save_run
from amn_core.options import UsageError, option
from amn_core.sweep.combining import WAYS, align_maps, check_overlap, combine_maps, fill_regions

NAMES = {"or": "{} OR {}", "and": "{} AND {}", "mean": "mean of {} and {}", "max": "maximum of {} and {}"}
Maps = tuple[np.ndarray, np.ndarray]  # (K, H, W) float32 in [0, 1], and the classes (K,)


@dataclass(frozen=True)
class CombineConfig:
    """What `combine` needs: two runs of the same images, or one and class-agnostic masks, and a folder."""

    runs: tuple[str, ...] = option((), "two run folders with maps, or one with --masks")
    by: str = option("or", "or: a + b − ab, and: ab, each over its maximum; mean; max", choices=tuple(WAYS))
    out: str = option("", "run folder to write", required=True)
    masks: str = option(
        "", "folder of class-agnostic masks that the maps are to follow: ID.json with run lengths, ID/*.png, or ID.png")
    overlap: float = option(0.5, "masks: share of a mask that must be called a class for the whole mask to become it")
    name: str = option("", "name of the run; by default that of both, as in CAM OR AMN")
    common: bool = option(False, "combine the images that both runs, and the masks, have; leave out the others")
    fill: bool = option(False, "take a class that one run lacks in an image for a map of zeros")
    count: bool = option(True, "count the new run against the ground truth of its data")
    data: str = option("", "count: data set with ground truth; by default the one the first run was made from")
    split: str = option("", "count: split or path of a list; by default that of the first run")
    workers: int = option(0, "processes; 0 for one a core")


def combine(config: CombineConfig) -> Path:
    """Combine the maps of all images into a run folder, and count it; what is there already is kept.

    Maps are combined at the size of the image and kept there, so that the run is to the pixel what a screen shows of
    one image. Several processes take a shard each.

    Raises:
        UsageError: another number of runs. ValueError: runs without maps, of other data, classes or images, or masks
            that are missing; or the folder holds another run.
    """
    check_config(config)
    runs = [load_run(path) for path in config.runs]
    check_runs(runs, config.data)
    ids = find_common(runs, config)
    if config.count:
        check_countable(config, runs[0], ids)  # what cannot be counted is an error before the work, not after
    meta = build_combined_meta(config, runs, len(ids))
    refuse_other_run(Path(config.out), meta, "combination")
    with main_first():
        if is_main() and not (Path(config.out) / "run.json").is_file():
            save_run(config.out, meta)
    shard = take_shard(ids)
    for _ in run_chunks(partial(combine_some, config), shard, f"combine {config.by}", config.workers):
        pass
    wait_for_all()
    if config.count:
        count(CountConfig(run=config.out, data=config.data, split=config.split, workers=config.workers,
                          skip_broken=config.common))
    return Path(config.out)


def check_config(config: CombineConfig) -> None:
    """Check the number of runs and the overlap.

    Raises:
        UsageError: not two runs, nor one with masks. ValueError: overlap is out of its range.
    """
    if len(config.runs) not in ((1, 2) if config.masks else (2,)):
        raise UsageError(f"{len(config.runs)} run(s) given: combine takes two, or one with --masks FOLDER")
    check_overlap(config.overlap)


def check_runs(runs: Sequence[Run], data: str = "") -> None:
    """Check that runs have maps, and are of the same data and classes.

    Args:
        data: where it is given, the data of the runs need not have the same name.

    Raises:
        ValueError: they are not; names both.
    """
    for run in runs:
        if not run.has_maps:
            raise ValueError(f"{run.path} has tables alone: combine needs its maps; run extract first")
    first, other = runs[0], runs[-1]
    if first.class_names != other.class_names:
        lacks = sorted(set(first.class_names) ^ set(other.class_names)) or ["the same in another order"]
        raise ValueError(f"{first.path} and {other.path} have other classes ({', '.join(lacks[:5])}): combine runs of "
                         "one data set")
    if first.meta["data"] != other.meta["data"] and not data:
        raise ValueError(f"{first.path} is of {first.meta['data']} but {other.path} of {other.meta['data']}: combine "
                         "runs of the same images; if they are the same, say where they lie with --data")


def find_common(runs: Sequence[Run], config: CombineConfig) -> tuple[str, ...]:
    """Find the images to combine; those that a run or the masks lack are an error, or left out with ``common``.

    Raises:
        ValueError: an image is missing, or none is common; names the folder and the image.
    """
    held = [(str(run.path), set(run.map_ids)) for run in runs]
    if config.masks:
        held.append((config.masks, set(find_regions(config.masks))))
    common = set.intersection(*(ids for _, ids in held))
    wanted = set.union(*(ids for _, ids in held[:len(runs)]))
    for folder, ids in held:
        if not config.common and (missing := sorted(wanted - ids)):
            raise ValueError(f"{folder} lacks {len(missing)} of {len(wanted)} images, such as {missing[0]}: pass "
                             "--common to leave them out")
    if not common:
        raise ValueError(f"{' and '.join(folder for folder, _ in held)} share no image")
    return tuple(sorted(common))


def check_countable(config: CombineConfig, run: Run, ids: Sequence[str]) -> None:
    """Check that there is ground truth to count against.

    Raises:
        ValueError: there is none; says how to combine without it.
    """
    try:
        spec, split = config.data or resolve_spec(run), config.split or run.meta["split"]
        dataset = load_dataset(spec, split, config.common)
        if dataset.class_names != run.class_names:
            raise ValueError(f"{spec} has other classes than the run {run.path}")
        find_countable(dataset, ImageIds(run.path, tuple(ids)), config.common)
    except ValueError as error:
        raise ValueError(f"{error} (or pass --no-count to make the maps alone)") from None


@dataclass(frozen=True)
class ImageIds:
    """What a run to come will hold: where it is from, and the images that have maps."""

    path: Path
    map_ids: tuple[str, ...]


def build_combined_meta(config: CombineConfig, runs: Sequence[Run], images: int) -> dict[str, Any]:
    """Describe the new run for its run.json."""
    first = runs[0]
    backbones = {run.meta.get("model", {}).get("backbone", "") for run in runs}
    alike = {key: first.meta["protocol"][key] for key in ("classes", "averaging")
             if all(run.meta["protocol"].get(key) == first.meta["protocol"].get(key) for run in runs)
             and key in first.meta["protocol"]}
    are_masks = all(run.is_masks for run in runs) and (len(runs) == 1 or config.by != "mean")
    return {
        "name": config.name or name_combined(runs, config.by, bool(config.masks)), "method": "combined",
        "kind": "masks" if are_masks else "maps",
        "data": first.meta["data"], "data_root": first.meta.get("data_root", ""), "split": first.meta["split"],
        "images": images, "class_names": list(first.class_names), "label_source": first.meta.get("label_source", ""),
        "protocol": {"normalisation": describe_normalisation(config, runs), "resize": "none", "ground_truth": "",
                     "ignore": "255 left out"} | alike,
        "model": {"backbone": backbones.pop()} if len(backbones) == 1 and "" not in backbones else {},
        "combination": describe_combination(config, runs),
        "command": write_command("combine", config),
    }


def name_combined(runs: Sequence[Run], by: str, has_masks: bool = False) -> str:
    """Name the new run after those that it was made of, with their backbones where both have one name."""
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        names = [", ".join(filter(None, (run.name, name_backbone(run)))) for run in runs]
    name = names[0] if len(names) == 1 else NAMES[by].format(*names)
    return name + " in masks" * has_masks


def describe_normalisation(config: CombineConfig, runs: Sequence[Run]) -> str:
    """Describe in words what the values of the new maps are."""
    words = WAYS[config.by] if len(runs) > 1 else str(runs[0].meta["protocol"].get("normalisation", ""))
    return words + f"; masks kept at {config.overlap:g} overlap" * bool(config.masks)


def describe_combination(config: CombineConfig, runs: Sequence[Run]) -> dict[str, Any]:
    """Describe how runs were combined, and which: two runs with the same description hold the same."""
    told: dict[str, Any] = {"by": config.by} if len(runs) > 1 else {}
    told |= {"masks": Path(config.masks).name, "overlap": config.overlap} if config.masks else {}
    return told | {"sources": [describe_source(run) for run in runs]}


def combine_some(config: CombineConfig, ids: Sequence[str]) -> None:
    """Combine some images, leaving those that are there already."""
    runs, target = [load_run(path) for path in config.runs], load_run(config.out)
    for image_id in ids:
        path = target.map_path(image_id)
        if path.is_file() and is_whole(path):
            continue
        sizes = {run.name: load_stored_map(run.map_path(image_id))[2] for run in runs}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} {size[0]}×{size[1]}" for name, size in sizes.items())
            raise ValueError(f"{image_id}: the images have other sizes ({told}): combine runs of the same images")
        size = next(iter(sizes.values()))
        cam, class_ids = combine_image(image_id, [run.map(image_id) for run in runs], runs, config)
        save_levels(path, quantise_maps(cam), class_ids, size)


def combine_image(image_id: str, maps: Sequence[Maps], runs: Sequence[Run], config: CombineConfig) -> Maps:
    """Combine the maps of one image, (K, H, W) of its size each, as `combine` does; the one way for run and screen.

    Raises:
        ValueError: the maps are of other classes, the masks of another size; names the image.
    """
    cam, class_ids = maps[0]
    if len(maps) > 1:
        check_classes(image_id, maps, runs, config.fill)
        first, second, class_ids = align_maps(*maps)
        cam = combine_maps(first, second, config.by)
    if config.masks:
        regions = find_regions(config.masks)
        if image_id not in regions:
            raise ValueError(f"{config.masks} has no masks of {image_id}")
        cam = fill_regions(cam, read_regions(regions[image_id], cam.shape[1:]), config.overlap)
    return cam, class_ids


def check_classes(image_id: str, maps: Sequence[Maps], runs: Sequence[Run], fill: bool) -> None:
    """Refuse maps of other classes, unless what one lacks counts as zeros, as it does for finished masks.

    Raises:
        ValueError: they differ; names the classes of each.
    """
    if fill or any(run.is_masks for run in runs) or set(maps[0][1].tolist()) == set(maps[1][1].tolist()):
        return
    told = "; ".join(
        f"{run.name} has {', '.join(run.class_names[i] for i in ids) or 'none'}"
        for run, (_, ids) in zip(runs, maps, strict=True))
    raise ValueError(f"{image_id}: the maps are of other classes ({told}): combine runs made with the same image "
                     "labels, or pass --fill to take what is missing for zeros")
