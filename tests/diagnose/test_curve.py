"""A pasted curve: read as logs print it, and explained by the reading whose curve it is."""

import numpy as np
import pytest

from amn_core.bench.damages import build_case, write_case
from amn_core.diagnose.curve import parse_curve
from amn_core.diagnose.diagnosis import answer, count_base, count_for_curve, fit_curve, open_files
from amn_core.diagnose.words import describe_fits


@pytest.mark.parametrize("text", [
    "0.10 40.0\n0.20 50.5\n0.30 45.1", "background 0.10: mIoU=0.400\nbackground 0.20: mIoU=0.505\n\nend 0.30, 0.451",
    "epoch done\n0.30 | 45.1\n0.10 | 40.0\n0.20 | 50.5"])
def test_logs_are_read_however_they_print(text):
    pasted = parse_curve(text)
    assert pasted.thresholds.tolist() == [0.1, 0.2, 0.3]
    np.testing.assert_allclose(pasted.miou, [0.4, 0.505, 0.451])
    assert pasted.tolerance == pytest.approx(0.0005)


def test_bare_numbers_are_spread_evenly():
    pasted = parse_curve("\n".join(f"{10 + i}.5" for i in range(11)))
    assert pasted.thresholds[3] == pytest.approx(0.3) and pasted.miou[3] == pytest.approx(0.135)
    with pytest.raises(ValueError, match="give a line for each threshold"):
        parse_curve("1.5\n2.5")


def test_curve_of_another_reading_is_explained_by_it(tmp_path):
    case = build_case([], 5)
    spec, folder = write_case(case, tmp_path)
    opened = open_files((folder, spec, "train", "auto"), None)
    count_base(opened)
    right = opened.base.change("ignored", "error")
    curve = opened.board.curve(right)[20:160:20, 0]
    lines = [f"{at:.2f} {100 * miou:.1f}" for at, miou in zip(np.arange(0.1, 0.8, 0.1), curve, strict=True)]
    pasted = parse_curve("\n".join(lines))
    count_for_curve(opened, pasted)
    result = describe_fits(answer(opened, None), pasted, fit_curve(opened, pasted))
    assert [step["change"] for step in result["steps"]] == ["255"] and result["sure"] == 1
    assert result["reached"] == pytest.approx(pasted.miou.max(), abs=0.0006)
