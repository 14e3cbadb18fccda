"""The whole pipeline as one resumable command: CAM, seeds, AMN, its refinement by CRF and IRN, segmentation.

Each stage leaves its result in a folder; a stage that is whole is not done again, so the command can be
stopped and started at any point.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amn_core.commands.bundle import bundle
from amn_core.commands.compare import CompareConfig, compare
from amn_core.commands.count import CountConfig, count
from amn_core.commands.export import ExportConfig, run_export
from amn_core.commands.extract import ExtractConfig
from amn_core.commands.pipeline import (
    METHODS,
    STEPS,
    TRAINED,
    ReproduceConfig,
    Step,
    complete_methods,
    find_due,
    plan_steps,
    resolve_mask_thresholds,
    resolve_refine_thresholds,
    resolve_seed_thresholds,
    resolve_splits,
    resolve_walk_normalisation,
)
from amn_core.commands.refine import RefineConfig, check_walk_scale, refine
from amn_core.commands.seed import SeedConfig, make_seeds
from amn_core.compute.distributed import is_main, main_first, wait_for_all
from amn_core.compute.progress import set_stage
from amn_core.formats.files import read_json, write_bytes, write_json
from amn_core.options import describe_config
from amn_core.presets import PRESET_SCALES, STAGE_OF
from amn_core.train.config import TrainConfig

# What may change between two starts of the same reproduction.
FREE = ("device", "bundle", "bundle_models", "skip_broken", "methods", "probe")


@dataclass(frozen=True)
class Stages:
    """The folders of one reproduction."""

    config: ReproduceConfig

    @property
    def out(self) -> Path:
        """The folder of everything."""
        return Path(self.config.out)

    def model(self, method: str) -> Path:
        """The trained checkpoint of a method."""
        return self.out / "train" / method / "model.pth"

    def is_done(self, step: Step) -> bool:
        """Whether a stage has written its last file."""
        return (self.out / step.folder / step.done).is_file()

    def run(self, method: str) -> Path:
        """The run of a method on the split that is measured."""
        return self.out / method


def reproduce(config: ReproduceConfig) -> dict[str, Any]:
    """Train what is needed on one split, measure the methods on another, and compare.

    Returns:
        What `compare` returns.

    Raises:
        ValueError: something is wrong with the data or the options, or the folder holds another
            reproduction.
        Stopped: it was asked to stop; the same command goes on.
    """
    check_walk_scale(config.walk_scale)  # before the hours of training that come first
    stages = Stages(resolve_splits(config))
    methods = choose_methods(config)
    with main_first():
        remember_config(stages)
    for step in find_due(plan_steps(methods), stages.is_done):
        announce(step)
        MAKERS[step.kind](stages, step)
    result = compare(CompareConfig(runs=tuple(str(stages.run(method)) for method in methods)))
    if is_main():
        write_json(stages.out / "comparison.json", result)
        if config.bundle:
            bundle(choose_bundled(stages, methods), Path(config.bundle))
    wait_for_all()
    return result


def choose_bundled(stages: Stages, methods: tuple[str, ...]) -> dict[Path, Path | None]:
    """Choose the runs to hand on, each with its checkpoint where it has one of its own and it is wanted."""
    has_model = TRAINED if stages.config.bundle_models else ()
    return {stages.run(method): stages.model(method) if method in has_model else None for method in methods}


def choose_methods(config: ReproduceConfig) -> tuple[str, ...]:
    """Choose the methods that are measured, in the order of the pipeline; what others go on from comes along.

    Raises:
        ValueError: an unknown method, or none.
    """
    asked = [name.strip() for name in config.methods.split(",") if name.strip()]
    unknown = [name for name in asked if name not in METHODS]
    if unknown or not asked:
        raise ValueError(f"methods {config.methods!r}: expected some of {', '.join(METHODS)}, separated by commas")
    return complete_methods(asked)


def remember_config(stages: Stages) -> None:
    """Write the configuration; refuse a folder that was made with another."""
    path, ours = stages.out / "reproduce.json", describe_config(stages.config)
    if path.is_file():
        theirs = read_json(path)
        changed = [key for key in theirs if key not in FREE and key in ours and theirs[key] != ours[key]]
        if changed:
            difference = f"{changed[0]}={theirs[changed[0]]}, not {ours[changed[0]]}"
            raise ValueError(f"{stages.out} was made with {difference}: choose another --out")
    write_json(path, ours)


def announce(step: Step) -> None:
    """Say on standard error, and to whoever follows the progress, which stage begins."""
    set_stage(step.name)
    if is_main():
        print(f"== {step.name}", file=sys.stderr, flush=True)


def make_model(stages: Stages, step: Step) -> None:
    """Train a method; goes on where it was stopped."""
    from amn_core.train.loop import train  # imports torch

    labels = next((stages.out / LABELS[name].folder for name in step.needs if name in LABELS), None)
    train(build_train_config(stages, step.method, labels))


def build_train_config(stages: Stages, method: str, labels: Path | None = None) -> TrainConfig:
    """Build the configuration of one training; it goes on from its last checkpoint if there is one.

    Args:
        labels: the folder of label images that it learns from, if it learns from any.
    """
    config, path = stages.config, stages.model(method)
    epochs = {"cam": config.cam_epochs, "irn": config.irn_epochs, "segmentation": config.segmentation_epochs}
    rates = {"cam": config.cam_lr, "irn": None, "segmentation": None}
    return TrainConfig(
        method=method, data=config.data, split=config.train_split, out=str(path.parent), backbone=config.backbone,
        preset=config.preset, seeds=str(labels or ""), weights=config.weights, stride_on=config.stride_on,
        epochs=epochs.get(method, config.amn_epochs), lr=rates.get(method, config.amn_lr), batch=config.batch,
        crop=config.crop, probe=config.probe if STAGE_OF[method] in ("cam", "amn") else 0, seed=config.seed,
        device=config.device, resume=(path.parent / "last.pth").is_file(), skip_broken=config.skip_broken)


def make_labels(stages: Stages, step: Step) -> None:
    """Make what a model learns from: seeds of CAM's or AMN's maps of the training split, or pseudo masks of IRN's."""
    maps = make_training_maps(stages, "amn" if step.method == "irn" else step.method)
    if step.method == "irn":
        make_pseudo_masks(stages, maps, stages.out / step.folder)
    else:
        cut_seeds(stages, step, maps)
    write_bytes(stages.out / step.folder / step.done, b"")


def cut_seeds(stages: Stages, step: Step, maps: Path) -> None:
    """Cut seeds from the maps of the training split."""
    config = stages.config
    resolve = {"cam": resolve_seed_thresholds, "amn": resolve_refine_thresholds}[step.method]
    foreground, background = resolve(config)
    make_seeds(SeedConfig(
        run=str(maps), data=config.data, split=config.train_split, foreground=foreground, background=background,
        crf=config.crf, out=str(stages.out / step.folder)))


def make_training_maps(stages: Stages, method: str) -> Path:
    """Make a method's maps of the training split."""
    config, maps = stages.config, stages.out / f"{method}-train"
    extract_run(config, stages.model(method), config.data, config.train_split, maps)
    return maps


def make_pseudo_masks(stages: Stages, maps: Path, masks: Path) -> None:
    """Make masks of the training split, by AMN and IRN's walk, cut."""
    config, walked = stages.config, stages.out / "irn-train"
    walk(stages, maps, walked, config.data, config.train_split)
    with main_first():
        if is_main():
            threshold = resolve_mask_thresholds(config)[1]
            run_export(ExportConfig(run=str(walked), format="masks", out=str(masks), threshold=threshold))


def make_counted_run(stages: Stages, step: Step) -> None:
    """Make the run of a method on the measured split, with counts."""
    config, folder = stages.config, stages.out / step.folder
    makers = {"crf": make_crf_run, "irn": make_irn_run, "segmentation": make_segmentation_run}
    makers.get(step.method, make_maps_run)(stages, step.method, folder)
    if not stages.is_done(step):
        count(CountConfig(
            run=str(folder), data=config.measure_data, split=config.split, classes=config.classes,
            skip_broken=config.skip_broken))


def make_maps_run(stages: Stages, method: str, folder: Path) -> None:
    """Make the maps of the measured split."""
    extract_run(stages.config, stages.model(method), stages.config.measure_data, stages.config.split, folder)


def make_crf_run(stages: Stages, method: str, folder: Path) -> None:
    """Cut AMN's maps of the measured split, and refine the masks by a dense CRF."""
    config = stages.config
    refine(RefineConfig(
        run=str(stages.run("amn")), method="crf", threshold=resolve_mask_thresholds(config)[0], out=str(folder),
        data=config.measure_data, split=config.split, device=config.device, skip_broken=config.skip_broken))


def make_irn_run(stages: Stages, method: str, folder: Path) -> None:
    """Spread AMN's maps of the measured split by IRN's random walk."""
    walk(stages, stages.run("amn"), folder, stages.config.measure_data, stages.config.split)


def walk(stages: Stages, run: Path, folder: Path, data: str, split: str) -> None:
    """Spread the maps of a run by the random walk of the trained IRN."""
    config = stages.config
    refine(RefineConfig(
        run=str(run), method="irn", checkpoint=str(stages.model("irn")), out=str(folder), data=data, split=split,
        normalisation=resolve_walk_normalisation(config), scale=config.walk_scale, device=config.device,
        skip_broken=config.skip_broken))


def make_segmentation_run(stages: Stages, method: str, folder: Path) -> None:
    """Predict the masks of the measured split with the segmentation network."""
    from amn_core.commands.segment import SegmentConfig, segment  # not needed before

    config = stages.config
    segment(SegmentConfig(
        checkpoint=str(stages.model(method)), data=config.measure_data, split=config.split, out=str(folder),
        classes=config.classes, device=config.device, skip_broken=config.skip_broken))


def extract_run(config: ReproduceConfig, checkpoint: Path, data: str, split: str, folder: Path) -> None:
    """Extract the maps of a split into a run folder."""
    from amn_core.commands.extract import extract

    extract(ExtractConfig(
        checkpoint=str(checkpoint), data=data, split=split, out=str(folder), scales=choose_scales(config),
        device=config.device, skip_broken=config.skip_broken))


def choose_scales(config: ReproduceConfig) -> str:
    """Choose the scales of the maps: the paper's four, or fewer that take less long."""
    return PRESET_SCALES[config.preset]


MAKERS = {"train": make_model, "labels": make_labels, "measure": make_counted_run}
LABELS = {step.name: step for step in STEPS if step.kind == "labels"}
