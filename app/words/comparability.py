"""When the numbers of two runs may be put side by side, and what to be careful of; no Streamlit.

A run says in its run.json what it was made on and how (`amn_core.formats.runs`). Some differences change which
pixels are counted, so that two scores answer different questions; others only say where a difference comes from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from amn_core.formats.run_names import name_runs
from amn_core.formats.runs import Run


@dataclass(frozen=True)
class Topic:
    """Something that two runs may differ in: its name, how to read it from a run, and what a difference means."""

    name: str
    read: Callable[[Run], Any]
    meaning: str
    is_fatal: bool


@dataclass(frozen=True)
class Difference:
    """A topic that some runs differ in, with the value of each run as a text, by the run's name."""

    topic: Topic
    values: dict[str, str]


def read_protocol(key: str) -> Callable[[Run], Any]:
    """Build a reader of one key of a run's protocol."""
    return lambda run: run.meta["protocol"].get(key)


def read_registration(run: Run) -> str | None:
    """Read how the maps of a run were drawn: one of ours that does not say is from before there was a choice."""
    return run.meta["protocol"].get("registration", None if run.method == "imported" else "cells")


TOPICS = (
    Topic("Data set", lambda run: run.meta["data"], "The scores are over different images.", True),
    Topic("Split", lambda run: run.meta["split"], "The scores are over different images.", True),
    Topic("Classes", lambda run: run.class_names, "Class numbers do not mean the same thing.", True),
    Topic("Ground truth", read_protocol("ground_truth"), "The scores are against different masks.", True),
    Topic("Pixels to ignore", read_protocol("ignore"),
          "Leaving pixels out or counting them as errors moves a score by many points.", True),
    Topic("Classes that count", read_protocol("classes"),
          "Their own means are over different classes; the screens take the same for all.", False),
    Topic("Image labels", lambda run: run.meta.get("label_source"),
          "A run that is told other labels of an image has another task.", False),
    Topic("Normalisation", read_protocol("normalisation"),
          "Gap, plateau and mean mIoU depend on how a map is scaled; AUC, imbalance under a pure scaling, oracle − "
          "peak and the plateau in quantiles do not. Compare the latter.", False),
    Topic("Scales", read_protocol("scales"), "Part of a difference may come from averaging over scales.", False),
    Topic("Flip", read_protocol("flip"), "Part of a difference may come from averaging over a flip.", False),
    Topic("Registration", read_registration,
          "Maps drawn at the centres of cells lie some pixels beside the objects that they show.", False),
    Topic("Seeds in the maps", read_protocol("seeds"),
          "The official normalisation builds the CAM's seed into the maps, and with it a part of the gap.", False),
    Topic("Dropout", read_protocol("dropout"), "With dropout on, a part of a difference is chance.", False),
    Topic("Resizing", read_protocol("resize"), "Borders of objects move with the way maps are enlarged.", False),
)
IMAGES = Topic("Images", lambda run: run.meta.get("images"),
               "Only the images that both runs have can be compared.", True)


def find_differences(
    runs: Sequence[Run], image_ids: Sequence[Sequence[str]] = (), names: Sequence[str] = (),
) -> list[Difference]:
    """Find what some runs differ in, the differences that forbid a comparison first.

    Args:
        runs: two or more; with fewer there is no difference.
        image_ids: the images of each run, in the order of `runs`, if they are known; their order does not count.
        names: what each run is called on the screen; by default the run's own name.
    """
    called = list(names) or name_runs(runs)
    found = [compare_topic(topic, runs, called) for topic in TOPICS]
    if len(image_ids) == len(runs):
        found.append(compare_images(called, image_ids))
    else:
        found.append(compare_topic(IMAGES, runs, called))
    return sorted((one for one in found if one), key=lambda difference: not difference.topic.is_fatal)


def compare_topic(topic: Topic, runs: Sequence[Run], names: Sequence[str]) -> Difference | None:
    """Compare the runs in one topic; a run that does not say differs from one that does."""
    texts = [write_value(topic.read(run)) for run in runs]
    return Difference(topic, dict(zip(names, texts, strict=True))) if len(set(texts)) > 1 else None


def compare_images(names: Sequence[str], image_ids: Sequence[Sequence[str]]) -> Difference | None:
    """Compare which images the runs have."""
    sets = [frozenset(ids) for ids in image_ids]
    if len(set(sets)) <= 1:
        return None
    common = len(frozenset.intersection(*sets))
    texts = [f"{len(ids)} images, {common} of them common to all" for ids in sets]
    return Difference(IMAGES, dict(zip(names, texts, strict=True)))


def write_value(value: Any) -> str:
    """Write a value of a run.json for people: lists with commas, truth as yes or no, nothing as 'not said'."""
    if value is None or value == "":
        return "not said"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        many = f" … ({len(value)})" if len(value) > 8 else ""
        return ", ".join(str(item) for item in value[:8]) + many
    return str(value)
