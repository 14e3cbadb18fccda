"""The lessons: each opens, its figure follows its controls, and what is drawn is what the formulas say."""

import base64
import json
import re

import numpy as np
import pytest

from amn_core.constants import DEFAULT_THRESHOLDS
from app.lessons import data, page
from app.lessons.manipulation import Manipulation
from app.lessons.model import build_below, score_model_iou
from app.lessons.page import LESSONS
from app.lessons.smoothing import find_levels

FIGURES = {
    "what_a_cam_is": 2, "one_threshold": 1, "two_conditions": 1, "per_pixel_loss": 2, "label_conditioning": 0,
    "sandbox": 2, "train_it_yourself": 1, "reading_a_paper": 1,
}
READ_CURVE = """name => {
    const charts = [...document.querySelectorAll('.js-plotly-plot')].filter(c => c._fullData)
    const trace = charts.flatMap(c => c._fullData).find(t => t.name === name)
    return trace ? Array.from(trace.y) : []
}"""


def read_trace(at, name: str) -> dict:
    """Read the trace of this name from the figures of a page."""
    specs = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    return next(trace for spec in specs for trace in spec["data"] if trace.get("name") == name)


def read_values(trace: dict, axis: str = "y") -> np.ndarray:
    """Read the values of a trace; Plotly writes arrays as their bytes."""
    values = trace[axis]
    return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]) if isinstance(values, dict) else values


def compute_model(imbalance: float, gap: float, share: float, haze: float) -> np.ndarray:
    """Compute the curve that the model's sliders should give, in percent."""
    mean = 0.5 + gap / 2
    below = [build_below(mean, imbalance * mean, DEFAULT_THRESHOLDS), build_below(1 - mean, haze, DEFAULT_THRESHOLDS)]
    return score_model_iou(share, *below) * 100


def find_slider(at, label: str):
    """Find a slider by the beginning of its label."""
    return next(slider for slider in at.slider if slider.label.startswith(label))


@pytest.mark.parametrize("name", list(LESSONS))
def test_lesson_opens_with_a_figure_and_a_hidden_answer(open_app, name: str) -> None:
    at = open_app(f"lessons/{name}")
    assert not at.exception
    assert at.header[0].value == LESSONS[name]
    assert len(at.get("plotly_chart")) >= FIGURES[name]
    assert len(at.expander) == 1 and at.expander[0].label == "Show the answer"


def test_every_lesson_has_a_page_and_every_page_is_listed() -> None:
    from pathlib import Path

    has_page = {path.stem for path in Path(page.__file__).parent.glob("*.py") if "\nrender()" in path.read_text()}
    assert has_page == set(LESSONS)


def test_model_is_restored_from_its_link_and_follows_its_sliders(open_app) -> None:
    at = open_app("lessons/two_conditions", imbalance="0.3", gap="0.5")
    assert np.allclose(read_values(read_trace(at, "model")), compute_model(0.3, 0.5, 0.2, 0.15), atol=1e-6)
    find_slider(at, "Imbalance").set_value(0.9)
    find_slider(at, "Share").set_value(0.4)
    at.run()
    assert np.allclose(read_values(read_trace(at, "model")), compute_model(0.9, 0.5, 0.4, 0.15), atol=1e-6)
    assert at.query_params["imbalance"] == "0.9" and at.query_params["area"] == "0.4"


def test_number_outside_its_range_is_moved_to_the_end(open_app) -> None:
    at = open_app("lessons/two_conditions", gap="7", haze="-1")
    assert find_slider(at, "Gap").value == 0.9 and find_slider(at, "Spread").value == 0.02


def test_sliders_take_the_measures_of_a_real_class(open_app) -> None:
    from amn_core.sweep.separation import score_class_separation

    at = open_app("lessons/two_conditions")
    focus = next(box.value for box in at.selectbox if box.label.startswith("Beside"))
    next(button for button in at.button if button.label.endswith("to CAM")).click().run()
    run = data.find_material("voc").runs["cam"]
    measured = score_class_separation(run.counts())
    row = run.class_names.index(focus)
    assert find_slider(at, "Gap").value == pytest.approx(measured.gap[row], abs=0.026)
    assert find_slider(at, "Imbalance").value == pytest.approx(min(measured.imbalance[row], 1.2), abs=0.026)


def test_levels_follow_the_smoothing(open_app) -> None:
    at = open_app("lessons/per_pixel_loss", epsilon="0.6", present="2")
    n_classes = 11 if "scenes" in " ".join(m.value for m in at.markdown) else 3
    on, off = find_levels(2, n_classes, 0.6)
    shown = [metric.value for metric in at.metric[:2]]
    assert shown == [f"{on:.3f}", f"{off:.3f}"]


def test_sandbox_counts_the_maps_again(open_app, runs) -> None:
    at = open_app("lessons/sandbox", rescale="1", gamma="0.5")
    run = runs["cam"]
    expected = data.ask_summary(run, Manipulation(rescale=1.0, gamma=0.5))
    values = {metric.label: metric.value for metric in at.metric}
    assert values["Gap"] == f"{expected.gap:.3f}" and values["Peak mIoU"] == f"{expected.peak_miou * 100:.1f}"
    next(button for button in at.button if button.label == "As it was").click().run()
    assert {metric.delta for metric in at.metric} == {"+0.000", "+0.0"}
    assert np.allclose(*(
        read_values(read_trace(at, name)) for name in ("manipulated", "as it came from the network")))


def test_threshold_of_the_lesson_is_the_one_of_all_screens(open_app) -> None:
    at = open_app("lessons/one_threshold", t="0.2")
    assert at.slider[0].value == 0.2
    at.slider[0].set_value(0.6).run()
    assert at.query_params["t"] == "0.600"


def test_scenes_follow_the_knob(open_app) -> None:
    def read_pictures(at) -> list[str]:
        spec = json.loads(at.get("plotly_chart")[0].proto.spec)
        return [trace["source"] for trace in spec["data"]]

    at = open_app("lessons/train_it_yourself", knob="0")
    before = read_pictures(at)
    at.slider[0].set_value(1.0).run()
    assert len(before) == 4 and read_pictures(at) != before
    assert "discriminative=1.00" in at.code[0].value


def test_measured_knob_is_drawn_and_told_in_its_own_numbers(open_app, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"seed": seed, "knob": knob, "name": "CAM", "method": "cam", "imbalance": 0.2 + knob / 2 + seed / 100,
         "plateau": 0.1, "peak_miou": 0.5 - knob / 4}
        for seed in (1, 3) for knob in (0.0, 1.0)]
    measured = {"values": [0.0, 1.0], "seeds": [1, 3], "images": 5, "trained": 9, "runs": rows}
    monkeypatch.setattr("app.lessons.data.load_knob", lambda: measured)
    at = open_app("lessons/train_it_yourself")
    assert any("**CAM**: imbalance 0.22 to 0.72, peak mIoU 50.0 to 25.0" in text.value for text in at.markdown)
    assert any("means over the random seeds 1, 3" in caption.value for caption in at.caption)
    trace = json.loads(at.get("plotly_chart")[1].proto.spec)["data"][0]
    assert np.allclose(trace["y"], [0.22, 0.72]) and np.allclose(trace["error_y"]["array"], 0.01)


def test_classroom_offers_no_training(open_app, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    at = open_app("lessons/train_it_yourself")
    assert not at.exception and any("classroom" in caption.value for caption in at.caption)


def test_reading_a_paper_scores_the_same_maps_by_every_protocol(open_app) -> None:
    at = open_app("lessons/reading_a_paper", half="fixed", averaging="all")
    assert len(read_values(read_trace(at, "CAM"), "x")) == 9
    assert next(metric.label for metric in at.metric) == "CAM at 0.150"


def test_curve_follows_the_sliders_in_a_browser(open_page) -> None:
    page = open_page("two-conditions", imbalance="0.3", gap="0.5")
    page.wait_for_function(f"({READ_CURVE})('model').length === 201")
    assert np.allclose(page.evaluate(READ_CURVE, "model"), compute_model(0.3, 0.5, 0.2, 0.15), atol=1e-3)
    slider = page.get_by_role("slider", name="Imbalance on the object")
    slider.press("ArrowRight")  # once: a rerun in between would swallow the next
    page.wait_for_url(re.compile(r"imbalance=0\.35(&|$)"))
    expected = compute_model(0.35, 0.5, 0.2, 0.15)
    page.wait_for_function(
        f"peak => Math.abs(Math.max(...({READ_CURVE})('model')) - peak) < 1e-3", arg=float(expected.max()))
    assert np.allclose(page.evaluate(READ_CURVE, "model"), expected, atol=1e-3)
