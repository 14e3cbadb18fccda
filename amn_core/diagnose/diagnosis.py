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
MOST_FITS = 200
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
    """Open files, find what they allow, and count them as they are read at first."""
    source = open_source(*ask)
    allowed = allow_counts(source) if source.counts is not None else find_allowed(source)
    base = allowed.choices.build_base(cut)
    chosen = np.arange(len(source.class_names)) if classes is None else np.array(sorted(classes))
    board = Board({}, source.lists, len(source.class_names), chosen, source.is_masks)
    opened = Opened(source, allowed, base, board, ask, workers)
    if source.counts is None:
        opened.count([find_pixels(base, source.is_masks)], source.ids, "yours")
        opened.count([find_pixels(allowed.find_supported(base), source.is_masks)], source.dataset.ids, "yours")
    else:
        board.countings[find_pixels(base, source.is_masks)] = convert_counts(source.counts, source.is_masks)
    opened.allowed = replace(allowed, choices=drop_equal_averagings(board, allowed, base))
    return opened


def answer(opened: Opened, target: Target | None) -> Diagnosis:
    """Answer from what was counted: the way to a target, and what is suspicious."""
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

    Raises:
        ValueError: no target, and too many images to count them under every reading.
    """
    board, base, allowed = opened.board, opened.base, opened.allowed
    if opened.source.counts is not None:
        return
    own = board.lists[base.images]
    single, double = (list_pixels(allowed, base, most, board.is_masks) for most in (1, 2))
    if len(own) <= FEW:
        opened.count(double, opened.source.ids, "readings")
        return
    sampled = spread(own, SAMPLE)
    few = Board(opened.make(double, sampled, "sample"), dict.fromkeys(board.lists, sampled), board.n_classes,
                board.classes, board.is_masks)
    first = search(few, allowed, base, target, adjust=partial(expect, few, board, base))
    tell(describe_first(base, first, len(sampled), len(own), board.is_masks))
    ranked = rank(few, board, allowed, base, target)
    leading = dict.fromkeys(find_pixels(one.reading, board.is_masks) for one in ranked)
    opened.count([*single, *[one for one in leading if one not in single][:LEADERS]], own, "readings")


def count_for_curve(opened: Opened, pasted: Pasted) -> None:
    """Count what a pasted curve may be explained by: all where images are few, else what a sample fits best."""
    board, base, allowed = opened.board, opened.base, opened.allowed
    own = board.lists[base.images]
    if len(own) <= FEW or opened.source.counts is not None:
        count_readings(opened, None)
        return
    sampled = spread(own, SAMPLE)
    single, double = (list_pixels(allowed, base, most, board.is_masks) for most in (1, 2))
    few = Board(opened.make(double, sampled, "sample"), dict.fromkeys(board.lists, sampled), board.n_classes,
                board.classes, board.is_masks)
    fits = fit_readings(few, allowed, base, pasted, partial(expect, few, board, base))
    ranked = sorted(fits, key=lambda fit: fit.apart + 0.01 * fit.cost)
    leading = dict.fromkeys(find_pixels(fit.reading, board.is_masks) for fit in ranked[:MOST_FITS])
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


def rank(few: Board, full: Board, allowed: Allowed, base: Reading, target: Target) -> list[Explanation]:
    """Rank readings by cost and by how far a sample expects them from the target."""
    wide = replace(target, tolerance=tuple(half + 0.02 for half in target.tolerance))
    found = search(few, allowed, base, wide, adjust=partial(expect, few, full, base))
    return sorted(found.answers, key=lambda one: one.cost + target.measure(one.score).sum() / 0.02)


def describe_first(base: Reading, found: Found, sampled: int, images: int, is_masks: bool) -> str:
    """Describe what a sample says."""
    start = f"from {sampled} of {images:,} images"
    if not found.answers:
        return f"{start}: nothing leads there so far; the nearest is {100 * found.nearest.score[0]:.1f}"
    likely = found.answers[0].reading
    words = [f"{CHANGES[name]} {word_value(name, getattr(likely, name), is_masks)}"
             for name in list_changes(base, likely)]
    return f"{start}, likely: {', '.join(words) or 'no change'}"

