"""Images lists every per-image figure, and what is filtered and sorted is what was asked for."""

import numpy as np
import pytest

from amn_core.sweep.images import score_images
from app.words import tables


@pytest.fixture
def open_images(open_app, group):
    """Open Images on the drawn scenes."""
    return lambda **query: open_app("images", data=group, of="drawn/amn", **query)


def test_images_that_lose_most_come_first(open_images, runs):
    at = open_images(t="0.700")
    assert not at.exception
    table = at.dataframe[0].value
    scores = score_images(runs["amn"].counts())
    regret = scores.regret(0.7)
    assert table["image"].iloc[0] == scores.image_ids[int(np.nanargmax(regret))]
    np.testing.assert_allclose(table["regret"], np.sort(regret)[::-1] * 100)


def test_images_sort_by_what_the_link_says(open_images):
    table = open_images(sort="gap", ascending="1").dataframe[0].value
    assert table["gap"].dropna().is_monotonic_increasing


def test_images_filter_by_class(open_images, scenes):
    name = scenes.class_names[int(scenes.class_ids(scenes.ids[0])[0])]
    table = open_images(only=name).dataframe[0].value
    assert len(table)
    assert all(name in names for names in table["classes"])


def test_images_find_by_name(open_images, scenes):
    table = open_images(find=scenes.ids[2]).dataframe[0].value
    assert list(table["image"]) == [scenes.ids[2]]


def test_images_filter_by_the_ranges_of_explore(open_images):
    every = open_images(t="0.700").dataframe[0].value
    points, gap = every["regret"].median(), every["gap"].median()
    table = open_images(t="0.700", **{"regret-range": f"~{points:.6f}"}).dataframe[0].value
    assert set(table["image"]) == set(every["image"][every["regret"] <= points]) < set(every["image"])
    table = open_images(t="0.700", **{"gap-range": f"{gap - 1e-5:.6f}~"}).dataframe[0].value
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
