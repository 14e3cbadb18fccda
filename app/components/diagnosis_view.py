"""How a diagnosis stands and what it found: the path as steps with points and pictures, and what is suspicious."""

from typing import Any

import streamlit as st

from amn_core.compute.progress import read_progress
from amn_core.jobs import Job
from amn_core.jobs.folder import PROGRESS
from app import diagnosing, state
from app.words.text import escape

STAGES = {"yours": "counting as it is read at first", "sample": "trying every reading on a sample",
          "readings": "counting the leading readings"}


def render_job(job: Job) -> None:
    """Render a diagnosis: how far it is, what went wrong, or what it found."""
    if job.is_active:
        found = read_progress(job.path / PROGRESS)
        stage = STAGES.get(found.get("what", ""), "looking at the files")
        st.progress(found.get("share", 0.0), text=f"Diagnosing: {stage}")
        first = diagnosing.read_first(job)
        if first:
            st.info(escape(first[:1].upper() + first[1:]), icon=":material/hourglass_top:")
        return
    if job.error:
        st.error(escape(job.error), icon=":material/error:")
    result = diagnosing.read_result(job)
    if result is not None:
        if state.is_classroom():
            diagnosing.forget_files(job)
        render_result(job, result)


def render_result(job: Job, result: dict[str, Any]) -> None:
    """Render what was found: the claim, the steps, other explanations, what is suspicious, and what comes next."""
    render_claim(result)
    if result["steps"]:
        render_steps(job, result)
    left, right = st.columns(2, gap="large")
    with left:
        render_others(result)
    with right:
        render_findings(result)
    render_ways(job, result)


def render_claim(result: dict[str, Any]) -> None:
    """Render the answer in one line: yours, each step, and what is reached."""
    st.markdown(f"#### {escape(write_claim(result))}")
    note = f"On {result['images']:,} images of the list {result['list']}."
    if result["steps"]:
        note += (f" {result['sure']:.0%} sure: the share of other numbers that no explanation as simple as this one "
                 "would have reached.")
    if result.get("published"):
        note += f" The published number: {result['published_protocol']} ({result['source']})."
    st.caption(escape(note))


def write_claim(result: dict[str, Any]) -> str:
    """Write the answer as a chain of numbers; the message where there is none."""
    if not result["steps"]:
        return result["message"][:1].upper() + result["message"][1:]
    now, parts = 100 * result["yours"], [f"Yours {100 * result['yours']:.1f}"]
    for step in result["steps"]:
        now += step["points"]
        parts.append(f"──{write_points(step['points'])}──▶ {now:.1f}")
    return " ".join(parts)


def write_points(points: float) -> str:
    """Write points with their sign."""
    return f"{points:+.1f}".replace("-", "−")


def render_steps(job: Job, result: dict[str, Any]) -> None:
    """Render each step beside the others, with the images that it changed most."""
    pictures = result.get("pictures") or [[] for _ in result["steps"]]
    for column, step, rows in zip(st.columns(len(result["steps"])), result["steps"], pictures, strict=True):
        with column.container(border=True):
            st.markdown(f"**{escape(step['change'])}** {write_points(step['points'])} points  \n"
                        f"{escape(write_value(step['from']))} → {escape(write_value(step['to']))}")
            for row in rows:
                render_pictures(job, row)


def write_value(value: object) -> str:
    """Write the end of a step."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def render_pictures(job: Job, row: dict[str, Any]) -> None:
    """Render one image before and after a step, and its ground truth."""
    names = {"before": "before", "after": f"after, {write_points(row['points'])}", "truth": "ground truth"}
    for column, (key, text) in zip(st.columns(3), names.items(), strict=True):
        path = diagnosing.find_picture(job, row.get(key))
        if path is not None:
            column.image(str(path), caption=escape(text if key != "before" else f"{row['image']} {text}"))


def render_others(result: dict[str, Any]) -> None:
    """Render the other explanations that reach the number, the simplest first."""
    st.markdown("**Other explanations**")
    lines = [
        ("the same on these files: " if other.get("same") else "") + "; ".join(
            f"{step['change']}: {write_value(step['to'])} ({write_points(step['points'])})" for step in other["steps"])
        for other in result["alternatives"]]
    st.markdown("\n".join(f"- {escape(line)}" for line in lines) or "None reaches it as simply.")


def render_findings(result: dict[str, Any]) -> None:
    """Render what is suspicious by itself, with its evidence and remedy."""
    st.markdown("**Suspicious by itself**")
    for finding in result["findings"]:
        st.markdown(f"- **{escape(finding['what'])}**: {escape(finding['evidence'])}. "
                    f"*{escape(finding['remedy'][:1].upper() + finding['remedy'][1:])}.*")
    if not result["findings"]:
        st.markdown("Nothing.")
    with st.expander("How yours was read, and what was not tried"):
        st.markdown("\n".join(f"- {escape(name)}: {escape(value)}" for name, value in result["protocol"].items()))
        st.caption(escape("Not tried: " + "; ".join(result["not_tried"]) + "." if result["not_tried"] else "All was."))


def render_ways(job: Job, result: dict[str, Any]) -> None:
    """Render what can be done with the answer: import the files so, or copy it into a thread."""
    config = diagnosing.build_import(job, result)
    if isinstance(config, str):
        st.caption(escape(f"Import under this reading: {config}."))
    elif st.button("Import under this reading", icon=":material/download:", type="primary", key=f"import:{job.id}",
                   disabled=state.is_classroom()) and not state.is_classroom():
        try:
            imported = diagnosing.start_import(config)
            st.success(escape(f"{imported.title} has started: see Data and runs."), icon=":material/check:")
        except (ValueError, OSError) as error:
            st.error(escape(str(error)), icon=":material/error:")
    with st.expander("As Markdown, to paste into a thread", icon=":material/content_copy:"):
        st.code(result.get("summary", ""), language="markdown", wrap_lines=True)
