"""Maps to seed labels: sure foreground, sure background, unsure elsewhere."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from amn_core.configs import SeedConfig
from amn_core.constants import BACKGROUND, IGNORE_INDEX
from amn_core.data import load_dataset
from amn_core.distributed import main_first, take_shard, wait_for_all
from amn_core.formats.files import read_json, write_json
from amn_core.formats.masks import save_mask
from amn_core.formats.runs import load_run, resolve_spec
from amn_core.parallel import run_chunks


def build_labels(cam: np.ndarray, threshold: float) -> np.ndarray:
    """Cut maps into label indices: 0 background, k for the k-th map.

    Args:
        cam: (K, H, W) float.
        threshold: a pixel is foreground only if its strongest map is strictly above it; among maps the
            first wins.

    Returns:
        (H, W) int64 in 0…K.
    """
    if not len(cam):
        return np.zeros(cam.shape[1:], dtype=np.int64)
    return np.where(cam.max(0) > np.asarray(threshold, cam.dtype), cam.argmax(0) + 1, 0)


def build_seed(
    cam: np.ndarray, class_ids: np.ndarray, foreground: float, background: float, image: np.ndarray | None = None
) -> np.ndarray:
    """Build the seed label of one image.

    Source: IRN's confident labels, as AMN uses them. Foreground where the labels of the high threshold say
    so, background where those of both thresholds do, 255 elsewhere.

    Args:
        cam: (K, H, W) float32 in [0, 1].
        class_ids: (K,) 1-based classes.
        foreground, background: the thresholds, foreground at least background.
        image: (H, W, 3) uint8; if given, both label images are refined with a dense CRF first.

    Returns:
        (H, W) uint8: 0, class or 255.

    Raises:
        ValueError: the thresholds are in the wrong order.
    """
    if foreground < background:
        raise ValueError(f"foreground threshold {foreground} is below the background's, {background}: swap them")
    high, low = build_labels(cam, foreground), build_labels(cam, background)
    if image is not None and len(cam):
        from amn_core.refine.dense_crf import CRFFilters  # torch is needed for the CRF alone

        high, low = CRFFilters(image).refine_labels(np.stack([high, low]), len(cam) + 1)
    classes = np.concatenate([[BACKGROUND], np.asarray(class_ids)]).astype(np.uint8)
    seed = np.where(high > 0, classes[high], np.uint8(IGNORE_INDEX))
    return np.where((high == 0) & (low == 0), np.uint8(BACKGROUND), seed).astype(np.uint8)


def make_seeds(config: SeedConfig) -> Path:
    """Make the seed labels of a run, one greyscale PNG an image; labels that are there already are kept.

    Several processes take a shard each.

    Raises:
        ValueError: maps are missing, the thresholds are out of order, or the folder holds other seeds.
    """
    run = load_run(config.run)
    spec, split = config.data or resolve_spec(run), config.split or run.meta["split"]
    ids = load_dataset(spec, split).ids
    missing = sorted(set(ids) - set(run.map_ids))
    if missing:
        raise ValueError(f"{run.path}: no map for {len(missing)} of {len(ids)} images, such as {missing[0]}: "
                         "run extract on this split first")
    out = Path(config.out)
    with main_first():
        remember_settings(out, config, run.meta)
    work = partial(make_some_seeds, spec, split, config)
    for _ in run_chunks(work, take_shard(ids), "seed", config.workers):
        pass
    wait_for_all()
    return out


def remember_settings(out: Path, config: SeedConfig, run_meta: dict) -> None:
    """Write how the seeds were made; refuse a folder with seeds that were made otherwise."""
    settings = {key: asdict(config)[key] for key in ("foreground", "background", "crf")}
    settings |= {"run": run_meta["name"], "model": run_meta.get("model", {}), "data": run_meta["data"]}
    path = out / "seeds.json"
    if path.is_file() and read_json(path) != settings:
        raise ValueError(f"{out} holds seeds made with other settings: choose another --out")
    write_json(path, settings)


def make_some_seeds(spec: str, split: str, config: SeedConfig, ids: Sequence[str]) -> None:
    """Make the seed labels of some images."""
    run, dataset = load_run(config.run), load_dataset(spec, split)
    for image_id in ids:
        path = Path(config.out) / f"{image_id}.png"
        if path.is_file():
            continue
        cam, class_ids = run.map(image_id)
        image = dataset.image(image_id) if config.crf else None
        save_mask(path, build_seed(cam, class_ids, config.foreground, config.background, image), palette=False)
