"""The whole pipeline as one resumable command: CAM, seeds, AMN without LCM, AMN, and their comparison.

Each stage leaves its result in a folder; a stage that is whole is not done again, so the command can be
stopped and started at any point.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amn_core.comparing import compare
from amn_core.configs import (
    CompareConfig,
    CountConfig,
    ExtractConfig,
    ReproduceConfig,
    SeedConfig,
    TrainConfig,
    describe_config,
    resolve_seed_thresholds,
    resolve_splits,
)
from amn_core.counting import count
from amn_core.distributed import is_main, main_first, wait_for_all
from amn_core.formats.checkpoints import load_checkpoint, save_checkpoint
from amn_core.formats.files import hash_file, read_json, write_bytes, write_json
from amn_core.formats.runs import load_run, save_run
from amn_core.seeds import make_seeds

METHODS = ("cam", "amn-without-lcm", "amn")
SCALES = {"paper": "1,0.5,1.5,2", "minutes": "0.5,1,1.5", "scenes": "1,1.5"}
# What may change between two starts of the same reproduction.
FREE = ("device", "bundle", "skip_broken", "methods", "probe")


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

    def run(self, method: str) -> Path:
        """The run of a method on the split that is measured."""
        return self.out / method


def reproduce(config: ReproduceConfig) -> dict[str, Any]:
    """Train CAM, AMN without LCM and AMN on one split, measure them on another, and compare.

    Returns:
        What `compare` returns.

    Raises:
        ValueError: something is wrong with the data or the options, or the folder holds another
            reproduction.
        Stopped: it was asked to stop; the same command goes on.
    """
    from amn_core.train.loop import train  # imports torch

    stages = Stages(resolve_splits(config))
    methods = choose_methods(config)
    with main_first():
        remember_config(stages)
    make_model(stages, "cam", train)
    seeds = make_training_seeds(stages) if methods != ("cam",) else None
    for method in methods:
        make_model(stages, method, train, seeds)
    for method in methods:
        make_counted_run(stages, method)
    result = compare(CompareConfig(runs=tuple(str(stages.run(method)) for method in methods)))
    if is_main():
        write_json(stages.out / "comparison.json", result)
        if config.bundle:
            bundle(stages, Path(config.bundle))
    wait_for_all()
    return result


def choose_methods(config: ReproduceConfig) -> tuple[str, ...]:
    """Choose the methods that are measured, in the order of the pipeline.

    Raises:
        ValueError: an unknown method, or none.
    """
    asked = [name.strip() for name in config.methods.split(",") if name.strip()]
    unknown = [name for name in asked if name not in METHODS]
    if unknown or not asked:
        raise ValueError(f"methods {config.methods!r}: expected some of {', '.join(METHODS)}, separated by commas")
    return tuple(method for method in METHODS if method in asked)


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


def announce(text: str) -> None:
    """Say on standard error which stage begins."""
    if is_main():
        print(f"== {text}", file=sys.stderr, flush=True)


def make_model(stages: Stages, method: str, train: Any, seeds: Path | None = None) -> None:
    """Train a method unless its checkpoint is there; goes on where it was stopped."""
    path = stages.model(method)
    if path.is_file():
        return
    announce(f"train {method}")
    train(build_train_config(stages, method, seeds))


def build_train_config(stages: Stages, method: str, seeds: Path | None = None) -> TrainConfig:
    """Build the configuration of one training; it goes on from its last checkpoint if there is one."""
    config, path = stages.config, stages.model(method)
    return TrainConfig(
        method=method, data=config.data, split=config.train_split, out=str(path.parent), backbone=config.backbone,
        preset=config.preset, seeds=str(seeds or ""), weights=config.weights, stride_on=config.stride_on,
        epochs=config.cam_epochs if method == "cam" else config.amn_epochs,
        lr=config.cam_lr if method == "cam" else config.amn_lr, batch=config.batch, crop=config.crop,
        probe=config.probe, seed=config.seed, device=config.device,
        resume=(path.parent / "last.pth").is_file(), skip_broken=config.skip_broken)


def make_training_seeds(stages: Stages) -> Path:
    """Make the seeds of the training split from CAM's maps of it."""
    config, maps = stages.config, stages.out / "cam-train"
    seeds = stages.out / "seeds"
    if not (seeds / "done").is_file():
        announce("maps and seeds of the training split")
        extract_run(config, stages.model("cam"), config.data, config.train_split, maps)
        foreground, background = resolve_seed_thresholds(config)
        make_seeds(SeedConfig(
            run=str(maps), data=config.data, split=config.train_split, foreground=foreground,
            background=background, crf=config.crf, out=str(seeds)))
        write_bytes(seeds / "done", b"")
    return seeds


def make_counted_run(stages: Stages, method: str) -> None:
    """Make the run of a method on the measured split, with counts."""
    config, folder = stages.config, stages.run(method)
    if (folder / "counts.npz").is_file():
        return
    announce(f"measure {method}")
    extract_run(config, stages.model(method), config.measure_data, config.split, folder)
    count(CountConfig(
        run=str(folder), data=config.measure_data, split=config.split, classes=config.classes,
        skip_broken=config.skip_broken))


def extract_run(config: ReproduceConfig, checkpoint: Path, data: str, split: str, folder: Path) -> None:
    """Extract the maps of a split into a run folder."""
    from amn_core.extract import extract

    extract(ExtractConfig(
        checkpoint=str(checkpoint), data=data, split=split, out=str(folder), scales=choose_scales(config),
        device=config.device, skip_broken=config.skip_broken))


def choose_scales(config: ReproduceConfig) -> str:
    """Choose the scales of the maps: the paper's four, or fewer that take less long."""
    return SCALES[config.preset]


def bundle(stages: Stages, target: Path) -> None:
    """Copy checkpoints in float16 and tables to where they can be handed on: no image, mask or path.

    The maps are copied too if the images are drawn, which everybody has. The bundled checkpoint's hash goes
    into run.json beside that of the checkpoint that was measured.
    """
    for method in choose_methods(stages.config):
        source, folder = load_run(stages.run(method)), target / method
        model, content = load_checkpoint(stages.model(method))
        content["config"] = strip_paths(content["config"])
        save_checkpoint(folder / "model.pth", model, {k: v for k, v in content.items() if k in (
            "model", "class_names", "config", "step", "images", "metrics")}, half=True)
        write_bytes(folder / "counts.npz", source.counts_path.read_bytes())
        if source.meta["data"].partition(":")[0] == "scenes":
            for image_id in source.map_ids:
                write_bytes(folder / "maps" / f"{image_id}.npz", source.map_path(image_id).read_bytes())
        meta = dict(source.meta) | {"data_root": "", "config": strip_paths(source.meta["config"])}
        meta["model"] = meta["model"] | {"measured_sha256": meta["model"]["sha256"], "checkpoint": "model.pth",
                                         "sha256": hash_file(folder / "model.pth"), "precision": "fp16"}
        meta["training"] = content["config"]
        meta["command"] = [strip_path(word) for word in source.meta["command"]]
        save_run(folder, meta)


def strip_paths(config: dict[str, Any]) -> dict[str, Any]:
    """Strip folders from the values of a config: a path says nothing on another machine."""
    return {key: strip_path(value) if isinstance(value, str) else value for key, value in config.items()}


def strip_path(text: str) -> str:
    """Strip the folders of a path, or of the path in a spec; any other text stays as it is."""
    kind, colon, rest = text.partition(":")
    if colon and kind in ("voc", "folder", "coco"):
        return f"{kind}:{Path(rest).resolve().name}"
    return Path(text).name if "/" in text or "\\" in text else text

