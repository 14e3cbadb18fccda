"""The table of `compare`: intervals over images, and what each run gains over the one before."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from amn_core.commands.compare import CompareConfig, compare, describe_low_oracles, format_table
from amn_core.formats.files import read_json, write_json
from amn_core.formats.runs import load_run
from amn_core.scoring import score_by_size, score_run_cuts
from amn_core.sweep import score_confusion, summarise
from amn_core.sweep.curves import find_threshold
from amn_core.sweep.two_cuts import score_pair

BUNDLE = Path(__file__).resolve().parents[2] / "checkpoints" / "scenes"
RUNS = (str(BUNDLE / "cam"), str(BUNDLE / "amn"))


def test_gain_is_the_difference_of_the_peaks_and_lies_in_its_interval() -> None:
    first, second = compare(CompareConfig(runs=RUNS, intervals=True))["runs"]
    assert "gain" not in first
    assert second["gain"] == pytest.approx(second["peak_miou"] - first["peak_miou"], abs=1e-12)
    low, high = second["gain_interval"]
    assert low < second["gain"] < high
    assert first["peak_interval"][0] < first["peak_miou"] < first["peak_interval"][1]


def test_gain_of_a_run_over_itself_is_exactly_zero() -> None:
    _, again = compare(CompareConfig(runs=RUNS[:1] * 2, intervals=True))["runs"]
    assert again["gain"] == 0 and again["gain_interval"] == [0, 0]


def test_intervals_are_of_the_part_that_is_scored() -> None:
    config = CompareConfig(runs=RUNS[:1], intervals=True, part="odd")
    row = compare(config)["runs"][0]
    counts = load_run(RUNS[0]).counts()
    assert row["images"] == len(counts.image_ids) // 2
    assert row["peak_miou"] == summarise(counts, images=counts.image_ids[1::2]).peak_miou
    whole = compare(replace(config, part="all"))["runs"][0]
    width, whole_width = (np.ptp(r["peak_interval"]) for r in (row, whole))
    assert width > whole_width  # fewer images are less sure


def test_intervals_refuse_runs_that_average_over_other_classes(tmp_path: Path) -> None:
    folder = tmp_path / "cam"
    folder.mkdir()
    meta = read_json(BUNDLE / "cam" / "run.json")
    meta["protocol"]["classes"] = ["background", "owl"]
    write_json(folder / "run.json", meta)
    (folder / "counts.npz").write_bytes((BUNDLE / "cam" / "counts.npz").read_bytes())
    with pytest.raises(ValueError, match=r"differ in classes .* pass --common, or name --classes"):
        compare(CompareConfig(runs=(RUNS[1], str(folder)), intervals=True))
    named = CompareConfig(runs=(RUNS[1], str(folder)), intervals=True, classes="background,owl")
    assert len(compare(named)["runs"]) == 2


def test_second_table_is_there_only_when_asked_for() -> None:
    plain, full = (format_table(compare(CompareConfig(runs=RUNS, intervals=i))) for i in (False, True))
    assert "over the run before" in full and "over the run before" not in plain


def test_two_cuts_stand_in_a_table_of_their_own_with_what_they_cost() -> None:
    result = compare(CompareConfig(runs=RUNS, cuts="irn"))
    for path, row in zip(RUNS, result["runs"], strict=True):
        score = score_pair(score_run_cuts(load_run(path)), 0.30, 0.05)
        assert row["two_cuts"] == asdict(score)
    assert "unsure as error %" in format_table(result) and "unsure as error %" not in format_table(
        compare(CompareConfig(runs=RUNS)))
    masks = (str(BUNDLE.parent / "voc-resnet50" / "amn"), str(BUNDLE.parent / "voc-resnet50" / "crf"))
    assert compare(CompareConfig(runs=masks, cuts="0.5,0.2"))["runs"][1]["two_cuts"] is None
    with pytest.raises(ValueError, match="high one first"):
        compare(CompareConfig(runs=RUNS, cuts="0.2,0.5"))


def test_rates_and_sizes_are_those_of_the_counts_at_the_peak_and_at_a_threshold() -> None:
    run = load_run(RUNS[1])
    counts = run.counts()
    for at in ("peak", "0.5"):
        row = compare(CompareConfig(runs=RUNS, rates=True, sizes="0.05,0.2", at=at))["runs"][1]
        place = find_threshold(counts.thresholds, row["peak_threshold"] if at == "peak" else 0.5)
        assert row["rates"]["at"] == counts.thresholds[place] and row["rates"]["miou"] == row["miou"][place]
        confusion = score_confusion(counts)[place]
        for own in row["rates"]["classes"]:
            c = run.class_names.index(own["class"])
            hit, called, true = confusion[c, c], confusion[:, c].sum(), confusion[c].sum()
            assert own["precision"] == pytest.approx(hit / called) and own["recall"] == pytest.approx(hit / true)
            assert own["iou"] + own["over_activation"] + own["under_activation"] == pytest.approx(1)
            assert own["false_positive_rate"] == pytest.approx((called - hit) / (confusion.sum() - true))
        recalls = [own["recall"] for own in row["rates"]["classes"]]
        assert row["rates"]["recall"] == pytest.approx(np.mean(recalls))
        sizes = score_by_size(run, (0.05, 0.2))
        assert [own["iou"] for own in row["sizes"]] == sizes.iou[:, place].tolist()
        assert [own["pairs"] for own in row["sizes"]] == sizes.pairs.tolist()


def test_rates_and_sizes_stand_in_tables_and_wrong_ones_are_refused() -> None:
    text = format_table(compare(CompareConfig(runs=RUNS, rates=True, sizes="0.05,0.2")))
    assert "FP of union %" in text and "5 to 20 %" in text and "precision %" in text
    for options, message in (({"sizes": "0.2,0.1"}, "sizes is '0.2,0.1'"), ({"sizes": "x"}, "sizes is 'x'"),
                             ({"rates": True, "at": "best"}, "give peak, or a threshold")):
        with pytest.raises(ValueError, match=message):
            compare(CompareConfig(runs=RUNS, **options))


def test_oracle_below_the_peak_is_named_and_one_above_is_not() -> None:
    rows = [{"name": "weak", "oracle_miou": 0.060, "peak_miou": 0.085},
            {"name": "good", "oracle_miou": 0.6, "peak_miou": 0.5},
            {"name": "masks", "oracle_miou": None, "peak_miou": 0.5}]
    [note] = describe_low_oracles(rows)
    assert note.startswith("weak: the oracle lies below the peak") and "no bound" in note
    assert describe_low_oracles(rows[1:]) == []
