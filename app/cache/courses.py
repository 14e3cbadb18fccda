"""The steps of an assignment, judged once for each version of its files."""

import streamlit as st

from amn_core.course.assignment import Assignment
from amn_core.course.steps import Tick
from app import coursework


def load_ticks(assignment: Assignment) -> list[Tick]:
    """Load which steps of an assignment are done, and note when each was found done first."""
    return judge(str(assignment.folder), coursework.mark_version(assignment), assignment)


@st.cache_resource(max_entries=8, show_spinner=False)
def judge(folder: str, version: tuple, _assignment: Assignment) -> list[Tick]:
    """Judge the steps, once for each version of what they are judged by."""
    from amn_core.course.report import NAME
    from amn_core.course.steps import judge_report, judge_steps
    from amn_core.course.work import describe_work, find_runs, note

    work, runs = describe_work(_assignment), find_runs(_assignment)
    ticks = judge_steps(work, runs)
    ticks.append(judge_report(_assignment.folder / NAME, work, ticks))
    for tick in ticks:
        if tick.is_done:
            note(_assignment.folder, "step", tick.step.id)
    return ticks
