"""Every model of a bundle over a data set: maps of each, counted where there is ground truth, as runs side by side."""

from dataclasses import dataclass
from pathlib import Path

from amn_core.commands.count import CountConfig, count, has_mask
from amn_core.commands.extract import ExtractConfig, extract
from amn_core.compute.progress import set_stage
from amn_core.data import load_dataset
from amn_core.formats.runs import Run, load_run
from amn_core.options import option
from amn_core.presets import DEVICES, PRECISIONS

MAPPED = ("cam", "amn-without-lcm", "amn")


@dataclass(frozen=True)
class ApplyConfig:
    """What `apply` needs: a folder of runs that bring their checkpoints, and images."""

    bundle: str = option("", "folder of runs that bring their checkpoints, such as one of checkpoints/", required=True)
    data: str = option("", "data set: voc|coco|pets|folder:ROOT, photos or scenes[:key=value,…]", required=True)
    split: str = option("train", "split or path of a list")
    out: str = option("", "folder for the runs, one a method", required=True)
    device: str = option("auto", "where to compute", choices=DEVICES)
    precision: str = option("auto", "arithmetic: bf16 autocast or fp32", choices=PRECISIONS)
    skip_broken: bool = option(False, "leave out images that are missing or broken")


def apply_bundle(config: ApplyConfig) -> Path:
    """Make and count the maps of every model of a bundle; what is there already is kept.

    Each model works as it did for its bundled run: at the same scales, normalised alike.

    Returns:
        The folder of the runs.

    Raises:
        ValueError: no checkpoint in the bundle, or what `extract` and `count` say about data and options.
    """
    models = find_models(Path(config.bundle))
    dataset = load_dataset(config.data, config.split, config.skip_broken)
    has_truth = any(has_mask(dataset, image_id) for image_id in dataset.ids)
    for model in models:
        folder = Path(config.out) / model.path.name
        set_stage(f"maps of {model.name}")
        extract(build_config(config, model, folder))
        if has_truth and not (folder / "counts.npz").is_file():
            count(CountConfig(run=str(folder), data=config.data, split=config.split, skip_broken=True))
    return Path(config.out)


def find_models(bundle: Path) -> list[Run]:
    """Find the runs of a bundle that bring a checkpoint which makes maps, in the order of the pipeline.

    Raises:
        ValueError: there is none.
    """
    runs = [load_run(path.parent) for path in sorted(bundle.glob("*/run.json"))]
    models = [run for run in runs if run.checkpoint_path and run.method in MAPPED]
    if not models:
        raise ValueError(f"{bundle}: no run with a checkpoint of CAM or AMN in it; give one such as checkpoints/scenes")
    return sorted(models, key=lambda run: MAPPED.index(run.method))


def build_config(config: ApplyConfig, model: Run, folder: Path) -> ExtractConfig:
    """Build what makes the maps of one model as those of its bundled run were made."""
    protocol = model.meta["protocol"]
    scales = ",".join(f"{scale:g}" for scale in protocol.get("scales", ())) or None
    return ExtractConfig(
        checkpoint=str(model.checkpoint_path), data=config.data, split=config.split, out=str(folder), name=model.name,
        scales=scales, flip=protocol.get("flip", True), device=config.device, precision=config.precision,
        skip_broken=config.skip_broken)
