"""Published figures: each has a name of its own, a source, and a number that can be aimed at."""

import pytest

from amn_core.diagnose.published import FIGURES, find_published
from amn_core.diagnose.search import parse_target


def test_every_figure_can_be_aimed_at_by_its_own_name():
    assert len({figure.key for figure in FIGURES}) == len(FIGURES)
    for figure in FIGURES:
        assert find_published(figure.key) is figure and figure.source and "255" in figure.protocol
        assert 0.3 < parse_target(figure.miou).numbers[0] < 0.8


def test_unknown_figures_are_named_with_those_there_are():
    with pytest.raises(ValueError, match="choose one of cam-voc-train-seed"):
        find_published("x")
