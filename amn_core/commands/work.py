"""What the commands that go through the images of a run have in common.

The run and its data are opened once in each process (`plan_work`), images without a map are an error or left out by
name (`find_mapped`), a folder with another result is refused (`refuse_other_run`), and a new run.json begins alike
(`describe_run`).
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from amn_core.compute.distributed import is_main
from amn_core.compute.parallel import Once
from amn_core.data import DataError, Dataset, load_dataset
from amn_core.formats.runs import Run, describe_data, load_run, resolve_spec
from amn_core.options import format_command


@dataclass(frozen=True)
class Work:
    """A run, and the images that it is of."""

    run: Run
    dataset: Dataset


class HasMaps(Protocol):
    """What `find_mapped` asks of a run, or of one to come: where it is, and which images have maps."""

    @property
    def path(self) -> Path:
        """The folder."""

    @property
    def map_ids(self) -> tuple[str, ...]:
        """Ids of the images with maps."""


def plan_work(run: str | Path, data: str = "", split: str = "", skip_broken: bool = False) -> Once:
    """Plan to open a run and its data, once in each process: see `open_work`."""
    return Once(partial(open_work, run, data, split, skip_broken))


def open_work(run: str | Path, data: str = "", split: str = "", skip_broken: bool = False) -> Work:
    """Open a run and its data.

    Args:
        run: folder of the run. data, split: by default those that the run was made from.
        skip_broken: whether images that are missing or broken may be left out.

    Raises:
        ValueError: the run or the data cannot be opened, or the data have other classes than the run.
    """
    opened = load_run(run)
    dataset = load_dataset(data or resolve_spec(opened), split or opened.meta["split"], skip_broken)
    if dataset.class_names != opened.class_names:
        raise ValueError(f"{dataset.spec} has other classes than the run {opened.path}")
    return Work(opened, dataset)


def find_mapped(run: HasMaps, dataset: Dataset, skip_broken: bool = False, can_skip: bool = True) -> tuple[str, ...]:
    """Find the images of a split that have maps; those without are an error, or named and left out.

    Args:
        can_skip: whether the command has ``--skip-broken``, which the error names then.

    Raises:
        DataError: an image has no map, or none has one.
    """
    present = set(run.map_ids)
    missing = [image_id for image_id in dataset.ids if image_id not in present]
    kept = tuple(image_id for image_id in dataset.ids if image_id in present)
    if missing and not (skip_broken and kept):
        raise DataError(
            f"{run.path}: no map for {len(missing)} of {len(dataset.ids)} images, such as {missing[0]}: run extract on "
            "this split first" + (", or pass --skip-broken" if kept and can_skip else ""))
    say_left_out(missing, "a map")
    return kept


def say_left_out(ids: Sequence[str], what: str) -> None:
    """Say on standard error which images are left out, and what they lack; of several processes the first says it."""
    if ids and is_main():
        print(f"left out {len(ids)} image(s) without {what}, such as {ids[0]}", file=sys.stderr)


def refuse_other_run(folder: Path, meta: dict[str, Any], *made: str) -> None:
    """Refuse to mix in one folder what was made of other data, or otherwise.

    Args:
        meta: of the run that is to be made. made: the keys of it that say how.

    Raises:
        ValueError: the folder holds another run; the message names the first key that differs.
    """
    if not (folder / "run.json").is_file():
        return
    there = load_run(folder).meta
    for key in ("data", "split", *made):
        ours, theirs = (
            settle_protocol(one[key], there) if key == "protocol" else one.get(key) for one in (meta, there))
        if ours != theirs:
            raise ValueError(f"{folder} holds a run with another {key}: choose another --out")


def settle_protocol(protocol: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """Settle what a protocol may lack beside that of a run that is there already.

    The registration was not written down once, and ground truth and classes are added where a run is counted.
    """
    added = {key: there["protocol"][key] for key in ("ground_truth", "classes") if key in there["protocol"]}
    return {"registration": "cells"} | protocol | added


def describe_run(
    dataset: Dataset, spec: str, split: str, name: str, method: str, images: int, protocol: dict[str, Any],
    model: dict[str, Any], **more: Any,
) -> dict[str, Any]:
    """Describe a new run for its run.json.

    Args:
        dataset, spec, split: what it is of. images: how many. protocol, model: how the maps are made, and with what.
        more: further keys, such as ``kind`` and ``command``.
    """
    data, data_root = describe_data(spec)
    return {
        "name": name, "method": method, "data": data, "data_root": data_root, "split": split, "images": images,
        "class_names": list(dataset.class_names), "label_source": dataset.label_source,
        "protocol": {"resize": "bilinear", "ground_truth": "", "ignore": "255 left out"} | protocol, "model": model,
    } | more


def write_command(name: str, config: Any) -> list[str]:
    """Write the command that makes a run, as its run.json keeps it."""
    return ["python", "-m", "amn_core", *format_command(name, config)]
