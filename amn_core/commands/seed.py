"""Maps to seed labels: sure foreground, sure background, unsure elsewhere."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from amn_core.commands.work import Work, find_mapped, plan_work
from amn_core.compute.distributed import main_first, take_shard, wait_for_all
from amn_core.compute.parallel import run_chunks
from amn_core.formats.files import read_json, write_json
from amn_core.formats.masks import save_mask
from amn_core.options import option
from amn_core.presets import CUTS_HELP, choose_cuts
from amn_core.sweep.seeds import build_seed, check_order


@dataclass(frozen=True)
class SeedConfig:
    """What `seed` needs: the maps of a run give labels that are sure, and 255 elsewhere."""

    run: str = option("", "run folder with maps", required=True)
    data: str = option("", "data set of the run; by default the one it was made from")
    split: str = option("", "split or path of a list; by default that of the run")
    foreground: float = option(0.30, "threshold above which foreground is sure")
    background: float = option(0.05, "threshold below which background is sure")
    cuts: str = option("", CUTS_HELP)
    crf: bool = option(False, "refine both label images with a dense CRF first, as the paper does")
    out: str = option("", "folder for the labels, one PNG an image", required=True)
    workers: int = option(0, "processes; 0 for one a core")


def make_seeds(config: SeedConfig) -> Path:
    """Make the seed labels of a run, one greyscale PNG an image; labels that are there already are kept.

    Several processes take a shard each.

    Raises:
        ValueError: maps are missing, the thresholds are out of order, or the folder holds other seeds.
    """
    foreground, background = choose_cuts(config.cuts, config.foreground, config.background)
    check_order(foreground, background)
    config = replace(config, cuts="", foreground=foreground, background=background)
    opening = plan_work(config.run, config.data, config.split)
    work = opening()
    ids = find_mapped(work.run, work.dataset, can_skip=False)
    out = Path(config.out)
    with main_first():
        remember_settings(out, config, work.run.meta)
    for _ in run_chunks(partial(make_some_seeds, config), take_shard(ids), "seed", config.workers, opening=opening):
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


def make_some_seeds(config: SeedConfig, work: Work, ids: Sequence[str]) -> None:
    """Make the seed labels of some images."""
    for image_id in ids:
        path = Path(config.out) / f"{image_id}.png"
        if path.is_file():
            continue
        cam, class_ids = work.run.map(image_id)
        image = work.dataset.image(image_id) if config.crf else None
        save_mask(path, build_seed(cam, class_ids, config.foreground, config.background, image), palette=False)
