"""A run's maps to something finer, as a run of its own: the command ``refine``.

``crf`` and ``pamr`` cut the maps at a threshold and refine the labels: a run of finished masks. ``irn`` spreads the
maps by a random walk that the class boundaries of an IRN hold back, ``hysteresis`` keeps the pieces that rise clearly
above a threshold: runs of maps again, for any threshold.
``--every`` refines at every threshold of a grid: a run of counts alone, whose curve stands beside that of the maps
(`refine_every`).
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.commands.work import Work, describe_run, find_mapped, plan_work, refuse_other_run, write_command
from amn_core.compute.distributed import is_main, main_first, take_shard, wait_for_all
from amn_core.compute.parallel import run_chunks
from amn_core.constants import BACKGROUND, METHOD_LABELS, WALK_NORMALISATIONS
from amn_core.data import DataError, Dataset
from amn_core.formats.files import hash_file
from amn_core.formats.maps import LEVELS, is_whole, load_stored_map, resize_maps, save_levels
from amn_core.formats.masks import split_mask
from amn_core.formats.runs import REFINED, Run, describe_source, load_run, resolve_spec, save_run
from amn_core.options import option
from amn_core.presets import DEVICES, FIXED, PRECISIONS
from amn_core.sweep.refined import choose_grid
from amn_core.sweep.seeds import build_labels

METHODS = {"crf": "CRF", "pamr": "PAMR", "irn": "IRN", "hysteresis": "hysteresis"}
GIVES_MAPS = ("irn", "hysteresis")
CUT_MASKS = 0.5  # maps of finished masks are 0 or 1
AMN_POWER = 1.3  # of the maps before the walk, in AMN's code; IRN's takes them as they are
FEW_IMAGES = 8


@dataclass(frozen=True)
class RefineConfig:
    """What `refine` needs: a run with maps, a way to refine them, and a folder for the new run."""

    run: str = option("", "run folder with maps", required=True)
    method: str = option("crf", "dense CRF or PAMR of the cut maps, IRN's random walk, or hysteresis",
                         choices=tuple(METHODS), required=True)
    out: str = option("", "run folder to write", required=True)
    threshold: float | None = option(
        None, "crf, pamr: where to cut the maps; by default the constant of AMN's code for the run's method")
    every: bool = option(
        False, "count the refined mask at every threshold of a grid, for a curve after refinement; irn walks once and "
        "puts a dense CRF behind")
    thresholds: int = option(51, "every: thresholds from 0 to 1")
    gt_prob: float = option(0.7, "crf: trust in the label of a pixel")
    rise: float = option(0.2, "hysteresis: how far above the threshold a piece of a mask must rise to stay")
    checkpoint: str = option("", "irn: the model that train irn made")
    beta: float = option(10.0, "irn: exponent of the affinities")
    steps: int = option(256, "irn: steps of the random walk")
    radius: int = option(5, "irn: distance below which pixels are neighbours, in pixels of a quarter of the size")
    power: float | None = option(
        None, "irn: exponent of the maps before the walk; by default 1.3 for AMN and 1 for others, as in their codes, "
        "and 1 with the normalisation mean")
    normalisation: str = option(
        "largest", "irn: divide the maps of an image by their largest value, as in IRN's code, or divide by the "
        "weights of the walk, so that each pixel gets a weighted mean and a threshold keeps its meaning",
        choices=tuple(WALK_NORMALISATIONS))
    scale: float = option(
        1.0, "irn: scale of the images for the boundaries and the grid of the walk; IRN's code works on sides of 500")
    name: str = option("", "name of the run; by default that of the other with the method, as in AMN + CRF")
    data: str = option("", "data set of the run; by default the one it was made from")
    split: str = option("", "split or path of a list; by default that of the run")
    device: str = option("auto", "where to compute", choices=DEVICES)
    precision: str = option("auto", "irn: arithmetic, bf16 autocast or fp32", choices=PRECISIONS)
    batch: int | None = option(None, "images refined together; by default 1 on the CPU and 16 on a GPU")
    workers: int = option(0, "crf, pamr on the CPU: processes; 0 for one a core")
    skip_broken: bool = option(False, "leave out images without a map, or that are missing or broken")
    estimate: bool = option(False, "every: measure a few images and say how long all would take; nothing is written")


@dataclass(frozen=True)
class Source:
    """One image and its maps on the way: image (H, W, 3) uint8, cam (K, h, w) uint8, class_ids (K,)."""

    image_id: str
    image: np.ndarray
    cam: np.ndarray
    class_ids: np.ndarray


def refine(config: RefineConfig) -> Path | dict[str, Any]:
    """Refine all images of a split into a run folder; what is there already is kept.

    Several processes take a shard each. Counts are made by the command `count`.

    Returns:
        The run folder; with ``estimate`` what `estimate_every` says.

    Raises:
        ValueError: the run, the data or the options are wrong, or the folder holds another run.
    """
    run = load_run(config.run)
    spec, split = config.data or resolve_spec(run), config.split or run.meta["split"]
    config = resolve_refine_config(replace(config, data=spec, split=split), run)
    opening = plan_work(config.run, spec, split, config.skip_broken)
    dataset = opening().dataset
    ids = find_mapped(run, dataset, config.skip_broken)
    if config.estimate:
        from amn_core.commands.refine_every import estimate_every

        return estimate_every(config, opening(), ids)
    meta = build_refined_meta(config, run, dataset, len(ids))
    refuse_other_run(Path(config.out), meta, "refinement")
    if config.every:
        from amn_core.commands.refine_every import refine_every

        return refine_every(config, meta, opening)
    with main_first():
        if is_main():
            save_run(config.out, meta)
    shard = take_shard(ids)
    workers, work = choose_workers(config), partial(refine_some, config)
    for _ in run_chunks(work, shard, f"refine {config.method}", workers, few=FEW_IMAGES, opening=opening):
        pass
    wait_for_all()
    return Path(config.out)


def format_refined(result: Path | dict[str, Any]) -> str:
    """Format what `refine` returns: the folder, or an estimate."""
    if isinstance(result, Path):
        return str(result)
    from amn_core.commands.consequence_estimate import format_estimate

    return format_estimate(result)


def resolve_refine_config(config: RefineConfig, run: Run) -> RefineConfig:
    """Fill in what is left open, and check what can be checked before the first image.

    Raises:
        ValueError: an option that is missing or out of its range.
    """
    if config.batch is not None and config.batch < 1:
        raise ValueError(f"batch is {config.batch}; it must be at least 1")
    if config.estimate and not config.every:
        raise ValueError("estimate is for --every, which may take long: give both or leave it out")
    if config.every:
        choose_grid(config.thresholds)
        if run.is_masks:
            raise ValueError(f"{run.path}: finished masks are the same at every threshold; leave --every out")
        if config.threshold is not None:
            raise ValueError(f"threshold is {config.threshold}, but --every takes all: leave one of them out")
    if config.method == "hysteresis":
        if not 0 <= config.rise <= 1 or config.every:
            raise ValueError("hysteresis gives maps for every threshold: leave --every out, and count the run"
                             if config.every else f"rise is {config.rise:g}; it must lie between 0 and 1")
        return config
    if config.method != "irn":
        return config if config.every else replace(config, threshold=resolve_threshold(config, run))
    if not config.checkpoint:
        raise ValueError("irn needs a model: pass --checkpoint FILE, made by the command train irn")
    is_amn = run.method.startswith("amn") and config.normalisation == "largest"
    config = replace(config, power=config.power or (AMN_POWER if is_amn else 1.0))
    build_walk_config(config)
    check_walk_scale(config.scale)
    return config


def resolve_threshold(config: RefineConfig, run: Run) -> float:
    """Resolve the threshold that maps are cut at: the one given, else the constant of AMN's code, which is said.

    Raises:
        ValueError: none is known for the run's method, or it lies outside [0, 1).
    """
    if config.threshold is not None:
        if not 0 <= config.threshold < 1:
            raise ValueError(f"threshold is {config.threshold}; it must be at least 0 and below 1")
        return config.threshold
    if run.is_masks:
        return CUT_MASKS
    _, source, constants = FIXED["paper"]
    if run.method not in constants:
        raise ValueError(f"no constant is known to cut maps of {METHOD_LABELS[run.method]} at: pass --threshold")
    threshold = constants[run.method]
    if is_main():
        print(f"cut at {threshold:g}, the constant of {source} for {METHOD_LABELS[run.method]}; "
              "--threshold sets another", file=sys.stderr)
    return threshold


def build_walk_config(config: RefineConfig) -> Any:
    """Build the parameters of the random walk; ValueError if they make none."""
    from amn_core.refine.random_walk import WalkConfig  # torch is needed where something is computed

    return WalkConfig(config.beta, config.steps, config.radius, config.power, config.normalisation)


def choose_workers(config: RefineConfig) -> int:
    """Choose the number of processes: one where a model or a GPU is shared, else as asked for."""
    return 1 if config.method == "irn" or is_on_gpu(config.device) else config.workers


def is_on_gpu(device: str) -> bool:
    """Tell whether a device is a GPU."""
    from amn_core.compute.devices import choose_device

    return choose_device(device).type == "cuda"


def build_refined_meta(config: RefineConfig, run: Run, dataset: Dataset, images: int) -> dict[str, Any]:
    """Describe the new run for its run.json."""
    is_walk = config.method == "irn"
    kind = REFINED if config.every else "maps" if config.method in GIVES_MAPS else "masks"
    kept = {key: run.meta["protocol"][key] for key in ("scales", "flip", "registration", "classes")
            if key in run.meta["protocol"]}
    normalisation = WALK_NORMALISATIONS[config.normalisation] if is_walk else "finished masks"
    if config.method == "hysteresis":
        normalisation = f"{run.meta['protocol'].get('normalisation', '')}; pieces that rise {config.rise:g} higher"
    if config.every:
        normalisation = f"masks refined at each of {config.thresholds} thresholds"
    protocol = {"normalisation": normalisation, "resize": "bilinear" if kind == "maps" else "none"}
    checkpoint = {"checkpoint": Path(config.checkpoint).name, "sha256": hash_file(Path(config.checkpoint)),
                  "backbone": run.meta.get("model", {}).get("backbone", "")} if is_walk else run.meta.get("model", {})
    return describe_run(
        dataset, config.data, config.split, config.name or name_refined(config, run),
        "irn" if is_walk else run.method, images, protocol | kept, checkpoint, kind=kind,
        refinement=describe_refinement(config, run), command=write_command("refine", config))


def name_refined(config: RefineConfig, run: Run) -> str:
    """Name the new run after the old one and the method, as in AMN + CRF."""
    name = f"{run.name} + {METHODS[config.method]}"
    return f"{name} + {METHODS['crf']}" if config.every and config.method == "irn" else name


def describe_refinement(config: RefineConfig, run: Run) -> dict[str, Any]:
    """Describe how a run was refined, and from what: two runs with the same description hold the same."""
    names = {"irn": ("beta", "steps", "radius", "power", "normalisation", "scale"), "crf": ("threshold", "gt_prob"),
             "pamr": ("threshold",), "hysteresis": ("rise",)}
    methods = (config.method, "crf") if config.every and config.method == "irn" else (config.method,)
    parameters = {name: getattr(config, name) for method in methods for name in names[method]}
    if config.every:
        parameters = {name: value for name, value in parameters.items() if name != "threshold"}
        parameters["thresholds"] = config.thresholds
    if "irn" in methods:
        parameters["sha256"] = hash_file(Path(config.checkpoint))
    if "crf" in methods:
        from amn_core.refine import CRFConfig

        parameters |= asdict(CRFConfig())
    if "pamr" in methods:
        from amn_core.refine import PAMRConfig

        parameters |= {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(PAMRConfig()).items()}
    return {"method": config.method, "source": describe_source(run), "parameters": parameters}


def refine_some(config: RefineConfig, work: Work, ids: Sequence[str]) -> None:
    """Refine some images, in batches, leaving those that are there already."""
    target = load_run(config.out)
    todo = [i for i in ids if not (target.map_path(i).is_file() and is_whole(target.map_path(i)))]
    batch = config.batch or (16 if is_on_gpu(config.device) else 1)
    for start in range(0, len(todo), batch):
        loaded = (load_source(config, work, image_id) for image_id in todo[start:start + batch])
        sources = [source for source in loaded if source is not None]
        if sources:
            REFINERS[config.method](config, target, sources)


def load_source(config: RefineConfig, work: Work, image_id: str) -> Source | None:
    """Load an image and its maps; None if it is broken and may be left out.

    Raises:
        DataError: it is broken. ValueError: the maps are of an image of another size.
    """
    try:
        image = work.dataset.image(image_id)
    except DataError:
        if not config.skip_broken:
            raise
        return None
    cam, class_ids, size = load_stored_map(work.run.map_path(image_id))
    if size != image.shape[:2]:
        raise ValueError(f"{work.run.map_path(image_id)} is of an image of {size[0]}×{size[1]} but {image_id} is "
                         f"{image.shape[0]}×{image.shape[1]}: check --data")
    return Source(image_id, image, cam, class_ids)


def cut(config: RefineConfig, source: Source) -> np.ndarray:
    """Cut the maps of an image at full size: (H, W) int64, 0 background, k for the k-th map."""
    return build_labels(resize_source(source, source.image.shape[:2]), config.threshold)


def resize_source(source: Source, size: tuple[int, int]) -> np.ndarray:
    """Resize the maps of an image, (K, *size) float32 in [0, 1]."""
    return resize_maps(source.cam.astype(np.float32) / np.float32(LEVELS), *size)


def refine_by_crf(config: RefineConfig, target: Run, sources: Sequence[Source]) -> None:
    """Refine the cut maps of a batch by a dense CRF, and write the masks."""
    from amn_core.compute.devices import choose_device
    from amn_core.refine import CRFFilters

    labels = [cut(config, source) for source in sources]
    chosen = [i for i, source in enumerate(sources) if len(source.class_ids)]  # nothing to decide without a class
    if chosen:
        filters = CRFFilters([sources[i].image for i in chosen], device=choose_device(config.device))
        refined = filters.refine_labels(
            [labels[i] for i in chosen], [len(sources[i].class_ids) + 1 for i in chosen], config.gt_prob)
        for i, label in zip(chosen, refined, strict=True):
            labels[i] = label
    for source, label in zip(sources, labels, strict=True):
        save_refined_mask(target, source, label)


def refine_by_pamr(config: RefineConfig, target: Run, sources: Sequence[Source]) -> None:
    """Refine the cut maps of some images by PAMR, and write the masks."""
    from amn_core.compute.devices import choose_device
    from amn_core.refine import pamr_labels

    for source in sources:
        n_labels = len(source.class_ids) + 1
        save_refined_mask(target, source, pamr_labels(
            source.image, cut(config, source), n_labels, device=choose_device(config.device)))


def save_refined_mask(target: Run, source: Source, labels: np.ndarray) -> None:
    """Save refined labels, (H, W) 0 … K, as maps that are 0 or 1, which any threshold cuts alike."""
    classes = np.concatenate([[BACKGROUND], source.class_ids]).astype(np.uint8)
    levels, class_ids = split_mask(classes[labels])
    save_levels(target.map_path(source.image_id), levels, class_ids, source.image.shape[:2])


def refine_by_walk(config: RefineConfig, target: Run, sources: Sequence[Source]) -> None:
    """Spread the maps of a batch by the random walk, and write them."""
    for source in walk_sources(config, sources):
        save_levels(target.map_path(source.image_id), source.cam, source.class_ids, source.image.shape[:2])


def refine_by_hysteresis(config: RefineConfig, target: Run, sources: Sequence[Source]) -> None:
    """Keep the pieces of the maps of a batch that rise high enough, and write them."""
    from amn_core.refine.hysteresis import keep_risen

    for source in sources:
        kept = keep_risen(source.cam, round(config.rise * LEVELS))
        save_levels(target.map_path(source.image_id), kept, source.class_ids, source.image.shape[:2])


def walk_sources(config: RefineConfig, sources: Sequence[Source]) -> list[Source]:
    """Spread the maps of a batch by the random walk; rounded as a run keeps them."""
    walker = load_walker_once(config.checkpoint, config.device, config.precision)
    maps = [source.cam.astype(np.float32) / np.float32(LEVELS) for source in sources]
    spread = walker.walk([source.image for source in sources], maps, build_walk_config(config), config.scale)
    levels = [np.rint(cam * LEVELS).astype(np.uint8) for cam in spread]
    return [replace(source, cam=cam) for source, cam in zip(sources, levels, strict=True)]


@lru_cache(maxsize=1)
def load_walker_once(checkpoint: str, device: str, precision: str) -> Any:
    """Load the model of the random walk, once for all batches."""
    from amn_core.infer.walker import load_walker

    return load_walker(checkpoint, device, precision)


REFINERS: dict[str, Callable[[RefineConfig, Run, Sequence[Source]], None]] = {
    "crf": refine_by_crf, "pamr": refine_by_pamr, "irn": refine_by_walk,
    "hysteresis": refine_by_hysteresis,
}


def check_walk_scale(scale: float) -> None:
    """Refuse a scale of the images for IRN's walk that nobody can mean."""
    if not 0.1 <= scale <= 10:
        raise ValueError(f"scale is {scale:g}; it must lie between 0.1 and 10")
