"""Pixels of images and what a run's maps say there: where to ask next, and what kept answers mean for a run (ours).

Answers are about pixels of photographs, so they serve every run on the same data. Those that were asked for the sake of
another run are weighted by the pixels they stand for, since their choice looked at other maps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.choosing.asking import draw_cells
from amn_core.choosing.points import GROUND, OTHER, OWN, SAME_IMAGE, UNSURE, Answers
from amn_core.choosing.population import Population, collapse_bins
from amn_core.constants import BACKGROUND
from amn_core.formats.answers import Entry
from amn_core.formats.runs import Run
from amn_core.sweep import Counts, CountsBuilder
from amn_core.sweep.binning import check_thresholds

TRIES = 20


@dataclass(frozen=True)
class Question:
    """A pixel to ask about: image, fractions of width and height, and the pixels it stands for in parts of all."""

    image: str
    x: float
    y: float
    weight: float


@dataclass(frozen=True)
class Placed:
    """Kept answers placed on a run: the answers, the entries they are of, and why others were left out, by image."""

    answers: Answers
    entries: tuple[Entry, ...]
    problems: dict[str, str]


def see_maps(run: Run, thresholds) -> Counts:
    """Count the maps of a run without any ground truth, as if all were background.

    >>> from types import SimpleNamespace
    >>> cam = np.array([[[0.9, 0.6, 0.2, 0.1]]], np.float32)
    >>> run = SimpleNamespace(class_names=("background", "cat"), map_ids=("a",), map=lambda image_id: (cam, [1]))
    >>> see_maps(run, (0.25, 0.5, 0.75)).decision_bins.tolist()
    [[2, 0, 1, 1]]
    """
    builder = CountsBuilder(run.class_names, check_thresholds(thresholds))
    for image_id in run.map_ids:
        cam, class_ids = run.map(image_id)
        builder.add(image_id, cam, class_ids, np.zeros(cam.shape[1:], dtype=np.uint8))
    return builder.build()


def mark_run(run: Run) -> str:
    """Mark a run so that answers can say for whose sake they were asked.

    >>> from types import SimpleNamespace
    >>> mark_run(SimpleNamespace(method="cam", meta={"created": "2024-05-01"}))
    'cam@2024-05-01'
    """
    return f"{run.method}@{run.meta.get('created', '')}"


def find_places(
    cam: np.ndarray, class_ids: np.ndarray, population: Population
) -> tuple[np.ndarray, np.ndarray]:
    """Find the row of the strongest class, −1 where there is none, and the level of every pixel: (H, W) each."""
    if not len(cam):
        return np.full(cam.shape[1:], -1), np.zeros(cam.shape[1:], dtype=np.int64)
    bins = np.searchsorted(population.thresholds.astype(cam.dtype), cam.max(axis=0), side="left")
    row_of_class = np.full(population.neighbours.shape[1], -1)
    row_of_class[population.classes] = np.arange(len(population.classes))
    return row_of_class[np.asarray(class_ids)[cam.argmax(axis=0)]], population.level_of_bin[bins]


def draw_question(
    seen: Counts, population: Population, chances: np.ndarray, load_map: Callable, rng: np.random.Generator
) -> Question:
    """Draw a pixel to ask about: a class and level by its chance, then any of their pixels in the data set.

    Args:
        seen: counts of the run's maps, with ground truth or without. chances: (S, G). load_map: of an image id.

    Raises:
        ValueError: counts and maps are not of the same run.

    >>> from amn_core.choosing.asking import find_chances
    >>> from amn_core.choosing.population import build_population
    >>> maps = {"a": [0.9, 0.6, 0.2, 0.1], "b": [0.8, 0.4, 0.4, 0.0]}
    >>> population = build_population(counts)
    >>> question = draw_question(counts, population, find_chances(population, None, 0),
    ...                          lambda image_id: (np.array([[maps[image_id]]], np.float32), np.array([1])),
    ...                          np.random.default_rng(0))
    >>> question.image, float(question.x), float(question.y)
    ('a', 0.375, 0.5)
    """
    levels = collapse_bins(seen.decision_bins, population.level_of_bin)
    for _ in range(TRIES):
        (row,), (level,) = (part[0] for part in draw_cells(chances[None], 1, rng))
        of_class = seen.decision_class == population.classes[row]
        pixels = np.bincount(seen.decision_image[of_class], levels[of_class, level], len(seen.image_ids))
        image_id = seen.image_ids[rng.choice(len(pixels), p=pixels / pixels.sum())]
        rows, places = find_places(*load_map(image_id), population)
        y, x = np.nonzero((rows == row) & (places == level))
        if len(y):
            at = rng.integers(len(y))
            total = population.pixels.sum() + population.bare
            weight = population.pixels[row, level] / total / chances[row, level]
            return Question(image_id, (x[at] + 0.5) / rows.shape[1], (y[at] + 0.5) / rows.shape[0], float(weight))
    raise ValueError("the counts are of other maps than those in the run's folder: count the run again")


def place_answers(
    entries: Sequence[Entry], run: Run, population: Population, load_map: Callable | None = None,
    hash_image: Callable[[str], str | None] = lambda image_id: None, remember: dict | None = None,
) -> Placed:
    """Place kept answers on a run: what its maps say at their pixels.

    Args:
        entries: answers, of any data set; those of others are passed over in silence. load_map: of an image id; the
            run's by default. hash_image: hash of the photograph as it is now, None where it is not here.
        remember: places by id of the answer, which are filled in, so that a map is looked at once.

    Raises:
        ValueError: the run has no maps.

    >>> from types import SimpleNamespace
    >>> from amn_core.choosing.population import build_population
    >>> from amn_core.formats.answers import build_entry
    >>> cam = np.array([[[0.9, 0.6, 0.2, 0.1]]], np.float32)
    >>> run = SimpleNamespace(class_names=("background", "cat"), map_ids=("a",), has_maps=True, method="cam",
    ...                       meta={"data": "pets", "split": "val"}, map=lambda image_id: (cam, np.array([1])))
    >>> entries = [build_entry(data="pets", split="val", image=image, photo="", x=0.1, y=0.5, kind="object", name="cat")
    ...            for image in ("a", "c")]
    >>> placed = place_answers(entries, run, build_population(counts))
    >>> placed.answers.kinds.tolist() == [OWN], placed.problems
    (True, {'c': 'the run has no map of it'})
    """
    if not run.has_maps:
        raise ValueError(f"{run.path}: no maps here, so nothing says what they are at the pixels that were answered; "
                         "make them with `python -m amn_core extract`")
    load_map = load_map or run.map
    known, problems, placed, kept = set(run.map_ids), {}, [], []
    remember = {} if remember is None else remember
    for entry in entries:
        if (entry.data, entry.split) != (run.meta["data"], run.meta["split"]):
            continue
        now = hash_image(entry.image) if entry.image in known else None
        if entry.image not in known:
            problems[entry.image] = "the run has no map of it"
        elif now not in (None, entry.photo):
            problems[entry.image] = "the photograph has changed since it was answered"
        else:
            if entry.id not in remember:
                remember[entry.id] = place_entry(entry, run, population, *load_map(entry.image))
            if remember[entry.id] is not None:
                placed.append(remember[entry.id])
                kept.append(entry)
    return Placed(build_answers(kept, placed, run, population, len(known)), tuple(kept), problems)


def place_entry(
    entry: Entry, run: Run, population: Population, cam: np.ndarray, class_ids: np.ndarray
) -> tuple[int, int, int, int] | None:
    """Place an answer: row of the class, level, kind, and class of another object; None where nothing is strongest."""
    height, width = cam.shape[1:]
    y, x = int(entry.y * height), int(entry.x * width)
    rows, levels = find_places(cam[:, y:y + 1, x:x + 1], class_ids, population)
    row = int(rows[0, 0])
    if row < 0:
        return None
    named = run.class_names.index(entry.name) if entry.kind == "object" and entry.name in run.class_names else 0
    is_own = named == population.classes[row]
    kind = {"background": GROUND, "unsure": UNSURE}.get(entry.kind, OWN if is_own else OTHER)
    return row, int(levels[0, 0]), kind, named if kind == OTHER else BACKGROUND


def build_answers(
    entries: Sequence[Entry], placed: Sequence[tuple], run: Run, population: Population, n_images: int
) -> Answers:
    """Build the answers (n) of a run from entries and their places."""
    rows, levels, kinds, named = np.array(placed, dtype=np.int64).reshape(-1, 4).T
    total = population.pixels.sum() + population.bare
    weights = np.array([entry.weight for entry in entries]) * total
    is_foreign = np.array([entry.run != mark_run(run) for entry in entries], dtype=bool)
    counts = np.ones(len(entries))
    if is_foreign.any():
        foreign = weights[is_foreign]
        counts[is_foreign] = foreign * foreign.sum() / (foreign**2).sum()
    _, images = np.unique([entry.image for entry in entries], return_inverse=True) if entries else (0, np.zeros(0, int))
    return Answers(rows, levels, kinds, named, weights, counts * discount(images, n_images), images)


def discount(images: np.ndarray, n_images: int) -> np.ndarray:
    """Discount answers of which one image has more than chance gives: the share (n) that each counts.

    Answers in one image repeat each other, by a correlation of about `SAME_IMAGE`.
    """
    if not len(images):
        return np.ones(0)
    even = (len(images) - 1) / max(n_images, 1)
    extra = np.bincount(images)[images] - 1 - even - 2 * np.sqrt(even)
    return 1 / (1 + SAME_IMAGE * np.maximum(0, extra))
