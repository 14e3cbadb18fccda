"""A source and a target to an answer: what is counted, first on a sample and then in full, and what is searched."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import numpy as np

from amn_core.compute.parallel import run_chunks
from amn_core.diagnose.allowed import Allowed, allow_counts, find_allowed
from amn_core.diagnose.counting import Counting, convert_counts, count_some, merge
from amn_core.diagnose.curve import Fit, Pasted, fit_readings
from amn_core.diagnose.findings import Finding, find_findings
from amn_core.diagnose.readings import CHANGES, PixelReading, Reading, find_pixels, list_changes, spread, word_value
from amn_core.diagnose.scores import Board
from amn_core.diagnose.search import (
    SHARE,
    Explanation,
    Found,
    Step,
    Target,
    are_same,
    build_path,
    list_combinations,
    search,
)
from amn_core.diagnose.sources import Source, open_source

SAMPLE = 48  # images on which every reading is counted first
FEW = 96  # images that are all counted under every reading at once
LEADERS = 10  # readings with two changes of pixels that are counted in full
MOST_SHOWN = 5
# How far a sample may be from all images, fraction of 1: with what all of them score at first, and by itself.
SLACK, ALONE = 0.02, 0.05
CHUNK = 24
Ask = tuple[str, str, str, str]  # what `open_source` opens again in another process
TELLING = 1 - SHARE


@dataclass(frozen=True)
class Diagnosis:
    """What is the matter with a number.

    Attributes:
        source, allowed, board, base: what was read, and how at first. score: (3,) then.
        target: None where there is none. found: the answers; None without a target.
        path: steps of the answer, None where there is no answer or one number does not tell.
        others: further answers with their paths. findings: what is suspicious by itself.
        images: number of images that were scored. estimate: what a sample of so many images said first.
    """

    source: Source = field(repr=False)
    allowed: Allowed = field(repr=False)
    board: Board = field(repr=False)
    base: Reading
    score: np.ndarray
    target: Target | None
    found: Found | None
    path: list[Step] | None
    others: list[tuple[Explanation, list[Step]]]
    findings: list[Finding]
    images: int

    @property
    def is_telling(self) -> bool:
        """Whether few other targets would have been reached at the cost of the answer."""
        return self.found is not None and bool(self.found.answers) and self.found.sure >= TELLING


def diagnose(
    ask: Ask, target: Target | None = None, cut: float | None = None, classes: Sequence[int] | None = None,
    workers: int = 1, tell: Callable[[str], None] = lambda text: None,
) -> Diagnosis:
    """Diagnose files: what leads from their score to a target, and what is suspicious about them by themselves.

    Args:
        ask: path, spec, split and kind, see `open_source`. cut: the threshold of the user's number; None for the
            peak. classes: indices to average over, all by default. workers: processes.
        tell: takes a line about what is known so far.

    Raises:
        ValueError: what `open_source` and `find_allowed` raise.
    """
    opened = open_files(ask, cut, classes, workers)
    if target is not None:
        count_readings(opened, target, tell)
    return answer(opened, target)


@dataclass
class Opened:
    """Files that were looked at and counted as they are read at first, and what counts more of them."""

    source: Source
    allowed: Allowed
    base: Reading
    board: Board
    ask: Ask
    workers: int

    def count(self, readings: Iterable[PixelReading], ids: Sequence[str], what: str) -> None:
        """Count those readings that were not counted yet on some images."""
        new = tuple(dict.fromkeys(one for one in readings if one not in self.board.countings))
        self.board.countings |= self.make(new, ids, what)
        self.board.covered.clear()

    def make(self, readings: Sequence[PixelReading], ids: Sequence[str], what: str) -> dict[PixelReading, Counting]:
        """Count readings on some images, on one process or several."""
        if not readings:
            return {}
        work = partial(count_part, self.ask, self.allowed.known, readings)
        parts = list(run_chunks(work, ids, what, self.workers if len(ids) > FEW else 1, CHUNK))
        return {reading: merge([part[reading] for part in parts]) for reading in readings}


def open_files(ask: Ask, cut: float | None, classes: Sequence[int] | None = None, workers: int = 1) -> Opened:
    """Open files and find what they allow; nothing is counted yet."""
    source = open_source(*ask)
    allowed = allow_counts(source) if source.counts is not None else find_allowed(source)
    base = allowed.choices.build_base(cut)
    chosen = np.arange(len(source.class_names)) if classes is None else np.array(sorted(classes))
    board = Board({}, source.lists, len(source.class_names), chosen, source.is_masks)
    return Opened(source, allowed, base, board, ask, workers)


def count_base(opened: Opened) -> None:
    """Count files as they are read at first, and as they themselves speak for, unless that is done."""
    source, board, base = opened.source, opened.board, opened.base
    pixels = find_pixels(base, source.is_masks)
    if pixels in board.countings:
        return
    if source.counts is None:
        opened.count([pixels], source.ids, "yours")
        supported = opened.allowed.find_supported(base)
        opened.count([find_pixels(supported, source.is_masks)], source.ids, "yours")
    else:
        board.countings[pixels] = convert_counts(source.counts, source.is_masks)
    opened.allowed = replace(opened.allowed, choices=drop_equal_averagings(board, opened.allowed, base))


def answer(opened: Opened, target: Target | None) -> Diagnosis:
    """Answer from what was counted: the way to a target, and what is suspicious."""
    count_base(opened)
    board, base = opened.board, opened.base
    found = None if target is None else search(board, opened.allowed, base, target)
    answers = [] if found is None else found.answers
    is_told = bool(answers) and found.sure >= TELLING
    path = build_path(board, base, answers[0].reading) if is_told else None
    kept = [one for one in answers[1:] if is_told and not adds_nothing(board, base, answers[0].reading, one.reading)]
    others = [(one, build_path(board, base, one.reading)) for one in kept[:MOST_SHOWN]]
    return Diagnosis(opened.source, opened.allowed, board, base, board.score(base), target, found, path, others,
                     find_findings(opened.source, opened.allowed, board, base), len(opened.source.dataset.ids))


def adds_nothing(board: Board, base: Reading, answer: Reading, other: Reading) -> bool:
    """Tell whether a reading is the answer with a further change that has no effect on these files."""
    own, more = ({(name, getattr(one, name)) for name in list_changes(base, one)} for one in (answer, other))
    return own < more and are_same(board, answer, other)


@lru_cache(maxsize=1)
def open_once(ask: Ask) -> Source:
    """Open a source once in each process."""
    return open_source(*ask)


def count_part(ask: Ask, known, readings: Sequence[PixelReading], ids: Sequence[str]) -> dict[PixelReading, Counting]:
    """Count some images, in whatever process."""
    return count_some(open_once(ask), known, readings, ids)


def drop_equal_averagings(board: Board, allowed: Allowed, base: Reading):
    """Drop the averaging rules that cannot differ on these files."""
    choices, kept = allowed.choices, [base.averaging]
    tried = [base.change("numbering", n) for n in choices.numbering if board.has(base.change("numbering", n))]
    for name in choices.averaging[1:]:
        curves = [(board.curve(one), board.curve(one.change("averaging", name))) for one in tried]
        if not all(np.array_equal(*pair, equal_nan=True) for pair in curves):
            kept.append(name)
    return replace(choices, averaging=tuple(kept))


def list_pixels(allowed: Allowed, base: Reading, most: int, is_masks: bool) -> list[PixelReading]:
    """List the readings of pixels with at most some changes, each once."""
    names = ("ground_truth", "normalisation", "background", "size", *(("numbering",) if is_masks else ()))
    others = {name: (value,) for name, value in base.__dict__.items() if name not in (*names, "cut")}
    narrow = replace(allowed, choices=replace(allowed.choices, **others))
    return list(dict.fromkeys(find_pixels(one, is_masks) for one, _ in list_combinations(narrow, base, most)))


def count_readings(opened: Opened, target: Target | None, tell: Callable[[str], None] = lambda text: None) -> None:
    """Count what the search needs: all where images are few, else the leading readings that a sample names.

    Args:
        tell: takes what a sample says, before anything is counted in full.

    Raises:
        ValueError: no target, and too many images to count them under every reading.
    """
    if take_all(opened):
        return
    if target is None:
        raise ValueError(f"{len(opened.source.dataset.ids)} images and no target: nothing says which readings lead")
    few = sample_readings(opened)
    wide = replace(target, tolerance=tuple(half + SLACK for half in target.tolerance))
    alone = replace(target, tolerance=tuple(half + ALONE for half in target.tolerance))
    tell(describe_first(opened, search(few, opened.allowed, opened.base, alone), len(few.lists[opened.base.images])))
    count_base(opened)
    found = search(few, opened.allowed, opened.base, wide, adjust=partial(expect, few, opened.board, opened.base))
    ranked = sorted(found.answers, key=lambda one: one.cost + target.measure(one.score).sum() / SLACK)
    count_leading(opened, [one.reading for one in ranked])


def count_for_curve(opened: Opened, pasted: Pasted) -> None:
    """Count what a pasted curve may be explained by: all where images are few, else what a sample fits best."""
    if take_all(opened):
        return
    few = sample_readings(opened)
    count_base(opened)
    fits = fit_readings(few, opened.allowed, opened.base, pasted, partial(expect, few, opened.board, opened.base))
    count_leading(opened, [fit.reading for fit in sorted(fits, key=lambda fit: fit.apart + SLACK * fit.cost)])


def take_all(opened: Opened) -> bool:
    """Count images under every reading where they are few or there are counts alone; tells whether that is done."""
    own = opened.board.lists[opened.base.images]
    if len(own) > FEW and opened.source.counts is None:
        return False
    count_base(opened)
    if opened.source.counts is None:
        opened.count(list_pixels(opened.allowed, opened.base, 2, opened.board.is_masks), opened.source.ids, "readings")
    return True


def sample_readings(opened: Opened) -> Board:
    """Count a sample of the images under every reading with at most two changes of pixels."""
    board = opened.board
    sampled = spread(board.lists[opened.base.images], SAMPLE)
    readings = list_pixels(opened.allowed, opened.base, 2, board.is_masks)
    return Board(opened.make(readings, sampled, "sample"), dict.fromkeys(board.lists, sampled), board.n_classes,
                 board.classes, board.is_masks)


def count_leading(opened: Opened, readings: Sequence[Reading]) -> None:
    """Count all images of the list under every single change of pixels, and under the first of the leading readings.

    Those that lead on another list are counted on all lists.
    """
    is_masks = opened.board.is_masks
    first = readings[:LEADERS]
    opened.count([find_pixels(one, is_masks) for one in first if one.images != opened.base.images], opened.source.ids,
                 "readings")
    single = list_pixels(opened.allowed, opened.base, 1, is_masks)
    leading = dict.fromkeys(find_pixels(reading, is_masks) for reading in readings)
    own = opened.board.lists[opened.base.images]
    opened.count([*single, *[one for one in leading if one not in single][:LEADERS]], own, "readings")


def fit_curve(opened: Opened, pasted: Pasted) -> list[Fit]:
    """Fit the readings that were counted to a pasted curve, the best first."""
    return fit_readings(opened.board, opened.allowed, opened.base, pasted)


def expect(few: Board, full: Board, base: Reading, reading: Reading, curve: np.ndarray) -> np.ndarray:
    """Expect the curve of a reading on all images: its own on the sample, plus what the counted one is off there."""
    near = replace(base, images=reading.images, ignored=reading.ignored, averaging=reading.averaging,
                   numbering=base.numbering if full.is_masks else reading.numbering, unsure=reading.unsure)
    if not full.has(near):
        return curve
    whole, part = full.curve(near), few.curve(near)
    if whole.shape != curve.shape:
        whole, part = whole.max(axis=0, keepdims=True), part.max(axis=0, keepdims=True)
    return curve + np.nan_to_num(whole - part)


def describe_first(opened: Opened, found: Found, sampled: int) -> str:
    """Describe what a sample says: the simplest way to within five points of the target, or to the nearest."""
    base, is_masks = opened.base, opened.board.is_masks
    start = f"from {sampled} of {len(opened.source.dataset.ids):,} images"
    likely = (found.answers[0] if found.answers else found.nearest).reading
    words = [f"{CHANGES[name]} {word_value(name, getattr(likely, name), is_masks)}"
             for name in list_changes(base, likely)]
    return f"{start}, {'likely' if found.answers else 'nearest'}: {', '.join(words) or 'no change'}"
