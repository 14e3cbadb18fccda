"""Figures previews what the command makes, and keeps its options in the URL."""

import argparse
import json
import shlex
import shutil
from pathlib import Path

import pytest

from amn_core.figures.config import FIGURES, FigureConfig
from amn_core.figures.make import make_figure
from amn_core.formats.files import write_json
from amn_core.options import add_options, read_options
from app import roots

QUICK = "resamples=20~dpi=60"


@pytest.fixture
def open_figures(open_app, group):
    """Open Figures on the drawn scenes, with few resamples."""
    def open_screen(**query):
        return open_app("figures", **{"data": group, "options": QUICK, **query})

    return open_screen


def read_command(at) -> list[str]:
    """Read the words of the command on the screen."""
    return shlex.split(at.code[0].value)


def test_every_figure_opens(open_figures):
    at = open_figures()
    for name, kind in FIGURES.items():
        at.selectbox(key="widget:figure").set_value(name).run()
        assert not at.exception, name
        is_elsewhere = kind.needs in ("metrics", "results", "refined")  # nothing of the kind is here: it says so
        assert (at.info if is_elsewhere else read_command(at)[:5] == ["python", "-m", "amn_core", "figure", name]), name


def test_results_of_consequence_are_found_and_their_networks_are_no_runs(
    open_figures, tmp_path, monkeypatch, runs_root
):
    root = tmp_path / "runs"
    shutil.copytree(runs_root / "drawn" / "cam", root / "cam")
    shutil.copytree(runs_root / "drawn" / "amn", root / "consequence" / "1-cam" / "0.300-0" / "run")
    lists = {"thresholds": [0.2, 0.3], "masks": [0.5, 0.6], "network": [0.4, None], "networks": [{"0": 0.4}, {}]}
    names = ("shares", "masks_low", "masks_high", "precision", "recall", "network_low", "network_high")
    one = {"name": "CAM", "method": "cam", "peak": 0.3, **lists, **{name: [None, None] for name in names}}
    write_json(root / "consequence" / "consequence.json", {"runs": [one]})
    monkeypatch.setenv("AMN_RUNS", str(root))
    assert list(roots.find_runs()) == ["cam"]
    at = open_figures(figure="consequence")
    assert not at.exception and not at.info and (at.get("imgs") or at.get("image")), [i.value for i in at.info]
    assert read_command(at)[4] == "consequence" and read_command(at)[5].endswith("consequence")


def test_preview_has_a_caption_with_the_protocol(open_figures):
    at = open_figures(figure="miou")
    caption = next(block.value for block in at.markdown if block.value.startswith("**Caption**"))
    assert "peaks" in caption and "protocol" not in caption
    note = next(block.value for block in at.markdown if block.value.startswith("**Footnote**"))
    assert "protocol irn" in note
    assert "20 resamples" in note
    assert at.get("imgs") or at.get("image")


def test_command_on_the_screen_makes_the_record_on_the_screen(open_figures, tmp_path, monkeypatch):
    at = open_figures(figure="classes", t="0.300")
    at.button_group(key="figure-option:threshold").set_value("current").run()
    parser = argparse.ArgumentParser()
    add_options(parser, FigureConfig)
    config = read_options(parser.parse_args(read_command(at)[4:]), FigureConfig)
    assert (config.name, config.threshold) == ("classes", "0.300")
    monkeypatch.chdir(tmp_path)
    made = make_figure(config)
    assert json.loads(Path(made["record"]).read_text(encoding="utf-8")) == json.loads(at.json[0].value)


def test_options_come_from_the_url_and_go_back(open_figures):
    at = open_figures(figure="histograms", options=f"{QUICK}~mirror=1~preset=eccv~resamples=many")
    assert at.toggle(key="figure-option:mirror").value is True
    assert at.selectbox(key="figure-option:preset").value == "eccv"
    assert "--mirror" in read_command(at)
    assert "mirror=1" in str(at.query_params["options"])
    assert "many" not in str(at.query_params["options"])


def test_runs_are_drawn_in_the_order_in_which_they_were_put_with_other_names(open_figures):
    at = open_figures(figure="miou")
    order = at.multiselect(key=next(one.key for one in at.multiselect if one.key.startswith("figure-runs")))
    first, *rest = order.value
    order.set_value([*rest, first]).run()
    at.text_input(key="figure-option:names").set_value("Ours;;Base").run()
    words = read_command(at)
    assert words[7].endswith(first.split("/")[-1]) and words[words.index("--names") + 1] == "Ours;;Base"
    caption = next(block.value for block in at.markdown if block.value.startswith("**Caption**"))
    assert caption.index("Ours") < caption.index("Base")


def test_difference_of_one_run_says_what_is_missing(open_figures):
    at = open_figures(figure="class-differences", runs="drawn/cam")
    assert any("needs two runs" in info.value for info in at.info)


def test_files_are_offered_in_every_format(open_page, group):
    page = open_page("figures", data=group, options=QUICK, figure="best-thresholds")
    for label, start in (("PDF", b"%PDF"), ("SVG", b"<?xml"), ("PNG", b"\x89PNG"), ("Record", b"{")):
        with page.expect_download() as download:
            page.get_by_role("button", name=label, exact=False).filter(has_text=label).first.click()
        assert Path(download.value.path()).read_bytes().startswith(start)
