"""The command ``diagnose``: what it prints, what it refuses, runs and counts alone."""

import json
from pathlib import Path

import pytest

from amn_core.bench.damages import build_case, find_target, write_case
from amn_core.cli import main
from amn_core.commands.import_maps import run_import
from amn_core.commands.import_plan import ImportConfig
from amn_core.diagnose.words import format_markdown

RUNS = Path(__file__).resolve().parents[2] / "checkpoints"
KEYS = {"reached", "sure", "steps", "alternatives", "findings"}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """Maps with keys from 1, of which the right number was made with 255 an error."""
    root = tmp_path_factory.mktemp("damaged")
    case = build_case(["keys from 1", "255 an error"], 6)
    spec, folder = write_case(case, root)
    words = ["diagnose", folder, "--data", spec, "--split", case.split, "--at", str(case.cut)]
    return words, [f"{100 * value:.1f}" for value in find_target(case)]


def read_json(words, capsys):
    """Run a command and read the JSON it prints."""
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_holds_the_path_and_adds_up(damaged, capsys):
    words, (miou, precision, recall) = damaged
    result = read_json([*words, "--target", miou, "--precision", precision, "--recall", recall], capsys)
    assert set(result) >= KEYS and result["sure"] > 0.9
    assert [step["change"] for step in result["steps"]] == ["numbering", "255"]
    assert set(result["steps"][0]) == {"change", "from", "to", "points"}
    assert 100 * result["yours"] + sum(s["points"] for s in result["steps"]) == pytest.approx(100 * result["reached"])
    assert all(set(other) >= {"reached", "sure", "steps"} for other in result["alternatives"])
    assert [finding["what"] for finding in result["findings"]] == ["classes in another numbering"]


def test_text_tells_the_path_as_a_sum(damaged, capsys):
    words, (miou, precision, recall) = damaged
    assert main([*words, "--target", miou, "--precision", precision, "--recall", recall]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith(f"{miou} = yours ") and "255: an error in place of left out" in first


def test_markdown_escapes_names_and_ends_with_the_command(damaged, capsys):
    result = read_json(damaged[0], capsys)
    result["findings"] = [{"what": "a|b", "evidence": "![p](http://x)", "remedy": ""}]
    text = format_markdown(result, "python -m amn_core diagnose maps")
    assert "a\\|b" in text and "![p](" not in text and text.endswith("`python -m amn_core diagnose maps`")


def test_what_is_written_holds_pictures_summary_and_the_way_to_import(damaged, tmp_path, capsys):
    words, (miou, precision, recall) = damaged
    more = ["--target", miou, "--precision", precision, "--recall", recall, "--out", str(tmp_path / "out")]
    printed = read_json([*words, *more], capsys)
    written = json.loads((tmp_path / "out" / "result.json").read_text())
    assert written["steps"] == printed["steps"] and len(written["pictures"]) == 2
    for rows in written["pictures"]:
        assert rows and all((tmp_path / "out" / row[name]).is_file() for row in rows for name in ("before", "after"))
    assert written["import"]["key_base"] == "1" and written["summary"] == (tmp_path / "out" / "summary.md").read_text()
    config = ImportConfig(maps=words[1], data=words[3], out=str(tmp_path / "run"), workers=1, **written["import"])
    run = run_import(config)
    assert run["images"] == printed["images"]


def test_counts_alone_are_tried_as_far_as_they_go(capsys):
    words = ["diagnose", str(RUNS / "voc-resnet50" / "cam"), "--at", "0.3", "--target", "54.5"]
    result = read_json(words, capsys)
    assert [(step["change"], step["to"]) for step in result["steps"]] == [("threshold", 0.14)]
    assert result["yours"] == pytest.approx(0.487, abs=0.001)
    assert "there are counts and no maps" in result["not_tried"][0]


def test_two_runs_differ_by_what_the_second_was_read_with(damaged, tmp_path, capsys):
    words, _ = damaged
    folder, spec, split = words[1], words[3], words[5]
    run = str(tmp_path / "run")
    run_import(ImportConfig(maps=folder, data=spec, split=split, out=run, workers=1))
    result = read_json(["diagnose", folder, run, "--data", spec, "--split", split, "--at", words[7]], capsys)
    assert [step["change"] for step in result["steps"]] == ["numbering"] and result["sure"] > 0.9


def test_published_figures_are_listed_and_aimed_at(capsys):
    assert main(["diagnose", "any", "--published", "list"]) == 0
    assert "amn-voc-train-seed" in capsys.readouterr().out
    result = read_json(["diagnose", str(RUNS / "voc-resnet50" / "cam"), "--published", "amn-voc-train-seed"], capsys)
    assert result["reached"] is None and result["source"] and "no reading" in result["message"]


@pytest.mark.parametrize(("more", "error"), [
    (["--at", "2"], "at is 2.0"), (["--target", "x"], "target is 'x'"), (["--precision", "40"], "give --target too"),
    (["--target", "4", "--published", "amn-voc-train-seed"], "give one number"), (["c", "d"], "3 folders"),
    (["--published", "x"], "choose one of")])
def test_odd_wishes_are_refused_in_one_line(more, error, capsys):
    assert main(["diagnose", str(RUNS / "voc-resnet50" / "cam"), *more]) == 1
    printed = capsys.readouterr().err
    assert error in printed and printed.count("\n") == 1


def test_a_folder_without_data_is_refused(tmp_path, capsys):
    assert main(["diagnose", str(tmp_path)]) == 1
    assert "say with --data and --split" in capsys.readouterr().err
