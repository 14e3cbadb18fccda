"""What an import reports, and how its run describes itself."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from amn_core.commands.work import describe_run
from amn_core.data import Dataset, name_ground_truth
from amn_core.formats.map_folder import MapFolder
from amn_core.formats.numbering import WORDS
from amn_core.formats.recognise import Recognised
from amn_core.formats.runs import Run
from amn_core.scoring import choose_classes, score_run
from amn_core.sweep.confusion import average_iou, find_classes, score_iou, score_miou
from amn_core.sweep.protocols import find_protocol

if TYPE_CHECKING:
    from amn_core.commands.import_plan import ImportConfig, ImportPlan

SHOWN = 10
# Reports tell of the odd map of another size; where this share of them has one, the folder is made so.
FEW = 0.5


def build_report(
    run: Run, plan: "ImportPlan", dataset: Dataset, folder: MapFolder, notes: Sequence[dict[str, Any]],
    broken: dict[str, str],
) -> dict[str, Any]:
    """Build what the command reports of a run that has its counts; see `run_import`."""
    missing = [image_id for image_id in dataset.ids if image_id not in folder.files]
    without = sorted(image_id for note in notes for image_id in note["without_ground_truth"])
    summary, recognised = score_run(run), plan.recognised
    report = {
        "name": run.name, "images": summary.images, "missing": len(missing),
        "missing_ids": missing[:SHOWN], "broken": dict(list(broken.items())[:SHOWN]), "broken_files": len(broken),
        "without_ground_truth": len(without), "without_ground_truth_ids": without[:SHOWN],
        "clipped": sum(note["clipped"] for note in notes), "kind": run.meta["kind"],
        "peak_miou": summary.peak_miou,
        "peak_threshold": None if run.is_masks else summary.peak_threshold, "classes": list(run.scored_classes),
        "strangers": len(folder.strangers), "strangers_names": list(folder.strangers[:SHOWN]),
    } | collect_odd(notes)
    if recognised is None:
        words = "" if plan.numbering == "stored" else f", read {WORDS[plan.numbering]}"
        return report | {"recognised": {"description": "finished masks" + words}, "masks": score_masks(run, notes)}
    return report | {"recognised": asdict(recognised) | {"description": recognised.describe()}}


def collect_odd(notes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Collect what is odd about single files: maps of another size than most, and classes that their image lacks."""
    done = sum(len(note["ids"]) for note in notes)
    resized = {image_id: size for note in notes for image_id, size in note.get("resized", {}).items()}
    strays = sorted(image_id for note in notes for image_id in note.get("strays", []))
    few = resized if len(resized) < FEW * done else {}
    return {
        "resized": len(few), "resized_ids": [f"{i} ({h}×{w})" for i, (h, w) in list(few.items())[:SHOWN]],
        "strays": len(strays), "strays_ids": strays[:SHOWN],
    }


def score_masks(run: Run, notes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Score finished masks in the three ways of treating 255: as background, left out, or as an error."""
    kept = find_classes(run.class_names, choose_classes(None, run))
    averaging = find_protocol(run.averaging).averaging
    confusion = np.sum([note["confusion"] for note in notes if note["confusion"] != 0], axis=0).astype(np.int64)
    known, unsure = confusion[:, :-1], confusion[:, -1]
    as_background = known.copy()
    as_background[:, 0] += unsure
    union = known.sum(axis=0) + known.sum(axis=1) + unsure - np.diagonal(known)
    as_error = np.divide(np.diagonal(known), union, out=np.full(len(union), np.nan), where=union > 0)
    return {
        "unsure_share": float(unsure.sum() / max(confusion.sum(), 1)),
        "miou": {
            "background": float(score_miou(as_background, averaging, kept)),
            "ignore": float(score_miou(known, averaging, kept)),
            "error": float(average_iou(as_error[kept], confusion.sum(axis=1)[kept] > 0, averaging)),
        },
        "iou": score_iou(as_background).tolist(),
    }


def build_meta(
    config: "ImportConfig", recognised: Recognised | None, dataset: Dataset, images: int, scoring: dict[str, Any]
) -> dict[str, Any]:
    """Describe the run for its run.json; `scoring` holds the classes and averaging of its protocol."""
    is_masks = recognised is None
    is_resized = not is_masks and recognised.is_resized
    ignore = "255 left out" + (", unsure pixels of the masks too" if is_masks and config.unsure == "ignore" else "")
    kept = {"full": "8 bits, full size", "quarter": "8 bits, quarter size", "none": "none"}[config.keep]
    protocol = {
        "normalisation": describe_normalisation(recognised), "scales": None, "flip": None,
        "resize": "bilinear" if is_resized else "none", "ignore": ignore, "ground_truth": name_ground_truth(dataset),
        "kept_maps": kept}
    return describe_run(
        dataset, config.data, config.split, config.name, config.method, images, protocol | scoring, {},
        kind="masks" if is_masks else "maps",
        label_source="finished masks" if is_masks else dataset.label_source)


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
    if report.get("classes"):
        lines.append(f"averaged over {', '.join(report['classes'])}")
    for key, text in (
        ("missing", "without a file"), ("without_ground_truth", "without ground truth"),
        ("resized", "whose maps have another size than the others, resized"),
        ("strays", "with a class that their labels lack"),
    ):
        if report.get(key):
            lines.append(f"{report[key]} images {text}: {', '.join(report[key + '_ids'])}"
                         + (" …" if report[key] > len(report[key + "_ids"]) else ""))
    if report["broken_files"]:
        lines.append(f"{report['broken_files']} broken files left out: {'; '.join(report['broken'].values())}"
                     + (" …" if report["broken_files"] > len(report["broken"]) else ""))
    if report.get("strangers"):
        lines.append(f"{report['strangers']} files left out that name no class: {', '.join(report['strangers_names'])}")
    if report["clipped"]:
        lines.append(f"{report['clipped']} images with values outside [0, 1], cut off there: choose a normalisation")
    if "masks" in report:
        ways = ", ".join(f"{100 * value:.2f} % as {way}" for way, value in report["masks"]["miou"].items())
        lines.append(f"unsure pixels ({report['masks']['unsure_share']:.1%}) make the mIoU {ways}")
    return "\n".join(lines)
