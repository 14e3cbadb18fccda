"""An assignment is written, ticked off by what is there, reported in one file, and no forgery passes its check."""

import base64
import html
import io
import json
import re
import shlex
import zipfile
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from amn_core.cli import build_parser, main
from amn_core.course import report
from amn_core.course.assignment import (
    PROGRAM,
    QUESTIONS,
    STEPS,
    list_commands,
    load_assignment,
    new_assignment,
    write_command,
)
from amn_core.course.check import check_report, check_reports, find_reports
from amn_core.course.record import MAPS, read_report
from amn_core.course.report import build_report, draw_sections, write_report
from amn_core.course.steps import judge_steps
from amn_core.course.work import clean_answers, describe_work, find_runs, load_answers, note, read_log, save_answers
from amn_core.data import load_dataset
from amn_core.formats.files import hash_file
from amn_core.formats.maps import save_map
from amn_core.formats.runs import load_run
from tests.course.course_maker import LONG, SCENES, make_course, read_curves, refine, work_through
from tests.data.pets_maker import make_pets, write_list


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, str]:
    """A finished report, and the text of its page."""
    assignment = work_through(make_course(tmp_path_factory.mktemp("course") / "ada"))
    made = write_report(assignment)
    assert made["open"] == []
    return Path(made["file"]), Path(made["file"]).read_text()


@pytest.fixture(scope="module")
def dataset():
    return load_dataset(SCENES, "val")


DRAWN: dict[tuple, list[str]] = {}


@pytest.fixture(autouse=True)
def drawn_once(monkeypatch):
    """Draw the figures of the same counts once: a forged word does not change them."""
    def draw(material):
        key = tuple(hash_file(source.run.counts_path) for source in material.sources)
        if key not in DRAWN:
            DRAWN[key] = draw_sections(material)
        return DRAWN[key]

    monkeypatch.setattr(report, "draw_sections", draw)


def check(page: str, folder: Path, dataset, remake=None):
    """Check a page as a report in a folder of its own."""
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    (folder / "unpacked").mkdir()
    return check_report(path, dataset, folder / "unpacked", remake)


def change_record(page: str, change) -> str:
    """Change the record within a page as `change` does, in place."""
    found = re.search(r'<script type="application/json">(.*?)</script>', page, re.S)
    record = json.loads(html.unescape(found[1]))
    change(record)
    text = html.escape(json.dumps(record, separators=(",", ":")).replace("--", "-\\u002d"), quote=False)
    return page[:found.start(1)] + text + page[found.end(1):]


def name_places(verdict) -> set[str]:
    """Name where something was found."""
    return {where for where, _ in verdict.findings}


def test_an_assignment_is_written_once_with_commands_that_parse(tmp_path):
    assignment = new_assignment("scenes", str(tmp_path / "a"), seed=5)
    assert load_assignment(tmp_path / "a") == assignment and "seed=5" in assignment.data
    assert 50 <= sum(step.minutes for step in STEPS) <= 70
    text = (tmp_path / "a" / "ASSIGNMENT.md").read_text()
    assert all(step.title in text for step in STEPS) and all(question in text for question in QUESTIONS.values())
    with pytest.raises(ValueError, match="holds an assignment already"):
        new_assignment("scenes", str(tmp_path / "a"))


@pytest.mark.parametrize("kind", ["scenes", "pets"])
def test_every_command_of_an_assignment_parses(kind, tmp_path):
    assignment = new_assignment(kind, str(tmp_path / kind))
    for words in chain.from_iterable(list_commands(assignment).values()):
        ready = [word.replace("THRESHOLD", "0.3") for word in words]
        assert callable(build_parser().parse_args(ready).handle)
        assert shlex.split(write_command(words))[3:] == words and write_command(words).startswith(PROGRAM)


def test_pets_are_two_species_and_some_images_of_a_split(tmp_path):
    assignment = new_assignment("pets", str(tmp_path / "a"), f"pets:{make_pets(tmp_path / 'pets')}")
    assert assignment.shown == "pets:pets,classes=species,n=200,seed=7"
    assert load_dataset(assignment.data, assignment.split).class_names == ("background", "cat", "dog")
    below = new_assignment("pets", str(tmp_path / "b"))
    assert below.data.startswith(f"pets:{tmp_path / 'b' / 'pets'}")
    assert ["data", "get", "pets", "--root", str(tmp_path / "b" / "pets")] in list_commands(below)["data"]


@pytest.mark.parametrize(("kind", "data", "message"), [
    ("cows", "", "choose one of pets, scenes"), ("pets", "voc:/data", "name the pets as pets:ROOT")])
def test_what_is_no_assignment_is_refused(kind, data, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        new_assignment(kind, str(tmp_path / "a"), data)
    (tmp_path / "course.json").write_text('{"format": "amn-course", "kind": "pets"}')
    with pytest.raises(ValueError, match="data is not that of an assignment"):
        load_assignment(tmp_path)


def judge(assignment) -> dict[str, bool]:
    """Judge the steps of an assignment."""
    return {tick.step.id: tick.is_done for tick in judge_steps(describe_work(assignment), find_runs(assignment))}


def test_each_step_is_ticked_by_what_is_there_and_by_nothing_else(tmp_path):
    assignment = make_course(tmp_path / "a")
    folder, done = assignment.folder, {"maps"}
    assert {step for step, is_done in judge(assignment).items() if is_done} == done
    for step in STEPS:  # a mark in the log ticks nothing
        note(folder, "step", step.id)
    assert {step for step, is_done in judge(assignment).items() if is_done} == done
    for checked, is_done in (({"errors": 1}, False), ({"data": "scenes:n=9"}, False), ({}, True)):
        report = {"data": assignment.data, "split": "val", "images": 6, "errors": 0} | checked
        (folder / "check.json").write_text(json.dumps(report))
        assert judge(assignment)["data"] is is_done
    note(folder, "image", "scene_999999")
    assert not judge(assignment)["look"]
    read = read_curves(assignment)
    save_answers(folder, "curves", read | {"amn_miou": read["amn_miou"] - 0.2})
    assert not judge(assignment)["curves"]
    save_answers(folder, "curves", read)
    save_answers(folder, "choose", {"threshold": 0.25, "why": "by eye"})
    assert judge(assignment)["curves"] and not judge(assignment)["choose"]
    save_answers(folder, "choose", {"threshold": 0.25, "why": LONG})
    refine(assignment, 0.3)
    assert judge(assignment)["choose"] and not judge(assignment)["refine"]
    refine(assignment, 0.25)
    assert judge(assignment)["refine"]
    work_through(assignment)
    assert all(judge(assignment).values())


def test_runs_on_other_data_and_half_a_run_tick_nothing(tmp_path):
    assignment = make_course(tmp_path / "a")
    path = assignment.runs / "cam" / "run.json"
    path.write_text(path.read_text().replace("seed=7", "seed=8"))
    assert not judge(assignment)["maps"] and [run.path.name for run in find_runs(assignment)] == ["amn"]
    path.write_text(path.read_text().replace("seed=8", "seed=7"))
    next((assignment.runs / "cam" / "maps").iterdir()).unlink()
    assert not judge(assignment)["maps"]


def test_a_guess_is_kept_and_answers_out_of_range_are_refused(tmp_path):
    save_answers(tmp_path, "guess", {"peak_threshold": 0.4, "lost": 6})
    with pytest.raises(ValueError, match="kept as it was saved first"):
        save_answers(tmp_path, "guess", {"peak_threshold": 0.2, "lost": 6})
    assert load_answers(tmp_path)["guess"]["peak_threshold"] == 0.4
    for threshold, why in ((1.5, ""), (True, ""), (0.3, "x" * 5000)):
        values = {"threshold": threshold, "why": why}
        with pytest.raises(ValueError, match="choose: "):
            save_answers(tmp_path, "choose", values)
    assert clean_answers({"guess": {"peak_threshold": float("nan"), "lost": 1}, "student": 3}) == {"student": ""}


def test_the_log_keeps_the_first_time_and_survives_a_cut_line(tmp_path):
    note(tmp_path, "image", "a")
    first = read_log(tmp_path)["image"]["a"]
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"at": "2099", "image": "a"}\n{"at": "20')
    assert read_log(tmp_path) == {"image": {"a": first}, "step": {}}


def test_a_report_is_one_file_without_paths_scripts_or_network_and_passes_its_check(finished, dataset, tmp_path):
    path, page = finished
    assert str(path.parent) not in page and "/work" not in page
    assert "http://" not in re.sub(r"http://www\.w3\.org/\S+", "", page) and "https://" not in page
    assert "default-src 'none'" in page and "<script>" not in page
    assert LONG in page and "Ada" in page
    verdict = check(page, tmp_path, dataset)
    assert verdict.findings == [] and verdict.notes == [] and all(tick.is_done for tick in verdict.ticks)
    assert verdict.numbers["chosen.regret"].value > 0


def test_the_same_work_gives_the_same_page_and_numbers_agree_with_the_scores(finished, dataset):
    from amn_core.scoring import score_run

    assignment = load_assignment(finished[0].parent)
    pages = [re.sub(r"\d{4}-\d\d-\d\dT[\d:+]+", "", build_report(assignment)[0]) for _ in range(2)]
    assert pages[0] == pages[1]
    run = load_run(assignment.runs / "amn")
    record = read_report(finished[0])[1]
    assert record["numbers"]["amn.peak_miou"] == f"{100 * score_run(run).peak_miou:.1f}"


def forge_page(page: str) -> str:
    return re.sub(r'(data-number="cam.peak_miou">)[\d.]+', r"\g<1>99.9", page)


def forge_record(page: str) -> str:
    return change_record(page, lambda record: record["numbers"].update({"cam.peak_miou": "99.9"}))


def forge_both(page: str) -> str:
    return forge_record(forge_page(page))


def forge_step(page: str) -> str:
    return change_record(page, lambda record: (record["seen"].clear(), record["steps"].update(look=True)))


def forge_answer(page: str) -> str:
    return change_record(page, lambda record: record["answers"]["curves"].update(cam_miou=12.0))


def forge_hashes(page: str) -> str:
    return change_record(page, lambda record: record["images"].update(scene_000002="0" * 16))


def forge_text(page: str) -> str:
    return page.replace(LONG, "Something else altogether, which was never said.", 1)


def forge_addition(page: str) -> str:
    return page.replace("</body>", "<p>peak mIoU of CAM: 99.9</p></body>")


def forge_head(page: str) -> str:
    return page.replace("<style>", "<style>td { visibility: hidden }</style><style>", 1)


def forge_figure(page: str) -> str:
    figures = re.findall(r"base64,([A-Za-z0-9+/=]+)\"", page)
    return page.replace(figures[0], figures[1], 1)


def forge_images(page: str) -> str:
    return change_record(page, lambda record: record["images"].pop("scene_000002"))


def forge_kind(page: str) -> str:
    return change_record(page, lambda record: record["assignment"].update(data="scenes:size=64,n=6,seed=8"))


def forge_answers(page: str) -> str:
    return change_record(page, lambda record: record["answers"].update(extra={"x": 1}))


FORGERIES = {
    forge_page: {"numbers"}, forge_record: {"record", "text"}, forge_both: {"numbers", "record", "text"},
    forge_step: {"steps", "text"},
    forge_answer: {"steps", "text"}, forge_hashes: {"data"}, forge_text: {"text"}, forge_addition: {"text"},
    forge_head: {"text"}, forge_figure: {"figures"}, forge_images: {"data"}, forge_kind: {"data"},
    forge_answers: {"record"}}


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_every_forgery_is_found_and_named(forge, finished, dataset, tmp_path):
    page = forge(finished[1])
    assert page != finished[1]
    verdict = check(page, tmp_path, dataset)
    assert name_places(verdict) == FORGERIES[forge], verdict.findings


def repack(page: str, change) -> str:
    """Repack the maps of a page: name -> bytes, as `change` does."""
    found = MAPS.search(page)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(found[1]))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return page[:found.start(1)] + base64.b64encode(buffer.getvalue()).decode() + page[found.end(1):]


@pytest.mark.parametrize(("change", "message"), [
    (lambda members: members.pop("cam/scene_000001.npz"), "cam has no map of 1 images"),
    (lambda members: members.update({"../out.npz": b""}), "'../out.npz' is no map of its runs"),
    (lambda members: members.update({"cam/../amn/x.npz": b""}), "is no map of its runs"),
    (lambda members: members.update({"cam/scene_000001.npz": b"PK\x03\x04 nothing"}), "scene_000001.npz"),
    (lambda members: members.update({"cam/extra.npz": members["cam/scene_000001.npz"]}), "1 of none of the data")])
def test_broken_and_hostile_maps_are_named(change, message, finished, dataset, tmp_path):
    verdict = check(repack(finished[1], change), tmp_path, dataset)
    assert name_places(verdict) == {"record"} and message in verdict.findings[0][1]
    assert not (tmp_path / "out.npz").exists()


def test_maps_of_another_image_change_the_numbers_that_they_give(finished, dataset, tmp_path):
    def swap(members: dict[str, bytes]) -> None:
        members["cam/scene_000001.npz"] = members["amn/scene_000001.npz"]

    assert {"numbers", "record"} <= name_places(check(repack(finished[1], swap), tmp_path, dataset))


@pytest.mark.parametrize("content", ["", "<html></html>", '<script type="application/json">{</script>',
                                     '<script type="application/json">{"format": "amn-course-report"}</script>',
                                     '<script type="application/json">' + "[" * 5000 + "</script>"])
def test_what_is_no_report_is_named_and_stops_nothing(content, dataset, tmp_path):
    assert name_places(check(content, tmp_path, dataset)) == {"record"}


def test_forged_counts_in_the_students_folder_do_not_pass(dataset, tmp_path):
    assignment = work_through(make_course(tmp_path / "a"))
    better = assignment.runs / "amn" / "counts.npz"
    (assignment.runs / "cam" / "counts.npz").write_bytes(better.read_bytes())
    save_answers(assignment.folder, "curves", read_curves(assignment))
    page, _ = build_report(assignment)
    assert {"numbers", "record"} <= name_places(check(page, tmp_path, dataset))


def test_maps_drawn_from_the_ground_truth_are_noted_and_not_what_a_model_makes(dataset, tmp_path):
    assignment = make_course(tmp_path / "a")
    run = load_run(assignment.runs / "amn")
    for image_id in dataset.ids:
        gt = dataset.gt(image_id)
        small = gt[2::4, 2::4]
        cam = np.stack([(small == c).astype(np.float32) for c in dataset.class_ids(image_id)])
        save_map(run.map_path(image_id), cam, dataset.class_ids(image_id), gt.shape)
    page, _ = build_report(work_through(assignment))
    verdict = check(page, tmp_path, dataset, lambda run, _: ["scene_000001"] if run.path.name == "amn" else None)
    assert ("maps", "AMN of scene_000001 is not what its model makes of the image") in verdict.findings


def test_a_page_of_another_build_is_held_to_its_numbers_and_answers(finished, dataset, tmp_path):
    other = change_record(finished[1], lambda record: record.update(build="0" * 16))
    other = other.replace("<h2>Numbers", "<h2>Scores")
    for number, (forge, found) in enumerate(((str, set()), (forge_page, {"numbers"}), (forge_text, {"text"}))):
        (tmp_path / str(number)).mkdir()
        verdict = check(forge(other), tmp_path / str(number), dataset)
        assert name_places(verdict) == found and "written by another build" in verdict.notes[0]


def test_a_guess_after_the_maps_is_noted(finished, dataset, tmp_path):
    page = change_record(finished[1], lambda record: record["times"].update(maps="2000-01-01T00:00:00+00:00"))
    notes = check(page, tmp_path, dataset).notes
    assert len(notes) == 1 and "guess was saved after the maps" in notes[0]


def test_a_folder_of_reports_is_checked_against_itself_too(dataset, tmp_path):
    for name, student, words in (("a", "Ada", LONG), ("b", "Bob", LONG), ("c", "Cleo", f"{LONG} By hand.")):
        write_report(work_through(make_course(tmp_path / name), student, words))
    verdicts = check_reports(find_reports([str(tmp_path)]), dataset)
    assert [verdict.student for verdict in verdicts] == ["Ada", "Bob", "Cleo"]
    assert [verdict.notes for verdict in verdicts] == [[], ["an answer is word for word that of report.html"], []]
    with pytest.raises(ValueError, match="no report"):
        find_reports([str(tmp_path / "a" / "runs")])


def test_the_commands_write_show_report_and_check(finished, tmp_path, capsys):
    assert main(["course", "new", "scenes", "--out", str(tmp_path / "new")]) == 0
    out = capsys.readouterr().out
    assert "about 60 minutes" in out and "course check REPORTS --data scenes:size=256,n=48,seed=7" in out
    assert main(["course", "show", str(tmp_path / "new")]) == 0
    assert "[ ] Check the data (5 min): No check of the data yet." in capsys.readouterr().out
    assert main(["course", "report", str(tmp_path / "new")]) == 1
    assert "make the maps first" in capsys.readouterr().err
    assert main(["course", "check", str(finished[0]), "--data", SCENES]) == 0
    assert re.search(r"Ada +report.html +true +8/8", capsys.readouterr().out)
    (tmp_path / "forged.html").write_text(forge_both(finished[1]))
    assert main(["course", "check", str(finished[0]), str(tmp_path), "--data", SCENES, "--json"]) == 1
    captured = capsys.readouterr()
    rows = json.loads(captured.out)
    assert [row["is_true"] for row in rows] == [True, False] and "1 of 2 reports are not what they say" in captured.err
    assert main(["course", "check", str(finished[0]), "--data", "scenes:size=64,n=6,seed=8"]) == 1
    assert "data: made on scenes:" in capsys.readouterr().out


def test_maps_of_a_bundled_model_are_made_again_and_others_are_found(tmp_path, capsys):
    root = make_pets(tmp_path / "pets")
    write_list(root, "trainval", ("Abyssinian_1", "pug_3"))
    assignment = new_assignment("pets", str(tmp_path / "a"), f"pets:{root}")
    (words,) = list_commands(assignment)["maps"]
    assert main([*words, "--device", "cpu"]) == 0
    assert judge(assignment)["maps"]
    path = Path(write_report(assignment)["file"])
    capsys.readouterr()
    assert main(["course", "check", str(path), "--data", assignment.data, "--again", "2"]) == 0
    image_id = load_dataset(assignment.data, "trainval").ids[0]
    run = load_run(assignment.runs / "amn")
    cam, class_ids = run.map(image_id)
    save_map(run.map_path(image_id), cam[:, ::-1][:, ::4, ::4].copy(), class_ids, cam.shape[1:])
    assert main(["count", "--run", str(run.path)]) == 0
    write_report(assignment)
    capsys.readouterr()
    assert main(["course", "check", str(path), "--data", assignment.data, "--again", "2"]) == 1
    assert f"maps: {run.name} of {image_id} is not what its model makes of the image" in capsys.readouterr().out
