"""Inherited constants on trial: the command, its table, and what cannot be judged."""

import json
from pathlib import Path

import pytest

from amn_core.choosing.audit import audit_run, list_constants
from amn_core.cli import main
from amn_core.commands.audit import AuditConfig, audit, format_audit
from amn_core.formats.runs import load_run
from amn_core.scoring import choose_terms, score_run
from amn_core.sweep.curves import find_threshold
from amn_core.sweep.refined import thin_counts

BUNDLE = Path(__file__).resolve().parents[2] / "checkpoints"
RUNS = (str(BUNDLE / "scenes" / "cam"), str(BUNDLE / "scenes" / "amn"))


def test_single_cuts_lose_what_the_ordinary_curve_says() -> None:
    rows = [row for row in audit(AuditConfig(RUNS, cuts="0.4"))["rows"] if row["low"] is None]
    for path, own in zip(RUNS, (rows[: len(rows) // 2], rows[len(rows) // 2 :]), strict=True):
        summary = score_run(load_run(path))
        for row in own:
            assert row["miou"] == summary.miou[find_threshold(summary.thresholds, row["high"])]
            assert row["lost_miou"] == pytest.approx(summary.peak_miou - row["miou"])
            assert row["best"] == (summary.peak_threshold,) and row["lost_coverage"] is None and row["coverage"] == 1
        assert own[-1]["constant"] == "given" and own[-1]["high"] == 0.4


def test_every_constant_is_judged_on_every_run_and_no_cost_is_negative() -> None:
    rows = audit(AuditConfig(RUNS, pairs="0.6,0.2; 0.5,0.5"))["rows"]
    assert len(rows) == 2 * len(list_constants([(0.6, 0.2), (0.5, 0.5)]))
    assert all(row["source"] and row["lost_miou"] >= 0 for row in rows)
    assert all(row["lost_coverage"] >= 0 and row["miou_unsure_wrong"] <= row["miou"] for row in rows if row["low"])
    assert [row["coverage"] for row in rows if (row["high"], row["low"]) == (0.5, 0.5)] == [1, 1]


def test_cut_that_was_not_counted_is_named_with_its_remedy_and_the_others_are_judged() -> None:
    run = load_run(RUNS[0])
    coarse = thin_counts(run.counts(), run.counts().thresholds[::8])
    verdicts, notes = audit_run(run, coarse, choose_terms(run, coarse))
    judged = {constant.cuts for constant in list_constants() if all(
        cut is None or abs(cut * 25 - round(cut * 25)) < 1e-9 for cut in (constant.high, constant.low))}
    assert {verdict.constant.cuts for verdict in verdicts} == judged < {one.cuts for one in list_constants()}
    assert notes and all(str(run.path) in note and "count the run again" in note for note in notes)


def test_finished_masks_are_left_out_by_name() -> None:
    result = audit(AuditConfig((str(BUNDLE / "voc-resnet50" / "amn"), str(BUNDLE / "voc-resnet50" / "crf"))))
    assert {row["run"] for row in result["rows"]} == {"AMN"}
    assert any("crf: these are finished masks" in note for note in result["notes"])
    assert "finished masks" in format_audit(result)


def test_command_prints_both_tables_and_json(capsys: pytest.CaptureFixture) -> None:
    assert main(["audit", *RUNS]) == 0
    text = capsys.readouterr().out
    assert "0.700 / 0.250" in text and "regret" in text and "best pair of at least the same coverage" in " ".join(
        text.split())
    assert main(["audit", RUNS[0], "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {"lost_miou", "best", "widest", "source"} <= rows[0].keys()


@pytest.mark.parametrize(("options", "message"), [
    ({"pairs": "0.2,0.6"}, "high one first"), ({"cuts": "2"}, "from 0 to 1"), ({"cuts": "x"}, "numbers from 0 to 1"),
    ({"runs": ()}, "at least one run"),
])
def test_what_cannot_be_judged_is_refused_in_one_line(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        audit(AuditConfig(**{"runs": RUNS, **options}))
