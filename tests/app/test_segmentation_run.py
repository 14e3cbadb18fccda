"""A run of a segmentation network beside CAM and AMN: every screen that shows runs takes it, in its own colour."""

import base64
import json

import numpy as np
import pytest

from amn_core.commands.segment import SegmentConfig, segment
from amn_core.constants import EXTRA_COLOURS, METHOD_COLOURS
from amn_core.formats.checkpoints import save_checkpoint
from amn_core.formats.runs import load_run
from amn_core.models import build_model
from amn_core.sweep import summarise
from amn_core.sweep.images import score_images
from amn_core.sweep.scores import drop_image_thresholds, drop_thresholds

NAME, COLOUR = "Segmentation", METHOD_COLOURS["segmentation"]


@pytest.fixture
def segmentation_run(scenes, tmp_path):
    """A run of a network that has learnt nothing, where the app finds runs."""
    arguments = {"name": "segmentation", "backbone": "efficientnet_lite0_small", "n_classes": len(scenes.class_names)}
    model = build_model(**arguments)
    for branch in model.head:
        branch.weight.data.normal_(0, 1)
    save_checkpoint(tmp_path / "model.pth", model, {"model": arguments, "class_names": list(scenes.class_names)})
    return load_run(segment(SegmentConfig(
        checkpoint=str(tmp_path / "model.pth"), data=scenes.spec, split=scenes.split,
        out=str(tmp_path / "runs" / "segmentation"), scales="1", device="cpu")))


def read_curves(at) -> dict[str, dict]:
    """Read the traces of the first chart by their names."""
    return {trace["name"]: trace for trace in json.loads(at.get("plotly_chart")[0].proto.spec)["data"]
            if trace.get("name")}


def test_curves_shows_one_point_in_the_colour_of_the_method(open_app, group, segmentation_run):
    at = open_app("curves", data=group, intervals="0", t="0.300")
    assert not at.exception
    trace = read_curves(at)[NAME]
    assert trace["mode"] == "markers" and trace["marker"]["color"] == COLOUR
    found = np.frombuffer(base64.b64decode(trace["y"]["bdata"]), trace["y"]["dtype"]) if isinstance(
        trace["y"], dict) else np.array(trace["y"])
    np.testing.assert_allclose(found, [100 * drop_thresholds(summarise(segmentation_run.counts())).peak_miou])


@pytest.mark.parametrize("view", ["classes", "rates", "sizes", "images", "cuts", "difference", "best"])
def test_every_view_of_curves_takes_it(open_app, group, segmentation_run, view):
    assert not open_app("curves", data=group, view=view, first="segmentation").exception


@pytest.mark.parametrize("screen", ["explore", "images", "activation", "choose", "figures", "photo"])
def test_every_screen_opens_with_it(open_app, group, segmentation_run, screen):
    assert not open_app(screen, data=group).exception


def test_images_start_with_a_run_that_has_a_threshold_and_show_masks_without(open_app, group, segmentation_run):
    at = open_app("images", data=group, t="0.300")
    chosen = next(box for box in at.selectbox if box.label == "Figures of")
    assert chosen.value != "segmentation" and not at.exception
    chosen.set_value("segmentation").run()
    assert not at.exception and any("finished masks, which lose nothing" in one.value for one in at.markdown)
    table = at.dataframe[-1].value
    scores = drop_image_thresholds(score_images(segmentation_run.counts()))
    assert table["best_threshold"].isna().all() and (table["regret"] == 0).all()
    assert sorted(table["miou"]) == pytest.approx(sorted(100 * scores.best_miou))


def test_choose_leaves_masks_out_and_says_so_where_there_is_nothing_else(open_app, group, segmentation_run):
    at = open_app("choose", data=group)
    offered = next(one for one in at.get("button_group") if one.label == "Run")
    assert len(offered.options) == 3 and NAME not in str(offered.options)
    at = open_app("choose", data=group, runs="segmentation")
    assert not at.exception and "no threshold to choose" in at.info[0].value


def test_explore_lists_it_among_the_methods(open_app, group, segmentation_run):
    at = open_app("explore", data=group)
    proto = next(e.proto for e in at.get("bidi_component") if e.proto.component_name == "amn_canvas")
    methods = json.loads(proto.mixed.json or proto.json)["meta"]["methods"]
    assert [method["label"] for method in methods][-1] == NAME


def test_data_and_runs_names_its_method(open_app, segmentation_run):
    at = open_app("data_and_runs")
    assert not at.exception
    assert NAME in at.dataframe[0].value.to_string()


def test_colour_is_unlike_all_others_and_shows_on_white_and_on_dark():
    others = [colour for method, colour in METHOD_COLOURS.items() if method != "segmentation"]
    assert min(measure_distance(COLOUR, other) for other in others) > 25
    assert min(measure_distance(COLOUR, other) for other in EXTRA_COLOURS) > 15
    assert all(measure_contrast(COLOUR, ground) > 3 for ground in ("#FFFFFF", "#0E1117"))


# Machado et al. (2009), severity 1: no change, protanopia, deuteranopia, tritanopia; of linear RGB.
SIGHTS = np.array([
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]])
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def read_linear(colour: str) -> np.ndarray:
    """Read a colour ``#RRGGBB`` as linear RGB in 0–1."""
    values = np.array([int(colour[i:i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def measure_distance(first: str, second: str) -> float:
    """Measure the smallest distance of two colours in CIELAB (ΔE 1976) over the four kinds of sight."""
    labs = [convert_to_lab(np.clip(SIGHTS @ read_linear(colour), 0, 1)) for colour in (first, second)]
    return float(np.linalg.norm(labs[0] - labs[1], axis=1).min())


def convert_to_lab(linear: np.ndarray) -> np.ndarray:
    """Convert linear RGB (N, 3) to CIELAB under D65."""
    xyz = linear @ TO_XYZ.T / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def measure_contrast(first: str, second: str) -> float:
    """Measure the contrast of two colours as WCAG defines it."""
    high, low = sorted((float(read_linear(c) @ TO_XYZ[1]) for c in (first, second)), reverse=True)
    return (high + 0.05) / (low + 0.05)
