"""Curves shows the numbers of the counts, and every control changes what it says it changes."""

import json

import numpy as np
import pytest

from amn_core.sweep import summarise
from app import cached


@pytest.fixture
def open_curves(open_app, group):
    """Open Curves on the drawn scenes."""
    return lambda **query: open_app("curves", data=group, **query)


def read_chart(at, number: int = 0) -> dict:
    """Read a Plotly figure from the screen."""
    return json.loads(at.get("plotly_chart")[number].proto.spec)


def read_lines(chart: dict) -> dict[str, dict]:
    """Read the curves of a figure by the names of their runs."""
    return {trace["name"]: trace for trace in chart["data"] if trace.get("name") and trace.get("customdata")}


def read_values(values) -> np.ndarray:
    """Read numbers of a figure, which may be packed."""
    if not isinstance(values, dict):
        return np.array(values, dtype=float)
    import base64

    return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])


def find_widget(at, kind: str, label: str):
    """Find a widget by its label."""
    return next(widget for widget in at.get(kind) if widget.label == label)


def test_curves_draw_the_miou_of_every_run(open_curves, runs):
    at = open_curves(t="0.200")
    assert not at.exception
    lines = read_lines(read_chart(at))
    assert list(lines) == ["CAM", "AMN without LCM", "AMN"]
    for run in runs.values():
        np.testing.assert_allclose(read_values(lines[run.name]["y"]), summarise(run.counts()).miou * 100)


def test_curves_table_shows_peak_and_oracle(open_curves, runs):
    table = open_curves().table[1].value
    for run in runs.values():
        summary = summarise(run.counts())
        assert f"{summary.peak_miou * 100:.1f} %" in table[run.name].iloc[0]
        assert f"{summary.oracle_miou * 100:.1f} %" in table[run.name].iloc[1]
    assert "oracle" in table.index[0]


def test_curves_table_shows_the_normalisation_with_numbers_that_depend_on_it(open_curves):
    table = open_curves().table[0].value
    assert list(table.loc["Normalisation"]) == ["max", "image-softmax", "image-softmax"]


def test_curves_of_chosen_runs_only(open_curves):
    at = open_curves(runs="drawn/cam~drawn/amn")
    assert list(read_lines(read_chart(at))) == ["CAM", "AMN"]
    assert list(at.table[0].value.columns) == ["CAM", "AMN"]


def test_threshold_moves_the_line_and_the_score_now(open_curves, runs):
    at = open_curves(t="0.200")
    find_widget(at, "slider", "Threshold").set_value(0.6).run()
    assert read_chart(at)["layout"]["shapes"][0]["x0"] == 0.6
    summary = summarise(runs["amn"].counts())
    at_threshold = summary.miou[int(np.argmin(np.abs(summary.thresholds - 0.6)))]
    assert at.table[0].value.loc["mIoU at the current threshold", "AMN"] == f"{at_threshold * 100:.1f} %"
    assert at.query_params["t"] == "0.600"


def test_peak_button_sets_the_threshold(open_curves, runs):
    at = open_curves(t="0.900")
    peak = summarise(runs["cam"].counts()).peak_threshold
    next(button for button in at.button if button.label.startswith("CAM:")).click().run()
    assert find_widget(at, "slider", "Threshold").value == peak


def test_share_axis_is_the_share_called_foreground(open_curves, runs):
    chart = read_chart(open_curves(axis="share"))
    share = summarise(runs["cam"].counts()).foreground_share
    np.testing.assert_allclose(read_values(read_lines(chart)["CAM"]["x"]), share * 100)
    assert not chart["layout"].get("shapes")


def test_averaging_changes_the_curves(open_curves, runs):
    lines = read_lines(read_chart(open_curves(averaging="all")))
    np.testing.assert_allclose(
        read_values(lines["CAM"]["y"]), summarise(runs["cam"].counts(), "seam").miou * 100, atol=1e-9)


def test_protocol_table_has_a_row_for_each_averaging(open_curves, runs):
    table = open_curves().table[2].value
    peaks = [f"{summarise(runs['amn'].counts(), name).peak_miou * 100:.1f} %" for name in ("irn", "seam", "toco")]
    assert [text.startswith(peak) for text, peak in zip(table["AMN"], peaks, strict=True)] == [True] * 3


def test_intervals_hold_the_curve(open_curves, runs):
    for run in runs.values():
        cached.start_bootstrap.clear()
        assert cached.ask_bootstrap(run, "union").result(timeout=120).level == 0.95
    at = open_curves()
    for run in runs.values():
        cached.ask_bootstrap(cached.find_runs()[f"drawn/{run.method}"], "union").result(timeout=120)
    at.run()
    bands = [trace for trace in read_chart(at)["data"] if trace.get("fill") == "toself"]
    assert len(bands) == 3
    y, n = read_values(bands[0]["y"]), len(summarise(runs["cam"].counts()).miou)
    assert (y[:n] <= y[n:][::-1] + 1e-9).all()


def test_intervals_can_be_switched_off(open_curves):
    at = open_curves(intervals="0")
    assert not [trace for trace in read_chart(at)["data"] if trace.get("fill") == "toself"]


def test_each_class_has_a_panel(open_curves, scenes):
    chart = read_chart(open_curves(view="classes"))
    present = {scenes.class_names[c] for image in scenes.ids for c in scenes.class_ids(image)}
    titles = {note["text"] for note in chart["layout"]["annotations"]}
    assert present | {"background"} <= titles


def test_difference_is_first_less_second(open_curves, runs):
    at = open_curves(view="difference", first="drawn/amn", second="drawn/cam", intervals="0")
    line = read_lines(read_chart(at))["AMN"]
    expected = summarise(runs["amn"].counts()).miou - summarise(runs["cam"].counts()).miou
    np.testing.assert_allclose(read_values(line["y"]), expected * 100)


def test_difference_of_one_run_asks_for_another(open_curves):
    at = open_curves(view="difference", runs="drawn/amn")
    assert not at.exception
    assert "two runs" in at.info[0].value


@pytest.mark.parametrize(("view", "charts"), [("rates", 1), ("best", 2)])
def test_other_views_draw_their_charts(open_curves, view, charts):
    at = open_curves(view=view)
    assert not at.exception
    assert len(at.get("plotly_chart")) == charts


def test_subset_counts_only_its_images(open_curves, runs, scenes):
    at = open_curves(subset="~".join(scenes.ids[:3]))
    expected = summarise(runs["cam"].counts(), images=list(scenes.ids[:3])).miou
    np.testing.assert_allclose(read_values(read_lines(read_chart(at))["CAM"]["y"]), expected * 100)
    next(button for button in at.button if button.label == "All images").click().run()
    np.testing.assert_allclose(
        read_values(read_lines(read_chart(at))["CAM"]["y"]), summarise(runs["cam"].counts()).miou * 100)


def test_losers_come_first(open_curves, runs):
    table = open_curves(t="0.800", of="drawn/cam").dataframe[0].value
    assert table["regret"].is_monotonic_decreasing
    assert table["regret"].iloc[0] > 0


def test_curves_without_runs_say_what_to_do(open_app, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("AMN_RUNS", str(tmp_path / "empty"))
    at = open_app("curves")
    assert not at.exception
    assert "No run with counts" in at.info[0].value


def test_broken_link_falls_back(open_curves):
    at = open_curves(view="nonsense", axis="?", t="7", averaging="best", runs="nobody", of="../../etc")
    assert not at.exception
    assert list(read_lines(read_chart(at))) == ["CAM", "AMN without LCM", "AMN"]


def test_click_on_a_curve_sets_the_threshold(open_page, group):
    page = open_page("curves", data=group, t="0.350", intervals="0")
    plot = page.locator(".js-plotly-plot .nsewdrag").first
    plot.wait_for()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5)
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5)
    page.wait_for_url("**t=0.6*")
