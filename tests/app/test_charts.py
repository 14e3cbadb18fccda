"""The figures say what the numbers say."""

import numpy as np
import pytest

from amn_core.constants import DEFAULT_THRESHOLDS, METHOD_COLOURS, METHODS
from app.charts import runs as charts
from app.charts.plotting import fade


def find_traces(figure, **wanted):
    """Find the traces of a figure whose attributes have the wanted values."""
    return [trace for trace in figure.data if all(getattr(trace, key) == value for key, value in wanted.items())]


@pytest.fixture
def styles():
    return charts.build_styles(["cam", "amn"], ["CAM", "AMN"])


@pytest.fixture
def curve(styles):
    y = 0.5 - (DEFAULT_THRESHOLDS - 0.4) ** 2
    return charts.Curve(
        styles[0], DEFAULT_THRESHOLDS, y, y - 0.02, y + 0.02, peak=80, plateau=(60, 100), level=0.61,
    )


def test_styles_keep_the_colour_of_the_method():
    styles = charts.build_styles(METHODS, METHODS)
    assert [style.colour for style in styles] == [METHOD_COLOURS[method] for method in METHODS]


def test_styles_of_one_method_all_differ():
    styles = charts.build_styles(["amn"] * 5, list("abcde"))
    assert len({(style.colour, style.dash, style.symbol) for style in styles}) == 5


def test_styles_of_the_methods_differ_without_colour():
    styles = charts.build_styles(METHODS, METHODS)
    assert len({style.symbol for style in styles}) == len(METHODS)


def test_fade_gives_the_colour_an_opacity():
    assert fade("#D55E00", 0.5) == "rgba(213,94,0,0.5)"


def test_curves_are_drawn_in_percent(curve):
    figure = charts.draw_curves([curve], "threshold", "mIoU (%)", 0.15)
    line = find_traces(figure, name="CAM", mode="lines")[0]
    np.testing.assert_allclose(line.y, curve.y * 100)
    assert figure.layout.yaxis.title.text == "mIoU (%)"


def test_curves_mark_the_peak_and_a_threshold_that_stays(curve):
    figure = charts.draw_curves([curve], "threshold", "mIoU (%)", 0.15)
    peak = find_traces(figure, mode="markers")
    places = {trace.x[0]: trace.y[0] for trace in peak}
    assert places == pytest.approx({0.4: 50.0})
    assert figure.layout.shapes[0].x0 == 0.15


def test_curves_shade_the_plateau_from_end_to_end(curve):
    figure = charts.draw_curves([curve], "threshold", "mIoU (%)", 0.15)
    shaded = find_traces(figure, fill="tozeroy")[0]
    assert (shaded.x[0], shaded.x[-1]) == (0.3, 0.5)


def test_curves_draw_the_oracle_as_a_level(curve):
    figure = charts.draw_curves([curve], "threshold", "mIoU (%)")
    level = next(trace for trace in figure.data if len(trace.y) == 2 and trace.mode == "lines")
    assert list(level.y) == [61.0, 61.0]
    assert not figure.layout.shapes


def test_interval_leaves_undefined_thresholds_out(styles):
    x, y = np.array([0.0, 0.5, 1.0]), np.array([0.2, np.nan, 0.4])
    figure = charts.draw_curves([charts.Curve(styles[0], x, y, y - 0.1, y + 0.1)], "", "")
    band = find_traces(figure, fill="toself")[0]
    assert list(band.x) == [0.0, 1.0, 1.0, 0.0]
    np.testing.assert_allclose(band.y, [10, 30, 50, 30])


def test_panels_name_each_run_once_in_the_legend(curve):
    figure = charts.draw_panels([("cat", [curve]), ("dog", [curve]), ("cow", [curve])], "t", "IoU", is_unit=True)
    assert sum(trace.mode == "lines" and trace.fill is None and trace.showlegend for trace in figure.data) == 1
    assert [note.text for note in figure.layout.annotations[:3]] == ["cat", "dog", "cow"]


def test_panels_have_room_for_the_highest_curve(curve):
    figure = charts.draw_panels([("cat", [curve]), ("dog", [])], "t", "IoU", is_unit=True)
    low, high = figure.layout.yaxis.range
    assert low == 0
    assert 50 < high < 60
    assert figure.layout.yaxis2.range == figure.layout.yaxis.range


def test_difference_is_drawn_in_points(styles):
    x = np.linspace(0, 1, 5)
    figure = charts.draw_difference(charts.Curve(styles[1], x, x / 10), "threshold", is_unit=True)
    np.testing.assert_allclose(find_traces(figure, name="AMN")[0].y, x * 10)


def test_best_thresholds_add_up_to_all_images(styles):
    best = np.array([0.0, 0.12, 0.13, 0.5, 1.0, np.nan])
    figure = charts.draw_best_thresholds([(styles[0], best, 0.3)], 0.2, bin_width=0.1)
    steps = find_traces(figure, mode="lines")[0]
    assert sum(steps.y[:-1]) == pytest.approx(100)
    assert steps.y[1] == pytest.approx(40)


def test_class_thresholds_keep_classes_in_order(styles):
    figure = charts.draw_class_thresholds(["cat", "dog"], [(styles[0], np.array([0.2, np.nan]))], 0.3)
    assert list(find_traces(figure, name="CAM")[0].y) == ["cat", "dog"]


def test_density_has_area_one_whatever_the_steps():
    pixels = np.random.default_rng(0).integers(0, 50, len(DEFAULT_THRESHOLDS) + 1)
    for bins in (10, 33, 40):
        edges, density = charts.compute_density(pixels, DEFAULT_THRESHOLDS, bins)
        assert (density * np.diff(edges)).sum() == pytest.approx(1)


def test_density_puts_a_value_on_a_threshold_below_it():
    """An activation equal to a threshold is not above it: its pixels lie left of the edge."""
    pixels = np.zeros(len(DEFAULT_THRESHOLDS) + 1)
    pixels[20] = 8  # activations in (0.095, 0.1]
    _, density = charts.compute_density(pixels, DEFAULT_THRESHOLDS, 10)
    assert density[0] == pytest.approx(10)


def test_density_of_nothing_is_undefined():
    _, density = charts.compute_density(np.zeros(202), DEFAULT_THRESHOLDS, 4)
    assert np.isnan(density).all()


@pytest.mark.parametrize("is_mirrored", [True, False])
def test_separation_puts_background_below_only_when_mirrored(styles, is_mirrored):
    pixels = np.ones(202)
    panel = charts.Separation(styles[1], pixels, pixels, pixels * 0)
    figure = charts.draw_separation([panel], DEFAULT_THRESHOLDS, 0.3, is_mirrored)
    background = find_traces(figure, name="on background")[0]
    assert (np.array(background.y) < 0).all() == is_mirrored
    assert (np.array(find_traces(figure, name="on the object")[0].y) > 0).all()


def test_clouds_hand_back_the_name_of_a_point(styles):
    cloud = charts.Cloud(styles[0], np.array([0.1, 0.2]), np.array([0.5, 0.6]), ["a", "b"])
    figure = charts.draw_clouds([cloud], "imbalance", "gap")
    assert list(figure.data[0].customdata) == ["a", "b"]


def test_clouds_of_many_points_show_their_median(styles):
    x = np.arange(101) / 100
    cloud = charts.Cloud(styles[0], x, x, [str(i) for i in range(101)])
    figure = charts.draw_clouds([cloud], "imbalance", "gap")
    assert (figure.data[1].x[0], figure.data[1].y[0]) == (0.5, 0.5)


def test_axis_is_cut_where_one_panel_or_the_background_towers_over_the_rest():
    assert charts.cut_axis(np.array([[2.0, 3.0], [2.0, 3.0], [25.0, 3.0]])) == (5.0, 3.0)
    assert charts.cut_axis(np.array([[2.0, 30.0], [2.0, 30.0]])) == (2.0, 5.0)


def test_cloud_with_far_points_is_cut_and_says_how_many_lie_outside(styles):
    x = np.append(np.linspace(0.2, 0.4, 199), 25.0)
    figure = charts.draw_clouds([charts.Cloud(styles[0], x, np.linspace(0, 1, 200), ["n"] * 200)], "imbalance", "gap")
    assert figure.layout.xaxis.range[1] < 0.5 and "1 points outside" in figure.layout.xaxis.title.text
    assert figure.layout.yaxis.range is None


def test_split_is_the_share_strictly_above_each_step(styles):
    pixels = np.zeros(202)
    pixels[[0, 100]] = 1, 3  # at 0, and in (0.495, 0.5]
    panel = charts.Separation(styles[0], pixels, pixels * 0, pixels * 0)
    split = charts.describe_split(panel, DEFAULT_THRESHOLDS)
    assert [part["name"] for part in split] == ["object"]
    assert [split[0]["above"][i] for i in (0, 99, 100, 200)] == [0.75, 0.75, 0, 0]


def test_with_several_backbones_the_colour_is_the_method_and_the_dash_the_backbone():
    styles = charts.build_styles(["cam", "amn", "cam", "amn", "amn"], list("abcde"), ["r", "r", "l", "l", "l"])
    assert [style.colour for style in styles[:4]] == [METHOD_COLOURS[m] for m in ("cam", "amn", "cam", "amn")]
    assert [style.dash for style in styles] == ["solid", "solid", "dot", "dot", "dot"]
    assert styles[4].colour not in (styles[3].colour, styles[2].colour)


HOSTILE = "<b>x</b><img src=x onerror=alert(1)> %{x} <extra>&lt;"


def test_names_are_text_in_plotly():
    style = charts.RunStyle(HOSTILE, "#0072B2")
    thresholds = np.linspace(0, 1, 5)
    figures = [
        charts.draw_curves([charts.Curve(style, thresholds, thresholds, peak=2, level=0.5)], "threshold", "mIoU"),
        charts.draw_panels([(HOSTILE, [charts.Curve(style, thresholds, thresholds)])], "threshold", "IoU"),
        charts.draw_class_thresholds([HOSTILE], [(style, np.array([0.5]))]),
        charts.draw_clouds([charts.Cloud(style, np.array([0.1]), np.array([0.2]), (HOSTILE,))], "gap", "imbalance"),
        charts.draw_best_thresholds([(style, np.array([0.2, 0.4]), 0.3)])]
    for figure in figures:
        content = figure.to_dict()
        for trace in content["data"]:
            shown = [trace.get("name"), trace.get("hovertemplate"), *(trace.get("text") or ()),
                     *(value for value in trace["y"] if isinstance(value, str))]
            assert not any("<b>" in str(one) or "<img" in str(one) or "%{x} " in str(one) for one in shown)
        assert not any("<b>" in note["text"] for note in content["layout"].get("annotations", ()))
