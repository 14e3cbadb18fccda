"""Tables and the kit in a real LaTeX: nothing sticks out of a column or a page of CVPR's size."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from amn_core.cli import main
from amn_core.figures.config import FIGURES, FigureConfig
from amn_core.figures.kit import HEAD
from amn_core.figures.make import build_output, make_figure

BUNDLE = Path(__file__).resolve().parents[2] / "checkpoints"
TABLES = [name for name, kind in FIGURES.items() if ".tex" in kind.suffixes]
NEEDED = ("booktabs.sty", "times.sty", "geometry.sty", "graphicx.sty", "ptmr8t.tfm")


def has_latex() -> bool:
    """Whether a LaTeX is here, with the packages that a paper needs."""
    if not (shutil.which("pdflatex") and shutil.which("kpsewhich")):
        return False
    return all(subprocess.run(["kpsewhich", one], capture_output=True).returncode == 0 for one in NEEDED)


needs_latex = pytest.mark.skipif(not has_latex(), reason="no LaTeX with booktabs, times, geometry and graphicx")


def compile_paper(folder: Path) -> str:
    """Compile paper.tex twice, for its references; returns the log of the second time."""
    for _ in range(2):
        done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=folder,
                              capture_output=True)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-800:]
    return (folder / "paper.log").read_text(errors="replace")


def build_tex(name: str, **options) -> str:
    """Build a table of the bundled runs of VOC."""
    runs = tuple(str(BUNDLE / "voc-resnet50" / run) for run in ("cam", "amn-without-lcm", "amn"))
    return build_output(replace(FigureConfig(name, runs, f"{name}.tex", resamples=10), **options)).content.decode()


@needs_latex
def test_tables_compile_without_an_overfull_box(tmp_path):
    texts = [build_tex(name, preset=preset) for name in TABLES for preset in ("cvpr-column", "cvpr-page")]
    texts.append(build_tex("table", width=4.5))
    (tmp_path / "paper.tex").write_text(HEAD + "Text.\n" + "\n".join(texts) + "\\end{document}\n", encoding="utf-8")
    assert compile_paper(tmp_path).count("Overfull") == 0


def test_long_names_and_many_runs_make_a_table_smaller_or_turn_it():
    names = "A method with a long name, longer than any column;Another method with a long name;The third of them"
    plain, long = (build_tex("table", preset="cvpr-page", names=one) for one in ("", names))
    assert r"\small" in plain and r"\small" not in long


@needs_latex
def test_kit_compiles_and_shows_every_part_with_its_record(tmp_path):
    runs = [str(BUNDLE / "scenes" / run) for run in ("cam", "amn")]
    assert main(["figure", "kit", *runs, "--out", str(tmp_path), "--resamples", "10", "--dpi", "60", "--names",
                 "Base;Ours_1"]) == 0
    log = compile_paper(tmp_path)
    assert log.count("Overfull") == 0 and "undefined" not in log
    shown = re.findall(r"includegraphics{(.*?)}", (tmp_path / "paper.tex").read_text(encoding="utf-8"))
    assert shown == ["miou.pdf", "histograms.pdf", "gap-imbalance.pdf", "grid.pdf"]
    again = {name: (tmp_path / name).read_bytes() for name in (*shown, "table.tex", "table.md", "table.csv")}
    for name, content in again.items():
        make_figure(FigureConfig(record=str(tmp_path / f"{name}.json")))
        assert (tmp_path / name).read_bytes() == content, name


def test_kit_of_tables_alone_says_what_it_leaves_out(tmp_path, capsys):
    run = str(BUNDLE / "voc-resnet50" / "amn")
    assert main(["figure", "kit", run, "--out", str(tmp_path), "--resamples", "10"]) == 0
    assert "Left out: grid" in capsys.readouterr().out
    assert "grid" not in (tmp_path / "paper.tex").read_text(encoding="utf-8")
