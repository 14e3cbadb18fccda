"""Large tables stay packed: every way of choosing a threshold reads them as it reads wide ones."""

from pathlib import Path

import numpy as np
import pytest

from amn_core.choosing.population import build_population, build_truth
from amn_core.commands.select import SelectConfig, select
from amn_core.formats.runs import load_run
from amn_core.sweep import bins
from amn_core.sweep.bins import Bins

RUN = Path(__file__).resolve().parents[2] / "checkpoints" / "scenes" / "cam"


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch):
    """Keep tables packed from now on, however small."""
    return lambda: monkeypatch.setattr(bins, "PACKED", 0)


def test_population_of_a_packed_table_is_that_of_the_wide_one(packed):
    wide = load_run(RUN).counts()
    packed()
    table = load_run(RUN).counts()
    assert isinstance(table.decision_bins, Bins) and isinstance(wide.decision_bins, np.ndarray)
    ours, theirs = build_population(table), build_population(wide)
    assert np.array_equal(ours.pixels, theirs.pixels) and np.array_equal(ours.bare, theirs.bare)
    for found, expected in zip(vars(build_truth(table, ours)).values(), vars(build_truth(wide, theirs)).values(),
                               strict=True):
        assert np.array_equal(found, expected)


def test_select_chooses_the_same_from_a_packed_table(packed):
    config = SelectConfig(runs=(str(RUN),))
    expected = select(config)
    packed()
    assert select(config) == expected
