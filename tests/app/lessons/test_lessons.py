"""The lessons on the screen: each opens, its figure follows its controls in the browser, a guess opens the answer."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from amn_core.formats.runs import load_run
from app.components.lesson import FIGURES, Pack, fit_value, read_figures
from app.lessons import how_wide, page, per_pixel_loss, sandbox, two_conditions
from app.lessons.bent_counts import count_bent
from app.lessons.manipulation import Manipulation
from app.lessons.model import NOISE, SHARE, SHIFTS, THRESHOLDS, model_crowd
from app.lessons.page import LESSONS
from tests.app.conftest import get_component

SHADOW = """() => {
    const all = [...document.querySelectorAll('*')]
    const roots = [document, ...all.filter(e => e.shadowRoot).map(e => e.shadowRoot)]
    return roots.flatMap(r => [...r.querySelectorAll('.lesson')])[0]
}"""


@pytest.mark.parametrize("name", [name for name in LESSONS if name != "what_a_cam_is"])
def test_lesson_opens_with_a_figure_and_a_hidden_answer(open_app, name: str) -> None:
    at = open_app(f"lessons/{name}")
    assert not at.exception
    assert at.subheader[0].value.endswith(LESSONS[name])
    assert any("At a glance" in text.value for text in at.markdown)
    assert any("Try first" in text.value for text in at.markdown)
    content = get_component(at, "amn_lesson")["meta"]
    assert content["kind"] in FIGURES
    if content["guess"]:
        assert content["guess"]["committed"] is None and not at.success


def test_lesson_about_features_asks_for_a_model(open_app) -> None:
    at = open_app("lessons/what_a_cam_is")
    assert not at.exception and at.info


def test_every_lesson_has_a_page_and_every_page_is_listed() -> None:
    has_page = {path.stem for path in Path(page.__file__).parent.glob("*.py") if "\n    render()" in path.read_text()}
    assert has_page == set(LESSONS)


def test_values_of_a_link_are_fitted_to_the_controls(open_app) -> None:
    at = open_app("lessons/two_conditions", gap="7", imbalance="-1", between="0.05")
    values = get_component(at, "amn_lesson")["meta"]["values"]
    assert values == {"imbalance": 0.05, "gap": 0.8, "between": 0.05}
    assert fit_value(sandbox.CONTROLS[0], 99) == 0 and fit_value(sandbox.CONTROLS[3], 3.0) == 3


def test_packed_arrays_start_where_their_type_may() -> None:
    pack = Pack()
    arrays = [np.arange(5, dtype=np.uint8), np.arange(3, dtype=np.float32), np.arange(7, dtype=np.uint16)]
    spans = [pack.add(array) for array in arrays]
    for span, array in zip(spans, arrays, strict=True):
        assert span["at"] % 4 == 0
        part = pack.blob[span["at"] : span["at"] + array.nbytes]
        assert np.array_equal(part.view(array.dtype), array)


def test_train_takes_the_settings_of_the_lesson(open_app) -> None:
    at = open_app("lessons/train_it_yourself", knob="0.25")
    next(button for button in at.button if button.label == "Train at knob 0.25").click().run()
    assert not at.exception
    values = at.session_state["train-values"]
    assert values["data"] == "scenes:n=320,seed=7,discriminative=0.25" and values["preset"] == "scenes"


def test_classroom_offers_no_training(open_app, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    at = open_app("lessons/train_it_yourself")
    assert not at.exception and any("classroom" in caption.value for caption in at.caption)


@pytest.fixture
def scripts(browser):
    """The figures' scripts by themselves, to be asked for what they compute."""
    tab = browser.new_page()
    code = read_figures().replace("export default function", "function mountLesson")
    tab.evaluate("code => { (0, eval)(code) }", code)
    yield tab
    tab.close()


def test_browser_computes_the_model_of_the_crowd(scripts) -> None:
    content = {"shifts": list(SHIFTS), "thresholds": THRESHOLDS.tolist(), "share": SHARE, "noise": NOISE}
    for values in (two_conditions.START, {"imbalance": 0.05, "gap": 0.3, "between": 0.2}):
        found = scripts.evaluate("([content, values]) => modelCrowd(content, values)", [content, values])
        crowd = model_crowd(**values)
        assert np.allclose(found["mean"], crowd.mean, atol=1e-3)
        assert found["oracle"] == pytest.approx(crowd.oracle, abs=1e-3)


def test_browser_moves_pixels_down_the_loss(scripts) -> None:
    start = [0.03, 0.4, 0.95]
    found = scripts.evaluate("pixels => pixels.map(p => rollPixel(p, 0.6, 17))", start)
    assert np.allclose(found, per_pixel_loss.roll_pixels(np.array(start), 0.6, 17))


def test_browser_measures_widths(scripts) -> None:
    thresholds = np.linspace(0, 1, 201)
    curve = {"thresholds": thresholds.tolist(), "miou": (60 - 90 * (thresholds - 0.4) ** 2).tolist(),
             "share": (1 - thresholds).tolist()}
    for bend in (0.3, 1.0, 2.5):
        values = {"bend": bend, "tolerance": 2}
        found = scripts.evaluate("([run, values]) => measureWidths(run, values)", [curve, values])
        assert [found["inThresholds"], found["inShares"]] == pytest.approx(how_wide.measure_widths(curve, bend, 2))


@pytest.mark.parametrize(
    "values", [{}, {"gamma": 0.4}, {"clip": 0.5, "sharpness": 9.0}, {"gamma": 0.7, "suppression": 0.5}])
def test_browser_counts_bent_maps_again(scripts, runs, values: dict) -> None:
    run = load_run(runs["cam"].path)
    figure = sandbox.build_figure(run)
    blob = figure.pack.blob
    tables = [blob[s["at"] : s["at"] + 4 * s["n"]].view(np.float32).tolist() for s in figure.content["tables"]]
    ask = "([images, tables, values]) => countAgain({ images }, tables.map(sumAbove), values)"
    found = scripts.evaluate(ask, [figure.content["images"], tables, {**sandbox.NEUTRAL, **values}])
    expected = count_bent(run.counts(), Manipulation(**values))
    assert max(found["curve"]) == pytest.approx(expected.peak)
    assert np.allclose(np.interp(expected.thresholds, found["at"], found["curve"]), expected.miou, atol=1e-3)
    assert found["oracle"] >= max(found["curve"]) - 1e-6


def test_figure_follows_the_finger_and_a_guess_opens_the_answer(open_page) -> None:
    tab = open_page("two-conditions")
    figure = tab.locator(".lesson .figure")
    expect(figure).to_have_attribute("aria-label", re.compile("71.5 at best"))
    slider = tab.get_by_role("slider", name=re.compile("^Imbalance"))
    expect(slider).to_be_disabled()
    guess = tab.get_by_role("slider", name="Your guess")
    guess.focus()
    guess.press("ArrowRight")
    tab.get_by_role("button", name="Commit my guess").click()
    expect(tab.locator(".lesson .strip .mine")).to_have_text("you 76 %")
    expect(tab.locator(".lesson .strip .truth")).to_have_text(re.compile("it is 8"))
    expect(tab.get_by_text("The paper's two conditions")).to_be_visible()
    expect(slider).to_be_enabled()
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    peak = model_crowd(0.25, 0.45, 0.1).peak
    expect(figure).to_have_attribute("aria-label", re.compile(f"{peak:.1f} at best"))
    tab.wait_for_url(re.compile(r"imbalance=0\.25(&|$)"))


def test_line_is_dragged_through_the_chart(open_page) -> None:
    tab = open_page("one-threshold", data=json.dumps(None))
    figure = tab.locator(".lesson .figure")
    expect(figure).to_have_attribute("aria-label", re.compile("At 0.35"))
    box = figure.bounding_box()
    y = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] * 0.8, y)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] - 16, y, steps=6)
    expect(figure).to_have_attribute("aria-label", re.compile("At 1.00"))
    tab.mouse.up()
    tab.wait_for_url(re.compile(r"t=1\.000"))
