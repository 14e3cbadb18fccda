"""Whether a report is true: all of it again, from the maps in its record and the teacher's own data.

Nothing that the file states is taken over. Its maps are counted against the ground truth of the data that the teacher
names; from these counts the numbers, the steps, the answers' table and the figures are made again and held against the
page and the record. What cannot be computed again (times, words) is shown as stated.
"""

import difflib
import html
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amn_core import __version__
from amn_core.course.assignment import QUESTIONS, restore_assignment
from amn_core.course.numbers import Number
from amn_core.course.record import MAPS, hash_build, hash_images, read_report, unpack_runs
from amn_core.course.report import END, NAMELESS, write_body, write_page
from amn_core.course.steps import Tick, names_same
from amn_core.course.work import clean_answers, describe_work
from amn_core.data import Dataset
from amn_core.data.base import name_ground_truth
from amn_core.figures.record import collect_versions
from amn_core.formats.counts import save_counts
from amn_core.formats.runs import Run, load_run, save_run
from amn_core.sweep.counts import CountsBuilder

FIGURE = re.compile(r'src="data:image/svg\+xml;base64,([A-Za-z0-9+/=]*)"')
CELL = re.compile(r'<td data-number="([^"]*)">([^<]*)</td>')
DRAWN_BY = ("matplotlib", "numpy", "pillow")  # versions that the bytes of a figure depend on
WORDS = re.compile(r'<p class="words">(.*?)</p>', re.DOTALL)
SHOWN = 3
TOO_GOOD = 0.97  # no map from image labels has come near this mIoU


# Makes maps of a run again and returns the images whose maps are others; None where that model is not here.
Remake = Callable[[Run, Dataset], list[str] | None]


@dataclass
class Verdict:
    """What was found about a report.

    Attributes:
        report: its file. student: as stated. numbers: computed again. ticks: steps judged again.
        findings: pairs of where and what; none if the report is true. notes: what is not wrong but worth knowing.
        record: as it stands in the file.
    """

    report: Path
    student: str = ""
    numbers: dict[str, Number] = field(default_factory=dict)
    ticks: list[Tick] = field(default_factory=list)
    findings: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)

    def find(self, where: str, what: str) -> None:
        """Add a finding."""
        self.findings.append((where, what))


def find_reports(paths: Iterable[str]) -> list[Path]:
    """Find the reports among files and folders; raises ValueError for a path that is neither."""
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise ValueError(f"{path}: no such report or folder")
        found += sorted(path.rglob("*.html")) if path.is_dir() else [path]
    if not found:
        raise ValueError(f"{', '.join(map(str, paths))}: no report (*.html) there")
    return list(dict.fromkeys(found))


def check_reports(paths: Sequence[Path], dataset: Dataset, remake: Remake | None = None) -> list[Verdict]:
    """Check some reports against the data of the assignment, then against each other."""
    verdicts = []
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            verdicts.append(check_report(path, dataset, Path(folder), remake))
    compare_reports(verdicts)
    return verdicts


def check_report(path: Path, dataset: Dataset, folder: Path, remake: Remake | None = None) -> Verdict:
    """Check one report; its runs are unpacked into a folder."""
    verdict = Verdict(path)
    try:
        page, record, packed = read_report(path)
        verdict.record = record
        work = read_work(record)
        verdict.student = work["answers"]["student"]
        if not check_data(work, record, dataset, verdict):
            return verdict
        runs = [count_again(run, dataset) for run in unpack_runs(record, packed, folder)]
        body, verdict.numbers, verdict.ticks = write_body(work, runs, dataset.spec)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, RecursionError) as error:
        verdict.find("record", describe_broken(error, folder))
        return verdict
    check_numbers(page, verdict)
    check_steps(verdict)
    if record.get("build") == hash_build():
        check_text(page, body, verdict)
        check_figures(page, body, verdict)
    else:
        check_answers(page, verdict)
    check_maps(runs, dataset, remake, verdict)
    note_late_guess(work, verdict)
    return verdict


def describe_broken(error: Exception, folder: Path) -> str:
    """Describe a record from which nothing can be computed, without the folder in which it was tried."""
    text = str(error).replace(f"{folder}/", "") if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return f"nothing can be computed from it: {text[:300]}"


def read_work(record: dict[str, Any]) -> dict[str, Any]:
    """Read what was done from a record, in the shape of `describe_work`; raises ValueError for another shape."""
    asked = restore_assignment(Path(), record["assignment"])
    work = describe_work(asked) | {"answers": clean_answers(record["answers"])}
    if work["answers"] != record["answers"]:
        raise ValueError("its answers are not those of the assignment")
    texts = {"seen": list(map(str, record["seen"])), "written": str(record["written"]),
             "times": {str(key): str(value) for key, value in record["times"].items()}}
    return work | texts | {"checked": record["checked"], "assignment": record["assignment"]}


def check_data(work: dict[str, Any], record: dict[str, Any], dataset: Dataset, verdict: Verdict) -> bool:
    """Check that the report is about the teacher's data: its name, its images, each image by its hash."""
    asked, given = work["assignment"], record["images"]
    spec, own = dataset.spec, set(dataset.ids)
    kind = asked["data"].partition(":")[0]
    if kind != spec.partition(":")[0] or asked["split"] != dataset.split:
        verdict.find("data", f"made on {asked['data']}, {asked['split']}, not on {spec}, {dataset.split}")
        return False
    if kind == "scenes" and not names_same(spec, asked["data"]):
        verdict.find("data", f"made on {asked['data']}, not on {spec}")
        return False
    if set(given) != own:
        missing, more = len(own - set(given)), len(set(given) - own)
        verdict.find("data", f"{missing} of {len(own)} images are missing, {more} are none of {spec}")
        return False
    hashes = hash_images(dataset, dataset.ids)
    others = [image_id for image_id in dataset.ids if given[image_id] != hashes[image_id]]
    if others:
        verdict.find("data", f"{len(others)} of {len(own)} images are others than those of {spec}, such as {others[0]}")
    return not others


def count_again(run: Run, dataset: Dataset) -> Run:
    """Count a run's maps against the ground truth of the data; every image of the data must have one.

    Raises:
        ValueError: an image without a map, or classes that are not those of the data.
    """
    if run.class_names != dataset.class_names or (run.meta["split"] != dataset.split):
        raise ValueError(f"{run.path.name} is of other classes or another split than {dataset.spec}, {dataset.split}")
    if set(run.map_ids) != set(dataset.ids):
        missing, more = set(dataset.ids) - set(run.map_ids), set(run.map_ids) - set(dataset.ids)
        raise ValueError(f"{run.path.name} has no map of {len(missing)} images, and {len(more)} of none of the data")
    builder = CountsBuilder(run.class_names)
    for image_id in dataset.ids:
        gt = dataset.gt(image_id)
        if gt is not None:
            builder.add(image_id, *run.map(image_id, gt.shape), gt)
    save_counts(run.counts_path, builder.build())
    protocol = run.meta["protocol"] | {"ground_truth": name_ground_truth(dataset)}
    meta = {key: value for key, value in run.meta.items() if key not in ("format", "version")}
    return load_run(save_run(run.path, meta | {"protocol": protocol}).path)


def check_numbers(page: str, verdict: Verdict) -> None:
    """Hold every number of the page and of the record against those computed from the maps."""
    shown: dict[str, list[str]] = {}
    for key, text in CELL.findall(page.partition(END)[0]):
        shown.setdefault(html.unescape(key), []).append(html.unescape(text))
    stated = verdict.record.get("numbers")
    stated = stated if isinstance(stated, dict) else {}
    for where, texts in (("numbers", shown), ("record", {key: [str(value)] for key, value in stated.items()})):
        wrong = [(number, found) for key, number in verdict.numbers.items()
                 for found in dict.fromkeys(texts.get(key, ["nothing"])) if found != number.text]
        for number, found in wrong[:SHOWN]:
            verdict.find(where, f"{number.label} is said to be {found[:20]}, its maps give {number.text}")
        if len(wrong) > SHOWN:
            verdict.find(where, f"{len(wrong) - SHOWN} more numbers are not those of its maps")
        strange = set(texts) - set(verdict.numbers)
        if strange:
            verdict.find(where, f"{len(strange)} numbers belong to no run, such as {min(strange)[:40]}")


def check_steps(verdict: Verdict) -> None:
    """Hold the steps that the record calls done against what is there."""
    stated = verdict.record.get("steps")
    for tick in verdict.ticks:
        if not isinstance(stated, dict) or stated.get(tick.step.id) is not tick.is_done:
            verdict.find("steps", f"“{tick.step.title}” is {'done' if tick.is_done else 'open'} by what is there "
                                  f"({tick.text.rstrip('.')}), the record says otherwise")


def check_text(page: str, body: str, verdict: Verdict) -> None:
    """Hold the words of the whole page, figures and numbers left out, against those that its record gives."""
    packed = MAPS.search(page)
    whole = write_page(body, verdict.record, packed[1] if packed else "")
    found, own = (CELL.sub("", FIGURE.sub("", text)).replace(">", ">\n").splitlines() for text in (page, whole))
    if found == own:
        return
    changed = [line[1:].strip() for line in difflib.unified_diff(own, found, lineterm="", n=0)
               if line.startswith("+") and not line.startswith("+++")]
    sample = html.unescape(next((line for line in changed if line), "something is missing"))
    verdict.find("text", f"the page differs from its record, at “{sample[:80]}”")


def check_answers(page: str, verdict: Verdict) -> None:
    """Hold the answers in words against the page of another build, whose other words cannot be held against ours."""
    shown, answers = page.partition(END)[0], verdict.record["answers"]
    texts = [answers["choose"]["why"]] if "choose" in answers else []
    texts += [answers["words"][name] for name in QUESTIONS if "words" in answers]
    name = f"<b>{html.escape(verdict.student or NAMELESS)}</b>"
    if list(map(html.unescape, WORDS.findall(shown))) != texts or name not in shown:
        verdict.find("text", "an answer on the page is not the one in its record")
    by = verdict.record.get("versions")
    by = str(by.get("amn_core"))[:20] if isinstance(by, dict) else "unknown"
    verdict.notes.append(f"written by another build (amn_core {by}, this is {__version__}): numbers, steps and answers "
                         "are checked, captions and figures are not")


def check_figures(page: str, body: str, verdict: Verdict) -> None:
    """Hold the figures of the page against those drawn from its maps, where the same versions draw them."""
    versions, own = verdict.record.get("versions"), collect_versions()
    shown, drawn = FIGURE.findall(page.partition(END)[0]), FIGURE.findall(body)
    if len(shown) != len(drawn):
        verdict.find("figures", f"{len(shown)} figures, its maps give {len(drawn)}")
        return
    others = [name for name in DRAWN_BY if not isinstance(versions, dict) or versions.get(name) != own.get(name)]
    wrong = [i + 1 for i, (one, other) in enumerate(zip(shown, drawn, strict=True)) if one != other]
    if wrong and others:
        verdict.notes.append(f"figures not compared: {', '.join(others)} of another version")
    elif wrong:
        verdict.find("figures", f"figure {', '.join(map(str, wrong))} is not the one that its maps give")


def check_maps(runs: Sequence[Run], dataset: Dataset, remake: Remake | None, verdict: Verdict) -> None:
    """Make a few maps again where the model is here, and note maps that are better than image labels can give."""
    for run in runs:
        others = remake(run, dataset) if remake else None
        if others:
            verdict.find("maps", f"{run.name} of {', '.join(others)} is not what its model makes of the image")
        number = verdict.numbers[f"{run.path.name}.peak_miou"]
        if number.value > 100 * TOO_GOOD:
            verdict.notes.append(f"{run.name} reaches {number.text} %: maps made from the ground truth?")


def note_late_guess(work: dict[str, Any], verdict: Verdict) -> None:
    """Note a guess that was saved, as the app noted it, after there were maps to read it from."""
    guess, maps = work["answers"].get("guess", {}).get("at", ""), work["times"].get("maps", "")
    if guess and maps and guess > maps:
        verdict.notes.append("the guess was saved after the maps were there (by the times that it states)")


def compare_reports(verdicts: Sequence[Verdict]) -> None:
    """Note words that two students share, and a seed that is not that of the others."""
    seeds = Counter(verdict.record["assignment"]["seed"] for verdict in verdicts if verdict.ticks)
    usual = seeds.most_common(1)[0][0] if seeds else None
    first: dict[str, Verdict] = {}
    for verdict in verdicts:
        if not verdict.ticks:
            continue
        if verdict.record["assignment"]["seed"] != usual:
            verdict.notes.append(f"seed {verdict.record['assignment']['seed']}, most have {usual}")
        for text in list_words(verdict.record["answers"]):
            twin = first.setdefault(text, verdict)
            if twin is not verdict:
                verdict.notes.append(f"an answer is word for word that of {twin.report.name}")
                break


def list_words(answers: dict[str, Any]) -> list[str]:
    """List the answers in words, as they are compared: long ones, in lower case, without spaces."""
    texts = [answers.get("choose", {}).get("why", ""), *answers.get("words", {}).values()]
    return [plain for text in texts if len(plain := "".join(str(text).lower().split())) > 60]
