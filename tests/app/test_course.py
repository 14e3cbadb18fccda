"""The course in the app: an assignment begins, its steps are ticked by what was done, its report passes the check."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from amn_core.bench.serving import find_port
from amn_core.course.assignment import QUESTIONS, STEPS, load_assignment
from amn_core.course.check import check_report
from amn_core.course.numbers import rank_images
from amn_core.course.report import write_report
from amn_core.course.work import load_answers, read_log
from amn_core.data import load_dataset
from amn_core.formats.runs import load_run
from app import coursework, roots
from tests.app.conftest import PATIENCE, REPOSITORY, wait_for
from tests.course.course_maker import LONG, make_course, read_curves, refine, work_through
from tests.data.pets_maker import make_pets


def find_button(at, label: str):
    """Find a button by its label; a step has its mark before it."""
    return min((button for button in at.button if label in button.label), key=lambda button: len(button.label))


def list_marks(at) -> dict[str, str]:
    """List the mark of each step."""
    return {button.key.partition(":")[2]: button.label.partition(" ")[0] for button in at.button
            if str(button.key).startswith("course-step:")}


@pytest.fixture
def course(tmp_path, monkeypatch):
    """An assignment with runs, which the app knows."""
    assignment = make_course(tmp_path / "ada")
    monkeypatch.setenv("AMN_COURSE", str(assignment.folder))
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))
    return assignment


def test_an_assignment_begins_in_a_new_folder_and_is_remembered(open_app, tmp_path):
    at = open_app("course")
    assert not at.exception and not list_marks(at)
    at.text_input(key="course-new-folder").set_value("relative")
    find_button(at, "Begin").click()
    at.run()
    assert "whole path" in at.error[0].value
    at.text_input(key="course-new-folder").set_value(str(tmp_path / "mine"))
    find_button(at, "Begin").click()
    at.run()
    assert not at.exception and list(list_marks(at)) == [step.id for step in STEPS]
    assert roots.list_courses() == (tmp_path / "mine",) and load_assignment(tmp_path / "mine").kind == "scenes"
    at = open_app("course")
    at.text_input(key="course-new-folder").set_value(str(tmp_path / "mine"))
    find_button(at, "Begin").click()
    at.run()
    assert not at.error, "a folder with an assignment is opened"


def test_steps_are_ticked_as_they_are_done(open_app, course):
    at = open_app("course")
    assert {step for step, mark in list_marks(at).items() if "check_circle" in mark} == {"maps"}
    find_button(at, "2. Commit").click().run()
    at.number_input[0].set_value(0.5)
    at.number_input[1].set_value(4.0)
    find_button(at, "Commit").click()
    at.run()
    assert not at.exception and load_answers(course.folder)["guess"]["peak_threshold"] == 0.5
    assert "check_circle" in list_marks(at)["guess"] and not at.number_input
    find_button(at, "Next: Make the maps").click().run()
    assert any("6 images each" in one.value for one in at.success)
    assert set(read_log(course.folder)["step"]) == {"guess", "maps"}


def test_numbers_read_wrongly_are_named_without_the_right_ones(open_app, course):
    at = open_app("course")
    find_button(at, "5. Read").click().run()
    numbers = read_curves(course) | {"cam_miou": 1.0}
    for field, name in zip(at.number_input, ("cam_threshold", "cam_miou", "cam_lost", "amn_threshold", "amn_miou"),
                           strict=True):
        field.set_value(numbers[name])
    find_button(at, "Save").click()
    at.run()
    assert [one.value.replace("\\", "") for one in at.info] == ["Read again: CAM's peak."]


def test_an_image_opened_in_explore_is_noted(open_app, course):
    image = rank_images(load_run(course.runs / "cam"))[0]
    open_app("explore", data=f"{course.shown}/{course.split}", image=image)
    assert image in read_log(course.folder)["image"]


def test_a_classroom_page_shows_the_steps_and_writes_nothing(open_app, course, monkeypatch):
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    image = rank_images(load_run(course.runs / "cam"))[0]
    open_app("explore", data=f"{course.shown}/{course.split}", image=image)
    at = open_app("course")
    assert not at.exception and not list_marks(at) and "your own machine" in at.info[0].value
    at = open_app("course_notes")
    assert not at.exception and not at.text_input
    assert not (course.folder / "log.jsonl").exists()


def test_pets_that_are_not_here_are_got_first(open_app, tmp_path, monkeypatch):
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))
    assignment = coursework.open_or_begin("pets", str(tmp_path / "mine"), "")
    assert not coursework.has_data(assignment)
    monkeypatch.setenv("AMN_COURSE", str(assignment.folder))
    at = open_app("course")
    assert not at.exception and find_button(at, "Get the pets")
    make_pets(tmp_path / "mine" / "pets")
    assert coursework.has_data(assignment)
    at = open_app("course")
    assert find_button(at, "Check the data")


def test_the_teachers_page_checks_a_folder_of_reports(open_app, course, tmp_path):
    from amn_core.jobs import wait_for_job

    page = Path(write_report(work_through(course))["file"]).read_text()
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "ada.html").write_text(page)
    (tmp_path / "reports" / "bob.html").write_text(re.sub(r"(amn.peak_miou\">)[\d.]+", r"\g<1>99.9", page))
    at = open_app("course_notes")
    at.text_input(key="course-reports").set_value(str(tmp_path / "reports"))
    at.text_input(key="course-check-data").set_value(course.data)
    find_button(at, "Check").click()
    at.run()
    wait_for_job(coursework.find_reports_check(), 120)
    at.run()
    table = at.dataframe[0].value
    assert not at.exception and list(table["verdict"]) == ["true", "FALSE"]
    assert any("is said to be 99" in one.value and "bob" in one.value for one in at.markdown)


@pytest.fixture
def course_server(course, runs_root, tmp_path) -> Iterator[str]:
    """The app on a port of its own, with the assignment."""
    port = find_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.headless", "true", "--server.port",
         str(port)], cwd=REPOSITORY, env={**os.environ, "AMN_RUNS": str(runs_root)}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def open_step(page, number: int, title: str) -> None:
    """Open a step from the list, and wait for it."""
    from playwright.sync_api import expect

    page.get_by_role("button", name=f"{number}. {title}").click()
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()


def fill(page, values: dict[str, object]) -> None:
    """Fill in the fields of a form by their labels."""
    for label, value in values.items():
        page.get_by_label(label).fill(str(value))


def test_the_whole_assignment_in_a_real_browser_gives_a_report_that_is_true(course, course_server, browser, tmp_path):
    from playwright.sync_api import expect

    context = browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page = context.new_page()
    page.goto(f"{course_server}/course")
    done = page.locator(".st-key-course-list").get_by_text("check_circle")
    expect(done).to_have_count(1)  # the maps are there
    fill(page, {"Your name": "Grace"})
    page.get_by_label("Your name").press("Enter")
    page.locator(".st-key-course-step-body").get_by_role("button", name="Check the data", exact=True).click()
    expect(page.get_by_text("6 images, no errors.")).to_be_visible()
    expect(done).to_have_count(2)
    open_step(page, 2, "Commit a guess")
    fill(page, {"CAM's best threshold": 0.5, "Points lost": 4})
    page.get_by_role("button", name="Commit", exact=True).click()
    expect(done).to_have_count(3)
    for image in rank_images(load_run(course.runs / "cam"))[:3]:
        page.goto(f"{course_server}/?data={course.shown}/val&image={image}")
        expect(page.locator(".stage canvas, canvas").first).to_be_visible()
    page.goto(f"{course_server}/course")
    expect(done).to_have_count(4)
    open_step(page, 5, "Read the curves")
    read = read_curves(course)
    fill(page, {"CAM's threshold": read["cam_threshold"], "CAM's peak": read["cam_miou"],
                "CAM's oracle": read["cam_lost"], "AMN's threshold": read["amn_threshold"],
                "AMN's peak": read["amn_miou"]})
    page.get_by_role("button", name="Save", exact=True).click()
    expect(done).to_have_count(5)
    open_step(page, 6, "Choose a threshold without ground truth")
    fill(page, {"Threshold for AMN's maps": 0.3, "How did you find it?": LONG})
    page.get_by_role("button", name="Save", exact=True).click()
    expect(done).to_have_count(6)
    refine(course, 0.3)
    open_step(page, 8, "Answer three questions")
    fill(page, {question: f"{LONG} {name}" for name, question in QUESTIONS.items()})
    page.get_by_role("button", name="Save", exact=True).click()
    expect(done).to_have_count(8)
    open_step(page, 9, "Write the report")
    page.get_by_role("button", name="Write the report", exact=True).click()
    expect(page.get_by_text("Written, with every step done.")).to_be_visible()
    expect(done).to_have_count(9)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save a copy").click()
    download.value.save_as(tmp_path / "copy.html")
    page.goto(f"file://{tmp_path / 'copy.html'}")
    expect(page.get_by_text("Grace", exact=True)).to_be_visible()
    page.wait_for_function(
        "[...document.querySelectorAll('figure img')].every(one => one.complete && one.naturalWidth > 100)")
    context.close()
    verdict = check_report(tmp_path / "copy.html", load_dataset(course.data, "val"), tmp_path / "unpacked")
    assert verdict.findings == [] and all(tick.is_done for tick in verdict.ticks) and verdict.student == "Grace"
