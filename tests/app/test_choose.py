"""Choose a threshold: the table says what the core says, and clicks set what all screens share."""

import json

import numpy as np
import pytest

from amn_core.choosing.budget import build_folds, score_budget
from amn_core.choosing.confident import score_confident
from amn_core.commands.select import score_selectors
from amn_core.sweep import score_confusion, score_miou
from app.charts import choices as choice_charts
from app.charts.styles import build_styles
from app.words import choices


@pytest.fixture
def open_choose(open_app, group):
    """Open the screen on the drawn scenes."""
    return lambda **query: open_app("choose", data=group, **query)


def read_chart(at, number: int) -> dict:
    """Read a Plotly figure from the screen."""
    return json.loads(at.get("plotly_chart")[number].proto.spec)


def find_widget(at, kind: str, label: str):
    """Find a widget by its label."""
    return next(widget for widget in at.get(kind) if widget.label == label)


def test_choose_lists_every_selector_with_what_it_used(open_choose, runs):
    at = open_choose(of="drawn/cam")
    assert not at.exception
    table = at.dataframe[0].value
    counts = runs["cam"].counts()
    rows = sorted(score_selectors(counts, "cam", resamples=0, cam=counts), key=lambda row: row["regret"])
    expected = [row for row in rows if row["scope"] == "data set"]
    is_labelled = [used[0].startswith("labelled") for used in table["uses"]]
    is_pointed = [used[0].startswith("points") for used in table["uses"]]
    is_plain = ~np.array(is_labelled) & ~np.array(is_pointed)
    np.testing.assert_allclose(table["miou"][is_plain], [row["miou"] * 100 for row in expected])
    assert sorted(used[0] for used in table["uses"][is_pointed]) == ["points: 100", "points: 200", "points: 50"]
    assert [used[0] for used in table["uses"][is_labelled]] == ["labelled images: 2", "labelled images: 1"]
    used = dict(zip(table["selector"], table["uses"], strict=True))
    assert list(used["Peak"]) == ["oracle"] and list(used["Otsu"]) == ["no ground truth"]
    assert list(used["The paper's constant"]) == ["fixed beforehand"]


def test_choose_shows_classes_and_images_when_asked(open_choose):
    at = open_choose(of="drawn/cam")
    before = len(at.dataframe[0].value)
    find_widget(at, "toggle", "Also by class and by image").set_value(True)
    table = at.run().dataframe[0].value
    assert len(table) > before and {"one threshold", "each class", "each image"} == set(table["scope"])


def test_choose_shows_the_run_that_is_chosen(open_choose):
    first, second = (open_choose(of=f"drawn/{method}") for method in ("cam", "amn"))
    assert any("CAM: Expected IoU gives" in text.value for text in first.markdown)
    assert any("AMN: Expected IoU gives" in text.value for text in second.markdown)
    fixed = {at: dict(zip(at.dataframe[0].value["selector"], at.dataframe[0].value["threshold"], strict=True))
             for at in (first, second)}
    assert fixed[first]["The paper's constant"] == 0.15 and fixed[second]["The paper's constant"] == 0.25


def test_choose_scores_on_the_half_that_is_chosen(open_choose, runs):
    at = open_choose(of="drawn/cam")
    find_widget(at, "button_group", "Choose and score on").set_value("odd")
    table = at.run().dataframe[0].value
    counts = runs["cam"].counts()
    peak = score_miou(score_confusion(counts, np.arange(1, len(counts.image_ids), 2))).max()
    assert table.set_index("selector").loc["Peak", "miou"] == pytest.approx(peak * 100)


def test_choose_takes_a_share_and_says_how_wrong_it_may_be(open_choose):
    at = open_choose(of="drawn/cam")
    find_widget(at, "number_input", "Share of the pixels that show an object").set_value(0.3)
    find_widget(at, "number_input", "Seconds an answer at a pixel takes").set_value(6.0)
    at.run()
    assert not at.exception
    table = at.dataframe[0].value
    used = dict(zip(table["selector"], table["uses"], strict=True))
    assert list(used["Share of foreground: 0.30"]) == ["one number"]
    assert any("a point is lost only where the number is below" in text.value for text in at.caption)
    minutes = {used[0]: value for used, value in zip(table["uses"], table["minutes"], strict=True)}
    assert minutes["points: 50"] == 5 and np.isnan(minutes["one number"])


def test_choose_draws_a_budget_for_every_run(open_choose, runs):
    names = {trace.get("name") for trace in read_chart(open_choose(), 0)["data"]}
    assert {run.name for run in runs.values()} <= names


def test_choose_says_what_to_do_without_runs(open_app, monkeypatch, tmp_path):
    monkeypatch.setenv("AMN_RUNS", str(tmp_path))
    at = open_app("choose")
    assert not at.exception and "No run with counts yet" in at.info[0].value


def test_pairs_table_gives_both_thresholds_and_what_they_cover(open_choose, runs):
    table = open_choose(of="drawn/cam", t="0.300", low="0.050").dataframe[1].value.set_index("rule")
    at = score_confident(runs["cam"].counts()).at(0.3, 0.05)
    for rule in ("now", "the paper's"):
        assert (table.loc[rule, "foreground"], table.loc[rule, "background"]) == (0.3, 0.05)
        assert table.loc[rule, "coverage"] == pytest.approx(at["coverage"] * 100)
        assert table.loc[rule, "foreground_precision"] == pytest.approx(at["foreground_precision"] * 100)
    assert not list(table.loc["now", "uses"]) and list(table.loc["suggested ± 0.1", "uses"]) == ["no ground truth"]
    assert table.loc["best ± 0.1", "foreground"] - table.loc["best ± 0.1", "background"] == pytest.approx(0.2)


def test_plane_hands_back_both_thresholds_and_never_the_wrong_way_round(runs):
    confident = score_confident(runs["cam"].counts())
    figure = choice_charts.draw_plane(confident, [("a", 0.4, 0.2)], (0.5, 0.1))
    points = next(trace for trace in figure.data if trace.type == "scatter" and len(trace.x) > 100)
    foreground, background, precision, coverage = np.array(points.customdata).T
    assert (foreground >= background).all()
    at = confident.at(float(foreground[40]), float(background[40]))
    assert (precision[40], coverage[40]) == pytest.approx((at["precision"] * 100, at["coverage"] * 100))


def test_budget_chart_draws_means_in_points(runs):
    counts = runs["amn"].counts()
    budget = score_budget(counts, build_folds(len(counts.image_ids)), draws=20)
    style = build_styles(["amn"], ["AMN"])[0]
    line = next(trace for trace in choice_charts.draw_budget([(style, budget, None)]).data if trace.name == "AMN")
    np.testing.assert_allclose(line.y, budget.regret * 100)
    assert "1 " in choices.write_needed(budget, tolerance=1.0)


def test_badges_name_what_was_used():
    assert choices.name_badge("labels:20") == "labelled images: 20"
    assert choices.write_badge("oracle") == ":orange-badge[oracle]"


def test_click_on_a_row_sets_the_threshold_of_all_screens(open_page, group):
    page = open_page("choose", data=group, of="drawn/cam", t="0.900")
    page.get_by_text("What a rule for both would give").wait_for()
    page.wait_for_url("**t=0.900**")
    box = page.locator('[data-testid="stDataFrame"] canvas').first.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 52)
    page.wait_for_function("/[?&]t=0/.test(location.search) && !location.search.includes('t=0.900')")


def test_rules_that_need_maps_are_named(open_app, group):
    at = open_app("choose", data=group)
    assert any("take minutes and are not in this table" in caption.value and "MEBin" in caption.value
               for caption in at.caption)
    assert "left out of its ranking" in choices.write_need_of_maps(False)
