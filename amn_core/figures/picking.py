"""Which images are shown: by a rule that the caption names, so that no choice is made unseen."""

from dataclasses import dataclass, replace

import numpy as np

from amn_core.figures.material import Material, Source
from amn_core.sweep.images import find_degenerate


@dataclass(frozen=True)
class Picked:
    """The images that a rule picked, in order, and the rule in words for a caption."""

    ids: tuple[str, ...]
    words: str


def pick_images(material: Material) -> Picked:
    """Pick images by the rule of the config, among those whose maps all runs have.

    Rules (ours): ``largest-regret``: those that lose most to the global threshold of one run; ``median``: those whose
    regret is nearest to the median; ``random``: drawn with the seed; ``chosen``: the ids given. Ties go to the image
    that comes first in the counts. Degenerate images (`find_degenerate`) are shown only where they are chosen.

    Raises:
        ValueError: a chosen image that is not there, or no image with maps.
    """
    config = material.config
    shared = set(material.image_ids).intersection(*(source.run.map_ids for source in material.sources))
    ids = [image_id for image_id in material.image_ids if image_id in shared]
    if not ids:
        raise ValueError(f"{material.sources[0].run.path} has no maps of these images: extract them, "
                         "or draw another figure")
    if config.rule == "chosen":
        return pick_chosen(config.ids, ids)
    ids, left_out = leave_degenerate(material, ids)
    picked = pick_at_random(material, ids) if config.rule == "random" else pick_by_regret(material, ids)
    return replace(picked, words=picked.words + left_out)


def leave_degenerate(material: Material, ids: list[str]) -> tuple[list[str], str]:
    """Leave out degenerate images; returns the others, and in words how many were left out."""
    degenerate = {image_id for source in material.sources for image_id, is_degenerate in zip(
        source.counts.image_ids, find_degenerate(source.counts), strict=True) if is_degenerate}
    kept = [image_id for image_id in ids if image_id not in degenerate]
    if not kept:
        raise ValueError("no image has both scored background and a scored object: name images with --ids")
    n = len(ids) - len(kept)
    return kept, f"; {n} degenerate, without scored background or object, left out" * bool(n)


def pick_at_random(material: Material, ids: list[str]) -> Picked:
    """Pick images at random with the seed, in the order of the counts."""
    seed, number = material.config.seed, min(material.config.number, len(ids))
    drawn = np.random.default_rng(seed).choice(len(ids), number, replace=False)
    return Picked(tuple(ids[i] for i in sorted(drawn)), f"drawn at random from {len(ids)} (seed {seed})")


def pick_chosen(text: str, ids: list[str]) -> Picked:
    """Pick the images that were named."""
    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    missing = [image_id for image_id in chosen if image_id not in set(ids)]
    if missing:
        raise ValueError(f"image {missing[0]!r} is not among the {len(ids)} images with counts and maps in every run")
    return Picked(chosen, "chosen by hand")


def pick_by_regret(material: Material, ids: list[str]) -> Picked:
    """Pick the images with the largest regret of one run, or those whose regret is nearest to the median."""
    number = find_source(material)
    source, config = material.sources[number], material.config
    regret = material.image_scores[number].regret(source.threshold)
    places = {image_id: i for i, image_id in enumerate(material.image_ids)}
    kept = [image_id for image_id in ids if np.isfinite(regret[places[image_id]])]
    values = np.array([regret[places[image_id]] for image_id in kept])
    is_largest = config.rule == "largest-regret"
    order = np.argsort(-values if is_largest else np.abs(values - np.median(values)), kind="stable")[:config.number]
    rule = "with the largest regret" if is_largest else "whose regret is nearest to the median"
    return Picked(tuple(kept[i] for i in order), f"{rule} of {len(kept)} at the threshold of {source.look.label}")


def find_source(material: Material) -> int:
    """Find the run that a rule looks at: by its place from 1, its name or its label; the first by default.

    Raises:
        ValueError: there is none of that name.
    """
    of, sources = material.config.of.strip(), material.sources
    if not of:
        return 0
    if of.isdigit() and 1 <= int(of) <= len(sources):
        return int(of) - 1
    found = [i for i, source in enumerate(sources) if of in names_of(source)]
    if not found:
        raise ValueError(f"of is {of!r}: give a place from 1 to {len(sources)}, or a name of "
                         f"{', '.join(source.look.label for source in sources)}")
    return found[0]


def names_of(source: Source) -> tuple[str, ...]:
    """List what a run may be called."""
    return source.look.label, source.run.name, source.run.method, source.run.path.name
