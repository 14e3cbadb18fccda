"""Data sets are checked from the page, and errors on it are in the words of its own fields."""

import time

import numpy as np
import pytest
from PIL import Image

from amn_core.jobs import Job
from app import checks
from app.components.import_form import name_fields

PATIENCE = 120


@pytest.fixture
def folder(tmp_path):
    """A folder of two images, the mask of one of which has another size."""
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for number, image_id in enumerate(("a", "b")):
        pixels = np.random.default_rng(number).integers(0, 255, (20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / "images" / f"{image_id}.png")
        size = (20, 30) if number else (9, 9)
        Image.fromarray(np.eye(*size, dtype=np.uint8)).save(tmp_path / "data" / "masks" / f"{image_id}.png")
    (tmp_path / "data" / "labels.csv").write_text("image,labels\na,disc\nb,disc\n")
    return tmp_path / "data"


def wait_for_check() -> Job:
    """Wait until the last check is over."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        job = checks.find_last_check()
        if job is not None and not job.is_active:
            return job
        time.sleep(0.2)
    raise AssertionError("the check did not end")


def test_the_page_shows_what_the_last_check_found(folder, open_app, tmp_path, monkeypatch):
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))
    checks.start_check(f"folder:{folder}", "all")
    report = checks.read_findings(wait_for_check())
    assert report["errors"] == 1 and "2 images, 1 classes" in checks.describe_report(report)
    at = open_app("data_and_runs")
    assert not at.exception and any("1 kind of errors" in error.value for error in at.error)
    rows = at.dataframe[-1].value
    assert rows.loc[0, "kind"] == "error" and "image is 30×20 but mask is 9×9" in rows.loc[0, "such as"]


def test_the_button_starts_a_check_of_what_was_chosen(open_app, tmp_path, monkeypatch):
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))
    asked = []
    monkeypatch.setattr(checks, "start_check", lambda spec, split: asked.append((spec, split)))
    at = open_app("data_and_runs")
    at.selectbox(key="check-data").set_value(at.selectbox(key="check-data").options[0])
    at.text_input(key="check-split").set_value("val")
    next(button for button in at.button if button.label == "Check").click()
    at.run()
    assert not at.exception and asked == [(at.selectbox(key="check-data").options[0], "val")]


@pytest.mark.parametrize("spec,split", [("", "train"), ("scenes", ""), ("--json", "train"), ("scenes", "--out")])
def test_what_cannot_be_checked_says_why(spec, split):
    with pytest.raises(ValueError, match="does not begin with a dash"):
        checks.start_check(spec, split)


def test_errors_of_an_import_name_the_fields_of_the_form():
    text = name_fields("x: 6 of 6 agree. Pass --numbering luminance to read them so, or --insist to take them")
    assert "--" not in text
    assert "Choose “as the luminance of VOC's colours” in “Numbers in masks”" in text and "Import against" in text
    assert name_fields("or pass --skip-broken") == "or choose “Leave broken files out”"
