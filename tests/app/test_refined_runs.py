"""The app shows a refined run beside the one it comes from: masks as one point, a random walk as a curve."""

import json
import shutil

import pytest
import torch

from amn_core.cli import main
from amn_core.formats.checkpoints import save_checkpoint
from amn_core.models import build_model
from app.charts.styles import SYMBOLS


@pytest.fixture(scope="module")
def refined_root(tmp_path_factory, runs_root):
    """Make AMN on the scenes, and from it AMN + CRF and AMN + IRN, by the command."""
    root = tmp_path_factory.mktemp("refined")
    shutil.copytree(runs_root / "drawn" / "amn", root / "amn")
    torch.manual_seed(0)
    arguments = {"name": "irn", "backbone": "efficientnet_lite0_small", "n_classes": 6, "backbone_options": {}}
    save_checkpoint(root / "irn.pth", build_model(**arguments), {
        "model": arguments, "class_names": [], "config": {}, "step": 0, "metrics": {}})
    for method, more in (("crf", ()), ("irn", ("--checkpoint", str(root / "irn.pth"), "--steps", "4"))):
        out = str(root / method)
        assert main(["refine", "--run", str(root / "amn"), "--method", method, "--out", out, "--device", "cpu",
                     "--workers", "1", *more]) == 0
        assert main(["count", "--run", out]) == 0
    return root


@pytest.fixture
def open_refined(open_app, refined_root, monkeypatch, group):
    """Open a screen on the three runs."""
    monkeypatch.setenv("AMN_RUNS", str(refined_root))
    return lambda screen, **query: open_app(screen, data=group, **query)


def read_traces(at) -> dict[str, dict]:
    """Read what the first figure of a screen draws, by name."""
    return {t["name"]: t for t in json.loads(at.get("plotly_chart")[0].proto.spec)["data"] if t.get("name")}


def test_curves_draw_the_walk_as_a_curve_and_the_masks_beside_it(open_refined):
    at = open_refined("curves")
    assert not at.exception
    traces = read_traces(at)
    assert {"AMN", "AMN + CRF", "AMN + IRN"} <= set(traces)
    colours = {traces[name]["line"]["color"] for name in ("AMN", "AMN + IRN")}
    assert len(colours) == 2
    assert "irn" in SYMBOLS


def test_explore_shows_all_three(open_refined):
    at = open_refined("explore")
    assert not at.exception
    canvas = next(e.proto for e in at.get("bidi_component") if e.proto.component_name == "amn_canvas")
    meta = json.loads(canvas.mixed.json or canvas.json)["meta"]
    assert {method["label"] for method in meta["methods"]} == {"AMN", "AMN + CRF", "AMN + IRN"}


@pytest.mark.parametrize("screen", ["activation", "choose", "figures", "data_and_runs", "images"])
def test_other_screens_take_them(open_refined, screen):
    assert not open_refined(screen).exception


@pytest.fixture
def open_every(open_app, refined_root, tmp_path_factory, monkeypatch, group):
    """Open a screen on AMN and AMN refined at every threshold, with the names of both."""
    root = tmp_path_factory.mktemp("every")
    shutil.copytree(refined_root / "amn", root / "amn")
    assert main(["refine", "--run", str(root / "amn"), "--method", "crf", "--every", "--out", str(root / "every"),
                 "--device", "cpu", "--workers", "1"]) == 0
    monkeypatch.setenv("AMN_RUNS", str(root))
    return lambda screen, **query: open_app(screen, data=group, **query)


def test_curve_after_refinement_stands_beside_the_one_before(open_every):
    at = open_every("curves")
    assert not at.exception
    traces = read_traces(at)
    assert {"AMN", "AMN + CRF"} <= set(traces)
    at = open_every("curves", view="difference")
    assert not at.exception and all("different thresholds" not in warning.value for warning in at.warning)


def test_screens_of_activation_say_that_a_refined_mask_has_none(open_every):
    for screen in ("activation", "choose"):
        at = open_every(screen)
        assert not at.exception
        assert any("no activation" in info.value for info in at.info)


@pytest.mark.parametrize("screen", ["explore", "images", "figures", "data_and_runs"])
def test_screens_open_beside_a_curve_after_refinement(open_every, screen):
    assert not open_every(screen).exception
