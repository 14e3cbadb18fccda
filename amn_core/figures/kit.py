"""The figures of a paper in one folder, with a paper that shows them and compiles: ``figure kit``."""

from dataclasses import dataclass
from pathlib import Path

from amn_core.figures.config import FIGURES, KIT, FigureConfig, list_options
from amn_core.figures.latex import escape, write_note
from amn_core.figures.make import make_figure
from amn_core.formats.files import write_bytes
from amn_core.options import UsageError

PARTS = {"miou": "cvpr-column", "histograms": "cvpr-column", "gap-imbalance": "cvpr-column", "grid": "cvpr-page"}
TABLE = "table"
OWN = ("preset", "width", "height", "xlabel", "ylabel")
# Widths and type of CVPR's template, written here: no style file of others is needed.
HEAD = r"""\documentclass[10pt,twocolumn]{article}
\usepackage[T1]{fontenc}
\usepackage{times}
\usepackage{graphicx}
\usepackage{booktabs}
\usepackage[letterpaper,textwidth=6.875in,textheight=8.875in,columnsep=0.3125in]{geometry}
\begin{document}
"""


@dataclass(frozen=True)
class Part:
    """One figure of a kit: its name, file, caption, note, and whether it is as wide as the page."""

    name: str
    file: str
    caption: str
    note: str
    is_wide: bool


def make(config: FigureConfig) -> dict[str, str]:
    """Make a figure, a table, a report or a kit: the command `figure`."""
    return make_kit(config) if config.name == KIT and not config.record else make_figure(config)


def make_kit(config: FigureConfig) -> dict[str, str]:
    """Make the standard figures and the table of some runs, each with its record, and a paper that shows them.

    What cannot be made from these runs (no maps, one run of masks) is left out, and the note says so.

    Returns:
        ``file``, ``record``, ``caption`` and ``note``.

    Raises:
        UsageError: no run. ValueError: nothing could be made, or an option is wrong.
    """
    if not config.runs:
        raise UsageError("no run to draw: give at least one run folder")
    folder = Path(config.out or KIT)
    parts, left_out = [], []
    for name, preset in PARTS.items():
        try:
            parts.append(make_part(config, folder, name, preset))
        except ValueError as error:
            left_out.append(f"{name}: {error}")
    if not parts:
        raise ValueError(left_out[0])
    for suffix in FIGURES[TABLE].suffixes:
        make_figure(narrow(config, TABLE, folder / f"{TABLE}{suffix}", config.preset))
    paper = folder / "paper.tex"
    write_bytes(paper, write_paper(parts).encode())
    names = [part.name for part in parts] + [TABLE]
    return {"file": str(paper), "record": str(folder / "*.json"), "caption": f"{', '.join(names)}: compile paper.tex",
            "note": "".join(f"Left out: {reason}\n" for reason in left_out).rstrip()}


def narrow(config: FigureConfig, name: str, out: Path, preset: str) -> FigureConfig:
    """Narrow the config of a kit to one figure: what only others have, and sizes and titles, are left at defaults."""
    kept = {key: getattr(config, key) for key in list_options(name) if key not in OWN}
    return FigureConfig(name, config.runs, str(out), preset=preset, **kept)


def make_part(config: FigureConfig, folder: Path, name: str, preset: str) -> Part:
    """Make one figure of a kit."""
    made = make_figure(narrow(config, name, folder / f"{name}.pdf", preset))
    return Part(name, f"{name}.pdf", made["caption"], made["note"], preset == "cvpr-page")


def write_paper(parts: list[Part]) -> str:
    """Write a paper that shows the figures and the table."""
    shown = ", ".join(rf"\ref{{fig:{part.name}}}" for part in parts)
    text = rf"Figures~{shown} and Table~\ref{{tab:{TABLE}}}: copy what you need, captions and footnotes with it." + "\n"
    return "\n".join([HEAD + text, *map(write_part, parts), rf"\input{{{TABLE}}}", r"\end{document}", ""])


def write_part(part: Part) -> str:
    """Write one figure with its caption, and the protocol below it."""
    place = "figure*" if part.is_wide else "figure"
    return "\n".join([
        rf"\begin{{{place}}}[t]", r"\centering", rf"\includegraphics{{{part.file}}}",
        rf"\caption{{{escape(part.caption)}}}", rf"\label{{fig:{part.name}}}", write_note(part.note),
        rf"\end{{{place}}}", ""])

