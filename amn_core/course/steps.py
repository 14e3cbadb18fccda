"""Which steps are done, judged by what is there: the check's report, runs, images that were opened, answers.

The same judgement is made on a student's folder and on what a report holds; a mark alone counts for nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.course.assignment import QUESTIONS, STEPS, Step
from amn_core.course.numbers import MEASURES, rank_images, read_measure, score_runs
from amn_core.course.record import read_report
from amn_core.formats.runs import Run

WORST, OPENED = 5, 3  # of so many images that lose most, so many are to be opened
FEWEST = 40  # characters of an answer in words
# What a number that was read may be off by: half of its last digit, and a little for rounding twice.
SLACK = {1: 0.0501, 3: 0.000501}
READ = {"cam_threshold": ("cam", "peak_threshold"), "cam_miou": ("cam", "peak_miou"),
        "amn_threshold": ("amn", "peak_threshold"), "amn_miou": ("amn", "peak_miou"), "cam_lost": ("cam", "lost")}
LABELS = {"cam_threshold": "CAM's threshold", "cam_miou": "CAM's peak", "amn_threshold": "AMN's threshold",
          "amn_miou": "AMN's peak", "cam_lost": "CAM's oracle − peak"}


@dataclass(frozen=True)
class Tick:
    """A step, whether it is done, and what was found or what is missing."""

    step: Step
    is_done: bool
    text: str


def judge_steps(work: dict[str, Any], runs: Sequence[Run]) -> list[Tick]:
    """Judge every step but the report by what was done (`amn_core.course.work.describe_work`) and the runs."""
    by_folder = {run.path.name: run for run in runs}
    return [Tick(step, *JUDGES[step.id](work, by_folder)) for step in STEPS if step.id in JUDGES]


Verdict = tuple[bool, str]


def judge_data(work: dict[str, Any], runs: dict[str, Run]) -> Verdict:
    """Whether the data of the assignment were checked, without errors."""
    checked, asked = work["checked"], work["assignment"]
    if not checked:
        return False, "No check of the data yet."
    if not names_same(checked["data"], asked["data"]) or checked["split"] != asked["split"]:
        return False, f"Other data were checked: {checked['data']}, {checked['split']}."
    if checked["errors"]:
        return False, f"The check found {checked['errors']} kinds of errors: mend them, then check again."
    return True, f"{checked['images']} images, no errors."


def names_same(found: str, asked: str) -> bool:
    """Whether two specs name the same data: the longer one may say more options, as a check of scenes does."""
    parts = [set(text.partition(":")[2].split(",")) for text in (found, asked)]
    return found.partition(":")[0] == asked.partition(":")[0] and parts[1] <= parts[0]


def judge_guess(work: dict[str, Any], runs: dict[str, Run]) -> Verdict:
    """Whether a guess was committed."""
    guess = work["answers"].get("guess")
    if guess is None:
        return False, "No guess yet."
    return True, f"CAM peaks at {guess['peak_threshold']:g}, one threshold costs {guess['lost']:g} points."


def judge_maps(work: dict[str, Any], runs: dict[str, Run]) -> Verdict:
    """Whether there are runs of CAM and of AMN with maps of the same images."""
    missing = [name for name, key in (("CAM", "cam"), ("AMN", "amn")) if key not in runs]
    if missing:
        return False, f"No run of {' and '.join(missing)} on these data yet."
    ids = [set(runs[key].map_ids) for key in ("cam", "amn")]
    if ids[0] != ids[1]:
        return False, f"CAM has maps of {len(ids[0])} images, AMN of {len(ids[1])}."
    return True, f"CAM and AMN, {len(ids[0])} images each."


def judge_look(work: dict[str, Any], runs: dict[str, Run]) -> Verdict:
    """Whether enough of the images that lose most under CAM were opened."""
    if "cam" not in runs:
        return False, "Make the maps first."
    worst = rank_images(runs["cam"])[:WORST]
    opened = [image_id for image_id in worst if image_id in work["seen"]]
    needed = min(OPENED, len(worst))
    text = f"{len(opened)} of the {len(worst)} images that lose most were opened"
    return len(opened) >= needed, f"{text}." if len(opened) >= needed else f"{text}; {needed} are asked for."


def judge_curves(work: dict[str, Any], runs: dict[str, Run]) -> Verdict:
    """Whether the numbers that were read are those of the runs."""
    read = work["answers"].get("curves")
    if read is None or not {"cam", "amn"} <= set(runs):
        return False, "No numbers yet." if read is None else "Make the maps first."
    wrong = find_misread(read, runs)
    return not wrong, f"Read again: {', '.join(wrong)}." if wrong else "All five are those of your runs."


def find_misread(read: dict[str, Any], runs: dict[str, Run]) -> list[str]:
    """Find the numbers that were not read as the runs give them."""
    summaries = score_runs([runs["cam"], runs["amn"]])
    shapes = {measure: (digits, factor) for measure, _, digits, factor in MEASURES}
    wrong = []
    for name, (folder, measure) in READ.items():
        digits, factor = shapes[measure]
        off = abs(read[name] - read_measure(summaries[folder], measure) * factor)
        if not off <= SLACK[digits]:
            wrong.append(LABELS[name])
    return wrong


def judge_choose(work: dict[str, Any], runs: dict[str, Run]) -> Verdict:
    """Whether a threshold was chosen, with a reason."""
    chosen = work["answers"].get("choose")
    if chosen is None:
        return False, "No threshold chosen yet."
    if len(chosen["why"].strip()) < FEWEST:
        return False, f"Threshold {chosen['threshold']:g}; say in a few sentences how you found it."
    return True, f"Threshold {chosen['threshold']:g}."


def judge_refine(work: dict[str, Any], runs: dict[str, Run]) -> Verdict:
    """Whether AMN's masks were refined at the threshold that was chosen."""
    chosen = work["answers"].get("choose")
    if chosen is None:
        return False, "Choose a threshold first."
    told = [at for run in runs.values() if (at := read_cut(run)) is not None]
    if not any(np.isclose(at, chosen["threshold"], atol=1e-6) for at in told):
        done = f"Refined at {', '.join(f'{at:g}' for at in told)}, but" if told else "No refined run yet;"
        return False, f"{done} {chosen['threshold']:g} was chosen."
    return True, f"Refined at {chosen['threshold']:g}."


def read_cut(run: Run) -> float | None:
    """Read at which threshold a run was cut before it was refined; None if it was not."""
    at = ((run.meta.get("refinement") or {}).get("parameters") or {}).get("threshold")
    return float(at) if isinstance(at, int | float) else None


def judge_words(work: dict[str, Any], runs: dict[str, Run]) -> Verdict:
    """Whether the questions were answered."""
    answers = work["answers"].get("words", {})
    short = [name for name in QUESTIONS if len(str(answers.get(name, "")).strip()) < FEWEST]
    done = len(QUESTIONS) - len(short)
    return not short, f"{done} of {len(QUESTIONS)} answered" + (", in a few sentences each." if short else ".")


JUDGES: dict[str, Callable[[dict[str, Any], dict[str, Run]], Verdict]] = {
    "data": judge_data, "guess": judge_guess, "maps": judge_maps, "look": judge_look, "curves": judge_curves,
    "choose": judge_choose, "refine": judge_refine, "words": judge_words,
}


def judge_report(path: Path, work: dict[str, Any], ticks: Sequence[Tick]) -> Tick:
    """Judge the last step: whether there is a report, and whether it holds what was done until now."""
    step = STEPS[-1]
    if not path.is_file():
        return Tick(step, False, "No report yet.")
    try:
        record = read_report(path)[1]
    except ValueError as error:
        return Tick(step, False, f"The report cannot be read: {error}.")
    told = {tick.step.id: tick.is_done for tick in ticks}
    if (record.get("answers"), record.get("seen"), record.get("steps")) != (work["answers"], work["seen"], told):
        return Tick(step, False, "Something was done since the report was written: write it again.")
    still = [tick.step.title for tick in ticks if not tick.is_done]
    return Tick(step, True, f"Written; open in it: {', '.join(still)}." if still else "Written, with every step done.")
