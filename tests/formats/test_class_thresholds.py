"""Thresholds by class as CSV: a round trip, what else is read, and what is refused by name."""

import numpy as np
import pytest

from amn_core.formats.class_thresholds import load_class_thresholds, save_class_thresholds
from amn_core.formats.errors import FormatError

NAMES = ("background", "cat", "dog", "tv, monitor")


def test_thresholds_come_back(tmp_path):
    cuts = np.array([0.0, 0.25, 1 / 3, 0.5])
    save_class_thresholds(tmp_path / "cuts.csv", NAMES, cuts)
    np.testing.assert_allclose(load_class_thresholds(tmp_path / "cuts.csv", NAMES), cuts, atol=1e-6)


@pytest.mark.parametrize(("text", "expected"), [
    ("class,threshold\n*,0.3\ndog,0.5\n", [0.3, 0.3, 0.5, 0.3]),
    ("Threshold,note,Class\n0.1,x,1\n0.2,,2\n0.3,,3\n", [0, 0.1, 0.2, 0.3]),
    ("\ufeffclass,threshold\ncat,0\ndog,1\n\"tv, monitor\",0.5\n", [0, 0, 1, 0.5]),
])
def test_rest_numbers_and_other_columns_are_read(tmp_path, text, expected):
    (tmp_path / "cuts.csv").write_text(text, encoding="utf-8")
    assert load_class_thresholds(tmp_path / "cuts.csv", NAMES).tolist() == expected


@pytest.mark.parametrize(("text", "words"), [
    ("class,threshold\ncat,0.5\n", "no threshold for 2 of 3 classes, such as dog"),
    ("name,value\ncat,0.5\n", "needs the columns class and threshold, and has name, value"),
    ("class,threshold\n*,0.3\ncow,0.5\n", "line 3: the class 'cow' is none of the run's"),
    ("class,threshold\n*,0.3\n4,0.5\n", "the class '4' is none"),
    ("class,threshold\ncat,1.5\n", "line 2: the threshold is '1.5'"),
    ("class,threshold\ncat,nan\n", "the threshold is 'nan'"), ("class,threshold\ncat\n", "the threshold is ''"),
    ("class,threshold\ncat,0.5\n1,0.5\n", "cat has a threshold already"), ("", "and has none"),
])
def test_what_is_wrong_is_named(tmp_path, text, words):
    (tmp_path / "cuts.csv").write_text(text)
    with pytest.raises(FormatError, match=words) as caught:
        load_class_thresholds(tmp_path / "cuts.csv", NAMES)
    assert "cuts.csv" in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FormatError, match="no such file"):
        load_class_thresholds(tmp_path / "none.csv", NAMES)
