"""The report of an assignment: figures, numbers, answers, record and maps in one HTML file; no network, no script."""

import html
from collections.abc import Sequence
from typing import Any

import matplotlib

from amn_core.course.assignment import KINDS, QUESTIONS, STEPS, Assignment
from amn_core.course.numbers import MEASURES, Number, build_numbers
from amn_core.course.record import (
    FORMAT,
    VERSION,
    describe_runs,
    hash_build,
    hash_images,
    pack_maps,
    write_embedded,
)
from amn_core.course.steps import LABELS, READ, Tick, judge_steps
from amn_core.course.work import describe_work, find_runs, read_clock
from amn_core.data import load_dataset
from amn_core.figures.config import FigureConfig, resolve_figure_config
from amn_core.figures.material import Material, describe_images, describe_protocol, load_material
from amn_core.figures.record import collect_versions
from amn_core.figures.report import POLICY, STYLE, build_section
from amn_core.figures.styles import use_page
from amn_core.formats.files import write_bytes
from amn_core.formats.runs import Run

NAME, NAMELESS = "report.html", "no name"
PARTS = ("miou", "best-thresholds", "histograms", "grid")
RESAMPLES, SHOWN = 200, 4
DIGITS = {measure: digits for measure, _, digits, _ in MEASURES}
BEGIN, END = "<!-- what is computed -->", "<!-- what it was computed from -->"
OWN_STYLE = """
.words { max-width: 48rem; white-space: pre-wrap; } h3 { font-size: 1rem; margin-bottom: .2rem; }
td.text { text-align: left; }
"""


def write_report(assignment: Assignment) -> dict[str, Any]:
    """Write the report of an assignment into its folder.

    Returns:
        ``file``, ``bytes``, and ``open``: titles of the steps that are not done.

    Raises:
        ValueError: no runs of CAM and AMN yet, or data that cannot be opened.
    """
    page, record = build_report(assignment)
    path = assignment.folder / NAME
    write_bytes(path, page.encode())
    titles = {step.id: step.title for step in STEPS}
    return {"file": str(path), "bytes": path.stat().st_size,
            "open": [titles[name] for name, is_done in record["steps"].items() if not is_done]}


def build_report(assignment: Assignment) -> tuple[str, dict[str, Any]]:
    """Build the page of a report and its record."""
    runs = find_runs(assignment)
    if not {"cam", "amn"} <= {run.path.name for run in runs}:
        raise ValueError(f"{assignment.runs}: no runs of CAM and AMN on {assignment.shown} yet; make the maps first")
    work = describe_work(assignment) | {"written": read_clock()}
    dataset = load_dataset(assignment.data, assignment.split)
    body, numbers, ticks = write_body(work, runs, assignment.data)
    record = {
        "format": FORMAT, "version": VERSION, "command": "python -m amn_core course report", **work,
        "steps": {tick.step.id: tick.is_done for tick in ticks},
        "numbers": {number.key: number.text for number in numbers.values()}, "runs": describe_runs(runs),
        "images": hash_images(dataset, runs[0].counts().image_ids), "versions": collect_versions(),
        "build": hash_build(),
    }
    return write_page(body, record, pack_maps(runs)), record


def write_page(body: str, record: dict[str, Any], maps: str) -> str:
    """Write the whole page around what is computed."""
    title = html.escape(f"Report of {record['answers']['student'] or 'a student'}")
    return "\n".join([
        "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">', POLICY,
        '<meta name="viewport" content="width=device-width">', f"<title>{title}</title>",
        f"<style>{STYLE}{OWN_STYLE}</style></head><body>", BEGIN, body, END, write_embedded(record, maps),
        "</body></html>", ""])


def write_body(
    work: dict[str, Any], runs: Sequence[Run], data: str
) -> tuple[str, dict[str, Number], list[Tick]]:
    """Write what is computed: the same work, runs and data give the same text.

    Args:
        work: see `describe_work`. runs: with maps and counts. data: spec with the photographs.
    """
    numbers, ticks = build_numbers(runs, work["answers"]), judge_steps(work, runs)
    material = load_maps_material(runs, data)
    asked = work["assignment"]
    head = (f"<h1>One threshold, many images</h1><p><b>{html.escape(work['answers']['student'] or NAMELESS)}</b> · "
            f"{KINDS[asked['kind']]} · {html.escape(asked['data'])}, {html.escape(asked['split'])} · written "
            f"{html.escape(work['written'])}</p>")
    facts = "".join(f"<p>{html.escape(text)}</p>" for text in (describe_images(material), describe_protocol(material)))
    parts = [head, write_numbers(runs, numbers), facts, write_answers(work["answers"], numbers),
             *draw_sections(material), write_steps(ticks, work)]
    return "\n".join(parts), numbers, ticks


def load_maps_material(runs: Sequence[Run], data: str) -> Material:
    """Load what the figures are drawn from: the runs that have thresholds."""
    paths = tuple(str(run.path) for run in runs if not run.is_masks)
    config = FigureConfig("report", paths, NAME, data=data, number=SHOWN, resamples=RESAMPLES,
                          layers="photo,truth,map,mask", preset="cvpr-page")
    return load_material(resolve_figure_config(config))


def draw_sections(material: Material) -> list[str]:
    """Draw the figures, each with its caption."""
    with use_page(material.page), matplotlib.rc_context({"svg.fonttype": "path"}):
        return [build_section(material, name)[0] for name in PARTS]


def write_numbers(runs: Sequence[Run], numbers: dict[str, Number]) -> str:
    """Write the table of the runs; each cell names its number, so that the check can hold it against its own."""
    heads = "".join(f"<th>{html.escape(label)}</th>" for _, label, _, _ in MEASURES)
    rows = "".join(
        f"<tr><th>{html.escape(run.name)}</th>"
        + "".join(write_cell(numbers[f"{run.path.name}.{measure}"]) for measure, *_ in MEASURES) + "</tr>"
        for run in runs)
    return (f'<h2>Numbers</h2><div class="scroll"><table><thead><tr><th>run</th>{heads}</tr></thead><tbody>{rows}'
            "</tbody></table></div>")


def write_cell(number: Number) -> str:
    """Write a number as a cell of a table."""
    return f'<td data-number="{html.escape(number.key)}">{html.escape(number.text)}</td>'


def write_answers(answers: dict[str, Any], numbers: dict[str, Number]) -> str:
    """Write what the student answered, beside what the runs say."""
    parts = ["<h2>Answers</h2>", "<table><thead><tr><th></th><th>answer</th><th>from the maps</th></tr></thead><tbody>"]
    parts += [f"<tr><th>{html.escape(label)}</th><td>{html.escape(given)}</td>{write_cell(numbers[key])}</tr>"
              for label, given, key in list_answers(answers)]
    parts.append("</tbody></table>")
    texts = [("How the threshold was chosen", answers["choose"]["why"])] if "choose" in answers else []
    texts += [(question, answers["words"][name]) for name, question in QUESTIONS.items() if "words" in answers]
    parts += [f'<h3>{html.escape(title)}</h3><p class="words">{html.escape(text)}</p>' for title, text in texts]
    return "".join(parts)


def list_answers(answers: dict[str, Any]) -> list[tuple[str, str, str]]:
    """List the answers in numbers: what they are of, as given, and the key of the number that they stand beside."""
    rows = []
    if "guess" in answers:
        rows += [("guess: CAM's threshold", f"{answers['guess']['peak_threshold']:.3f}", "cam.peak_threshold"),
                 ("guess: CAM's oracle − peak", f"{answers['guess']['lost']:.1f}", "cam.lost")]
    if "curves" in answers:
        rows += [(f"read: {LABELS[name]}", f"{answers['curves'][name]:.{DIGITS[place[1]]}f}", ".".join(place))
                 for name, place in READ.items()]
    if "choose" in answers:
        rows += [("chosen: threshold for AMN", f"{answers['choose']['threshold']:.3f}", "chosen.threshold"),
                 ("chosen: mIoU there (%)", "", "chosen.miou"), ("chosen: regret (points)", "", "chosen.regret")]
    return rows


def write_steps(ticks: Sequence[Tick], work: dict[str, Any]) -> str:
    """Write which steps are done, judged by the maps and answers, and when the app ticked each (as it noted)."""
    rows = "".join(
        f'<tr><th>{html.escape(tick.step.title)}</th><td>{"done" if tick.is_done else "open"}</td>'
        f'<td class="text">{html.escape(tick.text)}</td><td>{html.escape(work["times"].get(tick.step.id, "–"))}</td>'
        f"<td>{tick.step.minutes}</td></tr>" for tick in ticks)
    return ("<h2>Steps</h2><table><thead><tr><th>step</th><th></th><th></th><th>ticked (noted by the app)</th>"
            f"<th>minutes planned</th></tr></thead><tbody>{rows}</tbody></table>")
