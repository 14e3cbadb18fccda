"""``bench import``: where the time of an import goes, and whether the safe reader reads what numpy reads.

Makes a folder of IRN's dicts at VOC's size, as IRN writes them, in a temporary place. Their way is
``np.load(…, allow_pickle=True)``, which runs whatever a file asks for; ours is the restricted reader.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.commands.import_maps import run_import
from amn_core.commands.import_plan import ImportConfig
from amn_core.constants import VOC_CLASSES
from amn_core.formats.export import save_irn_map
from amn_core.formats.foreign import parse_raw_map
from amn_core.formats.maps import quantise_maps, resize_maps, save_levels
from amn_core.formats.masks import save_mask
from amn_core.options import option
from amn_core.sweep import count_image

SIZE = (375, 500)
COARSE = (12, 16)


@dataclass(frozen=True)
class BenchImportConfig:
    """What `bench import` needs."""

    images: int = option(60, "images to make and import")
    classes: int = option(2, "maps an image")
    repeats: int = option(3, "times that each part is measured; the fastest counts")
    seed: int = option(0, "seed of the maps")


def bench_import(config: BenchImportConfig = BenchImportConfig()) -> dict[str, Any]:
    """Measure the parts of an import on one core.

    Returns:
        ``images``, ``megabytes``, ``seconds`` (of the fastest repeat over all images: ``bytes`` reading the
        files, ``theirs`` numpy's reader, ``ours`` the restricted reader, ``count``, ``keep`` quantising and
        writing the maps, ``import`` the whole command with all of this and decoding of masks), ``agree``
        (whether both readers give equal arrays), ``ratio`` (theirs / ours), ``reading_share`` (ours / import).

    Raises:
        ValueError: less than one image, class or repeat.
    """
    if min(config.images, config.classes, config.repeats) < 1 or config.classes > 20:
        raise ValueError("images and repeats must be at least 1, classes 1 to 20")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_data(root, config)
        return measure(root, config)


def make_data(root: Path, config: BenchImportConfig) -> None:
    """Make a folder data set with masks, and the maps of another method for it."""
    draw = np.random.default_rng(config.seed)
    ids = np.arange(1, config.classes + 1)
    rows = ["image,labels"]
    for index in range(config.images):
        cam = resize_maps(draw.random((config.classes, *COARSE)).astype(np.float32), *SIZE)
        cam /= cam.max(axis=(1, 2), keepdims=True) + np.float32(1e-5)
        name = f"2007_{index:06d}"
        gt = np.where(cam.max(axis=0) > 0.6, ids[cam.argmax(axis=0)], 0)
        save_mask(root / "data" / "masks" / f"{name}.png", gt)
        save_mask(root / "data" / "images" / f"{name}.png", np.zeros(SIZE, np.uint8), palette=False)
        save_irn_map(root / "maps" / f"{name}.npy", cam, ids)
        rows.append(f"{name},{';'.join(VOC_CLASSES[i] for i in ids)}")
    (root / "data" / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    (root / "data" / "classes.txt").write_text("\n".join(VOC_CLASSES[1:]), encoding="utf-8")


def time_best(action: Callable[[], Any], repeats: int) -> float:
    """Time an action, seconds of the fastest repeat."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(root: Path, config: BenchImportConfig) -> dict[str, Any]:
    """Measure every part on the files that were made."""
    paths = sorted((root / "maps").glob("*.npy"))
    contents = [path.read_bytes() for path in paths]
    maps = [np.ascontiguousarray(parse_raw_map(content).planes) for content in contents]
    ids = np.arange(1, config.classes + 1)
    gt = np.zeros(SIZE, dtype=np.uint8)
    parts: dict[str, Callable[[], Any]] = {
        "bytes": lambda: [path.read_bytes() for path in paths],
        "theirs": lambda: [np.load(path, allow_pickle=True).item() for path in paths],
        "ours": lambda: [parse_raw_map(path.read_bytes()) for path in paths],
        "count": lambda: [count_image(cam, ids, gt) for cam in maps],
        "keep": lambda: [save_levels(root / "kept.npz", quantise_maps(cam), ids, SIZE) for cam in maps],
    }
    seconds = {name: time_best(action, config.repeats) for name, action in parts.items()}
    seconds["import"] = min(time_import(root, repeat) for repeat in range(config.repeats))
    return {
        "images": config.images, "megabytes": sum(map(len, contents)) / 1e6, "seconds": seconds,
        "agree": all(agrees_with_numpy(path) for path in paths), "ratio": seconds["theirs"] / seconds["ours"],
        "reading_share": seconds["ours"] / seconds["import"],
    }


def time_import(root: Path, repeat: int) -> float:
    """Time the whole command in one process, into a new run."""
    given = ImportConfig(
        maps=str(root / "maps"), data=f"folder:{root / 'data'}", split="all", out=str(root / f"run{repeat}"), workers=1)
    return time_best(lambda: run_import(given), 1)


def agrees_with_numpy(path: Path) -> bool:
    """Tell whether the restricted reader gives the maps and keys that numpy's gives."""
    theirs, ours = np.load(path, allow_pickle=True).item(), parse_raw_map(path.read_bytes())
    return np.array_equal(theirs["high_res"], ours.planes) and np.array_equal(np.asarray(theirs["keys"]), ours.keys)
