"""The network behind the masks: the same small segmentation network trained on masks cut at several thresholds.

    maps of the images to learn from ─ cut at each threshold, dense CRF ─ masks ─ train ─ masks of the measured images

Everything that is made stays in the folder and is not made again; each finished training is in the table at once.

OUT/<run>/maps               maps of the images to learn from
OUT/<run>/measured           maps of the measured images, where the run has none
OUT/<run>/masks/<threshold>  masks to learn from
OUT/<run>/masks.npz          counts of the masks of the measured images, at these thresholds
OUT/<run>/<threshold>-<seed> a training, and the run of its network's masks of the measured images
OUT/consequence.json, .csv   the results
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.commands.consequence_results import collect_results
from amn_core.commands.text import format_rows
from amn_core.compute.distributed import is_distributed
from amn_core.compute.parallel import run_chunks
from amn_core.compute.progress import set_stage
from amn_core.data import Dataset, load_dataset
from amn_core.formats.consequences import save_consequences
from amn_core.formats.counts import save_counts
from amn_core.formats.files import read_json, write_bytes, write_json
from amn_core.formats.maps import load_map
from amn_core.formats.masks import save_mask
from amn_core.formats.runs import Run, load_run, resolve_spec
from amn_core.options import option
from amn_core.presets import BACKBONES, DEVICES
from amn_core.scoring import score_run
from amn_core.sweep.counts import CountsBuilder, merge_counts
from amn_core.sweep.curves import find_threshold
from amn_core.sweep.refined import count_refined
from amn_core.sweep.seeds import build_label_sets

# Sizes that fit: of drawn scenes half an hour on two cores for both runs, of photographs some hours.
SIZES = {"scenes": {"learn": 160, "epochs": 5}, "photographs": {"learn": 1000, "epochs": 5}}
SETTLED = "config.json"
FREE = ("out", "device", "estimate", "seeds", "runs")


@dataclass(frozen=True)
class ConsequenceConfig:
    """What `consequence` needs: runs with checkpoints and counts, and images to learn from."""

    runs: tuple[str, ...] = option((), "run folders with a checkpoint and counts, such as one of CAM and one of AMN",
                                   positional=True)
    out: str = option("", "folder for everything; what is there is not made again", required=True)
    data: str = option("", "data set to learn from; by default that of the runs")
    split: str = option("", "split to learn from, measured images left out; by default that to train on")
    learn: int | None = option(None, "images to learn from, evenly taken; by default 160 scenes or 1000 photographs")
    thresholds: int = option(7, "thresholds: from half to twice the share of foreground at the run's peak")
    seeds: str = option("0,1", "seeds of the trainings, separated by commas")
    crf: bool = option(True, "refine the masks with a dense CRF")
    backbone: str = option("efficientnet_lite0_small", "feature extractor of the network", choices=BACKBONES)
    weights: str = option("imagenet", "start from: imagenet, none, or a file with ImageNet weights")
    epochs: int | None = option(None, "passes over the images, the same for every threshold; by default 5")
    crop: int | None = option(None, "side of the square crop, pixels; the preset's by default")
    batch: int | None = option(None, "images a step; the preset's by default")
    device: str = option("auto", "where to compute", choices=DEVICES)
    estimate: bool = option(False, "measure a few steps and say how long it would take; nothing is trained")


@dataclass(frozen=True)
class Cell:
    """One training: of a run's masks at a threshold, with a seed; folder is that of the run below OUT."""

    run: Run
    folder: Path
    threshold: float
    seed: int

    @property
    def masks(self) -> Path:
        """Where the masks to learn from are."""
        return self.folder / "masks" / f"{self.threshold:.3f}"

    @property
    def path(self) -> Path:
        """Where the training is, in ``train``, and the masks of its network, in ``run``."""
        return self.folder / f"{self.threshold:.3f}-{self.seed}"

    @property
    def is_done(self) -> bool:
        """Whether the network was trained and measured."""
        return (self.path / "run" / "counts.npz").is_file()


def consequence(config: ConsequenceConfig) -> dict[str, Any]:
    """Train a network on masks cut at each threshold, and measure masks and networks on the same images.

    Returns:
        What is saved as consequence.json: ``images``, ``learned``, ``crf`` and ``runs``, see `Consequence`; with
        ``estimate``, what `estimate_consequence` says.

    Raises:
        ValueError: a run without checkpoint or counts, no image to learn from, or a number out of its range.
    """
    config = resolve_config(config)
    runs = [check_run(load_run(path)) for path in config.runs]
    dataset = open_learning_data(config, runs)
    cells = plan_cells(config, runs)
    if config.estimate:
        from amn_core.commands.consequence_estimate import estimate_consequence

        return estimate_consequence(config, runs, dataset, cells)
    settle_config(config)
    for folder in dict.fromkeys(cell.folder for cell in cells):
        make_masks(config, [cell for cell in cells if cell.folder == folder], dataset)
    result = save_results(config, cells, dataset)
    for cell in cells:
        if not cell.is_done:
            train_cell(config, cell, dataset)
            result = save_results(config, cells, dataset)
    return result


def resolve_config(config: ConsequenceConfig) -> ConsequenceConfig:
    """Fill in what was left open, and check the rest.

    Raises:
        ValueError: no run, or a number out of its range.
    """
    if not config.runs:
        raise ValueError("no run to cut masks of: give at least one run folder")
    if is_distributed():
        raise ValueError("consequence runs in one process: start it without torchrun")
    parse_seeds(config.seeds)
    if config.thresholds < 2:
        raise ValueError(f"thresholds is {config.thresholds}; it must be at least 2")
    first = load_run(config.runs[0])
    kind = "scenes" if first.meta["data"].startswith("scenes") else "photographs"
    config = replace(config, **{k: v for k, v in SIZES[kind].items() if getattr(config, k) is None})
    if config.learn < 1:
        raise ValueError(f"learn is {config.learn}; it must be at least 1")
    return config


def parse_seeds(text: str) -> list[int]:
    """Parse the seeds, in the order given, each once.

    >>> parse_seeds("1, 0,1")
    [1, 0]
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"seeds is {text!r}: expected whole numbers from 0 separated by commas, such as 0,1")
    return list(dict.fromkeys(map(int, parts)))


def check_run(run: Run) -> Run:
    """Check that a run has what masks are made of."""
    lacks = [name for name, is_there in (
        ("a checkpoint", run.checkpoint_path), ("counts", run.has_counts)) if not is_there]
    if lacks or run.is_masks or run.is_refined:
        raise ValueError(f"{run.path}: lacks {' and '.join(lacks) or 'maps to cut'}; take a run of CAM or AMN as "
                         "reproduce makes it, with its training, or of a bundle")
    return run


def open_learning_data(config: ConsequenceConfig, runs: Sequence[Run]) -> Dataset:
    """Open the images to learn from, none of them among the measured ones.

    Raises:
        ValueError: there is none.
    """
    from amn_core.commands.pipeline import choose_train_split

    spec = config.data or resolve_spec(runs[0])
    kind, _, rest = spec.partition(":")
    if kind == "scenes":
        parts = [part for part in rest.split(",") if part and not part.startswith("n=")]
        return load_dataset(f"scenes:{','.join([*parts, f'n={config.learn}'])}", config.split or "train")
    dataset = load_dataset(spec, config.split or choose_train_split(kind, rest))
    measured = {image_id for run in runs for image_id in run.counts().image_ids}
    ids = [image_id for image_id in dataset.ids if image_id not in measured]
    if not ids:
        raise ValueError(f"{spec}: every image of the split is measured; pass another --split to learn from")
    number = min(config.learn, len(ids))
    listed = Path(config.out) / "learn.txt"
    write_bytes(listed, "".join(f"{ids[i * len(ids) // number]}\n" for i in range(number)).encode())
    return load_dataset(spec, str(listed))


def plan_cells(config: ConsequenceConfig, runs: Sequence[Run]) -> list[Cell]:
    """Plan the trainings: seed by seed, run by run, the run's own peak first and the ends before the middle."""
    names = [f"{i + 1}-{run.method}" for i, run in enumerate(runs)]
    chosen = {name: choose_thresholds(run, config.thresholds) for name, run in zip(names, runs, strict=True)}
    return [
        Cell(run, Path(config.out) / name, threshold, seed)
        for seed in parse_seeds(config.seeds) for name, run in zip(names, runs, strict=True)
        for threshold in order_thresholds(*chosen[name])]


def choose_thresholds(run: Run, number: int) -> tuple[list[float], float]:
    """Choose thresholds spaced evenly in the share of foreground, from half to twice that at the run's peak.

    Returns:
        The thresholds, increasing, the peak's among them; and the peak's. There are fewer where shares coincide.
    """
    summary = score_run(run)
    peak = find_threshold(summary.thresholds, summary.peak_threshold)
    share = summary.foreground_share
    wanted = np.linspace(0.5, 2, number) * share[peak]
    index = {int(np.argmin(np.abs(share - one))) for one in wanted}
    nearest = min(index, key=lambda i: abs(i - peak))  # the peak takes the place of the threshold that is nearest to it
    index = sorted((index - {nearest}) | {peak})
    return [float(summary.thresholds[i]) for i in index], float(summary.thresholds[peak])


def order_thresholds(thresholds: Sequence[float], peak: float) -> list[float]:
    """Order thresholds so that a curve shows its form early: peak, ends, then the middles of what is open.

    >>> order_thresholds([0.1, 0.2, 0.3, 0.4, 0.5], 0.4)
    [0.4, 0.1, 0.5, 0.2, 0.3]
    """
    ordered = [peak, *(t for t in (thresholds[0], thresholds[-1]) if t != peak)]
    while len(ordered) < len(thresholds):
        left = [t for t in thresholds if t not in ordered]
        ordered.append(max(left, key=lambda t: min(abs(t - known) for known in ordered)))
    return ordered


def settle_config(config: ConsequenceConfig) -> None:
    """Remember how the folder was made; raise ValueError if it was made otherwise."""
    path, ours = Path(config.out) / SETTLED, {k: v for k, v in asdict(config).items() if k not in FREE}
    theirs = read_json(path) if path.is_file() else ours
    changed = [key for key in theirs if theirs[key] != ours.get(key)]
    if changed:
        raise ValueError(f"{config.out} was made with {changed[0]}={theirs[changed[0]]}, not {ours.get(changed[0])}: "
                         "choose another --out")
    write_json(path, ours)


def make_masks(config: ConsequenceConfig, cells: Sequence[Cell], dataset: Dataset) -> None:
    """Make the masks of a run: those to learn from, and the counts of those of the measured images."""
    run, folder = cells[0].run, cells[0].folder
    thresholds = sorted({cell.threshold for cell in cells})
    if not (folder / "masks" / "done").is_file():
        announce(f"masks of {run.name} to learn from")
        extract_maps(config, run, dataset.spec, find_split(config, dataset), folder / "maps")
        work = partial(write_masks, config, dataset.spec, find_split(config, dataset), str(folder), tuple(thresholds))
        list(run_chunks(work, dataset.ids, "cut and refine", chunk=4))
        write_bytes(folder / "masks" / "done", b"")
    if not (folder / "masks.npz").is_file():
        announce(f"masks of {run.name} to measure")
        maps = find_measured_maps(config, run, folder)
        work = partial(count_masks, config, str(maps), tuple(thresholds))
        parts = list(run_chunks(work, run.counts().image_ids, "cut, refine and count", chunk=4))
        save_counts(folder / "masks.npz", merge_counts(parts))


def announce(name: str) -> None:
    """Say on standard error, and to whoever follows the progress, which stage begins."""
    set_stage(name)
    print(f"== {name}", file=sys.stderr, flush=True)


def find_split(config: ConsequenceConfig, dataset: Dataset) -> str:
    """Find the split under which the images to learn from are opened again."""
    listed = Path(config.out) / "learn.txt"
    return dataset.split if dataset.spec.startswith("scenes") else str(listed)


def find_measured_maps(config: ConsequenceConfig, run: Run, folder: Path) -> Path:
    """Find the run with the maps of the measured images: the run itself, else one that is made here."""
    if run.has_maps:
        return run.path
    extract_maps(config, run, resolve_spec(run), run.meta["split"], folder / "measured")
    return folder / "measured"


def extract_maps(config: ConsequenceConfig, run: Run, spec: str, split: str, out: Path) -> None:
    """Make maps with a run's model, as the run's own were made."""
    from amn_core.commands.extract import ExtractConfig, extract

    protocol = run.meta["protocol"]
    scales = ",".join(f"{scale:g}" for scale in protocol["scales"])
    extract(ExtractConfig(
        checkpoint=str(run.checkpoint_path), data=spec, split=split, out=str(out),
        scales=scales, flip=protocol.get("flip", True), registered=run.is_registered,
        normalisation=protocol["normalisation"], device=config.device))


def refine_cuts(
    config: ConsequenceConfig, image: np.ndarray, cam: np.ndarray, thresholds: Sequence[float]
) -> np.ndarray:
    """Cut the maps of an image at thresholds, and refine the masks if asked for: (T, H, W) uint8, 0 … K."""
    if not config.crf:
        return build_label_sets(cam, np.asarray(thresholds))
    from amn_core.compute.devices import choose_device
    from amn_core.infer.cuts import CutRefiner

    return CutRefiner(image, cam, device=choose_device(config.device)).refine(np.asarray(thresholds))


def write_masks(
    config: ConsequenceConfig, spec: str, split: str, folder: str, thresholds: tuple[float, ...], ids: Sequence[str]
) -> None:
    """Write the masks of some images to learn from, one a threshold."""
    dataset, maps = load_dataset(spec, split), load_run(Path(folder) / "maps")
    for image_id in ids:
        image = dataset.image(image_id)
        cam, class_ids = load_map(maps.map_path(image_id), image.shape[:2])
        table = np.concatenate([[0], class_ids]).astype(np.uint8)
        for threshold, labels in zip(thresholds, refine_cuts(config, image, cam, thresholds), strict=True):
            save_mask(Path(folder) / "masks" / f"{threshold:.3f}" / f"{image_id}.png", table[labels], palette=False)


def count_masks(config: ConsequenceConfig, path: str, thresholds: tuple[float, ...], ids: Sequence[str]) -> Any:
    """Count the masks of some measured images at each threshold."""
    run = load_run(path)
    dataset = load_dataset(resolve_spec(run), run.meta["split"])
    builder = CountsBuilder(run.class_names, thresholds)
    for image_id in ids:
        image, gt = dataset.image(image_id), dataset.gt(image_id)
        cam, class_ids = run.map(image_id, gt.shape)
        labels = refine_cuts(config, image, cam, thresholds)
        builder.add_counts(
            image_id, count_refined(labels, class_ids, gt, np.array(thresholds), len(run.class_names)))
    return builder.build()


def train_cell(config: ConsequenceConfig, cell: Cell, dataset: Dataset) -> None:
    """Train a network on the masks of one threshold, and make and count its masks of the measured images."""
    from amn_core.commands.segment import SegmentConfig, segment
    from amn_core.train.loop import train

    announce(f"{cell.run.name} cut at {cell.threshold:.3f}, seed {cell.seed}")
    if not (cell.path / "train" / "model.pth").is_file():
        train(build_train_config(config, cell, dataset))
    segment(SegmentConfig(
        checkpoint=str(cell.path / "train" / "model.pth"), data=resolve_spec(cell.run), split=cell.run.meta["split"],
        out=str(cell.path / "run"), name=f"{cell.run.name}, cut at {cell.threshold:.3f}", scales="1", flip=False,
        classes=",".join(cell.run.scored_classes), device=config.device))


def build_train_config(config: ConsequenceConfig, cell: Cell, dataset: Dataset) -> Any:
    """Build the configuration of one training: all are the same but for their masks and seeds."""
    from amn_core.train.config import TrainConfig

    out = cell.path / "train"
    return TrainConfig(
        method="segmentation", data=dataset.spec, split=find_split(config, dataset), out=str(out),
        backbone=config.backbone, preset="scenes" if dataset.spec.startswith("scenes") else "minutes",
        seeds=str(cell.masks), weights=config.weights, epochs=config.epochs, crop=config.crop, batch=config.batch,
        seed=cell.seed, device=config.device, resume=(out / "last.pth").is_file())


def save_results(config: ConsequenceConfig, cells: Sequence[Cell], dataset: Dataset) -> dict[str, Any]:
    """Save what is finished; returns it as consequence.json has it."""
    results = collect_results(cells)
    about = {"images": len(cells[0].run.counts().image_ids), "learned": len(dataset.ids), "crf": config.crf,
             "seeds": parse_seeds(config.seeds), "data": cells[0].run.meta["data"], "split": cells[0].run.meta["split"]}
    save_consequences(Path(config.out), results, about)
    return about | {"runs": [asdict(one) for one in results]}


def format_consequence(result: dict[str, Any]) -> str:
    """Format the results as tables, and what they say; or an estimate."""
    if "seconds" in result:
        from amn_core.commands.consequence_estimate import format_estimate

        return format_estimate(result)
    from amn_core.commands.consequence_results import describe_result, list_table_rows

    columns = (("threshold", "threshold", ".3f"), ("share", "foreground %", "%"), ("masks", "masks mIoU %", "%"),
               ("masks_interval", "95 %", "pair"), ("precision", "precision %", "%"), ("recall", "recall %", "%"),
               ("network", "network mIoU %", "%"), ("network_interval", "95 %", "pair"), ("seeds", "seeds", "d"))
    lines = []
    for run in result["runs"]:
        lines += [run["name"], *format_rows(columns, list_table_rows(run)), describe_result(run), ""]
    refined = "after dense CRF" if result["crf"] else "without CRF"
    return "\n".join([*lines, f"Masks {refined}; {result['images']} images measured, {result['learned']} learned from, "
                      "none in both. Intervals: over images; of networks, of the mean over seeds."])
