"""Every number of a report, from runs: the same function computes them for the student and for the check."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from amn_core.formats.runs import Run
from amn_core.scoring import score_run, score_run_images
from amn_core.sweep import Summary

PERCENT = 100.0
# Key, head, digits and factor of each number of a run.
MEASURES = (
    ("peak_miou", "peak mIoU (%)", 1, PERCENT), ("peak_threshold", "at", 3, 1.0), ("plateau", "plateau", 3, 1.0),
    ("plateau_share", "plateau (share)", 3, 1.0), ("oracle_miou", "oracle mIoU (%)", 1, PERCENT),
    ("lost", "oracle − peak (points)", 1, PERCENT), ("gap", "gap", 3, 1.0), ("auc", "AUC", 3, 1.0),
    ("imbalance", "imbalance (CV)", 3, 1.0),
)


@dataclass(frozen=True)
class Number:
    """A number of a report: its key (``cam.peak_miou``), what it is called, its value, and as it is printed."""

    key: str
    label: str
    value: float
    text: str


def build_number(key: str, label: str, value: float, digits: int) -> Number:
    """Build a number; one that is not defined is printed as a dash."""
    return Number(key, label, float(value), f"{value:.{digits}f}" if np.isfinite(value) else "–")


def score_runs(runs: Sequence[Run]) -> dict[str, Summary]:
    """Score some runs, each by the name of its folder."""
    return {run.path.name: score_run(run) for run in runs}


def build_numbers(runs: Sequence[Run], answers: dict[str, Any]) -> dict[str, Number]:
    """Build every number of a report: those of each run, and what the chosen threshold costs on AMN's maps."""
    numbers = []
    for run, summary in zip(runs, score_runs(runs).values(), strict=True):
        for measure, label, digits, factor in MEASURES:
            value = read_measure(summary, measure) * factor
            numbers.append(build_number(f"{run.path.name}.{measure}", f"{run.name}: {label}", value, digits))
    amn = next((run for run in runs if run.path.name == "amn"), None)
    if amn is not None and "choose" in answers:
        numbers += score_choice(amn, answers["choose"]["threshold"])
    return {number.key: number for number in numbers}


def read_measure(summary: Summary, measure: str) -> float:
    """Read a measure of a run; ``lost`` is what one threshold for all images costs."""
    return summary.oracle_miou - summary.peak_miou if measure == "lost" else getattr(summary, measure)


def score_choice(run: Run, threshold: float) -> list[Number]:
    """Score a threshold that was chosen without ground truth: as counted, its mIoU, and its regret in points."""
    peak = score_run(run)
    place = int(np.argmin(np.abs(peak.thresholds - threshold)))
    miou = float(peak.miou[place])
    return [
        build_number("chosen.threshold", "chosen threshold, as counted", peak.thresholds[place], 3),
        build_number("chosen.miou", "mIoU there (%)", miou * PERCENT, 1),
        build_number("chosen.regret", "regret (points)", (peak.peak_miou - miou) * PERCENT, 1),
    ]


def rank_images(run: Run) -> list[str]:
    """Rank the images by what they lose to the run's one threshold, its peak; most first, degenerate ones left out."""
    scores = score_run_images(run)
    regret = scores.regret(score_run(run).peak_threshold)
    regret = np.where(scores.is_degenerate, np.nan, regret)
    order = np.argsort(-regret, kind="stable")
    return [run.counts().image_ids[i] for i in order if np.isfinite(regret[i])]
