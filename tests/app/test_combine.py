"""The panel of Explore that combines two maps: what the canvas gets, what the job makes, what is refused."""

import numpy as np
import pytest
from PIL import Image

from amn_core.cli import main
from amn_core.formats.runs import load_run
from amn_core.jobs import list_jobs, wait_for_job
from amn_core.sweep import score_images
from app.cache import combinations
from app.cache import runs as cached
from app.cache.combinations import KEY, Mix
from app.charts.runs import build_mark
from tests.app.canvas_model import score_in_browser
from tests.app.conftest import get_component
from tests.app.test_canvas import open_image

CAM, AMN = "drawn/cam", "drawn/amn"


def list_labels(at) -> list[str]:
    """List the methods on the canvas."""
    return [method["label"] for method in get_component(at, "amn_canvas")["meta"]["methods"]]


@pytest.fixture(scope="module")
def combined(runs_root, tmp_path_factory):
    """The same combination made by the command."""
    out = tmp_path_factory.mktemp("combined") / "run"
    assert main(["combine", str(runs_root / "drawn/cam"), str(runs_root / "drawn/amn"), "--out", str(out),
                 "--workers", "1"]) == 0
    return load_run(out)


def test_panel_adds_the_combination_to_the_canvas(open_app, group):
    at = open_app("explore", data=group)
    assert not at.exception and list_labels(at) == ["CAM", "AMN without LCM", "AMN"]
    at = open_app("explore", data=group, mix="or")
    assert not at.exception and list_labels(at) == ["CAM", "AMN without LCM", "AMN", "CAM OR AMN"]
    at.selectbox(key="widget:mix-with").set_value("drawn/amn-without-lcm").run()
    assert list_labels(at)[-1] == "CAM OR AMN without LCM"
    assert at.query_params["mix"] == "or" and at.query_params["mix-with"] == "drawn/amn-without-lcm"
    at.selectbox(key="widget:mix-with").set_value(CAM).run()
    assert list_labels(at) == ["CAM", "AMN without LCM", "AMN"]
    assert any("two different runs" in caption.value for caption in at.caption)


@pytest.mark.parametrize("by", ["or", "and", "mean", "max"])
def test_canvas_scores_what_the_command_counts(by, browser, open_app, group, runs_root, scenes, tmp_path):
    from app.cache.canvases import load_canvas

    open_app("explore", data=group)
    out = tmp_path / "run"
    assert main(["combine", str(runs_root / CAM), str(runs_root / AMN), "--by", by, "--out", str(out),
                 "--workers", "1"]) == 0
    scores = score_images(load_run(out).counts())
    for place, image_id in enumerate(scenes.ids[:3]):
        meta, blob, _ = load_canvas((CAM, AMN), image_id, "union", Mix(by, (CAM, AMN)))
        assert meta["methods"][2]["key"] == KEY
        found = score_in_browser(browser, meta, blob)[2]
        np.testing.assert_allclose(found, scores.miou[scores.image_ids.index(image_id)], atol=1e-9, err_msg=str(place))


def test_other_classes_are_refused_by_name_on_the_canvas(open_app, group, runs_root, monkeypatch, scenes):
    load = cached.load_map

    def lose_a_class(run, image_id, size):
        cam, class_ids = load(run, image_id, size)
        return (cam[:-1], class_ids[:-1]) if run.method == "cam" else (cam, class_ids)

    monkeypatch.setattr(cached, "load_map", lose_a_class)
    at = open_app("explore", data=group, image=scenes.ids[1], mix="and")
    lack = get_component(at, "amn_canvas")["meta"]["missing"][0]
    assert lack["label"] == "CAM AND AMN"
    assert scenes.ids[1] in lack["reason"] and "of other classes (CAM has" in lack["reason"]


def test_run_that_the_command_made_is_found_and_lends_its_curve(open_app, group, runs_root, combined, monkeypatch):
    from app import roots

    find = roots.find_runs
    monkeypatch.setattr(roots, "find_runs", lambda: {**find(), "made/or": combined})
    at = open_app("explore", data=group, mix="or", runs=f"{CAM}~{AMN}")
    meta = get_component(at, "amn_canvas")["meta"]
    assert [method["label"] for method in meta["methods"]] == ["CAM", "AMN", "CAM OR AMN"]
    expected = cached.load_summary(combined, "union", (), ()).miou * 100
    np.testing.assert_allclose(meta["methods"][2]["whole"], expected, atol=0.006)
    assert any(peak["label"] == "CAM OR AMN" for peak in meta["peaks"])
    assert "made/or" in meta["revision"]  # a canvas that was open before draws its curve too
    assert any("thick one" in caption.value for caption in at.caption)
    at = open_app("explore", data=group, mix="or")  # the run is shown anyway, and once
    assert list_labels(at).count("CAM OR AMN") == 1
    at = open_app("explore", data=group, mix="and", runs=f"{CAM}~{AMN}")
    assert get_component(at, "amn_canvas")["meta"]["methods"][2]["whole"] is None


def test_button_starts_the_job_that_makes_the_run(open_app, group, scenes, tmp_path, monkeypatch):
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))
    at = open_app("explore", data=group, mix="max")
    shown = at.code[0].value
    button = next(one for one in at.button if one.key == "combine:start")
    assert button.label == "Curve of all 6 images"
    button.click().run()
    assert not at.exception
    job = list_jobs(tmp_path / "jobs")[0]
    assert shown.split()[3:8] == list(job.words)[:5]
    assert wait_for_job(job, 120).state == "done"
    run = load_run(job.path / "run")
    assert run.has_counts and len(run.counts().image_ids) == len(scenes.ids)
    cached.clear_runs()
    with_run = cached.group_runs()[group]
    assert combinations.find_combined(Mix("max", (CAM, AMN)), with_run) is not None


def test_map_follows_masks_and_a_folder_that_is_none_is_said(open_app, group, runs, scenes, tmp_path):
    for image_id in scenes.ids:
        labels = np.zeros(scenes.gt(image_id).shape, np.uint8)
        labels[:, : labels.shape[1] // 2] = 1
        labels[:, labels.shape[1] // 2:] = 2
        Image.fromarray(labels).save(tmp_path / f"{image_id}.png")
    at = open_app("explore", data=group, mix="masks")
    assert list_labels(at) == ["CAM", "AMN without LCM", "AMN"]
    at.text_input(key="combine:masks").set_value("/no/such/folder").run()
    assert any("No such folder" in caption.value for caption in at.caption)
    at.text_input(key="combine:masks").set_value(str(tmp_path)).run()
    assert list_labels(at)[-1] == "CAM in masks"
    at.slider(key="combine:overlap").set_value(0.2).run()
    assert not at.exception and list_labels(at)[-1] == "CAM in masks"


def test_nobody_starts_or_types_a_path_in_a_classroom(open_app, group, monkeypatch):
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    at = open_app("explore", data=group, mix="or")
    assert list_labels(at)[-1] == "CAM OR AMN"
    assert not [one for one in at.button if one.key == "combine:start"]
    assert not [one for one in at.text_input if one.key == "combine:masks"]


def test_style_of_a_combination_is_that_of_its_method(open_app, group):
    open_app("explore", data=group)
    style = combinations.style_mix(Mix("mean", (CAM, AMN)), cached.group_runs()[group])
    assert style.label == "mean of CAM and AMN" and build_mark(style, 9)


def test_combination_is_chosen_moves_with_the_bar_and_stays_in_the_link(open_page, group, scenes, runs):
    from playwright.sync_api import expect

    page = open_image(open_page, group, scenes.ids[0], t="0.300", runs=f"{CAM}~{AMN}")
    labels = page.locator(".scores .label")
    expect(labels).to_have_count(2)
    page.get_by_test_id("stPopover").get_by_role("button", name="Combine two maps").click()
    page.get_by_role("radio", name="OR", exact=True).click()
    expect(labels).to_have_count(3)
    expect(labels.nth(2)).to_have_text("CAM OR AMN")
    page.wait_for_function("document.location.search.includes('mix=or')")
    page.keyboard.press("Escape")
    score = page.locator(".scores td.now").nth(2)
    before = score.inner_text()
    page.locator(".threshold-track").first.focus()
    page.keyboard.press("End")
    expect(score).not_to_have_text(before)
    expect(page.locator(".panel.method")).to_have_count(3)

