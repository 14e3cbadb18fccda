"""What the same answers say of every run: threshold, regret, mIoU, and how far it is above the chosen one."""

import pandas as pd
import streamlit as st

from amn_core.formats.runs import Run
from app.cache import answers as cached_answers
from app.cache import runs as cached
from app.cache.own import OwnAnswers
from app.words.answers import write_difference, write_score


def render_runs(runs: dict[str, Run], key: str, chosen: cached_answers.Standing, own: OwnAnswers | None) -> None:
    """Draw the table of runs; the one with the key was chosen."""
    st.dataframe(build_table(runs, chosen, own), hide_index=True, column_config={
        "threshold": st.column_config.NumberColumn("Threshold", format="%.3f"),
        "lost": st.column_config.NumberColumn("Regret at most (points, 95 %)", format="%.1f"),
        "score": "mIoU (%, 95 %)", "above": f"Above {cached.name_runs(runs)[key]} (points, 95 %)"})


def build_table(runs: dict[str, Run], chosen: cached_answers.Standing, own: OwnAnswers | None) -> pd.DataFrame:
    """Build the table; a viewer's own answers are those of the page."""
    names, rows = cached.name_runs(runs), []
    for key, run in runs.items():
        standing = cached_answers.load_standing(run, own)
        difference = cached_answers.compare_standings(chosen, standing)
        rows.append({"Run": names[key], "threshold": standing.threshold, "lost": standing.bounds.lost * 100,
                     "score": write_score(standing.bounds), "above": write_difference(difference)})
    return pd.DataFrame(rows)
