"""Curves shows the numbers of the counts, and every control changes what it says it changes."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from amn_core.commands.compare import CompareConfig, compare, format_table
from amn_core.commands.import_maps import run_import
from amn_core.commands.import_plan import ImportConfig
from amn_core.formats.masks import save_mask
from amn_core.scoring import score_by_size, score_run_cuts, score_run_image_rates, score_run_rates
from amn_core.sweep import score_images, summarise
from amn_core.sweep.confusion import count_mask, score_iou
from amn_core.sweep.two_cuts import score_pair
from app import imports
from app.cache import runs as cached
from tests.app.conftest import get_component


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


def read_runs(at) -> dict[str, dict]:
    """Read the rows of the table of runs by name; ``text`` has the cells as they are shown."""
    rows = get_component(at, "amn_run_table")["rows"]
    return {row["label"]: {**row, "text": {name: cell[0] for name, cell in row["cells"].items()}} for row in rows}


def list_shown(at) -> list[str]:
    """List the runs that the table has switched on."""
    return [name for name, row in read_runs(at).items() if row["shown"]]


def test_run_table_shows_what_the_counts_say(open_curves, runs):
    table = read_runs(open_curves())
    for run in runs.values():
        summary, text = summarise(run.counts()), table[run.name]["text"]
        assert (text["peak_miou"], text["oracle_miou"], text["peak_threshold"], text["normalisation"]) == (
            f"{summary.peak_miou * 100:.1f}", f"{summary.oracle_miou * 100:.1f}", f"{summary.peak_threshold:.3f}",
            run.meta["protocol"]["normalisation"])
        np.testing.assert_allclose(table[run.name]["now"], summary.miou * 100, atol=0.006)


def test_run_that_is_switched_off_keeps_its_row_and_its_numbers(open_curves):
    table = read_runs(open_curves(runs="drawn/amn"))
    assert [row["shown"] for row in table.values()] == [False, False, True]
    assert table["CAM"]["text"]["peak_miou"] == read_runs(open_curves())["CAM"]["text"]["peak_miou"]


def test_each_data_set_starts_at_the_peak_of_its_first_run(open_curves, runs):
    assert open_curves().query_params["t"] == f"{summarise(runs['cam'].counts()).peak_threshold:.3f}"
    assert open_curves(t="0.900").query_params["t"] == "0.900"


def test_curves_of_chosen_runs_only(open_curves):
    at = open_curves(runs="drawn/cam~drawn/amn")
    assert list(read_lines(read_chart(at))) == ["CAM", "AMN"]
    assert list_shown(at) == ["CAM", "AMN"]


def test_bar_has_the_peak_and_the_plateau_of_every_shown_run(open_curves, runs):
    bar = get_component(open_curves(t="0.900", runs="drawn/cam"), "amn_threshold")
    summary = summarise(runs["cam"].counts())
    assert bar["index"] == 180
    assert [peak["index"] for peak in bar["peaks"]] == [round(summary.peak_threshold * 200)]
    assert [(band["from"], band["to"]) for band in bar["plateaus"]] == [
        (round(summary.plateau_low * 200), round(summary.plateau_high * 200))]


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
    table = open_curves().table[0].value
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


@pytest.mark.parametrize(("view", "charts"), [("rates", 1), ("sizes", 1), ("images", 2), ("best", 2)])
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
    table = open_curves(t="0.800", of="drawn/cam").dataframe[-1].value
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


def erode(gt: np.ndarray) -> np.ndarray:
    """Take a third of the rows of every object away, so that a mask is right in part."""
    return np.where(np.arange(len(gt))[:, None] % 3 > 0, gt, 0).astype(np.uint8)


@pytest.fixture
def masks_run(scenes, tmp_path, monkeypatch):
    """A run of finished masks on the scenes, beside those of the fixture; its run folder."""
    for image_id in scenes.ids:
        save_mask(tmp_path / "pseudo" / f"{image_id}.png", erode(scenes.gt(image_id)))
    config = ImportConfig(str(tmp_path / "pseudo"), scenes.spec, "val", "Masks", str(tmp_path / "runs" / "masks"))
    run_import(replace(config, workers=1))
    return tmp_path / "runs" / "masks"


@pytest.fixture
def maps_run(scenes, tmp_path):
    """A run of imported maps that reach one half; its run folder."""
    (tmp_path / "theirs").mkdir()
    for image_id in scenes.ids:
        gt = scenes.gt(image_id)
        planes = {int(c) - 1: ((gt == c) * 0.4 + 0.1).astype(np.float32) for c in scenes.class_ids(image_id)}
        np.save(tmp_path / "theirs" / f"{image_id}.npy", np.array(planes, dtype=object), allow_pickle=True)
    config = ImportConfig(str(tmp_path / "theirs"), scenes.spec, "val", "ReCAM", str(tmp_path / "runs" / "recam"))
    run_import(replace(config, workers=1))
    return tmp_path / "runs" / "recam"


def score_masks(scenes) -> float:
    """Score the eroded masks image by image, without counts."""
    confusion = sum(count_mask(erode(scenes.gt(i)), scenes.gt(i), len(scenes.class_names)) for i in scenes.ids)
    return float(np.nanmean(score_iou(confusion[:, :-1])))


def test_finished_masks_are_one_point_at_their_score(open_curves, masks_run, scenes):
    at = open_curves(t="1.000", intervals="0")
    assert not at.exception
    traces = [trace for trace in read_chart(at)["data"] if trace.get("name") == "Masks"]
    assert [trace["mode"] for trace in traces] == ["markers"]
    np.testing.assert_allclose(read_values(traces[0]["x"]), [1.0])
    np.testing.assert_allclose(read_values(traces[0]["y"]), [score_masks(scenes) * 100])
    assert not [button for button in at.button if button.label.startswith("Masks:")]


def test_tables_hide_what_finished_masks_have_none_of(open_curves, masks_run, scenes):
    row = read_runs(open_curves(t="1.000"))["Masks"]
    hidden = ("plateau", "plateau_share", "mean_miou", "peak_threshold", "oracle_miou", "oracle_less_peak")
    assert [row["text"][name] for name in hidden] == ["–"] * 6
    assert row["text"]["peak_miou"] == f"{score_masks(scenes) * 100:.1f}" and row["note"] == "finished masks"
    np.testing.assert_allclose(row["now"], score_masks(scenes) * 100, atol=0.006)


@pytest.mark.parametrize("view", ["classes", "rates", "sizes", "images", "cuts", "difference", "best"])
def test_every_view_takes_finished_masks(open_curves, masks_run, view):
    for axis in ("threshold", "share"):
        assert not open_curves(view=view, axis=axis, first="masks").exception


def test_losers_are_those_of_runs_with_a_threshold(open_curves, masks_run):
    assert "Masks" not in find_widget(open_curves(), "selectbox", "Run").options
    at = open_curves(runs="masks")
    assert not at.exception
    assert not at.dataframe
    assert "at" not in at.table[0].value["Masks"].iloc[0]


def test_compare_puts_dashes_for_finished_masks(masks_run, runs, scenes):
    result = compare(CompareConfig(runs=(str(masks_run), str(runs["cam"].path))))
    masks, cam = result["runs"]
    assert masks["peak_miou"] == pytest.approx(score_masks(scenes))
    assert [masks[key] for key in ("plateau", "plateau_share", "mean_miou", "peak_threshold")] == [None] * 4
    assert cam["plateau"] is not None
    assert format_table(result).splitlines()[1].count("–") == 5


def test_runs_under_one_protocol_get_no_note(open_curves):
    at = open_curves(runs="drawn/amn-without-lcm~drawn/amn")
    assert not [text for text in at.markdown if "Different protocols" in text.value]


def test_other_protocols_are_said_with_what_the_maps_need(open_curves, maps_run):
    at = open_curves(runs="drawn/cam~recam")
    note = next(text.value for text in at.markdown if "Different protocols" in text.value)
    assert "normalisation" in note
    labels = [button.label.replace("\\", "") for button in at.button]
    assert [label for label in labels if "again" in label] == ["Import ReCAM again: max"]
    at = open_curves(runs="drawn/amn~recam")
    assert not [button for button in at.button if "again" in button.label]


def test_one_click_imports_again_under_the_common_normalisation(open_curves, maps_run, tmp_path, monkeypatch):
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))
    at = open_curves(runs="drawn/cam~recam")
    next(button for button in at.button if "again" in button.label).click().run()
    deadline = time.monotonic() + 120
    while imports.list_imports()[0].is_active and time.monotonic() < deadline:
        time.sleep(0.2)
    at.run()
    assert not at.exception and not at.error
    assert list_shown(at) == ["CAM", "ReCAM (max)"]
    assert {read_runs(at)[name]["text"]["normalisation"] for name in list_shown(at)} == {"max"}
    at = open_curves(runs="drawn/cam~recam")
    next(button for button in at.button if "again" in button.label).click().run()
    assert len(imports.list_imports()) == 1  # what was made once is shown at once
    assert list_shown(at) == ["CAM", "ReCAM (max)"]


def test_classroom_imports_nothing_again(open_curves, maps_run, monkeypatch):
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    at = open_curves(runs="drawn/cam~recam")
    assert next(button for button in at.button if "again" in button.label).disabled


def test_two_cuts_draw_the_plane_and_take_a_pair_of_a_paper(open_curves, runs):
    at = open_curves(view="cuts", t="0.400", low="0.1")
    assert not at.exception
    fronts, plane = read_chart(at, 0), read_chart(at, 1)
    shown = list(runs.values())[-1]
    scored = score_run_cuts(shown)
    drawn = plane["data"][0]
    values = read_values(drawn["z"]).reshape(101, 101)
    np.testing.assert_allclose(values, scored.miou[::2, ::2].T * 100, equal_nan=True)
    assert set(read_lines(fronts)) >= {run.name for run in runs.values()}
    table = next(one.value for one in at.dataframe if "Coverage lost" in one.value)
    now = table[(table["Pair"] == "now") & (table["Run"] == shown.name)].iloc[0]
    score = score_pair(scored, 0.4, 0.1)
    assert now["mIoU %"] == pytest.approx(score.miou * 100) and now["mIoU lost"] == pytest.approx(score.lost_miou * 100)
    at.selectbox(key="widget:cuts").select("toco-voc").run()
    assert not at.exception and (read_state(at, "t"), read_state(at, "low")) == (0.7, 0.25)
    assert any("--cuts 0.700,0.250" in code.value for code in at.code)


def read_state(at, name: str) -> float:
    """Read a shared choice of the session."""
    return at.session_state[f"shared:{name}"]


def read_panels(chart: dict) -> dict[str, dict[str, np.ndarray]]:
    """Read the lines of each panel of a figure by its title, then by run."""
    titles = [note["text"] for note in chart["layout"]["annotations"]]
    found = {}
    for trace in chart["data"]:
        if trace.get("customdata"):
            number = int(trace["xaxis"][1:] or 1)
            found.setdefault(titles[number - 1], {})[trace["name"]] = read_values(trace["y"])
    return found


def test_precision_view_draws_the_rates_of_the_counts_beside_the_miou(open_curves, runs):
    at = open_curves(view="rates", t="0.300")
    run = runs["amn"]
    rates = score_run_rates(run)
    expected = {"mIoU": summarise(run.counts()).miou, "Precision": rates.precision, "Recall": rates.recall,
                "F1": rates.f1, "False positives": rates.false_positive_rate,
                "False negatives": rates.false_negative_rate}
    panels = read_panels(read_chart(at))
    assert list(panels) == list(expected)
    for title, values in expected.items():
        np.testing.assert_allclose(panels[title][run.name], values * 100, equal_nan=True)
    table = next(one.value for one in at.dataframe if "FP of union" in one.value)
    now = table[(table["Run"] == run.name) & (table["When"] == "now")].iloc[0]
    assert now["Precision"] == pytest.approx(rates.precision[60] * 100)
    union = read_panels(read_chart(open_curves(view="rates", share="union")))
    np.testing.assert_allclose(union["False positives"][run.name], rates.over_activation * 100, equal_nan=True)


def test_sizes_are_parted_where_the_reader_says(open_curves, runs):
    at = open_curves(view="sizes", **{"size-cuts": "5, 20"})
    panels, scores = read_panels(read_chart(at)), score_by_size(runs["cam"], (0.05, 0.2))
    for i, (title, lines) in enumerate(panels.items()):
        assert title.startswith(scores.names[i]) and f"{scores.pairs[i]} objects" in title
        np.testing.assert_allclose(lines["CAM"], scores.iou[i] * 100, equal_nan=True)
    assert "parts no sizes" in open_curves(view="sizes", **{"size-cuts": "20, 5"}).error[0].value


def test_one_curve_an_image_with_boxes_at_the_threshold(open_curves, runs):
    at = open_curves(view="images", t="0.300", first="drawn/amn")
    lines, boxes = read_chart(at, 0), read_chart(at, 1)
    scores = score_images(runs["amn"].counts())
    drawn = read_values(lines["data"][0]["y"]).reshape(len(scores.image_ids), -1)[:, :-1]
    np.testing.assert_allclose(drawn, scores.miou[:, ::4] * 100, equal_nan=True)
    own = next(trace for trace in boxes["data"] if trace["name"] == "AMN")
    expected = np.nanquantile(score_run_image_rates(runs["amn"]).precision[:, 60], [0.25, 0.5, 0.75]) * 100
    place = own["x"].index("Precision")
    np.testing.assert_allclose([read_values(own[name])[place] for name in ("q1", "median", "q3")], expected)


def test_the_bar_stands_above_the_fold_of_a_small_window(open_page, group):
    page = open_page("curves", data=group, intervals="0")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.locator(".amn-overlay > *").first.wait_for(state="attached")
    page.locator(".runs td.now").first.wait_for()
    page.wait_for_function("""() => {
        const find = (root) => root.querySelector(".threshold-track")
            || [...root.querySelectorAll("*")].map((one) => one.shadowRoot && find(one.shadowRoot)).find(Boolean);
        return find(document).getBoundingClientRect().bottom < innerHeight;
    }""")
