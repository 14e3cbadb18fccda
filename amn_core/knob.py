"""The knob of the drawn scenes: CAM and AMN trained at several settings, and what that does to their maps.

How much only the small part names a class (`discriminative` of `scenes`) is the cause; imbalance, plateau and
peak are the effect. Everything else stays: the same seed, sizes and schedules.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amn_core.configs import BACKBONES, DEVICES, ReproduceConfig, option
from amn_core.formats.files import write_json
from amn_core.reproduce import reproduce

MEASURES = ("peak_miou", "peak_threshold", "plateau", "plateau_share", "mean_miou", "oracle_miou", "gap", "auc",
            "imbalance")
COLUMNS = ("imbalance", "plateau", "peak_miou", "gap", "auc")
TITLES = ("imbalance", "plateau", "peak mIoU %", "gap", "AUC")


@dataclass(frozen=True)
class KnobConfig:
    """What `knob` needs: the settings, and how much to train for each."""

    values: str = option("0,0.5,1", "settings of the knob in [0, 1], separated by commas")
    size: int = option(160, "side of the scenes, pixels")
    trained: int = option(200, "scenes to train on")
    images: int = option(60, "scenes to measure on")
    cam_epochs: int = option(4, "passes over the data for CAM")
    amn_epochs: int = option(3, "passes over the data for AMN")
    methods: str = option("cam,amn", "methods to measure, separated by commas")
    backbone: str = option("efficientnet_lite0_small", "feature extractor", choices=BACKBONES)
    weights: str = option("imagenet", "start from: imagenet, none, or a file with ImageNet weights")
    crop: int | None = option(None, "side of the square crop, pixels")
    crf: bool = option(True, "refine the seeds with a dense CRF")
    seed: int = option(7, "seed of the scenes and of every random draw")
    device: str = option("auto", "where to compute", choices=DEVICES)
    out: str = option("runs/knob", "folder for everything; what is there is not made again")
    bundle: str = option("", "also write the table to this file")


def measure_knob(config: KnobConfig) -> dict[str, Any]:
    """Train and measure at every setting of the knob.

    Returns:
        ``values``, ``images``, ``trained``, ``seed``, ``config``, and ``runs``: for each setting and method its
        ``knob``, ``name``, ``method`` and the measures of `MEASURES`.

    Raises:
        ValueError: no setting, one outside [0, 1], or what `reproduce` says.
    """
    values = parse_values(config.values)
    rows = [row for value in values for row in measure_setting(config, value)]
    elsewhere = ("out", "bundle", "device", "weights")
    settings = {key: value for key, value in asdict(config).items() if key not in elsewhere}
    result = {
        "values": values, "images": config.images, "trained": config.trained, "seed": config.seed,
        "config": settings, "runs": rows}
    for path in filter(None, (str(Path(config.out) / "knob.json"), config.bundle)):
        write_json(Path(path), result)
    return result


def parse_values(text: str) -> list[float]:
    """Parse the settings, increasing."""
    try:
        values = sorted({float(part) for part in text.split(",")})
    except ValueError:
        values = []
    if not values or not all(0 <= value <= 1 for value in values):
        raise ValueError(f"values {text!r}: expected numbers from 0 to 1 separated by commas, such as 0,0.5,1")
    return values


def measure_setting(config: KnobConfig, value: float) -> list[dict[str, Any]]:
    """Train and measure at one setting: a row a method."""
    def write_spec(n: int) -> str:
        return f"scenes:size={config.size},n={n},seed={config.seed},discriminative={value:g}"

    result = reproduce(ReproduceConfig(
        data=write_spec(config.trained), measure_data=write_spec(config.images), preset="scenes",
        out=str(Path(config.out) / f"{value:g}"), backbone=config.backbone, weights=config.weights, crf=config.crf,
        methods=config.methods, cam_epochs=config.cam_epochs, amn_epochs=config.amn_epochs, crop=config.crop,
        seed=config.seed, device=config.device))
    return [
        {"knob": value, "name": run["name"], "method": run["method"]} | {name: run[name] for name in MEASURES}
        for run in result["runs"]]


def format_knob(result: dict[str, Any]) -> str:
    """Format the table: a row for each method and setting."""
    rows = [("run", "knob", *TITLES)]
    for method in dict.fromkeys(row["method"] for row in result["runs"]):
        rows += [
            (row["name"], f"{row['knob']:g}", *format_measures(row))
            for row in result["runs"] if row["method"] == method]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    note = f"{result['images']} scenes measured, {result['trained']} trained on, seed {result['seed']}"
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([*lines, "", note])


def format_measures(row: dict[str, Any]) -> Sequence[str]:
    """Format the measures of one row; what is undefined is a dash."""
    def write(name: str) -> str:
        value = row[name]
        return "–" if value is None else f"{value * 100:.1f}" if name == "peak_miou" else f"{value:.3f}"

    return tuple(map(write, COLUMNS))
