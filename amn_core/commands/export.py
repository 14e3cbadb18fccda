"""A run in the formats of other people's code: the command ``export``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.compute.parallel import run_chunks
from amn_core.constants import BACKGROUND
from amn_core.data import load_dataset
from amn_core.formats.class_thresholds import load_class_thresholds
from amn_core.formats.export import check_file_id, name_class, save_class_images, save_id_list, save_irn_map
from amn_core.formats.labels import save_cls_labels
from amn_core.formats.maps import load_stored_map, save_levels
from amn_core.formats.masks import save_mask
from amn_core.formats.runs import Run, load_run, resolve_spec, save_scoring
from amn_core.formats.tables import save_tables
from amn_core.options import option
from amn_core.presets import CUTS_HELP, choose_cuts
from amn_core.scoring import choose_terms, score_run_images, score_under
from amn_core.sweep.seeds import build_labels, build_seed

FORMATS = ("irn", "npz", "png", "seeds", "masks", "list", "labels", "csv")
FEW_IMAGES = 300


@dataclass(frozen=True)
class ExportConfig:
    """What `export` needs: a run, a format, and a folder to write to."""

    run: str = option("", "run folder", positional=True)
    format: str = option("irn", "irn, npz and png: maps; seeds and masks: labels; list, labels (cls_labels.npy), csv",
                         choices=FORMATS)
    out: str = option("", "folder to write to", required=True)
    threshold: float = option(0.25, "masks: threshold of the foreground")
    thresholds: str = option("", "masks: CSV (class, threshold) with one for each class, in place of --threshold")
    foreground: float = option(0.30, "seeds: threshold above which foreground is sure")
    background: float = option(0.05, "seeds: threshold below which background is sure")
    cuts: str = option("", f"seeds: {CUTS_HELP}")
    palette: bool = option(False, "seeds and masks: with the colours of VOC instead of grey")
    data: str = option("", "labels: data set of the run; by default the one it was made from")
    split: str = option("", "labels: split; by default that of the run")
    classes: str = option("", "csv: classes to average over, or all; by default those of the run's protocol")
    protocol: str = option("", "csv: averaging rule; by default the run's own, irn where it names none")
    workers: int = option(0, "processes; 0 for one a core")


def run_export(config: ExportConfig) -> dict[str, Any]:
    """Export a run.

    Returns:
        ``run``, ``format``, ``out``, ``images`` (exported) and ``files`` (written); beside maps and masks lies a note
        of what the run is scored over, which `import` reads.

    Raises:
        ValueError: the run lacks what the format needs (maps or counts), or thresholds are out of order.
    """
    foreground, background = choose_cuts(config.cuts, config.foreground, config.background)
    config = replace(config, cuts="", foreground=foreground, background=background)
    run = load_run(config.run)
    if config.format not in FORMATS:
        raise ValueError(f"format is {config.format!r}; choose one of {', '.join(FORMATS)}")
    if config.thresholds:
        check_thresholds(config, run)
    if config.format in ("csv", "list", "labels"):
        ids = list_images(run)
        files = {"csv": export_tables, "list": export_list, "labels": export_labels}[config.format](config, run, ids)
    else:
        ids = run.map_ids
        if not ids:
            raise ValueError(f"run {run.path} has no maps to export; make them with extract, or import with keep full")
        files = export_maps(config, ids)
        save_scoring(config.out, run)
    return {"run": str(run.path), "format": config.format, "out": config.out, "images": len(ids), "files": files}


def check_thresholds(config: ExportConfig, run: Run) -> None:
    """Check a file of thresholds by class before the work.

    Raises:
        ValueError: the format is cut by none, or the file does not fit the run's classes.
    """
    if config.format != "masks":
        raise ValueError(f"thresholds {config.thresholds} are for --format masks, and the format is {config.format}")
    load_class_thresholds(config.thresholds, run.class_names)


def list_images(run: Run) -> tuple[str, ...]:
    """List the images of a run: those that were counted, else those with maps."""
    return run.counts().image_ids if run.has_counts else run.map_ids


def export_tables(config: ExportConfig, run: Run, ids: Sequence[str]) -> int:
    """Export every table of the run's counts as CSV; the number of files."""
    counts = run.counts()
    terms = choose_terms(run, counts, classes=config.classes, averaging=config.protocol)
    scores = score_run_images(run, classes=config.classes, averaging=config.protocol, counts=counts)
    return len(save_tables(config.out, counts, score_under(run, counts, terms), scores, terms.class_list))


def export_list(config: ExportConfig, run: Run, ids: Sequence[str]) -> int:
    """Export the ids of the run's images."""
    save_id_list(Path(config.out) / f"{Path(run.meta['split']).stem or 'ids'}.txt", ids)
    return 1


def export_labels(config: ExportConfig, run: Run, ids: Sequence[str]) -> int:
    """Export the image-level labels of the run's images as ``cls_labels.npy``."""
    dataset = load_dataset(config.data or resolve_spec(run), config.split or run.meta["split"])
    table = {image_id: dataset.class_ids(image_id) for image_id in ids}
    save_cls_labels(Path(config.out) / "cls_labels.npy", table, len(dataset.class_names) - 1)
    return 1


def export_maps(config: ExportConfig, ids: Sequence[str]) -> int:
    """Export the maps of a run, image by image; the number of files."""
    return sum(run_chunks(partial(export_some, config), ids, "export", config.workers, few=FEW_IMAGES))


def export_some(config: ExportConfig, ids: Sequence[str]) -> int:
    """Export some images; the number of files."""
    run = load_run(config.run)
    write = WRITERS[config.format]
    return sum(write(config, run, check_file_id(image_id)) for image_id in ids)


def write_irn(config: ExportConfig, run: Run, image_id: str) -> int:
    """Write IRN's dict."""
    save_irn_map(Path(config.out) / f"{image_id}.npy", *run.map(image_id))
    return 1


def write_npz(config: ExportConfig, run: Run, image_id: str) -> int:
    """Write the compact archive: cam uint8, class_ids, size."""
    levels, class_ids, size = load_stored_map(run.map_path(image_id))
    save_levels(Path(config.out) / f"{image_id}.npz", levels, class_ids, size)
    return 1


def write_png(config: ExportConfig, run: Run, image_id: str) -> int:
    """Write one grayscale PNG of 16 bits for each class."""
    cam, class_ids = run.map(image_id)
    save_class_images(config.out, image_id, cam, [name_class(int(c), run.class_names) for c in class_ids])
    return len(cam)


def write_seed(config: ExportConfig, run: Run, image_id: str) -> int:
    """Write the seed label: sure foreground, sure background, 255 elsewhere."""
    seed = build_seed(*run.map(image_id), config.foreground, config.background)
    save_mask(Path(config.out) / f"{image_id}.png", seed, config.palette)
    return 1


def write_mask(config: ExportConfig, run: Run, image_id: str) -> int:
    """Write the labels at one threshold, or each pixel's at that of its strongest class."""
    cam, class_ids = run.map(image_id)
    threshold = config.threshold
    if config.thresholds and len(cam):
        threshold = load_class_thresholds(config.thresholds, run.class_names)[class_ids][cam.argmax(0)]
    labels = np.concatenate([[BACKGROUND], class_ids])[build_labels(cam, threshold)]
    save_mask(Path(config.out) / f"{image_id}.png", labels, config.palette)
    return 1


WRITERS: dict[str, Callable[[ExportConfig, Run, str], int]] = {
    "irn": write_irn, "npz": write_npz, "png": write_png, "seeds": write_seed, "masks": write_mask,
}


def format_export(report: dict[str, Any]) -> str:
    """Format the result of an export as one line."""
    where = f"{report['files']} files in {report['out']}"
    return f"{report['images']} images of {report['run']} as {report['format']}: {where}"
