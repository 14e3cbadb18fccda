"""What an import reports, and how its run describes itself."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from amn_core.data import Dataset, name_ground_truth
from amn_core.formats.recognise import Recognised
from amn_core.formats.runs import describe_data
from amn_core.sweep import Counts, summarise
from amn_core.sweep.confusion import nanmean, score_iou, score_miou

if TYPE_CHECKING:
    from amn_core.commands.import_plan import ImportConfig

SHOWN = 10
NUMBERINGS = {"80": "", "91": ", in COCO's own ids", "80+91": ", their classes raised by 91"}


def build_report(
    config: "ImportConfig", recognised: Recognised | None, dataset: Dataset, files: Mapping[str, Any],
    notes: Sequence[dict[str, Any]], broken: dict[str, str], counts: Counts, written_as: str = "80",
) -> dict[str, Any]:
    """Build what the command reports; see `run_import`."""
    missing = [image_id for image_id in dataset.ids if image_id not in files]
    without = sorted(image_id for note in notes for image_id in note["without_ground_truth"])
    summary = summarise(counts)
    report = {
        "name": config.name, "images": len(counts.image_ids), "missing": len(missing),
        "missing_ids": missing[:SHOWN], "broken": dict(list(broken.items())[:SHOWN]), "broken_files": len(broken),
        "without_ground_truth": len(without), "without_ground_truth_ids": without[:SHOWN],
        "clipped": sum(note["clipped"] for note in notes), "kind": "masks" if recognised is None else "maps",
        "peak_miou": summary.peak_miou, "peak_threshold": summary.peak_threshold,
    }
    if recognised is None:
        return report | {
            "recognised": {"description": "finished masks" + NUMBERINGS[written_as]}, "masks": score_masks(notes)}
    return report | {"recognised": asdict(recognised) | {"description": recognised.describe()}}


def score_masks(notes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Score finished masks in the three ways of treating 255: as background, left out, or as an error."""
    confusion = np.sum([note["confusion"] for note in notes if note["confusion"] != 0], axis=0).astype(np.int64)
    known, unsure = confusion[:, :-1], confusion[:, -1]
    as_background = known.copy()
    as_background[:, 0] += unsure
    union = known.sum(axis=0) + known.sum(axis=1) + unsure - np.diagonal(known)
    as_error = np.divide(np.diagonal(known), union, out=np.full(len(union), np.nan), where=union > 0)
    return {
        "unsure_share": float(unsure.sum() / max(confusion.sum(), 1)),
        "miou": {
            "background": float(score_miou(as_background)), "ignore": float(score_miou(known)),
            "error": float(nanmean(as_error)),
        },
        "iou": score_iou(as_background).tolist(),
    }


def build_meta(
    config: "ImportConfig", recognised: Recognised | None, dataset: Dataset, report: dict[str, Any]
) -> dict[str, Any]:
    """Describe the run for its run.json."""
    data, data_root = describe_data(config.data)
    is_resized = recognised is not None and recognised.is_resized
    leaves_unsure = recognised is None and config.unsure == "ignore"
    ignore = "255 left out" + (", unsure pixels of the masks too" if leaves_unsure else "")
    return {
        "name": config.name, "method": config.method, "kind": report["kind"], "data": data, "data_root": data_root,
        "split": config.split, "images": report["images"], "class_names": list(dataset.class_names),
        "label_source": "finished masks" if recognised is None else dataset.label_source,
        "protocol": {
            "normalisation": describe_normalisation(recognised), "scales": None, "flip": None,
            "resize": "bilinear" if is_resized else "none", "ignore": ignore,
            "ground_truth": name_ground_truth(dataset),
            "kept_maps": {"full": "8 bits, full size", "quarter": "8 bits, quarter size", "none": "none"}[config.keep],
        },
        "model": {},
    }


def describe_normalisation(recognised: Recognised | None) -> str:
    """Describe what was done to the values of the maps, as it is shown beside the numbers."""
    if recognised is None:
        return "finished masks"
    return {"stored": f"as stored ({recognised.value_range})", "max": "max", "minmax": "min-max"}[
        recognised.normalisation]


def format_report(report: Mapping[str, Any]) -> str:
    """Format the report of an import as text, one fact a line."""
    lines = [
        f"{report['name']}: {report['images']} images in {report['run']}", report["recognised"]["description"],
        f"best mIoU {100 * report['peak_miou']:.2f} % at {report['peak_threshold']:.3f}" if report["kind"] == "maps"
        else f"mIoU {100 * report['peak_miou']:.2f} %",
    ]
    for key, text in (("missing", "without a file"), ("without_ground_truth", "without ground truth")):
        if report[key]:
            lines.append(f"{report[key]} images {text}: {', '.join(report[key + '_ids'])}"
                         + (" …" if report[key] > len(report[key + "_ids"]) else ""))
    if report["broken_files"]:
        lines.append(f"{report['broken_files']} broken files left out: {'; '.join(report['broken'].values())}")
    if report["clipped"]:
        lines.append(f"{report['clipped']} images with values outside [0, 1], cut off there: choose a normalisation")
    if "masks" in report:
        ways = ", ".join(f"{100 * value:.2f} % as {way}" for way, value in report["masks"]["miou"].items())
        lines.append(f"unsure pixels ({report['masks']['unsure_share']:.1%}) make the mIoU {ways}")
    return "\n".join(lines)
