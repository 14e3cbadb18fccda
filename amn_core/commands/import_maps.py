"""Maps or finished masks of another method to a run folder with counts: the command ``import``.

Read, recognise, resize to the ground truth, count; the maps are kept in 8 bits. One file is in memory at a
time. What is done is noted part by part in RUN/parts, so a stopped import goes on where it was.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.commands.count import refuse_no_class
from amn_core.commands.import_checks import check_files, check_ground_truth, check_maps, choose_numbering, spread
from amn_core.commands.import_plan import ImportConfig, ImportPlan
from amn_core.commands.import_report import build_meta, build_report
from amn_core.compute.parallel import run_chunks
from amn_core.data import DataError, Dataset, load_dataset
from amn_core.formats.all_scores import blank_white
from amn_core.formats.counts import load_counts, save_counts
from amn_core.formats.errors import FormatError, RefusedError
from amn_core.formats.files import read_json, write_json
from amn_core.formats.map_folder import MapFolder, open_map_folder
from amn_core.formats.maps import TOP, compute_map_size, quantise_maps, resize_maps, save_levels
from amn_core.formats.masks import split_mask
from amn_core.formats.numbering import load_numbered
from amn_core.formats.pickles.files import name_errors
from amn_core.formats.recognise import (
    ReadOptions,
    Recognised,
    fit_maps,
    interpret_map,
    recognise,
)
from amn_core.formats.runs import Run, load_run, load_scoring, save_run
from amn_core.options import describe_config
from amn_core.sweep import CountsBuilder, merge_counts
from amn_core.sweep.confusion import count_mask
from amn_core.sweep.protocols import find_protocol, parse_classes

SAMPLES = 24
CHUNK = 32
FEW_IMAGES = 300


def run_import(config: ImportConfig) -> dict[str, Any]:
    """Import a folder of maps or finished masks as a run, with its counts.

    Returns:
        ``run`` (its folder), ``name``, ``images`` (counted), ``missing`` and ``without_ground_truth``
        (numbers, with ``…_ids``, the first ten), ``broken`` (id -> what is wrong), ``clipped`` (images with
        values outside [0, 1]), ``recognised`` (dict with ``description``), ``peak_miou``, ``peak_threshold``.

    Raises:
        RefusedError: a file asks for something that may run code.
        ValueError: nothing fits, broken files that may not be left out, or the folder holds another run.
    """
    dataset, folder = open_context(config)
    plan = build_plan(config, dataset, folder)
    done = find_finished(plan)
    if done is not None:
        return done.meta["import"]["report"] | {"run": str(done.path)}
    todo = prepare_parts(plan, [i for i in dataset.ids if i in folder.files])
    for _ in run_chunks(partial(import_some, plan), todo, "import", config.workers, CHUNK, FEW_IMAGES):
        pass
    return finish_import(plan, dataset, folder)


def open_context(config: ImportConfig) -> tuple[Dataset, MapFolder]:
    """Open the data set and the folder of files."""
    dataset = load_dataset(config.data, config.split, config.skip_broken)
    return dataset, open_map_folder(config.maps, dataset.ids, dataset.class_names, config.kind)


@lru_cache(maxsize=2)
def open_again(config: ImportConfig, fingerprint: str) -> tuple[Dataset, MapFolder]:
    """Open both once in each process; the fingerprint keeps another state of the folder apart."""
    return open_context(config)


def build_plan(config: ImportConfig, dataset: Dataset, folder: MapFolder) -> ImportPlan:
    """Decide what the files mean and where the run goes."""
    name = config.name or Path(config.maps).resolve().name
    choose_scoring(config, dataset)  # a wrong name is an error before the work, not after
    out = config.out or str(Path("runs") / (re.sub(r"[^\w.-]+", "-", name).strip("-.").lower() or "imported"))
    config = replace(config, name=name)
    check_files(config, folder)
    check_ground_truth(config, dataset)
    if folder.kind == "masks":
        return ImportPlan(config, out, None, folder.fingerprint, choose_numbering(config, dataset, folder))
    recognised = recognise_folder(config, dataset, folder)
    check_maps(config, recognised)
    return ImportPlan(config, out, recognised, folder.fingerprint)


def choose_scoring(config: ImportConfig, dataset: Dataset) -> dict[str, Any]:
    """Choose the classes and the averaging that the run remembers: those asked for, else those that an export noted.

    Raises:
        ValueError: an unknown class or averaging.
    """
    noted = load_scoring(config.maps)
    classes = parse_classes(config.classes or ",".join(noted["classes"]), dataset.class_names)
    averaging = config.protocol or noted["averaging"]
    scoring = {"classes": classes, "averaging": find_protocol(averaging).name if averaging else ""}
    return {key: value for key, value in scoring.items() if value}


def recognise_folder(config: ImportConfig, dataset: Dataset, folder: MapFolder) -> Recognised:
    """Recognise what the maps of a folder mean from a sample, spread over the split."""
    options = ReadOptions(config.entry, config.key_base, config.background, config.normalisation)
    ids = spread([image_id for image_id in dataset.ids if image_id in folder.files], SAMPLES)
    raws, labels, sizes, names, problems = [], [], [], [], []
    for image_id in ids:
        try:
            size, present = find_size(dataset, image_id), dataset.class_ids(image_id)
            raw = folder.read(image_id, dataset.class_names, config.entry, size)
        except RefusedError as error:
            if not config.skip_broken:
                raise
            problems.append(error)
        except DataError as error:
            problems.append(error)
        else:
            raws, labels, sizes = [*raws, raw], [*labels, present], [*sizes, size]
            names.append(str(folder.files[image_id][0][1]))
    if not raws:
        raise problems[0]
    return recognise(raws, labels, sizes, len(dataset.class_names), options, names)


def find_size(dataset: Dataset, image_id: str) -> tuple[int, int]:
    """Find height and width of an image: those of its ground truth, else its own."""
    gt = dataset.gt(image_id)
    return dataset.image(image_id).shape[:2] if gt is None else gt.shape


def describe_plan(plan: ImportPlan) -> dict[str, Any]:
    """Describe a plan, so that two imports can be told apart."""
    config = describe_config(replace(plan.config, workers=0, skip_broken=False))
    return config | {"maps": str(Path(plan.config.maps).resolve()), "files": plan.fingerprint, "out": ""}


def find_finished(plan: ImportPlan) -> Run | None:
    """Find the run if this very import was finished before.

    Raises:
        ValueError: the folder holds another run.
    """
    if not (Path(plan.out) / "run.json").is_file():
        return None
    run = load_run(plan.out)
    if run.meta.get("import", {}).get("plan") == describe_plan(plan) and run.has_counts:
        return run
    raise ValueError(f"out {plan.out} holds another run ({run.name}); choose another folder or remove it")


def prepare_parts(plan: ImportPlan, ids: Sequence[str]) -> list[str]:
    """Make the folder of parts, emptied if they belong to another import; return the ids still to do."""
    parts, description = Path(plan.out) / "parts", describe_plan(plan)
    if (parts / "plan.json").is_file() and read_json(parts / "plan.json") != description:
        shutil.rmtree(parts)
    write_json(parts / "plan.json", description)
    done = {image_id for note in load_notes(plan) for image_id in note["ids"] if image_id not in note["broken"]}
    return [image_id for image_id in ids if image_id not in done]


def load_notes(plan: ImportPlan) -> list[dict[str, Any]]:
    """Load what was noted about the parts that are done."""
    notes = sorted((Path(plan.out) / "parts").glob("*.note.json"))
    return [read_json(path) | {"counts": path.with_name(path.name.replace(".note.json", ".npz"))} for path in notes]


def import_some(plan: ImportPlan, ids: Sequence[str]) -> None:
    """Import some images: keep their maps, and write their counts and a note as one part."""
    dataset, folder = open_again(plan.config, plan.fingerprint)
    builder = CountsBuilder(dataset.class_names)
    note: dict[str, Any] = {"ids": list(ids), "broken": {}, "without_ground_truth": [], "clipped": 0, "confusion": 0,
                            "resized": {}, "strays": []}
    for image_id in ids:
        try:
            import_one(plan, dataset, folder, image_id, builder, note)
        except DataError as error:
            note["broken"][image_id] = str(error)
    note["confusion"] = np.asarray(note["confusion"]).tolist()
    path = Path(plan.out) / "parts" / f"{ids[0]}.npz"
    save_counts(path, builder.build())
    write_json(path.with_name(f"{ids[0]}.note.json"), note)  # last: a part without its note is done again


def import_one(
    plan: ImportPlan, dataset: Dataset, folder: MapFolder, image_id: str, builder: CountsBuilder, note: dict[str, Any]
) -> None:
    """Import one image into the counts and the notes of its part."""
    gt = dataset.gt(image_id)
    size = dataset.image(image_id).shape[:2] if gt is None else gt.shape
    if plan.recognised is None:
        cam, class_ids, gt = read_finished_mask(plan, dataset, folder, image_id, size, gt, note)
    else:
        cam, class_ids = read_maps(plan, dataset, folder, image_id, size)
        note["clipped"] += bool(cam.size and (cam.min() < -1e-6 or cam.max() > 1 + 1e-6))
        if len(cam) and cam.shape[1:] != tuple(size):
            note["resized"][image_id] = list(cam.shape[1:])
        cam = fit_maps(cam, *size)
        cam = blank_white(cam, dataset.image(image_id)) if plan.config.background == "white" else cam
    if not np.isin(class_ids, dataset.class_ids(image_id)).all():
        note["strays"].append(image_id)
    cam = keep_maps(plan, image_id, cam, class_ids, size)
    if gt is None:
        note["without_ground_truth"].append(image_id)
    else:
        builder.add(image_id, cam, class_ids, gt)


def read_maps(
    plan: ImportPlan, dataset: Dataset, folder: MapFolder, image_id: str, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Read the maps of one image as they were recognised; errors name the file."""
    labels, n_classes = dataset.class_ids(image_id), len(dataset.class_names)
    raw = folder.read(image_id, dataset.class_names, plan.config.entry, size)
    path = folder.files[image_id][0][1]
    return name_errors(path, lambda: interpret_map(raw, plan.recognised, labels, n_classes))


def read_finished_mask(
    plan: ImportPlan, dataset: Dataset, folder: MapFolder, image_id: str, size: tuple[int, int],
    gt: np.ndarray | None, note: dict[str, Any],
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Read a finished mask as maps of 0 and 255, with the ground truth as the treatment of 255 wants it.

    Raises:
        FormatError, DataError: a broken file, another size than the ground truth (labels are not resized), or a
            class that is none.
    """
    path, n_classes = folder.files[image_id][0][1], len(dataset.class_names)
    labels = load_numbered(path, n_classes, plan.numbering, dataset.class_ids(image_id))
    if labels.shape != tuple(size):
        raise FormatError(f"{path}: mask is {labels.shape[0]}×{labels.shape[1]} but the image is {size[0]}×{size[1]}")
    levels, class_ids = split_mask(labels)
    if (class_ids >= n_classes).any():
        raise FormatError(f"{path}: class {class_ids.max()} is outside 0–{n_classes - 1} (255 = unsure)")
    if gt is not None:
        note["confusion"] = note["confusion"] + count_mask(labels, gt, n_classes)
        gt = np.where(labels == 255, 255, gt).astype(np.uint8) if plan.config.unsure == "ignore" else gt
    return levels, class_ids, gt


def keep_maps(
    plan: ImportPlan, image_id: str, cam: np.ndarray, class_ids: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Keep the maps of an image and return them as they will be read back, so that counts and maps agree."""
    if plan.config.keep == "none":
        return cam
    if plan.config.keep == "quarter":
        floats = cam.astype(np.float32) / TOP if cam.dtype == np.uint8 else cam.astype(np.float32)
        small = resize_maps(np.clip(floats, 0, 1), *compute_map_size(*size)) if len(cam) else floats[:, ::4, ::4]
        levels = np.rint(small * np.float32(TOP)).astype(np.uint8)
        cam = resize_maps(levels.astype(np.float32) / np.float32(TOP), *size)
    else:
        levels = cam = cam if cam.dtype == np.uint8 else quantise_maps(cam)
    save_levels(Path(plan.out) / "maps" / f"{image_id}.npz", levels, class_ids, size)
    return cam


def finish_import(plan: ImportPlan, dataset: Dataset, folder: MapFolder) -> dict[str, Any]:
    """Merge the parts, write counts and run.json, remove the parts, and report.

    Raises:
        ValueError: broken files that may not be left out, or nothing to count.
    """
    notes = load_notes(plan)
    broken = {image_id: text for note in notes for image_id, text in note["broken"].items()}
    done = {image_id for note in notes for image_id in note["ids"] if image_id not in note["broken"]}
    broken = {image_id: text for image_id, text in broken.items() if image_id not in done}
    if broken and (not plan.config.skip_broken or not done):
        first = "; ".join(list(broken.values())[:3])
        raise FormatError(f"{len(broken)} of {len(folder.files)} files cannot be used: {first}. Mend them and import "
                          "again (what is done is kept), or pass --skip-broken")
    counts = merge_counts([load_counts(note["counts"]) for note in notes])
    if not counts.image_ids:
        raise FormatError(f"{plan.config.data}: no image of the split {plan.config.split} has ground truth to count on")
    present = set(counts.image_ids)
    counts = counts.select([image_id for image_id in dataset.ids if image_id in present])
    refuse_no_class(counts, plan.config.data)
    save_counts(Path(plan.out) / "counts.npz", counts)
    scoring = choose_scoring(plan.config, dataset)
    meta = build_meta(plan.config, plan.recognised, dataset, len(counts.image_ids), scoring)
    report = build_report(Run(Path(plan.out), meta), plan, dataset, folder, notes, broken)
    run = save_run(plan.out, meta | {"import": {"plan": describe_plan(plan), "report": report}})
    shutil.rmtree(Path(plan.out) / "parts")
    return report | {"run": str(run.path)}


def build_reimport(run: Run, out: str, **changes: Any) -> ImportConfig:
    """Build the config that imports a run's files again under another protocol, into another folder.

    Args:
        run: an imported run. out: folder of the new run. changes: fields of `ImportConfig`, such as
            ``normalisation="max"``.

    Raises:
        ValueError: the run was not imported, or its files are no longer where they were.
    """
    plan = run.meta.get("import", {}).get("plan")
    if not plan or not Path(plan["maps"]).is_dir():
        raise ValueError(f"{run.path}: was not imported, or the files it was made from are gone; import them anew")
    known = {key: value for key, value in plan.items() if key in ImportConfig.__dataclass_fields__}
    return ImportConfig(**(known | {"out": out} | changes))
