"""Diagnose: a folder or dropped files and a number to a path of steps; viewers name no folder."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from amn_core.bench.damages import build_case, find_target, write_case
from amn_core.jobs import wait_for_job
from app import diagnosing
from app.components.diagnosis_form import ask
from app.components.diagnosis_view import write_claim
from app.diagnosing import Dropped


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """Maps with keys from 1: folder, values of the form, and the target's numbers."""
    case = build_case(["keys from 1"], 8)
    spec, folder = write_case(case, tmp_path_factory.mktemp("damaged"))
    miou, precision, recall = (f"{100 * value:.1f}" for value in find_target(case))
    return folder, {"folder": folder, "data": spec, "split": "train", "target": miou, "precision": precision,
                    "recall": recall, "at": str(case.cut)}


@pytest.fixture(autouse=True)
def own_jobs(tmp_path, monkeypatch):
    """Keep jobs in a folder of the test's own."""
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))


def wait_for(job):
    """Wait until a diagnosis is done."""
    job = wait_for_job(job, 120)
    assert job.state == "done", job.error
    return job


def pack_zip(folder: str, name=lambda path: path.name) -> Dropped:
    """Pack a folder into a zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(Path(folder).iterdir()):
            archive.write(path, name(path))
    return Dropped("maps.zip", packed.getvalue())


def test_dropped_zip_becomes_a_path_with_pictures(damaged, open_app):
    job = wait_for(diagnosing.start(diagnosing.build_config(damaged[1], True), [pack_zip(damaged[0])]))
    result = diagnosing.read_result(job)
    assert [step["change"] for step in result["steps"]] == ["numbering"]
    assert diagnosing.find_picture(job, result["pictures"][0][0]["after"]).is_file()
    assert diagnosing.build_import(job, result).key_base == "1"
    at = open_app("diagnose")
    assert not at.exception and f"──▶ {damaged[1]['target']}" in at.markdown[1].value.replace("\\", "")
    assert "classes in another numbering" in " ".join(one.value for one in at.markdown)
    diagnosing.forget_files(job)
    assert "is gone" in diagnosing.build_import(job, result)


def test_form_starts_a_diagnosis_of_a_folder(damaged, open_app):
    at = open_app("diagnose")
    for key, text in (("folder", damaged[0]), ("target", "120")):
        at.text_input(f"diagnose-{key}").set_value(text)
    at.button[0].click().run()
    assert "give a number from 0 to 100" in at.error[0].value and not diagnosing.list_diagnoses()
    at.text_input("diagnose-target").set_value("48.3")
    at.button[0].click().run()
    assert not at.exception and len(diagnosing.list_diagnoses()) == 1


def test_a_viewer_has_no_form_and_drops_nothing_on_the_server(open_app, monkeypatch):
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    at = open_app("diagnose")
    assert not at.exception and not at.text_input and not at.file_uploader and not at.button
    assert "teacher" in at.info[0].value
    ask({"folder": "/", "data": "", "split": "", "target": "48.3"}, [])
    assert not diagnosing.list_diagnoses()


@pytest.mark.parametrize(("name", "error"), [("../../x.npy", "leads out"), ("/etc/x.npy", "leads out")])
def test_names_that_lead_out_are_refused(name, error):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(ValueError, match=error):
        list(diagnosing.unpack([Dropped("x.zip", packed.getvalue())]))


def test_zips_are_bounded_and_may_be_broken(monkeypatch, damaged):
    monkeypatch.setattr(diagnosing, "MOST_FILES", 3)
    with pytest.raises(ValueError, match="More than 3 files"):
        list(diagnosing.unpack([pack_zip(damaged[0])]))
    with pytest.raises(ValueError, match="broken zip"):
        list(diagnosing.unpack([Dropped("x.zip", b"PK")]))
    with pytest.raises(ValueError, match="None of the dropped files"):
        diagnosing.start(diagnosing.build_config(damaged[1], True), [Dropped("x.txt", b"")])


@pytest.mark.parametrize("values", [
    {"folder": "relative"}, {"target": "-1"}, {"at": "2"}, {"at": "x"}, {"split": "--out"}])
def test_odd_values_are_refused_before_anything_starts(values, damaged):
    with pytest.raises(ValueError, match=r"Give the whole path|begins with a dash|at is 2|My threshold is 'x'"):
        diagnosing.build_config(damaged[1] | values, False)


def test_pictures_outside_of_the_result_are_not_shown(tmp_path, damaged):
    job = diagnosing.start(diagnosing.build_config(damaged[1], False))
    wait_for(job)
    assert diagnosing.find_picture(job, "../job.json") is None and diagnosing.find_picture(job, None) is None
    (job.path / "out" / "result.json").write_text(json.dumps([1]))
    assert diagnosing.read_result(job) is None


def test_what_a_sample_says_is_read_from_the_log(damaged):
    job = wait_for(diagnosing.start(diagnosing.build_config(damaged[1], False)))
    assert diagnosing.read_first(job) == ""
    with (job.path / "log.txt").open("a", encoding="utf-8") as log:
        log.write("sample: 100%\nfrom 48 of 1,464 images, likely: 255 an error\nyours: 3%\r")
    assert diagnosing.read_first(job) == "from 48 of 1,464 images, likely: 255 an error"


def test_claim_chains_the_points():
    steps = [{"points": 4.1}, {"points": -1.9}]
    assert write_claim({"yours": 0.423, "steps": steps}) == "Yours 42.3 ──+4.1──▶ 46.4 ──−1.9──▶ 44.5"
    assert write_claim({"steps": [], "message": "one number does not tell"}) == "One number does not tell"
