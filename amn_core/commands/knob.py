"""The knob of the drawn scenes: CAM and AMN trained at several settings, and what that does to their maps.

How much less the body of an object tells of its class than its small part (`discriminative` of `scenes`) is the
cause; imbalance, plateau and peak are the effect. Everything else stays: the same seeds, sizes and schedules. A seed
sets both the scenes and every random draw; several of them show what is chance.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amn_core.commands.pipeline import ReproduceConfig
from amn_core.commands.reproduce import reproduce
from amn_core.formats.files import write_json
from amn_core.options import option, read_unit
from amn_core.presets import BACKBONES, DEVICES

MEASURES = ("peak_miou", "peak_threshold", "plateau", "plateau_share", "mean_miou", "oracle_miou", "gap", "auc",
            "imbalance")
COLUMNS = ("imbalance", "plateau", "plateau_share", "peak_miou", "gap", "auc")
TITLES = ("imbalance", "plateau", "plateau (share)", "peak mIoU %", "gap", "AUC")


@dataclass(frozen=True)
class KnobConfig:
    """What `knob` needs: the settings, and how much to train for each."""

    values: str = option("0,0.5,1", "settings of the knob in [0, 1], separated by commas")
    size: int = option(256, "side of the scenes, pixels")
    trained: int = option(200, "scenes to train on")
    images: int = option(60, "scenes to measure on")
    cam_epochs: int = option(4, "passes over the data for CAM")
    amn_epochs: int = option(3, "passes over the data for AMN")
    methods: str = option("cam,amn", "methods to measure, separated by commas")
    backbone: str = option("efficientnet_lite0_small", "feature extractor", choices=BACKBONES)
    weights: str = option("imagenet", "start from: imagenet, none, or a file with ImageNet weights")
    crop: int | None = option(None, "side of the square crop, pixels")
    crf: bool = option(True, "refine the seeds with a dense CRF")
    seeds: str = option("7", "seeds of the scenes and of every random draw, separated by commas")
    device: str = option("auto", "where to compute", choices=DEVICES)
    out: str = option("runs/knob", "folder for everything; what is there is not made again")
    bundle: str = option("", "also write the table to this file")


def measure_knob(config: KnobConfig) -> dict[str, Any]:
    """Train and measure at every setting of the knob.

    Returns:
        ``values``, ``images``, ``trained``, ``seeds``, ``config``, and ``runs``: for each seed, setting and method
        its ``seed``, ``knob``, ``name``, ``method`` and the measures of `MEASURES`.

    Raises:
        ValueError: no setting, one outside [0, 1], or what `reproduce` says.
    """
    values, seeds = parse_values(config.values), parse_seeds(config.seeds)
    rows = [row for seed in seeds for value in values for row in measure_setting(config, value, seed)]
    elsewhere = ("out", "bundle", "device", "weights")
    settings = {key: value for key, value in asdict(config).items() if key not in elsewhere}
    result = {
        "values": values, "images": config.images, "trained": config.trained, "seeds": seeds,
        "config": settings, "runs": rows}
    for path in filter(None, (str(Path(config.out) / "knob.json"), config.bundle)):
        write_json(Path(path), result)
    return result


def parse_values(text: str) -> list[float]:
    """Parse the settings, increasing."""
    values = {read_unit(part) for part in text.split(",")}
    if None in values:
        raise ValueError(f"values {text!r}: expected numbers from 0 to 1 separated by commas, such as 0,0.5,1")
    return sorted(values)


def parse_seeds(text: str) -> list[int]:
    """Parse the seeds, in the order given, each once."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"seeds {text!r}: expected whole numbers from 0 separated by commas, such as 7,8")
    return list(dict.fromkeys(map(int, parts)))


def measure_setting(config: KnobConfig, value: float, seed: int) -> list[dict[str, Any]]:
    """Train and measure at one setting with one seed: a row a method."""
    def write_spec(n: int) -> str:
        return f"scenes:size={config.size},n={n},seed={seed},discriminative={value:g}"

    result = reproduce(ReproduceConfig(
        data=write_spec(config.trained), measure_data=write_spec(config.images), preset="scenes",
        out=str(Path(config.out) / f"{seed}-{value:g}"), backbone=config.backbone, weights=config.weights,
        crf=config.crf, methods=config.methods, cam_epochs=config.cam_epochs, amn_epochs=config.amn_epochs,
        crop=config.crop, seed=seed, device=config.device))
    return [
        {"seed": seed, "knob": value, "name": run["name"], "method": run["method"]}
        | {name: run[name] for name in MEASURES}
        for run in result["runs"]]


def format_knob(result: dict[str, Any]) -> str:
    """Format the table: a row for each method and setting, with means over the seeds and their range."""
    rows = [("run", "knob", *TITLES)]
    for method in dict.fromkeys(row["method"] for row in result["runs"]):
        for value in result["values"]:
            same = [row for row in result["runs"] if row["method"] == method and row["knob"] == value]
            rows.append((same[0]["name"], f"{value:g}", *(format_measure(name, same) for name in COLUMNS)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    seeds = result["seeds"]
    note = (f"{result['images']} scenes measured, {result['trained']} trained on, "
            + (f"seed {seeds[0]}" if len(seeds) == 1 else f"mean of the seeds {', '.join(map(str, seeds))} [range]"))
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([*lines, "", note])


def average_measure(name: str, rows: Sequence[dict[str, Any]]) -> tuple[float, float, float] | None:
    """Average a measure over seeds: mean, lowest and highest; None where no row has it."""
    values = [row[name] for row in rows if row[name] is not None]
    return (sum(values) / len(values), min(values), max(values)) if values else None


def format_measure(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """Format a measure over seeds; what is undefined is a dash."""
    found = average_measure(name, rows)
    if found is None:
        return "–"
    mean, low, high = (f"{value * 100:.1f}" if name == "peak_miou" else f"{value:.3f}" for value in found)
    return mean if len(rows) == 1 else f"{mean} [{low}, {high}]"
