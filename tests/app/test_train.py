"""Train: the form made from the command's config, jobs in this process, and a whole training in a real browser."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from amn_core.bench.serving import find_port
from amn_core.cli import build_parser
from amn_core.commands.pipeline import ReproduceConfig
from amn_core.formats.counts import save_counts
from amn_core.formats.files import write_json
from amn_core.jobs import list_jobs, load_job, start_job, stop_job, wait_for_job
from amn_core.options import read_options
from amn_core.sweep import summarise
from app import training
from app.components import job_form
from tests.app.conftest import PATIENCE, REPOSITORY, wait_for
from tests.sweep.reference import make_counts

SCENES = "scenes:size=64,n=8,seed=3"
LONG = ("data", "check", "scenes:size=256,n=4000")


@pytest.fixture
def open_train(open_app: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Open the screen in this process, with one small data set and jobs of its own."""
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("AMN_DATA", SCENES)

    def open_screen(**query: str):
        monkeypatch.setenv("AMN_DATA", SCENES)
        at = open_app("train", **query)
        monkeypatch.setenv("AMN_DATA", SCENES)
        return at.run()

    return open_screen


def find_button(at, label: str):
    return next(button for button in at.button if button.label == label)


def write_job(root: Path, state: str, **config: object) -> Path:
    write_json(root / "one" / "job.json", {
        "format": "amn-job", "title": "CAM on scenes", "words": ["reproduce", "--data", SCENES, "--methods", "cam"],
        "device": "cpu", "gpus": 1, "config": {"data": SCENES, **config}, "created": 1.0})
    write_json(root / "one" / "status.json", {"state": state, "error": "the disk is full" * (state == "failed")})
    return root / "one"


def test_every_option_of_the_form_is_in_one_group() -> None:
    grouped = [field.name for group in training.list_groups().values() for field in group]
    assert sorted([*grouped, *training.MAIN, *training.HIDDEN]) == sorted(f.name for f in fields(ReproduceConfig))
    assert "Others" not in training.list_groups()


def test_form_is_made_from_the_config_with_its_help_texts(open_train: Callable) -> None:
    at = open_train()
    assert not at.exception
    shown = {}
    for widget in (*at.selectbox, *at.text_input, *at.number_input, *at.toggle):
        shown.setdefault(widget.help, widget)
    for field in fields(ReproduceConfig):
        assert (field.metadata["help"] in shown) is (field.name not in training.HIDDEN), field.name


def test_command_that_is_shown_gives_the_config_of_the_form(open_train: Callable) -> None:
    at = open_train()
    at.number_input(key="train:cam_epochs").set_value(2)
    at.toggle(key="train:crf").set_value(False)
    at.text_input(key="train:cam_lr").set_value("3e-4").run()
    words = shlex.split(at.code[0].value)
    assert words[:3] == ["python", "-m", "amn_core"]
    config = read_options(build_parser().parse_args(words[3:]), ReproduceConfig)
    assert replace(config, out="") == ReproduceConfig(
        data=SCENES, train_split="train", split="val", methods="cam", cam_epochs=2, crf=False, cam_lr=3e-4,
        probe=training.PROBE, preset="scenes", out="")


def test_number_that_is_none_is_named(open_train: Callable) -> None:
    at = open_train()
    at.text_input(key="train:cam_lr").set_value("fast").run()
    assert "'fast' is not a number" in at.error[0].value


def test_nothing_starts_without_its_data(open_train: Callable, tmp_path: Path) -> None:
    at = open_train()
    assert not find_button(at, "Start training").disabled
    assert any("8 images to learn from" in text.value for text in at.markdown)
    at.session_state["train-values"] = {"data": f"voc:{tmp_path / 'gone'}"}
    at.run()
    assert find_button(at, "Start training").disabled
    assert any("gone: no such folder" in text.value for text in at.markdown)


@pytest.mark.parametrize(("state", "label"), [("stopped", "Resume"), ("failed", "Resume"), ("done", "Run again…")])
def test_job_offers_what_its_state_allows(state: str, label: str, open_train: Callable, tmp_path: Path) -> None:
    write_job(tmp_path / "jobs", state)
    at = open_train(job="one")
    assert not at.exception
    labels = {button.label for button in at.button}
    assert label in labels and "Delete for good" in labels and "Stop" not in labels
    assert ("Resume" in labels) is (state != "done")
    assert [error.value for error in at.error] == ["the disk is full"] * (state == "failed")


def test_run_again_fills_the_form_with_the_options_of_the_job(open_train: Callable, tmp_path: Path) -> None:
    write_job(tmp_path / "jobs", "done", methods="cam,amn", cam_epochs=7, batch=3, split="val", preset="paper")
    at = open_train(job="one")
    find_button(at, "Run again…").click().run()
    assert at.number_input(key="train:cam_epochs").value == 7 and at.number_input(key="train:batch").value == 3
    command = at.code[0].value
    assert "--methods cam,amn" in command and "--preset paper" in command and "--batch 3" in command


def test_delete_removes_the_folder(open_train: Callable, tmp_path: Path) -> None:
    folder = write_job(tmp_path / "jobs", "done")
    at = open_train(job="one")
    find_button(at, "Delete for good").click().run()
    assert not at.exception and not folder.exists()
    assert find_button(at, "Start training")


def test_classroom_sees_jobs_and_changes_none(
    open_train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    write_job(tmp_path / "jobs", "stopped")
    at = open_train(job="one")
    assert all(find_button(at, label).disabled for label in ("Resume", "Run again…", "Delete for good"))
    find_button(at, "New job").click().run()
    assert "Start training" not in {button.label for button in at.button}
    assert any("not started" in note.value for note in at.info)
    job_form.start(ReproduceConfig(data=SCENES))  # not even where the button is pressed all the same
    assert [job.id for job in list_jobs(tmp_path / "jobs")] == ["one"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The app in a process of its own, with jobs of its own: its address, and the folder of the jobs."""
    port, root = find_port(), tmp_path_factory.mktemp("place") / "jobs"
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.headless", "true"]
    process = subprocess.Popen(
        [*command, "--server.port", str(port)], cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "AMN_JOBS": str(root), "AMN_DATA": SCENES})
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}", root
    finally:
        process.kill()
        process.wait()
        for job in list_jobs(root):
            if job.is_active:
                stop_job(job, at_once=True)
                wait_for_job(job, 60)


def open_tab(browser, address: str):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(3 * PATIENCE)
    page = context.new_page()
    page.goto(address)
    return page


def test_training_started_on_the_page_ends_in_a_curve(place: tuple[str, Path], browser) -> None:
    address, root = place
    page = open_tab(browser, f"{address}/train")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("button", name="Stop").wait_for()
    job = list_jobs(root)[0]
    assert job.words[:3] == ("reproduce", "--data", SCENES) and job.is_active
    page.locator(".st-key-chart-growth .js-plotly-plot").wait_for()  # while it runs: nobody reloads the page
    page.get_by_role("button", name="Delete").wait_for()
    assert load_job(job.path).state == "done"
    assert (job.path / "cam" / "counts.npz").is_file() and (job.path / "train" / "cam" / "model.pth").is_file()
    page.get_by_role("button", name="Open in Curves").click()
    page.wait_for_url(f"**/curves?*runs={job.id}%2Fcam*")  # the address follows the page
    page.locator(".js-plotly-plot").first.wait_for()
    page.context.close()


def test_job_of_one_tab_is_stopped_in_another(place: tuple[str, Path], browser) -> None:
    address, root = place
    job = start_job(root, "Long", lambda path: LONG, "cpu", config={"data": SCENES})
    first, second = (open_tab(browser, f"{address}/train?job={job.id}") for _ in range(2))
    first.get_by_role("button", name="Stop").wait_for()
    second.get_by_role("button", name="Stop").click()
    first.get_by_role("button", name="Resume").wait_for()
    assert wait_for_job(job, 60).state == "stopped"
    for page in (first, second):
        page.context.close()


def write_training(folder: Path) -> None:
    """Write what a training of two epochs leaves: metrics, and a probe before and after each."""
    lines = [{"step": i, "steps": 20, "epoch": i / 10, "loss": 1 / i, "loss_smooth": 1 / i, "lr": 0.1,
              "images_per_second": 5.0, "time": 1e9 + i} for i in range(1, 21)]
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    write_json(folder / "config.json", {"method": "cam", "epochs": 2})
    write_json(folder / "probe" / "probe.json", {"images": ["image 0"], "shown": []})
    for epoch in range(3):
        save_counts(folder / "probe" / f"epoch-{epoch:03d}" / "counts.npz", make_counts(epoch))


def test_training_says_whether_the_cut_moves_over_its_epochs(open_train: Callable, tmp_path: Path) -> None:
    write_training(write_job(tmp_path / "jobs", "done", methods="cam") / "train" / "cam")
    at = open_train(job="one")
    assert not at.exception
    first, second = (summarise(make_counts(epoch)).peak_threshold for epoch in (1, 2))
    assert any(f"from {first:.3f} after epoch 1 to {second:.3f} after epoch 2" in text.value for text in at.markdown)
