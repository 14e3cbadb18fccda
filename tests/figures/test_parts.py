"""Figures of the parts of a curve, and of costs: what is drawn is what the slow way gives."""

from pathlib import Path

import numpy as np
import pytest

from amn_core.choosing.selection import choose_unseen, score_choices
from amn_core.figures.config import FigureConfig, resolve_figure_config
from amn_core.figures.costs import build_costs_table, gather_costs
from amn_core.figures.make import build_output
from amn_core.figures.material import Material, load_material
from amn_core.figures.parts import average_rates, draw_class_thresholds, draw_images, draw_sizes
from amn_core.figures.styles import list_root_ticks, use_page
from amn_core.sweep.confusion import score_confusion

BUNDLE = Path(__file__).resolve().parents[2] / "checkpoints" / "scenes"


def load(name: str, *runs: str, **options) -> Material:
    """Load the material of a figure on bundled scenes."""
    paths = tuple(str(BUNDLE / run) for run in runs or ("cam", "amn"))
    return load_material(resolve_figure_config(FigureConfig(name, paths, resamples=10, **options)))


def test_rates_are_those_of_the_confusion_at_each_threshold():
    material = load("rates", "amn")
    source = material.sources[0]
    rates, confusion = average_rates(material, source), score_confusion(source.counts)
    for index in (0, source.index, 150):
        found = {name: [] for name in rates}
        for c in range(source.counts.n_classes):
            hit, truth, called = (int(confusion[index, c, c]), int(confusion[index, c].sum()),
                                  int(confusion[index, :, c].sum()))
            union = truth + called - hit
            for name, part, whole in (
                ("precision", hit, called), ("recall", hit, truth), ("over_activation", called - hit, union),
                ("under_activation", truth - hit, union),
            ):
                if whole:
                    found[name].append(part / whole)
        for name, values in found.items():
            assert rates[name][index] == pytest.approx(np.mean(values)), name


def test_best_threshold_of_a_class_is_where_its_iou_is_highest():
    material = load("class-thresholds", "amn", classes="all")
    source = material.sources[0]
    with use_page(material.page):
        figure, caption = draw_class_thresholds(material)
    axes = figure.axes[0]
    marks = next(line for line in axes.get_lines() if line.get_linestyle() == "None")
    drawn = dict(zip([t.get_text() for t in axes.get_yticklabels()], marks.get_xdata(), strict=True))
    confusion = score_confusion(source.counts)
    for name, threshold in drawn.items():
        c = source.counts.class_names.index(name)
        hit, truth, called = confusion[:, c, c], confusion[:, c].sum(-1), confusion[:, :, c].sum(-1)
        iou = hit / np.maximum(1, truth + called - hit)
        assert threshold == source.counts.thresholds[np.argmax(iou)]
    assert list(drawn.values()) == sorted(drawn.values())
    assert "oracle" in caption.note


def test_sizes_and_images_draw_a_panel_for_each_run():
    for draw, name in ((draw_sizes, "sizes"), (draw_images, "images")):
        material = load(name)
        with use_page(material.page):
            figure, _ = draw(material)
        assert [axes.get_title(loc="left") for axes in figure.axes] == ["CAM", "AMN"]


def test_curves_of_images_leave_out_degenerate_ones():
    material = load("images", "amn")
    scores = material.image_scores[0]
    with use_page(material.page):
        figure, _ = draw_images(material)
    assert len(figure.axes[0].get_lines()) == (~scores.is_degenerate).sum() + 4  # quartiles, median, threshold


def test_costs_are_those_of_select():
    material = load("costs", "cam")
    counts = material.sources[0].counts
    titles, (costs,) = gather_costs(material)
    choice = choose_unseen(counts, "otsu")
    score = score_choices(counts, [choice], resamples=10)[0]
    assert costs["Otsu"].regret == (score.regret, score.regret_low, score.regret_high)
    assert costs["Otsu"].threshold == counts.thresholds[int(choice.index)]
    regrets = [costs[title].regret[0] for title in titles]
    assert regrets == sorted(regrets) and {"1 labelled image", "5 labelled images"} <= set(titles)


def test_table_of_costs_marks_the_least_regret_of_each_run():
    table = build_costs_table(load("table-costs"))
    assert table.heads == ("choice", "CAM at", "CAM mIoU (%)", "CAM regret (points)", "AMN at", "AMN mIoU (%)",
                           "AMN regret (points)")
    for column in (2, 5):
        known = [row[column] for row in table.cells if np.isfinite(row[column].value)]
        best = [cell.value for cell in known if cell.is_best]
        assert min(cell.value for cell in known) in best and all(cell.interval for cell in known)


@pytest.mark.parametrize("name", ["rates", "sizes", "images", "class-thresholds", "costs", "table-costs"])
def test_finished_masks_alone_are_refused(name):
    run = str(BUNDLE.parent / "voc-resnet50" / "crf")
    with pytest.raises(ValueError, match="finished masks"):
        build_output(FigureConfig(name, (run,), resamples=10))


def test_ticks_of_a_root_axis_stand_apart():
    for top in (0.4, 3.0, 35.0, 100.0):
        ticks = np.sqrt(list_root_ticks(top))
        assert ticks[0] == 0 and len(ticks) >= 4 and ticks[-1] ** 2 <= top
        assert np.diff(ticks).min() >= 0.149 * np.sqrt(top)
