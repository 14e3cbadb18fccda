"""What comes after the maps, started from the app: its forms, the commands they stand for, and the chart that grows."""

import shlex
import shutil
from functools import partial

import numpy as np
import pytest

from amn_core.cli import build_parser
from amn_core.commands.consequence import ConsequenceConfig
from amn_core.commands.progress import list_stages
from amn_core.commands.refine import RefineConfig
from amn_core.formats.consequences import Consequence, save_consequences
from amn_core.formats.files import write_json
from amn_core.formats.runs import load_run
from amn_core.jobs import list_jobs, load_job, wait_for_job
from amn_core.options import read_options
from app import afterwards
from app.cache import runs as cached
from app.charts.consequences import draw_consequences
from app.components import after_form


@pytest.fixture
def open_train(open_app, tmp_path, monkeypatch):
    """Open the screen in this process, with jobs of its own."""
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))
    open_screen = partial(open_app, "train")
    open_screen.open_app = open_app
    return open_screen


def find_button(at, label):
    return next(button for button in at.button if button.label == label)


def build_result(networks):
    """Build a result of three thresholds; None where a network is not finished."""
    scores = [{} if value is None else {"0": value} for value in networks]
    ends = [[None if v is None else v + d for v in networks] for d in (-0.05, 0.05)]
    return Consequence("CAM", "cam", 0.2, [0.1, 0.2, 0.3], [0.4, 0.3, 0.2], [0.5, 0.6, 0.55], [0.45, 0.55, 0.5],
                       [0.55, 0.65, 0.6], [0.5, 0.6, 0.7], [0.9, 0.8, 0.7], scores, networks, *ends)


def read_command(at, kind):
    words = shlex.split(at.code[0].value)
    assert words[:3] == ["python", "-m", "amn_core"]
    return read_options(build_parser().parse_args(words[3:]), kind)


def test_form_of_a_refined_curve_gives_the_command_that_it_shows(open_train, runs):
    at = open_train(make="refined")
    assert not at.exception
    at.selectbox(key="after:method").set_value("pamr").run()
    at.selectbox(key="after:grid").set_value(21).run()
    config = read_command(at, RefineConfig)
    assert config.every and config.method == "pamr" and config.thresholds == 21
    assert load_run(config.run).has_maps


def test_refined_curve_is_a_job_whose_run_is_listed_afterwards(open_train, group, tmp_path):
    at = open_train(make="refined")
    at.selectbox(key="after:run").set_value("drawn/cam").run()
    at.selectbox(key="after:grid").set_value(21).run()
    find_button(at, "Start").click().run()
    assert not at.exception
    job = wait_for_job(list_jobs(tmp_path / "jobs")[0], 240)
    assert job.state == "done", job.error
    run = load_run(job.path / "run")
    assert run.is_refined and len(run.counts().thresholds) == 21 and run.name.endswith("+ CRF")
    cached.clear_runs()
    at.run()
    assert "Open in Curves" in {button.label for button in at.button}
    curves = open_train.open_app("curves", data=group)
    assert not curves.exception
    assert any("counted at 21 of them" in text.value for text in curves.caption)
    assert not any(button.key == "to-refined" for button in curves.button)


def test_networks_are_offered_for_runs_with_a_model_alone(open_train, runs, tmp_path):
    assert list(afterwards.list_models(runs)) == []
    folder = tmp_path / "cam"
    shutil.copytree(runs["cam"].path, folder)
    (folder / "model.pth").write_bytes(b"a checkpoint")
    run = load_run(folder)
    assert list(afterwards.list_models({"cam": run})) == ["cam"]
    config = afterwards.build_consequence([run], 2, 5, True)
    words = afterwards.write_estimate(config)
    assert words[0] == "consequence" and "--estimate" in words
    assert read_options(build_parser().parse_args(list(words)), ConsequenceConfig).seeds == "0,1"


def test_irn_is_a_choice_only_where_it_was_trained(runs, tmp_path):
    assert afterwards.list_methods(runs["amn"]) == ["crf", "pamr"]
    (tmp_path / "train" / "irn").mkdir(parents=True)
    (tmp_path / "train" / "irn" / "model.pth").write_bytes(b"")
    shutil.copytree(runs["amn"].path, tmp_path / "amn")
    run = load_run(tmp_path / "amn")
    assert "irn" in afterwards.list_methods(run)
    assert afterwards.build_refine(run, "scenes", "irn", 21).checkpoint.endswith("irn/model.pth")


def test_chart_grows_with_each_network_that_is_finished():
    few, all_of_them = (draw_consequences([build_result(v)]) for v in ([None, 0.4, None], [0.38, 0.4, 0.41]))
    assert {trace.name for trace in few.data if trace.name} == {"CAM: masks", "CAM: network"}
    sizes = [next(len(t.x) for t in figure.data if t.name == "CAM: network") for figure in (few, all_of_them)]
    assert sizes == [1, 3]
    masks = next(t for t in few.data if t.name == "CAM: masks")
    assert masks.line.dash == "dash" and np.allclose(masks.y, [50, 60, 55])


def test_job_of_networks_says_how_many_are_finished_and_draws_them(open_train, tmp_path):
    folder = tmp_path / "jobs" / "one"
    out = folder / "networks"
    out.mkdir(parents=True)
    write_json(folder / "job.json", {
        "format": "amn-job", "title": "Networks behind CAM", "words": ["consequence", "cam", "--out", str(out)],
        "device": "cpu", "gpus": 1, "config": {}, "created": 1.0})
    write_json(folder / "status.json", {"state": "stopped"})
    assert [stage.done for stage in list_stages(load_job(folder))] == [0, 0]
    save_consequences(out, [build_result([None, 0.4, None])], {"seeds": [0, 1]})
    masks, networks = list_stages(load_job(folder))
    assert masks.done == 1 and networks.name == "networks: 1 of 6" and networks.done == pytest.approx(1 / 6)
    at = open_train(job="one")
    assert not at.exception and len(at.get("plotly_chart")) == 1
    assert any("1 of 3 thresholds have a network yet" in text.value for text in at.markdown)


def test_classroom_has_no_form_and_starts_nothing(open_train, runs, tmp_path, monkeypatch):
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    for kind in ("refined", "networks"):
        at = open_train(make=kind)
        assert "Start" not in {button.label for button in at.button} and not at.selectbox
    after_form.start(afterwards.build_refine(runs["cam"], "scenes", "crf", 21), "CAM after CRF")
    assert list_jobs(tmp_path / "jobs") == []
