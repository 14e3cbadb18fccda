"""The audit of inherited constants: what cuts that are handed down from code to code cost on a run at hand.

A pair is judged on the plane of both cuts (`amn_core.sweep.two_cuts`), a single cut on the ordinary curve. Both are
judged on the ground truth: the audit says what a constant costs, not how one would know without ground truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.formats.runs import Run
from amn_core.presets import ONE_CUT, TWO_CUTS
from amn_core.scoring import NO_CUTS, Terms, score_plane_under, score_under
from amn_core.sweep import Counts
from amn_core.sweep.two_cuts import PairScore, find_cut, score_pair

YOURS = "given"


@dataclass(frozen=True)
class Constant:
    """A constant on trial: its name, its source, and its cuts; a single cut has no low one."""

    label: str
    source: str
    high: float
    low: float | None = None

    @property
    def cuts(self) -> str:
        """The cuts as a text."""
        return f"{self.high:.2f}" if self.low is None else f"{self.high:.2f} / {self.low:.2f}"


@dataclass(frozen=True)
class Verdict:
    """What a constant gives and costs on a run; NaN where it is not defined.

    Attributes:
        constant: the one on trial. miou: over the labelled pixels. coverage: labelled share of the scored pixels.
        miou_unsure_wrong: with unsure pixels as errors. lost_miou: against the best pair of at least the same coverage;
            of a single cut the regret, against the peak. best: that pair, or the peak's threshold.
        lost_coverage: against the widest pair of at least the same mIoU; a single cut covers all. widest: that pair.
    """

    constant: Constant
    miou: float
    coverage: float
    miou_unsure_wrong: float
    lost_miou: float
    best: tuple[float, ...]
    lost_coverage: float
    widest: tuple[float, ...]


def list_constants(pairs: Sequence[tuple[float, float]] = (), cuts: Sequence[float] = ()) -> tuple[Constant, ...]:
    """List the constants in use, pairs first, and after each kind those that are given.

    >>> [constant.cuts for constant in list_constants()][:2], list_constants(cuts=[0.4])[-1].label
    (['0.70 / 0.25', '0.65 / 0.25'], 'given')
    """
    return (
        *(Constant(one.label, one.source, one.high, one.low) for one in TWO_CUTS.values()),
        *(Constant(YOURS, "given with the command", high, low) for high, low in pairs),
        *(Constant(source.partition(",")[0], source, value) for value, source in ONE_CUT),
        *(Constant(YOURS, "given with the command", value) for value in cuts),
    )


def audit_run(
    run: Run, counts: Counts, terms: Terms, constants: Sequence[Constant] | None = None
) -> tuple[list[Verdict], list[str]]:
    """Judge constants on a run.

    Args:
        counts, terms: of the run (`amn_core.scoring.choose_terms`). constants: those in use by default.

    Returns:
        A verdict for each constant that can be judged, in order, and a note for what cannot, each once.

    >>> from amn_core.formats.runs import load_run
    >>> from amn_core.scoring import choose_terms
    >>> run = load_run("checkpoints/scenes/cam")
    >>> verdicts, notes = audit_run(run, run.counts(), choose_terms(run, run.counts()))
    >>> len(verdicts) == len(list_constants()), notes
    (True, [])
    """
    if run.is_masks:
        return [], [f"{run.path}: {NO_CUTS}"]
    constants = list_constants() if constants is None else constants
    verdicts, notes = [], {}
    judges = Judges(run, counts, terms)
    for constant in constants:
        try:
            verdicts.append(judges.judge(constant))
        except ValueError as error:
            notes[str(error)] = None
    return verdicts, list(notes)


class Judges:
    """The curve and the plane of a run, each made when the first constant asks for it."""

    def __init__(self, run: Run, counts: Counts, terms: Terms) -> None:
        self.run, self.counts, self.terms = run, counts, terms
        self.summary = self.plane = None

    def judge(self, constant: Constant) -> Verdict:
        """Judge a constant.

        Raises:
            ValueError: the counts lack a cut, or do not say what two cuts label; names the run.
        """
        return self.judge_cut(constant) if constant.low is None else self.judge_pair(constant)

    def judge_cut(self, constant: Constant) -> Verdict:
        """Judge a single cut on the curve."""
        self.summary = self.summary or score_under(self.run, self.counts, self.terms)
        miou = float(self.summary.miou[self.find(constant.high)])
        return Verdict(constant, miou, 1.0, miou, self.summary.peak_miou - miou, (self.summary.peak_threshold,),
                       np.nan, ())

    def judge_pair(self, constant: Constant) -> Verdict:
        """Judge a pair on the plane."""
        self.plane = self.plane or score_plane_under(self.run, self.counts, self.terms)
        self.find(constant.high), self.find(constant.low)
        score: PairScore = score_pair(self.plane, constant.high, constant.low)
        return Verdict(constant, score.miou, score.coverage, score.miou_unsure_wrong, score.lost_miou, score.best,
                       score.lost_coverage, score.widest)

    def find(self, cut: float) -> int:
        """Find a cut among the thresholds of the run; an error names the run."""
        try:
            return find_cut(self.counts.thresholds, cut)
        except ValueError as error:
            raise ValueError(f"{self.run.path}: {error}") from None
