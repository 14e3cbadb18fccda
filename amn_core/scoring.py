"""A run's score: the one place that knows over which classes, images and averaging it is taken.

A run's protocol may name the classes that are averaged and the averaging rule; what a caller asks for goes before
it. Finished masks have one score and no threshold. Tables, figures, reports and screens ask here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND
from amn_core.formats.run_names import name_runs
from amn_core.formats.runs import Run
from amn_core.sweep import Bootstrap, Counts, Summary, bootstrap_runs, summarise
from amn_core.sweep.confusion import Rates, average_rates, find_classes, score_confusion, score_rates
from amn_core.sweep.images import ImageRates, ImageScores, score_image_rates, score_images
from amn_core.sweep.protocols import Protocol, find_protocol, parse_classes
from amn_core.sweep.refined import find_common_thresholds, thin_counts
from amn_core.sweep.scores import drop_bootstrap_thresholds, drop_image_thresholds, drop_thresholds
from amn_core.sweep.sizes import SIZE_CUTS, SizeScores, score_sizes
from amn_core.sweep.two_cuts import Plane, score_plane

COMMON = "--common"
SHOWN = 8
NO_CUTS = "these are finished masks, which no cut changes"
NO_ACTIVATION = "A refined mask has no activation, so gap, AUC, imbalance and histograms are not defined."


@dataclass(frozen=True)
class Terms:
    """What a score is taken over.

    Attributes:
        classes: names that are averaged, in the order of the data set; None for all. protocol: of the averaging.
        images: ids that are scored.
    """

    classes: tuple[str, ...] | None
    protocol: Protocol
    images: tuple[str, ...]

    @property
    def class_list(self) -> list[str] | None:
        """The classes as the functions of `amn_core.sweep` take them."""
        return None if self.classes is None else list(self.classes)

    def select(self, counts: Counts) -> Counts:
        """Select the images that are scored."""
        return counts if self.images == counts.image_ids else counts.select(self.images)


def choose_classes(classes: str | Iterable[str] | None, run: Run) -> list[str] | None:
    """Choose the classes to average over, in the order of the data set; None for all.

    Args:
        classes: names or ids, as a text with commas or one by one, or ``all``. Nothing means those of the protocol.

    Raises:
        ValueError: a class that the run does not have.

    >>> choose_classes(None, run)[:3], choose_classes("dog,0", run), choose_classes("all", run)
    (['background', 'cat', 'cow'], ['background', 'dog'], None)
    """
    names = run.class_names
    is_text = isinstance(classes, str) and classes
    chosen = parse_classes(classes, names) if is_text else list(classes or run.scored_classes) or None
    indices = find_classes(names, chosen)
    return None if len(indices) == len(names) else [names[i] for i in indices]


def find_scored_classes(runs: Sequence[Run]) -> tuple[str, ...]:
    """Find the classes that the protocols of some runs name, for one score of all of them on one screen.

    In the order of the data set; empty, for all, where no protocol names any.

    >>> find_scored_classes([run, masks])[-2:]
    ('person', 'sheep')
    """
    own = {name for run in runs for name in run.scored_classes}
    return tuple(dict.fromkeys(name for run in runs for name in run.class_names if name in own))


def choose_terms(
    run: Run, counts: Counts, images: Iterable[str] | None = None, classes: str | Iterable[str] | None = None,
    averaging: str | Protocol | None = None,
) -> Terms:
    """Choose what a run is scored over: what is asked for, else what its protocol says, else everything.

    Args:
        counts: of the run. images: ids; by default all that were counted. classes: see `choose_classes`.
        averaging: a name in `PROTOCOLS` or `AVERAGINGS`, or a protocol; by default the run's own, else ``irn``.

    Raises:
        ValueError: an unknown class or averaging.

    >>> terms = choose_terms(run, run.counts(), averaging="seam")
    >>> len(terms.classes), len(terms.images), terms.protocol.averaging
    (7, 437, 'all')
    """
    chosen = choose_classes(classes, run)
    protocol = find_protocol(averaging or run.averaging)
    return Terms(None if chosen is None else tuple(chosen), protocol,
                 counts.image_ids if images is None else tuple(images))


def score_run(
    run: Run, images: Iterable[str] | None = None, classes: str | Iterable[str] | None = None,
    averaging: str | Protocol | None = None, threshold: float | None = None, counts: Counts | None = None,
) -> Summary:
    """Score a run: every number that a table shows.

    Args:
        images, classes, averaging: see `choose_terms`. counts: of the run, if they are at hand.
        threshold: where slope, sensitivity and regret are taken; the peak by default.

    Returns:
        A `Summary`; of finished masks, the one mIoU as peak and curve, and NaN for all that needs a threshold.

    Raises:
        ValueError: no counts, or an unknown image, class, averaging or threshold.

    >>> [f"{score_run(one).peak_miou:.3f} at {score_run(one).peak_threshold:.3f}" for one in (run, masks)]
    ['0.545 at 0.140', '0.765 at nan']
    """
    counts = run.counts() if counts is None else counts
    return score_under(run, counts, choose_terms(run, counts, images, classes, averaging), threshold)


def score_under(run: Run, counts: Counts, terms: Terms, threshold: float | None = None) -> Summary:
    """Score a run under terms that were chosen before, as `score_run` does.

    >>> counts = run.counts()
    >>> score_under(run, counts, choose_terms(run, counts)).peak_miou == score_run(run).peak_miou
    True
    """
    summary = summarise(terms.select(counts), terms.protocol, terms.class_list, threshold=threshold)
    return drop_thresholds(summary) if run.is_masks else summary


def score_run_images(
    run: Run, images: Iterable[str] | None = None, classes: str | Iterable[str] | None = None,
    averaging: str | Protocol | None = None, counts: Counts | None = None,
) -> ImageScores:
    """Score each image of a run at every threshold; arguments and errors as in `score_run`.

    >>> int(score_run_images(run).is_degenerate.sum())
    4
    """
    counts = run.counts() if counts is None else counts
    terms = choose_terms(run, counts, images, classes, averaging)
    scores = score_images(terms.select(counts), terms.protocol.averaging, terms.class_list)
    return drop_image_thresholds(scores) if run.is_masks else scores


def score_run_rates(
    run: Run, images: Iterable[str] | None = None, classes: str | Iterable[str] | None = None,
    counts: Counts | None = None,
) -> Rates:
    """Score precision, recall and error rates of a run at every threshold, means over its object classes: (T,) each.

    Args:
        images, classes, counts: as in `score_run`; of the classes those count that are in the ground truth, without
            background, so that no averaging rule changes a rate.

    Raises:
        ValueError: as in `score_run`.

    >>> rates = score_run_rates(run)
    >>> [f"{values[28]:.3f}" for values in (rates.precision, rates.recall, rates.false_positive_rate)]
    ['0.657', '0.708', '0.015']
    """
    counts = run.counts() if counts is None else counts
    return score_rates_under(counts, choose_terms(run, counts, images, classes))


def score_rates_under(counts: Counts, terms: Terms) -> Rates:
    """Score rates under terms that were chosen before, as `score_run_rates` does."""
    confusion = score_confusion(terms.select(counts))
    kept = np.setdiff1d(find_classes(counts.class_names, terms.class_list), [BACKGROUND])
    return average_rates(score_rates(confusion), kept[confusion[0].sum(axis=1)[kept] > 0])


def score_by_size(
    run: Run, cuts: Sequence[float] = SIZE_CUTS, images: Iterable[str] | None = None,
    classes: str | Iterable[str] | None = None, counts: Counts | None = None,
) -> SizeScores:
    """Score a run's objects by their size, the share of the image that a class covers, at every threshold.

    Args:
        cuts: shares of the image that part the sizes, increasing. images, classes, counts: as in `score_run`.

    Returns:
        IoU, precision, recall and error rates (B, T) with how many objects there are of each size (`SizeScores`).

    Raises:
        ValueError: as in `score_run`, or cuts that do not rise.

    >>> sizes = score_by_size(run, (0.1,))
    >>> sizes.names, sizes.pairs.tolist(), sizes.iou.max(axis=1).round(3).tolist()
    (('under 10 %', '10 % and more'), [182, 342], [0.381, 0.582])
    """
    counts = run.counts() if counts is None else counts
    terms = choose_terms(run, counts, images, classes)
    return score_sizes(terms.select(counts), cuts, terms.class_list)


def score_run_image_rates(
    run: Run, images: Iterable[str] | None = None, classes: str | Iterable[str] | None = None,
    counts: Counts | None = None,
) -> ImageRates:
    """Score precision, recall and error rates of each image at every threshold; arguments as in `score_run`.

    >>> rates = score_run_image_rates(run)
    >>> [f"{np.nanmedian(values[:, 28]):.3f}" for values in (rates.precision, rates.recall)]
    ['0.685', '0.763']
    """
    counts = run.counts() if counts is None else counts
    terms = choose_terms(run, counts, images, classes)
    return score_image_rates(terms.select(counts), terms.class_list)


def score_run_cuts(
    run: Run, images: Iterable[str] | None = None, classes: str | Iterable[str] | None = None,
    averaging: str | Protocol | None = None, counts: Counts | None = None,
) -> Plane:
    """Score every pair of cuts of a run, with unsure pixels between; arguments as in `score_run`.

    Raises:
        ValueError: as in `score_run`, or the run's counts do not say what two cuts label; names the run.

    >>> from amn_core.sweep.two_cuts import score_pair
    >>> pair = score_pair(score_run_cuts(run), 0.45, 0.25)
    >>> f"{pair.miou:.3f} of {pair.coverage:.3f}, {pair.lost_miou:.3f} below {pair.best}"
    '0.472 of 0.900, 0.116 below (0.17, 0.095)'
    """
    counts = run.counts() if counts is None else counts
    return score_plane_under(run, counts, choose_terms(run, counts, images, classes, averaging))


def score_plane_under(run: Run, counts: Counts, terms: Terms) -> Plane:
    """Score every pair of cuts of a run under terms that were chosen before, as `score_run_cuts` does."""
    if run.is_masks:
        raise ValueError(f"{run.path}: {NO_CUTS}")
    try:
        return score_plane(terms.select(counts), terms.protocol.averaging, terms.class_list)
    except ValueError as error:
        raise ValueError(f"{run.path}: {error}") from None


def load_alike(runs: Sequence[Run]) -> list[Counts]:
    """Load the counts of runs at the same thresholds, so that they can be compared.

    Masks refined at each threshold are counted at fewer of them; beside such a run all are read on the thresholds that
    they share.

    Raises:
        ValueError: no counts, or thresholds that differ though nothing was refined, or of which none is shared.
    """
    counts = [run.counts() for run in runs]
    grids = [own.thresholds for own in counts]
    if all(np.array_equal(grid, grids[0]) for grid in grids):
        return counts
    common = find_common_thresholds(grids)
    if not len(common) or not any(run.is_refined for run in runs):
        other = next(run for run, grid in zip(runs, grids, strict=True) if not np.array_equal(grid, grids[0]))
        raise ValueError(f"{other.path} was counted at other thresholds than {runs[0].path}: count it again")
    return [thin_counts(own, common) for own in counts]


def describe_refined(runs: Sequence[Run], thresholds: Sequence[float]) -> list[str]:
    """Describe what runs of refined masks lack, and on which thresholds all are read; nothing without such a run."""
    names = [run.name for run in runs if run.is_refined]
    if not names:
        return []
    rest = f" All runs are read on the {len(thresholds)} thresholds that they share." * (len(names) < len(runs))
    return [f"{', '.join(names)}: refined at each threshold. {NO_ACTIVATION}{rest}"]


def draw_runs(
    runs: Sequence[Run], counts: Sequence[Counts], terms: Sequence[Terms], resamples: int = 1000, seed: int = 0,
    level: float = 0.95,
) -> list[Bootstrap]:
    """Draw the images of runs again and again, the same for all, and score each draw (`bootstrap_runs`).

    Raises:
        ValueError: the runs differ in images, classes or averaging, so that no draw pairs them.

    >>> counts = [run.counts(), masks.counts()]
    >>> terms = [choose_terms(one, own) for one, own in zip((run, masks), counts)]
    >>> drawn = draw_runs([run, masks], counts, terms, resamples=2)
    >>> drawn[0].draw == drawn[1].draw
    True
    """
    for topic, value in describe_differences(runs, terms).items():
        raise ValueError(f"the runs differ in {topic} ({value}), so that no draw pairs them: pass {COMMON}, or name "
                         "--classes")
    selected = [one.select(own) for own, one in zip(counts, terms, strict=True)]
    drawn = bootstrap_runs(selected, terms[0].protocol, terms[0].class_list, resamples, seed, level)
    return [drop_bootstrap_thresholds(one) if run.is_masks else one for run, one in zip(runs, drawn, strict=True)]


def share_terms(runs: Sequence[Run], terms: Sequence[Terms]) -> Terms:
    """Find the terms that runs can be scored under alike: the classes and images they share, one averaging.

    Where their averaging differs it is ``irn``.

    Raises:
        ValueError: they share no image, or no class but background.

    >>> counts = run.counts()
    >>> few = choose_terms(run, counts, counts.image_ids[:5], "background,cat,train")
    >>> shared = share_terms([run, run], [choose_terms(run, counts), few])
    >>> shared.classes, len(shared.images)
    (('background', 'cat'), 5)
    """
    scored = [own.classes or run.class_names for run, own in zip(runs, terms, strict=True)]
    classes = tuple(name for name in scored[0] if all(name in names for names in scored))
    common = set(terms[0].images).intersection(*(own.images for own in terms))
    images = tuple(image_id for image_id in terms[0].images if image_id in common)
    if not images or not set(classes) - {runs[0].class_names[0]}:
        raise ValueError(f"the runs share no {'image' if not images else 'class'}: compare runs of one data set")
    protocols = {own.protocol.name: own.protocol for own in terms}
    protocol = find_protocol("irn") if len(protocols) > 1 else terms[0].protocol
    return Terms(classes, protocol, images)


def describe_differences(runs: Sequence[Run], terms: Sequence[Terms]) -> dict[str, str]:
    """Describe in what the scores of runs differ before any map does: topic -> the values in words; empty if alike.

    >>> counts = run.counts()
    >>> describe_differences([run, masks], [choose_terms(run, counts), choose_terms(masks, counts, averaging="toco")])
    {'averaging': 'CAM union; AMN + CRF present'}
    """
    classes = [own.classes or run.class_names for run, own in zip(runs, terms, strict=True)]
    values = {
        "classes": ([frozenset(names) for names in classes], [name_classes(names) for names in classes]),
        "images": ([frozenset(own.images) for own in terms], [f"{len(own.images)} images" for own in terms]),
        "averaging": ([own.protocol.averaging for own in terms], [own.protocol.averaging for own in terms]),
    }
    return {topic: describe_values(runs, words) for topic, (keys, words) in values.items() if len(set(keys)) > 1}


def name_classes(names: Sequence[str]) -> str:
    """Name some classes for people: how many, and which if they are few."""
    return f"{len(names)} classes" + f" ({', '.join(names)})" * (len(names) <= SHOWN)


def describe_values(runs: Sequence[Run], words: Sequence[str]) -> str:
    """Describe one value a run, each value once, with the runs that have it."""
    called = name_runs(runs)
    names = {word: [name for name, own in zip(called, words, strict=True) if own == word] for word in words}
    return "; ".join(f"{', '.join(have)} {word}" for word, have in names.items())


def describe_degenerate(n: int) -> str:
    """Describe how many images have no place in a ranking, in one sentence; empty if all have.

    >>> describe_degenerate(2)
    '2 degenerate images (no scored background, or no scored object): counted in the scores, left out of rankings.'
    """
    if not n:
        return ""
    return (f"{n} degenerate image{'s' if n > 1 else ''} (no scored background, or no scored object): counted in the "
            "scores, left out of rankings.")
