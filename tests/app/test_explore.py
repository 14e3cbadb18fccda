"""Explore without a browser: what is listed, chosen, restored from a link, and said where something is missing."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

from amn_core.formats.counts import save_counts
from amn_core.formats.runs import load_run, save_run
from amn_core.sweep import score_images, summarise
from app.browser import SORTS, filter_table, sort_table
from app.cache import canvases
from app.words.tables import find_contents
from tests.app.canvas_model import score_in_browser
from tests.app.conftest import get_component, make_run


def list_names(at) -> list[str]:
    """List the images of the browser in their order."""
    return get_component(at, "amn_image_list")["list"]["names"].split("\n")


def test_explore_opens_where_amn_gains_the_median_over_cam(open_app, group, runs):
    at = open_app("explore", data=group, t="0.700")
    assert not at.exception
    meta = get_component(at, "amn_canvas")["meta"]
    own = {}
    for method in ("cam", "amn"):
        scores, peak = score_images(runs[method].counts()), summarise(runs[method].counts()).peak_threshold
        own[method] = scores.miou[:, scores.thresholds.tolist().index(peak)]
    gains = sorted(zip(own["amn"] - own["cam"], scores.image_ids, strict=True), key=lambda pair: pair[0])
    assert meta["image"] == gains[(len(gains) - 1) // 2][1]
    assert any("AMN gains the median over CAM" in caption.value for caption in at.caption)
    assert [method["label"] for method in meta["methods"]] == ["CAM", "AMN without LCM", "AMN"]
    summary = summarise(runs["amn"].counts())
    np.testing.assert_allclose(meta["methods"][2]["whole"], summary.miou * 100, atol=0.006)


def test_explore_starts_at_the_peak_of_the_first_run_and_keeps_a_threshold_for_each_data_set(open_app, group, runs):
    at = open_app("explore", data=group)
    assert at.query_params["t"] == f"{summarise(runs['cam'].counts()).peak_threshold:.3f}"
    at.session_state["shared:t"] = 0.9
    at.session_state["shared:data"] = "folder:large/all"
    at.run()
    assert get_component(at, "amn_canvas")["meta"]["image"] == "large" and at.query_params["t"] != "0.900"
    at.session_state["shared:data"] = group
    at.run()
    assert at.query_params["t"] == "0.900"


def test_claim_says_what_one_threshold_costs(open_app, group, runs):
    summary = summarise(runs["amn"].counts())
    cost = (summary.oracle_miou - summary.peak_miou) * 100
    text = open_app("explore", data=group, runs="drawn/amn").text[0].value
    assert text == f"One threshold for all 6 images costs AMN {cost:.1f} points."


def read_rows(page) -> list[list[str]]:
    """Read the rows of the list: name and figure."""
    return [row.locator("span").all_inner_texts() for row in page.locator(".images .row").all()]


def test_list_follows_the_hand_sorts_on_release_and_next_walks_its_order(open_page, group, runs):
    scores = score_images(runs["cam"].counts())
    def rank(t):
        regret = dict(zip(scores.image_ids, np.rint(scores.regret(t) * 10_000), strict=True))
        return sorted(regret, key=lambda name: -regret[name]), regret
    page = open_page("", data=group, t="0.700", sort="regret", of="drawn/cam")
    page.wait_for_selector(".amn[data-ready]")
    order, regret = rank(0.7)
    assert read_rows(page) == [[name, f"{regret[name] / 100:.1f}"] for name in order]
    expect(page.locator(".images .figure")).to_have_text("regret, points at 0.700, of CAM")
    page.locator(".threshold-track").focus()
    page.keyboard.down("Home")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    held, (later, moved) = read_rows(page), rank(0.0)
    assert held == [[name, f"{moved[name] / 100:.1f}"] for name in order]
    page.keyboard.up("Home")
    page.wait_for_function("document.location.search.includes('t=0.000')")
    expect(page.locator(".images .row span:first-child")).to_have_text(later)
    expect(page.locator(".images .figure")).to_have_text("regret, points at 0.000, of CAM")
    for _ in range(3):
        here = later.index(page.locator(".amn").get_attribute("data-ready"))
        page.keyboard.press("]")
        page.wait_for_selector(f".amn[data-ready={later[(here + 1) % 6]}]")
        expect(page.locator(".position")).to_have_text(f"{(here + 1) % 6 + 1} of 6")


def test_link_restores_image_runs_and_view(open_app, group, scenes):
    at = open_app(
        "explore", data=group, image=scenes.ids[3], t="0.205", runs="drawn/amn", layer="mask", contour="0",
        opacity="0.400")
    meta = get_component(at, "amn_canvas")["meta"]
    assert meta["image"] == scenes.ids[3]
    assert [method["key"] for method in meta["methods"]] == ["drawn/amn"]
    start = meta["start"]
    assert (start["t"], start["layer"], start["contour"], start["opacity"]) == (41, "mask", False, 0.4)
    assert at.query_params["t"] == "0.205"


@pytest.mark.parametrize(("name", "value"), [
    ("t", "7"), ("t", "x"), ("layer", "<script>"), ("image", "../../etc/passwd"), ("runs", "../secret"), ("sort", "?"),
    ("opacity", "nan"), ("contour", "2"), ("data", "voc:/etc/x"), ("class", "dragon"), ("hidden", "nothing"),
])


def test_nonsense_in_a_link_is_passed_over(open_app, group, scenes, name, value):
    at = open_app("explore", **{"data": group, name: value})
    assert not at.exception and not at.error
    meta = get_component(at, "amn_canvas")["meta"]
    assert meta["image"] in (*scenes.ids, "large")
    assert 0 <= meta["start"]["t"] <= 200 and 0 <= meta["start"]["opacity"] <= 1


def test_finding_and_filtering_narrow_the_list(open_app, group, scenes):
    at = open_app("explore", data=group)
    at.text_input("widget:find").set_value("0003").run()
    assert list_names(at) == [scenes.ids[3]]
    at.text_input("widget:find").set_value("").run()
    name = scenes.class_names[int(scenes.class_ids(scenes.ids[0])[0])]
    at.selectbox("widget:only").select(name).run()
    with_class = {i for i in scenes.ids if name in [scenes.class_names[c] for c in scenes.class_ids(i)]}
    assert set(list_names(at)) == with_class
    at.text_input("widget:find").set_value("no such image").run()
    assert not at.exception and "No image fits" in at.info[0].value


@pytest.mark.parametrize(("name", "figure"), [
    ("regret-range", lambda scores: 100 * scores.regret(0.7)), ("gap-range", lambda scores: scores.gap),
    ("imbalance-range", lambda scores: scores.imbalance), ("best-range", lambda scores: scores.best_threshold),
])


def test_range_of_a_figure_narrows_the_list_and_lives_in_the_url(open_app, group, runs, name, figure):
    scores = score_images(runs["cam"].counts())
    values = dict(zip(scores.image_ids, figure(scores), strict=True))
    middle = round(float(np.median(list(values.values()))) + 1e-4, 4)
    fitting = {image for image, value in values.items() if value >= middle}
    assert 0 < len(fitting) < len(values)
    at = open_app("explore", data=group, t="0.700", **{name: f"{middle}~"})
    assert not at.exception and set(list_names(at)) == fitting
    slider = at.slider(f"widget:{name}")
    slider.set_value((slider.min, slider.max)).run()
    assert set(list_names(at)) == set(values) and name not in at.query_params
    high = round(slider.max - slider.step, 6)
    at.slider(f"widget:{name}").set_value((slider.min, high)).run()
    assert set(list_names(at)) == {image for image, value in values.items() if round(value, 6) <= high}
    assert at.query_params[name] == f"~{high:g}"


def test_filters_that_nothing_fits_are_cleared_with_one_click(open_app, group, scenes):
    at = open_app("explore", data=group, number="3 or more", **{"regret-range": "150~"})
    assert not at.exception and "No image fits" in at.info[0].value
    next(button for button in at.button if button.label == "Clear name and filters").click().run()
    assert set(list_names(at)) == set(scenes.ids)
    assert not {"number", "regret-range"} & set(at.query_params)


def test_ranges_are_passed_over_where_there_are_no_counts(open_app, runs_root, tmp_path, monkeypatch, group, scenes):
    folder = tmp_path / "uncounted" / "cam"
    shutil.copytree(runs_root / "drawn" / "cam", folder, ignore=shutil.ignore_patterns("counts.npz"))
    monkeypatch.setenv("AMN_RUNS", str(folder.parent))
    at = open_app("explore", data=group, **{"gap-range": "5~6", "best-range": "~0.001"})
    assert not at.exception and set(list_names(at)) == set(scenes.ids)
    assert not at.slider


def test_choosing_one_method_leaves_one_on_the_canvas(open_app, group):
    at = open_app("explore", data=group)
    at.multiselect("widget:runs").set_value(["drawn/amn"]).run()
    assert [m["key"] for m in get_component(at, "amn_canvas")["meta"]["methods"]] == ["drawn/amn"]
    assert at.query_params["runs"] == "drawn/amn"


def test_without_runs_the_screen_says_how_to_make_them(open_app, monkeypatch, tmp_path):
    monkeypatch.setenv("AMN_RUNS", str(tmp_path / "none"))
    at = open_app("explore")
    assert not at.exception and at.header[0].value == "No runs yet"


def test_without_photographs_the_screen_says_where_to_add_them(open_app, runs_root, tmp_path, monkeypatch):
    bundle = tmp_path / "runs" / "far"
    bundle.mkdir(parents=True)
    meta = json.loads((runs_root / "drawn" / "cam" / "run.json").read_text())
    (bundle / "run.json").write_text(json.dumps({**meta, "data": "voc:VOC2012", "data_root": ""}))
    (bundle / "counts.npz").write_bytes((runs_root / "drawn" / "cam" / "counts.npz").read_bytes())
    at = open_app("explore", data="voc:VOC2012/val")
    assert not at.exception and "not on this machine" in at.header[0].value
    at.button[0].click().run()
    assert get_component(at, "amn_canvas")["meta"]["image"]


def test_run_without_a_map_is_said_in_its_own_panel_and_in_the_list(open_app, runs_root, tmp_path, monkeypatch, group):
    for name in ("tables", "part"):
        folder = tmp_path / "more" / name
        shutil.copytree(runs_root / "drawn" / "cam", folder, ignore=shutil.ignore_patterns("maps"))
        meta = {**json.loads((folder / "run.json").read_text()), "name": name}
        (folder / "run.json").write_text(json.dumps(meta))
    (folder / "maps").mkdir()
    monkeypatch.setenv("AMN_RUNS", f"{runs_root}:{tmp_path / 'more'}")
    at = open_app("explore", data=group, runs="drawn/amn~tables~part")
    assert not at.exception and not at.error
    meta = get_component(at, "amn_canvas")["meta"]
    assert [method["label"] for method in meta["methods"]] == ["AMN"]
    reasons = {lack["label"]: lack["reason"] for lack in meta["missing"]}
    assert "Tables alone" in reasons["tables"] and "has 0 maps" in reasons["part"]
    assert "tables · tables alone" in at.multiselect("widget:runs").options


def test_contents_are_those_of_the_data_set(runs, scenes):
    counts = runs["amn"].counts()
    classes, area = find_contents(counts)
    for image_id, names, share in zip(counts.image_ids, classes, area, strict=True):
        assert names == tuple(scenes.class_names[c] for c in scenes.class_ids(image_id))
        assert share == pytest.approx(100 * (scenes.gt(image_id) > 0).mean())


def test_sorting_puts_undefined_figures_last():
    import pandas as pd

    table = pd.DataFrame({"classes": [()] * 3, "count": 0, "gap": [0.1, np.nan, 0.3]}, index=["a", "b", "c"])
    assert list(sort_table(table, "gap", False).index) == ["c", "a", "b"]
    assert list(sort_table(table, "gap", True).index) == ["a", "c", "b"]
    assert set(table.columns) - {"classes"} <= set(SORTS)


def test_name_is_found_anywhere_in_it_and_taken_literally():
    import pandas as pd

    table = pd.DataFrame({"classes": [(), ()], "count": 0}, index=["2007_a", "2008_b"])
    assert list(filter_table(table, "8_B").index) == ["2008_b"]
    assert not len(filter_table(table, ".*"))


def test_runs_of_a_folder_keep_their_maps_out_of_the_search(runs_root):
    from app.roots import find_run_folders

    found = find_run_folders(runs_root)
    drawn = [load_run(folder).name for folder in found if folder.parent.name == "drawn"]
    assert drawn == ["AMN", "AMN without LCM", "CAM"]


@pytest.mark.parametrize("averaging", ["union", "present"])
def test_list_and_canvas_show_one_number_where_the_protocol_names_classes(
    open_app, scenes, group, tmp_path, browser, averaging, monkeypatch
):
    monkeypatch.setattr("app.browser.MOST_LIVE", 0)  # a list that waits for the server says the numbers in words
    run = make_run(tmp_path / "runs" / "named", "cam", scenes, "Named")
    classes = ["background", *scenes.class_names[1:4]]
    save_run(run.path, run.meta | {"protocol": run.meta["protocol"] | {"classes": classes}})
    at = open_app("explore", data=group, runs="named", sort="miou", t="0.350", averaging=averaging)
    assert not at.exception
    listed = get_component(at, "amn_image_list")["list"]
    shown = dict(zip(listed["names"].split("\n"), listed["figures"].split("\n"), strict=True))
    assert get_component(at, "amn_canvas")["meta"]["averaging"] == averaging
    for image_id in scenes.ids:
        meta, blob, _ = canvases.load_canvas(("named",), image_id, averaging)
        assert shown[image_id] == f"{100 * score_in_browser(browser, meta, blob)[0, 70]:.1f}"
    whole = score_images(run.counts(), averaging)
    assert any(shown[name] != f"{100 * value:.1f}" for name, value in zip(whole.image_ids, whole.miou[:, 70]))


def test_degenerate_images_come_last_and_are_named(open_app, scenes, group, tmp_path, monkeypatch):
    monkeypatch.setattr("app.browser.MOST_LIVE", 0)
    run = make_run(tmp_path / "runs" / "odd", "cam", scenes, "Odd")
    counts = run.counts()
    gone = (counts.decision_gt == 0) & (counts.decision_image == 2)
    bins = np.where(gone[:, None], 0, counts.decision_bins)
    save_counts(run.counts_path, replace(counts, decision_bins=bins))
    for ascending in ("0", "1"):
        at = open_app("explore", data=group, runs="odd", sort="regret", t="0.350", ascending=ascending)
        assert not at.exception and list_names(at)[-1] == scenes.ids[2]
        assert get_component(at, "amn_image_list")["list"]["figures"].split("\n")[-1] == "degenerate"
        assert any(one.value == "1 degenerate image comes last" for one in at.caption)
    at = open_app("images", data=group, of="odd", sort="miou")
    assert not at.exception and at.dataframe[-1].value["image"].iloc[-1] == scenes.ids[2]
    assert any("1 degenerate image (" in one.value for one in at.markdown)


def test_neighbours_of_the_first_image_are_made_ahead_of_time():
    from app.components.explore_list import find_around

    assert find_around(["a", "b", "c"], "b") == ["c", "a"] and find_around(["a"], "a") == []


def test_photograph_stands_alone_while_a_model_makes_its_maps(open_app, group, monkeypatch):
    from app.cache import canvases

    seen = []

    def fail(*args):
        raise ValueError("the maps failed")

    at = open_app("explore", data=group)
    assert not at.get("imgs")  # with maps on the disk the canvas alone
    monkeypatch.setattr(canvases, "is_drawn", lambda run, image_id: seen.append(image_id) or False)
    monkeypatch.setattr(canvases, "load_canvas", fail)
    at.run()
    assert seen and [error.value for error in at.error] == ["the maps failed"]
    assert not at.get("imgs")  # taken away again
