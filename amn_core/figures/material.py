"""Runs to what is drawn: counts of the images that all runs have, their looks, the protocol and the thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from amn_core.data.lists import read_id_list
from amn_core.figures.captions import Caption
from amn_core.figures.config import FigureConfig
from amn_core.figures.styles import Look, Page, build_looks, choose_page, restyle
from amn_core.formats.run_names import name_runs
from amn_core.formats.runs import Run, load_run
from amn_core.scoring import Terms, choose_terms, draw_runs, load_alike, score_run_images, score_under
from amn_core.sweep import Bootstrap, Counts, Protocol, Summary
from amn_core.sweep.curves import find_threshold
from amn_core.sweep.images import ImageScores
from amn_core.sweep.scores import MASK_LEVEL

PEAK = "the peak: highest mIoU on the ground truth of these images (an oracle choice)"
GIVEN = "given"
NORMALISATIONS = {
    "max": "by the maximum of each", "image-softmax": "by softmax over background and the image's classes",
    "softmax": "by softmax over all classes", "min-max": "by softmax over all classes, then each by its range",
    "official": "as in the code of AMN",
}
PEAKS = "Peaks are chosen on the ground truth of these images (an oracle)."


@dataclass(frozen=True)
class Source:
    """One run in a figure: its folder, counts of the images that are drawn, look, and threshold.

    `index` is that of the threshold in the grid of the counts.
    """

    run: Run
    counts: Counts
    look: Look
    summary: Summary
    index: int

    @property
    def threshold(self) -> float:
        """The run's global threshold."""
        return float(self.counts.thresholds[self.index])


@dataclass(frozen=True)
class Material:
    """Everything that a figure is drawn from.

    Attributes:
        sources: the runs in the order they were given; all have the same images, thresholds and classes.
        terms: what all runs are scored over. chosen: how the thresholds were chosen.
        left_out: how many images were left out because not all runs have them.
    """

    config: FigureConfig
    page: Page
    sources: tuple[Source, ...]
    terms: Terms
    chosen: str
    left_out: int

    @property
    def protocol(self) -> Protocol:
        """How scores are averaged."""
        return self.terms.protocol

    @property
    def classes(self) -> list[str] | None:
        """Names of the classes that are averaged over, None for all."""
        return self.terms.class_list

    @cached_property
    def bootstraps(self) -> list[Bootstrap]:
        """Resamples of the images, the same for all runs."""
        config = self.config
        runs, counts = ([getattr(source, name) for source in self.sources] for name in ("run", "counts"))
        return draw_runs(runs, counts, [self.terms] * len(runs), config.resamples, config.seed, config.level)

    @cached_property
    def image_scores(self) -> list[ImageScores]:
        """Scores of each image at each threshold, by run."""
        classes = self.classes or "all"
        return [score_run_images(source.run, classes=classes, averaging=self.protocol, counts=source.counts)
                for source in self.sources]

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The images that are drawn, in order."""
        return self.sources[0].counts.image_ids

    @property
    def interval_note(self) -> str:
        """What an interval is, for a caption."""
        c = self.config
        return f"{100 * c.level:g} % bootstrap intervals over images ({c.resamples} resamples, seed {c.seed})"

    @property
    def threshold_note(self) -> str:
        """Which thresholds are used, for a caption."""
        values = {f"{source.threshold:.3f}" for source in self.sources}
        named = ", ".join(f"{source.look.label} {source.threshold:.3f}" for source in self.sources)
        if self.chosen == GIVEN:
            return f"at the given threshold{'s' * (len(values) > 1)} ({named if len(values) > 1 else values.pop()})"
        return f"each run at its peak ({named})"

    @property
    def choice_note(self) -> str:
        """How the thresholds were chosen, for a note; nothing if they were given."""
        return "" if self.chosen == GIVEN else PEAKS


def load_material(config: FigureConfig, places: Sequence[str] = ()) -> Material:
    """Load the runs of a figure.

    Args:
        config: resolved. places: folders to read the runs from, if they lie elsewhere than the config says.

    Raises:
        ValueError: a run without counts, runs that cannot be compared, or an unknown class, image or threshold.
    """
    runs = [load_run(path) for path in places or config.runs]
    counts = load_alike(runs)
    check_comparable(runs, counts, config)
    counts, left_out = keep_common(counts, config.images)
    terms = choose_terms(runs[0], counts[0], classes=config.classes, averaging=config.protocol)
    looks = restyle(build_looks([run.method for run in runs], name_runs(runs)), config.names, config.colours)
    summaries = [score_under(run, one, terms) for run, one in zip(runs, counts, strict=True)]
    indices, chosen = choose_thresholds(config.threshold, counts, summaries)
    sources = tuple(map(Source, runs, counts, looks, summaries, indices))
    return Material(config, choose_page(config.preset, config.width), sources, terms, chosen, left_out)


def check_comparable(runs: Sequence[Run], counts: Sequence[Counts], config: FigureConfig) -> None:
    """Raise ValueError if runs differ in what makes a score; what the config names settles classes and averaging."""
    for run, own in zip(runs[1:], counts[1:], strict=True):
        if own.class_names != counts[0].class_names:
            raise ValueError(f"{run.path} has other classes than {runs[0].path}: draw them apart")
        if not config.classes and set(run.scored_classes) != set(runs[0].scored_classes):
            raise ValueError(f"{run.path} averages over other classes than {runs[0].path}: pass --classes")
        if not config.protocol and run.averaging != runs[0].averaging:
            raise ValueError(f"{run.path} is averaged by {run.averaging}, {runs[0].path} by {runs[0].averaging}: pass "
                             "--protocol")
        for key in ("ground_truth", "ignore"):
            values = [one.meta["protocol"].get(key) for one in (runs[0], run)]
            if None not in values and values[0] != values[1]:
                raise ValueError(f"{run.path} was counted with {key} {values[1]}, {runs[0].path} with {values[0]}: "
                                 "count both against the same ground truth")


def keep_common(counts: Sequence[Counts], listed: str) -> tuple[list[Counts], int]:
    """Keep the images that all runs have, in the order of the first, and of these the listed ones if there is a list.

    Returns:
        The counts, and how many images of some run were left out because another lacks them.
    """
    known = set().union(*(one.image_ids for one in counts))
    asked = set(read_id_list(Path(listed), known.__contains__)) if listed else known
    common = set(counts[0].image_ids).intersection(*(one.image_ids for one in counts), asked)
    if not common:
        raise ValueError("the runs have no image in common: draw runs of one data set and split")
    kept = tuple(image_id for image_id in counts[0].image_ids if image_id in common)
    all_ids = set().union(*(one.image_ids for one in counts)) & asked
    return [one if one.image_ids == kept else one.select(list(kept)) for one in counts], len(all_ids) - len(kept)


def choose_thresholds(
    text: str, counts: Sequence[Counts], summaries: Sequence[Summary]
) -> tuple[list[int], str]:
    """Choose the threshold of each run: its peak, or what is given; returns indices and how they were chosen.

    Finished masks are the same at every threshold.

    Raises:
        ValueError: neither a number nor ``peak``, outside the grid, or not one for each run.
    """
    grid = counts[0].thresholds
    if text.strip() in ("", "peak"):
        peaks = [summary.peak_threshold for summary in summaries]
        return [find_threshold(grid, MASK_LEVEL if np.isnan(peak) else peak) for peak in peaks], PEAK
    values = parse_numbers(text, "threshold")
    if len(values) not in (1, len(counts)):
        raise ValueError(f"threshold has {len(values)} numbers for {len(counts)} runs: give one, or one for each")
    values = values * len(counts) if len(values) == 1 else values
    return [find_threshold(grid, value) for value in values], GIVEN


def parse_numbers(text: str, name: str) -> list[float]:
    """Parse numbers separated by commas.

    Raises:
        ValueError: one of them is no number; the message names the argument.
    """
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ValueError(f"{name} is {text!r}: give numbers separated by commas, such as 0.2,0.35") from None


def describe_images(material: Material) -> str:
    """Describe the images and the ground truth behind every number, as one sentence of a caption."""
    run = material.sources[0].run
    counted = run.meta.get("counts", {})
    truth, ignore = (run.meta["protocol"].get(key, "") for key in ("ground_truth", "ignore"))
    parts = [f"{len(material.image_ids)} images of {counted.get('data', run.meta['data'])}, "
             f"{counted.get('split', run.meta['split'])}"]
    parts += [f"ground truth {truth}"] * bool(truth)
    parts.append(ignore or "255 left out")
    if material.left_out:
        parts.append(f"{material.left_out} images that not all runs have are left out")
    if material.config.images:
        parts.append("restricted to a list")
    return "; ".join(parts) + "."


def describe_protocol(material: Material) -> str:
    """Describe how scores are averaged and how maps were made, as sentences of a caption."""
    over = f" over {', '.join(material.classes)}" if material.classes else ""
    text = f"mIoU{over}: {material.protocol.description} (protocol {material.protocol.name})."
    ways = {s.look.label: s.run.meta["protocol"].get("normalisation", "not said") for s in material.sources}
    ways = {label: NORMALISATIONS.get(way, way) for label, way in ways.items()}
    if len(set(ways.values())) == 1:
        return f"{text} Maps normalised {next(iter(ways.values()))}."
    return f"{text} Maps normalised: {'; '.join(f'{label} {way}' for label, way in ways.items())}."


def write_caption(material: Material, text: str, *notes: str) -> Caption:
    """Write a caption of runs: its text, and in the note what is given, the protocol and the images."""
    return Caption(text).add_note(*notes, describe_protocol(material), describe_images(material))


def has_one_scale(material: Material) -> bool:
    """Whether all maps were normalised alike, so that numbers that depend on their scale may be ranked."""
    return len({source.run.meta["protocol"].get("normalisation") for source in material.sources}) == 1


def find_present(material: Material) -> np.ndarray:
    """Find the object classes that occur in the ground truth or the labels of some run, and count: (n,) indices."""
    names = material.sources[0].counts.class_names
    present = np.unique(np.concatenate([source.counts.separation_class for source in material.sources]))
    kept = present if material.classes is None else [c for c in present if names[c] in material.classes]
    return np.array([c for c in kept if c > 0], dtype=np.int64)
