"""Images lists every per-image figure, and what is filtered and sorted is what was asked for."""

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from amn_core.constants import DEFAULT_THRESHOLDS
from amn_core.data import load_dataset
from amn_core.formats.runs import load_run
from amn_core.sweep import summarise
from amn_core.sweep.images import score_images
from app.cache.selections import save_selection
from app.pictures import tiles
from app.words import tables
from tests.app.conftest import get_component
from tests.app.test_live import count_messages


@pytest.fixture
def open_images(open_app, group):
    """Open Images on the drawn scenes."""
    return lambda **query: open_app("images", data=group, **{"of": "drawn/amn", **query})


def read_table(at) -> pd.DataFrame:
    """Read the rows that the page was sent, by name of the image."""
    table = get_component(at, "amn_figures")["table"]
    columns = {column["name"]: column["cells"] for column in table["columns"] if column["cells"] is not None}
    classes = [names.split(", ") for names in table["classes"]]
    return pd.DataFrame({"image": table["names"], "classes": classes, **columns})


def rank(scores, t: float) -> tuple[list[str], dict[str, float]]:
    """Rank images by what they lose at a threshold, most first; and the points, as the page is sent them."""
    at = int(np.rint(t * 200))
    points = np.rint(scores.best_miou * 10_000) - np.rint(scores.miou[:, at] * 10_000)
    regret = dict(zip(scores.image_ids, points / 100, strict=True))
    return sorted(regret, key=lambda name: -regret[name]), regret


def test_rows_and_claim_follow_the_hand_and_the_order_waits_for_the_release(open_page, group, runs):
    scores = score_images(runs["amn"].counts())
    page = open_page("images", data=group, of="drawn/amn", t="0.700")
    rows = page.locator(".figures .rows .open")
    order, _ = rank(scores, 0.7)
    expect(rows).to_have_text(order)
    count_messages(page)
    page.locator(".threshold-track").focus()
    page.keyboard.down("Home")
    later, regret = rank(scores, 0.0)
    expect(page.locator(".figures .rows .live:nth-of-type(4)")).to_have_text([f"{regret[name]:.1f}" for name in order])
    known = scores.regret(0.0)[~scores.is_degenerate] * 100
    claim = f"At 0.000 the regret of AMN is above {np.median(known):.1f}"
    expect(page.locator(".sentence.claim")).to_contain_text(claim)
    assert page.evaluate("sentByPage") == 0
    page.keyboard.up("Home")
    expect(rows).to_have_text(later)
    page.wait_for_url("**t=0.000**")


def test_a_head_sorts_a_mark_selects_and_a_name_opens(open_page, group, runs):
    scores = score_images(runs["amn"].counts())
    page = open_page("images", data=group, of="drawn/amn", t="0.300")
    page.locator(".figures .heads button", has_text="Best at").click()
    page.wait_for_url("**sort=best_threshold**")
    falling = sorted(scores.image_ids, key=lambda name: -scores.best_threshold[scores.image_ids.index(name)])
    rows = page.locator(".figures .rows .open")
    expect(rows.first).to_have_text(falling[0])
    page.locator(".figures .rows .mark").nth(1).check()
    page.get_by_role("button", name="Curves of 1").wait_for()
    rows.nth(2).click()
    page.wait_for_selector(".amn[data-ready]")
    page.wait_for_url("**image=**")


def test_images_filter_by_class(open_images, scenes):
    name = scenes.class_names[int(scenes.class_ids(scenes.ids[0])[0])]
    table = read_table(open_images(only=name))
    assert len(table)
    assert all(name in names for names in table["classes"])


def test_images_find_by_name(open_images, scenes):
    table = read_table(open_images(find=scenes.ids[2]))
    assert list(table["image"]) == [scenes.ids[2]]


def test_images_filter_by_the_ranges_of_explore(open_images, runs):
    every = read_table(open_images(t="0.700"))
    regret = pd.Series(score_images(runs["amn"].counts()).regret(0.7) * 100, runs["amn"].counts().image_ids)
    points, gap = regret.median(), every["gap"].median()
    table = read_table(open_images(t="0.700", **{"regret-range": f"~{points:.6f}"}))
    assert set(table["image"]) == set(regret.index[regret <= points]) < set(every["image"])
    table = read_table(open_images(t="0.700", **{"gap-range": f"{gap - 1e-5:.6f}~"}))
    assert set(table["image"]) == set(every["image"][every["gap"] >= gap]) < set(every["image"])


def test_images_that_fit_nothing_say_so(open_images):
    at = open_images(find="no such image")
    assert not at.exception
    assert "No image fits" in at.info[0].value


def test_sheet_shows_every_picture_with_a_button(open_images, scenes):
    at = open_images(sheet="1")
    assert not at.exception
    assert len(at.image) == len(scenes.ids)
    assert set(scenes.ids) <= {button.label for button in at.button}


def test_tile_opens_explore(open_images, scenes):
    at = open_images(sheet="1")
    next(button for button in at.button if button.label == scenes.ids[3]).click().run()
    assert not at.exception
    assert at.query_params["image"] == scenes.ids[3]


def test_image_table_is_in_fractions(runs):
    counts = runs["cam"].counts()
    scores = score_images(counts)
    table = tables.build_image_table(counts, scores, 0.3)
    np.testing.assert_allclose(table["regret"], scores.regret(0.3))
    np.testing.assert_allclose(table["best_miou"] - table["regret"], table["miou"])


def test_image_table_names_classes_and_their_area(runs, scenes):
    counts = runs["cam"].counts()
    table = tables.build_image_table(counts, score_images(counts), 0.3).set_index("image")
    for image_id in scenes.ids:
        gt = scenes.gt(image_id)
        scored = gt[gt != 255]
        present = [scenes.class_names[c] for c in np.unique(scored) if c]
        assert table.loc[image_id, "classes"] == present
        assert table.loc[image_id, "object_share"] == pytest.approx((scored > 0).mean())


def test_csv_holds_every_image_and_its_protocol(open_page, group, scenes):
    import csv
    from pathlib import Path

    page = open_page("images", data=group, of="drawn/amn", t="0.400")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert {row["image"] for row in rows} == set(scenes.ids)
    assert {(row["run"], row["threshold"], row["averaging"]) for row in rows} == {("AMN", "0.4", "union")}


def test_step_is_the_other_runs_score_less_this_ones_and_filters(open_images, runs):
    scores = {name: score_images(runs[name].counts()) for name in ("cam", "amn")}
    step = [scores[name].miou[:, 40] for name in ("cam", "amn")]
    expected = dict(zip(scores["cam"].image_ids, 100 * (step[1] - step[0]), strict=True))
    query = {"t": "0.200", "of": "drawn/cam", "against": "drawn/amn", "sort": "step"}
    table = read_table(open_images(**query))
    np.testing.assert_allclose(table["step"], [expected[name] for name in table["image"]], atol=1e-4)
    middle = float(np.median(list(expected.values()))) + 1e-6
    kept = read_table(open_images(**query, **{"step-range": f"~{middle:.6f}"}))
    assert set(kept["image"]) == {name for name, value in expected.items() if value <= middle}


def test_step_may_be_taken_with_each_run_at_its_own_peak(open_images, runs):
    ends = []
    for name in ("cam", "amn"):
        counts = runs[name].counts()
        at = int(np.argmin(np.abs(DEFAULT_THRESHOLDS - summarise(counts).peak_threshold)))
        ends.append(score_images(counts).miou[:, at])
    query = {"t": "0.900", "of": "drawn/cam", "against": "drawn/amn", "step-at": "peak", "sort": "name"}
    table = read_table(open_images(**query))
    np.testing.assert_allclose(table["step"], 100 * (ends[1] - ends[0]), atol=1e-4)


def test_explore_lists_by_the_step(open_app, group, runs):
    at = open_app("explore", data=group, t="0.200", of="drawn/cam", against="drawn/amn", sort="step")
    listed = get_component(at, "amn_image_list")["list"]
    figures = [float(text) for text in listed["figures"].split("\n")]
    assert figures == sorted(figures, reverse=True) and listed["label"] == "step, points at 0.200, to AMN"


@pytest.mark.parametrize("layer", ["photo", "truth", "map", "mask", "errors"])
def test_contact_sheet_shows_a_layer_of_two_methods(open_images, scenes, layer):
    at = open_images(sheet="1", tile=layer, of="drawn/cam", against="drawn/amn")
    assert not at.exception
    per_image = 2 if layer in ("map", "mask", "errors") else 1
    assert len(at.image) == per_image * len(scenes.ids)


def test_tile_of_errors_says_right_wrong_and_missed():
    gt = np.array([[1, 1, 0, 0, 255]], np.uint8)
    cam = np.array([[[0.9, 0.1, 0.9, 0.1, 0.9]]], np.float32)
    tile = tiles.paint_errors(np.zeros((1, 5, 3), np.uint8), cam, np.array([1]), 0.5, gt)
    mixed = [tuple((np.array(colour) * np.float32(tiles.OPACITY)).astype(np.uint8)) for colour in (
        tiles.HIT, tiles.FALSE_NEGATIVE, tiles.FALSE_POSITIVE)]
    assert [tuple(pixel) for pixel in tile[0]] == [*mixed, (0, 0, 0), (0, 0, 0)]


def test_selection_is_saved_and_opened_again(open_images, scenes, tmp_path):
    at = open_images(find=scenes.ids[2])
    at.text_input("selection-name").set_value("odd ones").run()
    next(button for button in at.button if button.label == "Save").click().run()
    saved = list((tmp_path / "runs" / "selections").rglob("odd ones.txt"))
    assert not at.exception and [path.read_text() for path in saved] == [f"# split: val\n{scenes.ids[2]}\n"]
    at.run()
    next(button for button in at.button if button.label == "odd ones").click().run()
    assert at.query_params["subset"] == scenes.ids[2]


def test_selection_is_a_list_that_a_split_takes(runs_root, tmp_path, monkeypatch):
    monkeypatch.setattr("app.roots.REPOSITORY", tmp_path)
    root = load_run(runs_root / "large" / "cam").meta["data_root"]
    path = save_selection("folder:large/all", "one", ("large",))
    assert load_dataset(f"folder:{root}", str(path)).ids == ("large",)


def test_selection_with_a_bad_name_is_refused_in_one_line(open_images):
    at = open_images()
    at.text_input("selection-name").set_value("../up").run()
    next(button for button in at.button if button.label == "Save").click().run()
    assert not at.exception and "named with letters" in at.error[0].value
