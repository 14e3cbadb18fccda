"""The threshold over a training: each epoch says what its counts say, and what an old cut loses is looked up."""

import numpy as np
import pytest

from amn_core.choosing.over_training import describe_move, trace_threshold
from amn_core.sweep import score_confusion, score_miou, summarise
from app.charts.trainings import draw_trace
from tests.sweep.reference import make_counts


@pytest.fixture
def summaries():
    """Summaries of four epochs of different counts, out of order."""
    return {epoch: summarise(make_counts(epoch)) for epoch in (3, 0, 1, 2)}


def test_trace_says_of_each_epoch_what_its_counts_say(summaries):
    trace = trace_threshold(summaries)
    assert trace.epochs.tolist() == [0, 1, 2, 3]
    last = score_miou(score_confusion(make_counts(3)))
    for i, epoch in enumerate(trace.epochs):
        curve = score_miou(score_confusion(make_counts(epoch)))
        best = np.flatnonzero(curve == curve.max())[0]
        assert trace.best[i] == best / 200 and trace.peak_miou[i] == curve.max()
        assert trace.low[i] <= trace.best[i] <= trace.high[i]
        assert trace.lost[i] == pytest.approx(last.max() - last[best])
    assert trace.lost[-1] == 0


def test_sentence_compares_trained_epochs_alone(summaries):
    trace = trace_threshold(summaries)
    assert f"{trace.best[1]:.3f} after epoch 1 to {trace.best[3]:.3f} after epoch 3" in describe_move(trace)
    assert "does not say" in describe_move(trace_threshold({epoch: summaries[epoch] for epoch in (0, 1)}))
    again = trace_threshold({1: summaries[1], 2: summaries[1]})
    assert "after epoch 2 as after epoch 1" in describe_move(again)


def test_chart_has_the_threshold_with_its_plateau_the_peak_and_the_imbalance(summaries):
    trace = trace_threshold(summaries)
    band, *lines = draw_trace("amn", trace).data
    np.testing.assert_array_equal(band.y, [*trace.low, *trace.high[::-1]])
    for line, values in zip(lines, (trace.best, trace.peak_miou * 100, trace.imbalance), strict=True):
        np.testing.assert_array_equal(line.y, values)
        np.testing.assert_array_equal(line.x, trace.epochs)
