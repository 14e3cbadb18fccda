"""The work of painting behind *Label*: which image comes next, and a painted mask to a label PNG and to answers."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from amn_core.choosing.painting import draw_dabs, read_strokes
from amn_core.constants import BACKGROUND, IGNORE_INDEX
from amn_core.formats.answers import append_entries, append_undo, build_entry, hash_photo
from amn_core.formats.masks import save_mask
from amn_core.formats.runs import Run
from app import roots
from app.cache import answers as cached_answers
from app.cache import runs as cached
from app.charts.styles import build_class_colours
from app.pictures.questions import choose_keys, encode


@dataclass(frozen=True)
class Sheet:
    """An image to paint: an id, its name, photograph and its hash, and the labels offered: value, name, key, colour."""

    id: str
    image: str
    photo: str
    shape: tuple[int, int]
    jpeg: bytes
    labels: tuple[dict, ...]

    def describe(self) -> dict:
        """Describe the sheet for the browser."""
        height, width = self.shape
        return {"id": self.id, "image": self.image, "height": height, "width": width, "labels": list(self.labels)}


@dataclass(frozen=True)
class Painted:
    """A kept mask: its file and the ids of its answers, to take it back."""

    path: Path
    entries: tuple[str, ...]


def draw_sheet(run: Run, rng: np.random.Generator) -> Sheet:
    """Draw the next image evenly from those of the run that nobody painted yet; from all once all are painted."""
    ids = [one for one in run.map_ids if not find_path(run, one).is_file()] or list(run.map_ids)
    image_id = ids[rng.integers(len(ids))]
    image = cached.get_dataset(run).image(image_id)
    _, class_ids = run.map(image_id)
    return Sheet(uuid.uuid4().hex, image_id, hash_photo(image), image.shape[:2], encode(image),
                 offer_labels(run.class_names, [int(one) for one in class_ids]))


def offer_labels(names: tuple[str, ...], class_ids: list[int]) -> tuple[dict, ...]:
    """Offer background, the classes of the image, and unsure, each with a key and a colour."""
    colours = build_class_colours(len(names))
    keys = ["b", *choose_keys([names[one] for one in class_ids]), "u"]
    offered = [(BACKGROUND, "background", (0, 0, 0)), *((one, names[one], colours[one]) for one in class_ids),
               (IGNORE_INDEX, "unsure", (224, 224, 192))]
    return tuple({"value": value, "name": name, "key": key, "colour": list(map(int, colour))}
                 for (value, name, colour), key in zip(offered, keys, strict=True))


def find_path(run: Run, image_id: str) -> Path:
    """Find where the mask of an image is kept: beside the answers, by data set and split."""
    folder, name = (quote(part, safe="") for part in (f"{run.meta['data']} {run.meta['split']}", image_id))
    return roots.find_answers().parent / "masks" / folder / f"{name}.png"


def keep_mask(run: Run, sheet: Sheet, lengths: list, who: str = "") -> Painted:
    """Keep a painted mask as a label PNG, and pixels of it as answers.

    Raises:
        ValueError: what was sent is no mask of the image.
    """
    labels = read_strokes(lengths, sheet.shape, [one["value"] for one in sheet.labels])
    _, population = cached_answers.load_seen(run)
    weight = labels.size * len(run.map_ids) / float(population.pixels.sum() + population.bare)
    entries = [build_entry(
        data=run.meta["data"], split=run.meta["split"], image=sheet.image, photo=sheet.photo, x=dab.x, y=dab.y,
        kind=dab.kind, name=dab.name, run="", weight=weight, who=who)
        for dab in draw_dabs(labels, run.class_names, np.random.default_rng())]
    path = find_path(run, sheet.image)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_mask(path, labels)
    append_entries(roots.find_answers(), *entries)
    return Painted(path, tuple(entry.id for entry in entries))


def take_back(painted: Painted) -> None:
    """Take a mask back: its answers count no more, its file is removed."""
    append_undo(roots.find_answers(), *painted.entries)
    painted.path.unlink(missing_ok=True)
