"""A model and images to activation maps: scales and mirror images summed, normalised, at a quarter of the size."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from amn_core.commands.work import describe_run, refuse_other_run, write_command
from amn_core.compute.distributed import is_main, main_first, take_shard, wait_for_all
from amn_core.compute.failures import is_out_of_memory, take_first_line
from amn_core.compute.parallel import count_cores
from amn_core.compute.progress import Progress
from amn_core.constants import METHOD_LABELS
from amn_core.data import DataError, Dataset, load_dataset, load_label_image
from amn_core.formats.files import hash_file, read_json
from amn_core.formats.maps import is_whole, save_map
from amn_core.formats.runs import Run, describe_data, load_run, save_run
from amn_core.infer.streaming import Item, WriteBehind, group_by_size, read_ahead, skip_idle
from amn_core.options import describe_config, option
from amn_core.presets import DEVICES, MAP_SCALES, OFFICIAL_SCALES, PRECISIONS

if TYPE_CHECKING:
    import torch

    from amn_core.infer.extractor import Extractor


@dataclass(frozen=True)
class ExtractConfig:
    """What `extract` needs: a model and images give activation maps in a run folder."""

    checkpoint: str = option("", "checkpoint of CAM or AMN", required=True)
    data: str = option("", "data set: voc|coco|pets|folder:ROOT or scenes[:key=value,…]", required=True)
    split: str = option("train", "split or path of a list")
    out: str = option("", "run folder to write", required=True)
    name: str = option("", "name of the run; by default that of the method")
    scales: str | None = option(
        None, "scales whose maps are summed; by default 0.5,1,1.5, and 1,0.5,1.5,2 with --official")
    flip: bool = option(True, "also use the mirrored image")
    registered: bool = option(
        True, "draw maps where the backbone's features lie; otherwise, and with --official, at the centres of cells")
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


def extract(config: ExtractConfig) -> Path:
    """Make the maps of a whole split as a run folder; maps that are there already are kept.

    Several processes take a shard each.

    Returns:
        The run folder.

    Raises:
        ValueError: data, checkpoint or options are wrong, or the folder holds another checkpoint's run.
    """
    from amn_core.infer.extractor import NEEDS_SEEDS, load_extractor, parse_scales, resolve_normalisation  # torch

    config = resolve_extract_config(config)
    dataset = load_dataset(config.data, config.split, config.skip_broken)
    extractor = load_extractor(
        config.checkpoint, config.device, config.precision, parse_scales(config.scales), config.flip,
        config.normalisation, config.official, config.dropout_seed if config.official else None, config.registered)
    if resolve_normalisation(extractor) == "official" and not config.seeds:
        raise ValueError(NEEDS_SEEDS)
    places = find_places(config, dataset, extractor)
    meta = build_run_meta(config, dataset, extractor)
    with main_first():
        refuse_other_run(Path(config.out), meta, "model", "protocol")
        run = save_run(config.out, meta) if is_main() else load_run(config.out)
    if config.compile:
        extractor.model.backbone.compile(dynamic=True)
    broken = extract_shard(config, dataset, extractor, run, places)
    if broken:
        print(f"left out {len(broken)} broken image(s): {', '.join(broken[:5])}", file=sys.stderr)
    wait_for_all()
    return run.path


def find_places(config: ExtractConfig, dataset: Dataset, extractor: "Extractor") -> np.ndarray:
    """Find the class of the model for each class of the data set, by name: (G,) int64.

    A model may know more classes than the data set has, as one of VOC's twenty knows cat and dog.

    Raises:
        ValueError: the model lacks a class, or is to be normalised by seeds, which number their own classes.
    """
    known = {name: i for i, name in enumerate(extractor.class_names)}
    missing = [name for name in dataset.class_names if name not in known]
    if missing or (extractor.class_names != dataset.class_names and config.seeds):
        lacks = f" ({', '.join(missing[:3])}{' …' if len(missing) > 3 else ''})" if missing else ""
        raise ValueError(f"{config.checkpoint} knows other classes than {config.data}{lacks}; train on this data set "
                         "first")
    return np.array([known[name] for name in dataset.class_names], dtype=np.int64)


def extract_shard(
    config: ExtractConfig, dataset: Dataset, extractor: "Extractor", run: Run, places: np.ndarray
) -> list[str]:
    """Make and save the maps of this process's images; returns the ids of those that are broken and left out."""
    ids = take_shard(dataset.ids)
    batch, workers = resolve_batch(config, extractor.device)
    load = partial(load_item, config, dataset, run.map_path)
    with Progress(f"extract {extractor.method}", len(ids)) as bar, WriteBehind(workers) as writer:
        broken: list[str] = []
        items = skip_idle(read_ahead(load, ids, workers), bar, broken)
        for group in group_by_size(items, batch):
            maps = infer_group(extractor, group, batch, places)
            for item, cam in zip(group, maps, strict=True):
                writer.write(save_map, run.map_path(item.image_id), cam, item.class_ids, item.image.shape[:2])
            bar.update(len(group))
    return broken


def resolve_batch(config: ExtractConfig, device: "torch.device") -> tuple[int, int]:
    """Fill in how many images go together, and how many threads read and write.

    Raises:
        ValueError: a batch of none, or fewer than no threads.
    """
    is_cpu = device.type == "cpu"
    batch = config.batch if config.batch is not None else 1 if is_cpu else 16
    workers = config.workers if config.workers is not None else 1 if is_cpu else min(8, count_cores())
    if batch < 1 or workers < 0:
        raise ValueError(f"batch is {batch} and workers {workers}; they must be at least 1 and 0")
    return batch, workers


def infer_group(extractor: "Extractor", group: list[Item], batch: int, places: np.ndarray) -> list[np.ndarray]:
    """Infer the maps of images of one size, their planes in the order of the data set's classes.

    Args:
        places: (G,) class of the model for each class of the data set.

    Raises:
        MemoryError: memory ran out; the message says what needs less.
    """
    own = [places[item.class_ids] for item in group]
    orders = [np.argsort(ids) for ids in own]  # the model takes its classes in its own order
    try:
        maps = extractor.infer_batch(
            [item.image for item in group], [ids[order] for ids, order in zip(own, orders, strict=True)],
            [item.seed for item in group])
        return [cam[np.argsort(order)] for cam, order in zip(maps, orders, strict=True)]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        less = f"use --batch {batch // 2}" if batch > 1 else "use fewer or smaller --scales, or --device cpu"
        raise MemoryError(f"out of memory with --batch {batch} at {group[0].image_id}: {less}; the maps that are made "
                          f"are kept ({take_first_line(error)})") from None


def build_run_meta(config: ExtractConfig, dataset: Dataset, extractor: "Extractor") -> dict[str, Any]:
    """Describe the run for its run.json."""
    from amn_core.infer.extractor import resolve_normalisation  # imports torch

    normalisation, (data, _) = resolve_normalisation(extractor), describe_data(config.data)
    protocol = {
        "normalisation": normalisation, "scales": list(extractor.scales), "flip": extractor.flip,
        "registration": extractor.registration} | describe_official(config, normalisation)
    model = {
        "checkpoint": Path(config.checkpoint).name, "sha256": hash_file(Path(config.checkpoint)),
        "backbone": type(extractor.model.backbone).__name__}
    if extractor.class_names != dataset.class_names:
        model["knows"] = ", ".join(extractor.class_names)
    return describe_run(
        dataset, config.data, config.split, config.name or METHOD_LABELS[extractor.method], extractor.method,
        len(dataset.ids), protocol, model, command=write_command("extract", config),
        config=describe_config(config) | {"data": data})


def resolve_extract_config(config: ExtractConfig) -> ExtractConfig:
    """Fill in what is left open: the scales, and with ``official`` the arithmetic.

    Raises:
        ValueError: a normalisation or no mirror images beside ``official``, which settles both.
    """
    if not config.official:
        return replace(config, scales=config.scales or MAP_SCALES)
    if config.normalisation != "auto" or not config.flip:
        wrong = "--no-flip" if not config.flip else f"--normalisation {config.normalisation}"
        raise ValueError(f"--official settles the normalisation and uses mirror images: leave out {wrong}")
    precision = "fp32" if config.precision == "auto" else config.precision
    return replace(config, scales=config.scales or OFFICIAL_SCALES, precision=precision)


def describe_official(config: ExtractConfig, normalisation: str) -> dict[str, object]:
    """Describe for the protocol of a run what is official about it; nothing without the switch.

    Args:
        normalisation: as resolved; ``max`` is CAM's, whose network has no dropout.
    """
    told: dict[str, object] = {"official": True} if config.official else {}
    if config.official and normalisation != "max":
        told["dropout"] = f"on, seed {config.dropout_seed}"
    return told | ({"seeds": describe_seeds(Path(config.seeds))} if normalisation == "official" else {})


def describe_seeds(folder: Path) -> str:
    """Describe how the seeds in a folder were made, as far as they say."""
    if not (folder / "seeds.json").is_file():
        return folder.name
    told = read_json(folder / "seeds.json")
    refined = "with CRF" if told["crf"] else "without CRF"
    return f"{told['run']}, {told['foreground']:g} and {told['background']:g}, {refined}"


def load_item(config: ExtractConfig, dataset: Dataset, map_path: Callable[[str], Path], image_id: str) -> Item:
    """Load what the map of an image is made from; nothing where the map is there, or the image may be left out."""
    path = map_path(image_id)
    if path.is_file() and not config.overwrite and is_whole(path):
        return Item(image_id)
    seeds, n_classes = Path(config.seeds), len(dataset.class_names)
    try:
        seed = load_label_image(seeds / f"{image_id}.png", n_classes) if config.seeds else None
        return Item(image_id, dataset.image(image_id), dataset.class_ids(image_id), seed)
    except DataError:
        if config.skip_broken:
            return Item(image_id, is_broken=True)
        raise
