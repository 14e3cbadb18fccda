"""Activation shows the separation of the counts."""

import json

import numpy as np
import pytest

from amn_core.sweep.images import score_images
from amn_core.sweep.separation import score_class_separation


@pytest.fixture
def open_activation(open_app, group):
    """Open Activation on the drawn scenes."""
    return lambda **query: open_app("activation", data=group, **query)


def read_chart(at, number: int) -> dict:
    """Read a Plotly figure from the screen."""
    return json.loads(at.get("plotly_chart")[number].proto.spec)


def read_clouds(at) -> dict[str, dict]:
    """Read the points of gap against imbalance by run."""
    return {trace["name"]: trace for trace in read_chart(at, 1)["data"] if trace.get("name")}


def test_activation_has_a_panel_for_each_run_with_its_normalisation(open_activation):
    at = open_activation()
    assert not at.exception
    titles = [note["text"] for note in read_chart(at, 0)["layout"]["annotations"]]
    assert titles[:3] == ["CAM · max", "AMN without LCM · image-softmax", "AMN · image-softmax"]


def test_points_are_the_images_by_default(open_activation, runs):
    cloud = read_clouds(open_activation())["AMN"]
    scores = score_images(runs["amn"].counts())
    known = np.isfinite(scores.gap) & np.isfinite(scores.imbalance)
    assert cloud["customdata"] == [name for name, keep in zip(scores.image_ids, known, strict=True) if keep]


def test_points_can_be_classes(open_activation, runs, scenes):
    at = open_activation(points="class")
    separation = score_class_separation(runs["cam"].counts())
    known = np.isfinite(separation.gap) & np.isfinite(separation.imbalance)
    expected = [name for name, keep in zip(scenes.class_names, known, strict=True) if keep]
    assert read_clouds(at)["CAM"]["customdata"] == expected


def test_table_by_class_agrees_with_the_counts(open_activation, runs, scenes):
    table = open_activation().dataframe[0].value
    separation = score_class_separation(runs["amn"].counts())
    rows = table[table["run"] == "AMN"]
    assert len(rows)
    for _, row in rows.iterrows():
        class_id = scenes.class_names.index(row["class"])
        np.testing.assert_allclose(
            [row["gap"], row["auc"], row["imbalance"]],
            [getattr(separation, name)[class_id] for name in ("gap", "auc", "imbalance")])


def test_one_class_narrows_the_histograms(open_activation, scenes):
    name = scenes.class_names[int(scenes.class_ids(scenes.ids[0])[0])]
    whole, part = read_chart(open_activation(), 0), read_chart(open_activation(shown=name), 0)
    assert whole["data"][0]["y"] != part["data"][0]["y"]


def test_mirror_puts_background_below(open_activation):
    mirrored, overlaid = (read_chart(open_activation(mirror=flag), 0) for flag in "10")
    assert mirrored["layout"]["yaxis"]["range"][0] < 0
    assert overlaid["layout"]["yaxis"]["range"][0] == 0


def test_definitions_say_whose_they_are(open_activation):
    at = open_activation()
    text = next(block.value for block in at.markdown if "**Gap**" in block.value)
    assert "ours" in text
    assert "the paper's claim" in text


def test_click_on_a_point_opens_the_image(open_page, group):
    page = open_page("activation", data=group)
    plot = page.locator(".js-plotly-plot").nth(1)
    plot.locator(".scatterlayer .trace").first.wait_for()
    plot.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    point = plot.locator(".scatterlayer .trace").first.locator(".point").first.bounding_box()
    middle = point["x"] + point["width"] / 2, point["y"] + point["height"] / 2
    page.mouse.move(*middle)
    page.mouse.click(*middle)
    page.wait_for_selector(".amn[data-ready]")
    page.wait_for_url("**image=**")
