"""``bench all``: one report of all parts, whatever one of them does."""

import json
from pathlib import Path

import pytest

from amn_core.bench import everything
from amn_core.bench.everything import BenchAllConfig, Part, bench_all, list_parts, read_tests, run_part
from amn_core.cli import build_parser


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_part_is_a_command_that_the_parser_takes(device: str, tmp_path: Path):
    parts = list_parts(device, tmp_path)
    assert len({part.name for part in parts}) == len(parts)
    for part in parts:
        words = part.words.split()
        if "amn_core" in words:
            build_parser().parse_args(words[words.index("amn_core") + 1:])


def test_report_holds_what_a_benchmark_printed(tmp_path: Path):
    out = tmp_path / "report.json"
    report = bench_all(BenchAllConfig(device="cpu", only="scores", out=str(out)))
    assert json.loads(out.read_text()) == report
    assert report["parts"]["scores"]["ok"] and report["parts"]["scores"]["result"]["agree"] is True


def test_parts_that_fail_or_hang_are_named_and_the_others_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "hang.py").write_text("import time; time.sleep(60)")
    (tmp_path / "fail.py").write_text("raise SystemExit('no such thing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    parts = (Part("hang", "hang", 0.5), Part("fail", "fail", 30), Part("fine", "this", 30))
    monkeypatch.setattr(everything, "list_parts", lambda device, work: parts)
    with pytest.raises(ValueError, match="failed: hang, fail; "):
        bench_all(BenchAllConfig(device="cpu", out=str(tmp_path / "report.json")))
    found = json.loads((tmp_path / "report.json").read_text())["parts"]
    assert found["hang"]["error"] .startswith("not done in ") and "no such thing" in found["fail"]["error"]
    assert found["fine"]["ok"]


def test_time_that_is_over_leaves_parts_out_by_name(tmp_path: Path):
    with pytest.raises(ValueError, match="failed: scores"):
        bench_all(BenchAllConfig(device="cpu", only="scores", minutes=0, out=str(tmp_path / "report.json")))
    assert "left out" in json.loads((tmp_path / "report.json").read_text())["parts"]["scores"]["error"]


def test_tests_are_counted_and_failures_named(tmp_path: Path):
    (tmp_path / "test_it.py").write_text("def test_good(): pass\n\n\ndef test_bad(): assert 1 == 2\n")
    words = f"pytest -q -o addopts= -p no:cacheprovider --rootdir {tmp_path} --junitxml {tmp_path}/tests.xml {tmp_path}"
    found = run_part(Part("tests", words, 60), tmp_path, 60)
    assert not found["ok"] and found["result"]["passed"] == 1
    assert [name.endswith("test_bad") for name in found["result"]["failed"]] == [True]
    assert read_tests(tmp_path / "none.xml", 4)["ok"] is False


def test_an_unknown_part_is_refused_by_name():
    with pytest.raises(ValueError, match="part 'swep' is unknown; the parts are tests, sweep"):
        bench_all(BenchAllConfig(device="cpu", only="swep"))
