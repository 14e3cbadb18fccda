"""The maps of a run and ground truth to the counts of every threshold, streaming over the images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amn_core.commands.work import HasMaps, Work, find_mapped, plan_work, say_left_out
from amn_core.compute.distributed import get_rank, get_world_size, is_distributed, is_main, take_shard, wait_for_all
from amn_core.compute.parallel import run_chunks
from amn_core.data import DataError, Dataset, name_ground_truth
from amn_core.formats.counts import load_counts, save_counts
from amn_core.formats.files import hash_file
from amn_core.formats.runs import Run, describe_data, load_run, save_run
from amn_core.options import option
from amn_core.sweep.counts import Counts, CountsBuilder, merge_counts
from amn_core.sweep.protocols import find_protocol, parse_classes

CHUNK = 64
FEW_IMAGES = 400  # counted in a second, which is what starting other processes takes


@dataclass(frozen=True)
class CountConfig:
    """What `count` needs: the maps of a run and ground truth give the counts of every threshold."""

    run: str = option("", "run folder with maps", required=True)
    data: str = option("", "data set with ground truth; by default the one the run was made from")
    split: str = option("", "split or path of a list; by default that of the run")
    classes: str = option("", "names of the classes to average over, background included, kept as the run's protocol")
    protocol: str = option("", "averaging rule, kept as the run's protocol: irn, seam or toco")
    workers: int = option(0, "processes; 0 for one a core")
    skip_broken: bool = option(False, "leave out images without a mask or a map")


def count(config: CountConfig) -> Path:
    """Count a run and write RUN/counts.npz; run.json then says which ground truth it was.

    Several processes count a shard each; the main one adds them up, to the same integers as one process finds.

    Raises:
        ValueError: an image without a map or without a mask, unless these may be left out.
    """
    run = load_run(config.run)
    if run.is_refined:
        raise ValueError(f"{run.path} is counted as it is made: start its refine --every again to go on with it")
    opening = plan_work(config.run, config.data, config.split, config.skip_broken)
    dataset = opening().dataset
    scoring = choose_scoring(config, run)  # a wrong name is an error before the work, not after
    ids = find_countable(dataset, run, config.skip_broken)
    shard = take_shard(ids)
    parts = list(run_chunks(count_some, shard, "count", config.workers, CHUNK, FEW_IMAGES, opening))
    counts = gather_counts(run, merge_counts(parts or [count_some(opening(), ())]))
    if is_main():
        refuse_no_class(counts, dataset.spec)
        save_counts(run.counts_path, counts)
        remember_protocol(run, dataset, len(ids), scoring)
    wait_for_all()
    return run.counts_path


def refuse_no_class(counts: Counts, spec: str) -> None:
    """Refuse ground truth in which no image has a pixel of a class: every score of it would mean nothing.

    Raises:
        DataError: there is no such pixel.
    """
    if not (counts.decision_gt > 0).any():
        raise DataError(
            f"{spec}: the ground truth of all {len(counts.image_ids)} images holds no pixel of a class, so nothing can "
            "be scored; write 1 and up for the classes (255 is left out)")


def gather_counts(run: Run, counts: Counts) -> Counts:
    """Gather the counts of all processes through files beside the run's own; only the main one gets them all."""
    if not is_distributed():
        return counts
    paths = [run.path / f".counts-{i + 1}-of-{get_world_size()}.npz" for i in range(get_world_size())]
    save_counts(paths[get_rank()], counts)
    wait_for_all()
    if not is_main():
        return counts
    counts = merge_counts([load_counts(path) for path in paths])
    for path in paths:
        path.unlink()
    return counts


def find_countable(dataset: Dataset, run: HasMaps, skip_broken: bool) -> tuple[str, ...]:
    """Find the images with a map and a mask; those without one are an error, or named and left out.

    Raises:
        DataError: an image lacks one, unless it may be left out, or all do.
    """
    mapped = find_mapped(run, dataset, skip_broken)
    without = [image_id for image_id in mapped if not has_mask(dataset, image_id)]
    if without and not skip_broken:
        raise DataError(f"{dataset.spec}: no mask for {len(without)} of {len(mapped)} images, such as "
                        f"{without[0]}: choose a split with ground truth, or pass --skip-broken")
    say_left_out(without, "a mask")
    left_out = set(without)
    kept = tuple(image_id for image_id in mapped if image_id not in left_out)
    if not kept:
        raise DataError(f"{dataset.spec}: none of the images has both a map and a mask; there is nothing to count")
    return kept


def has_mask(dataset, image_id: str) -> bool:
    """Tell whether an image has a mask, without reading it where the data set knows its files."""
    masks = getattr(dataset, "mask_paths", None)
    return image_id in masks if masks is not None else dataset.gt(image_id) is not None


def count_some(work: Work, ids: Sequence[str]) -> Counts:
    """Count some images of a run."""
    builder = CountsBuilder(work.run.class_names)
    for image_id in ids:
        gt = work.dataset.gt(image_id)
        cam, class_ids = work.run.map(image_id, gt.shape)
        builder.add(image_id, cam, class_ids, gt)
    return builder.build()


def choose_scoring(config: CountConfig, run: Run) -> dict[str, Any]:
    """Choose what the run is to be scored over where it is asked for; ``classes=all`` forgets those it has.

    Raises:
        ValueError: an unknown class or averaging.
    """
    scoring: dict[str, Any] = {"classes": parse_classes(config.classes, run.class_names)} if config.classes else {}
    return scoring | ({"averaging": find_protocol(config.protocol).name} if config.protocol else {})


def remember_protocol(run: Run, dataset: Dataset, images: int, scoring: dict[str, Any]) -> None:
    """Write into run.json what the counts were made with, and what is to be averaged over."""
    meta = dict(run.meta)
    meta["protocol"] = meta["protocol"] | {"ground_truth": name_ground_truth(dataset)} | scoring
    meta["counts"] = {
        "data": describe_data(dataset.spec)[0], "split": dataset.split, "images": images,
        "sha256": hash_file(run.counts_path)}
    save_run(run.path, meta)
