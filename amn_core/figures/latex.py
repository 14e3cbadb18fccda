"""A table for LaTeX with booktabs, in type that fits the column or the page it is for.

Widths are measured with the font of the figures, STIX, whose letters are as wide as those of Times. What does not
fit into one column of the page is set over both (``table*``), a table of runs first with a line for each measure
instead of for each run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from amn_core.figures.styles import PAGES
from amn_core.figures.tables import Cell, Table, write_csv, write_markdown

LETTERS = str.maketrans({"%": r"\%", "&": r"\&", "#": r"\#", "_": r"\_", "$": r"\$", "{": r"\{", "}": r"\}",
                         "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
                         "–": "--", "−": "$-$", "…": r"\ldots{}", "×": r"$\times$", "·": r"$\cdot$",
                         "<": r"\textless{}", ">": r"\textgreater{}"})
SIZES = (("small", 9.0), ("footnotesize", 8.0), ("scriptsize", 7.0))  # of a class with 10-point text
INTERVAL = ("scriptsize", 7.0)
GAPS = (6.0, 4.0, 2.5)       # LaTeX's own space beside a column in points, and narrower ones
LONG_HEAD = 9                # letters of a head that stay on one line
SAFETY = 1.04                # bold letters and the hyphenation of numbers are a little wider than measured
COLUMN, PAGE = PAGES["cvpr-column"].width, PAGES["cvpr-page"].width


@dataclass(frozen=True)
class Layout:
    """How a table is set: the size of its type, the space beside a column in points, and whether over both columns."""

    size: str
    points: float
    gap: float
    is_wide: bool


def write_latex(table: Table, label: str, width: float = COLUMN) -> str:
    """Write a table for LaTeX, no wider than a width in inches; it needs the package booktabs.

    A table of runs is turned where this makes it fit. For one column of a page of two, what does not fit is set over
    both.

    Raises:
        ValueError: it does not fit in the smallest type either; says what helps.
    """
    table, layout = fit_table(table, width)
    place = "table*" if layout.is_wide else "table"
    rows = [write_row(name, cells) for name, cells in zip(table.names, table.cells, strict=True)]
    if table.names[-1] == "mean":
        rows.insert(-1, r"\midrule")
    return "\n".join([
        r"% needs \usepackage{booktabs}", rf"\begin{{{place}}}[t]", r"\centering",
        rf"\caption{{{escape(table.caption.text)}}}", rf"\label{{tab:{label}}}",
        rf"\{layout.size}\setlength{{\tabcolsep}}{{{layout.gap:g}pt}}",
        rf"\begin{{tabular}}{{@{{}}l{'c' * (len(table.heads) - 1)}@{{}}}}", r"\toprule", *write_groups(table.groups),
        " & ".join(map(write_head, list_heads(table))) + r" \\", r"\midrule", *rows,
        r"\bottomrule", r"\end{tabular}", write_note(table.caption.note), rf"\end{{{place}}}", ""])


def list_heads(table: Table) -> list[str]:
    """List the heads of a table without the names of groups, which stand above them."""
    owners = [f"{name} " for name, n in table.groups for _ in range(n)] or [""] * (len(table.heads) - 1)
    return [table.heads[0], *map(str.removeprefix, table.heads[1:], owners)]


def write_groups(groups: Sequence[tuple[str, int]]) -> list[str]:
    """Write the names of groups over their columns, with a rule below each."""
    if not groups:
        return []
    cells, rules, start = [""], "", 2
    for name, n in groups:
        cells.append(rf"\multicolumn{{{n}}}{{c}}{{{escape(name)}}}")
        rules += rf"\cmidrule(lr){{{start}-{start + n - 1}}}"
        start += n
    return [" & ".join(cells) + r" \\" + rules]


def write_note(note: str) -> str:
    """Write the protocol below a table, small and left to right."""
    return (r"\par\vspace{3pt}\begin{minipage}{\linewidth}\scriptsize\raggedright " + escape(note)
            + r"\end{minipage}") if note else "%"


def fit_table(table: Table, width: float) -> tuple[Table, Layout]:
    """Find the largest type in which a table fits, turned if need be."""
    ways = [table, turn_table(table)] if table.can_turn else [table]
    places = [(width, width > COLUMN * 1.01)] + [(PAGE, True)] * (COLUMN * 0.99 <= width < COLUMN * 1.01)
    for inches, is_wide in places:
        for way in ways:
            for size, points in SIZES:
                for gap in GAPS:
                    if measure_table(way, points, gap) <= inches * 72.27:
                        return way, Layout(size, points, gap, is_wide)
    least = min(measure_table(way, SIZES[-1][1], GAPS[-1]) for way in ways) / 72.27
    raise ValueError(f"the table is {least:.1f} in wide in its smallest type, but {places[-1][0]:g} in are there: "
                     "give fewer runs, shorter --names, or --no-intervals")


def turn_table(table: Table) -> Table:
    """Turn a table: a line for each measure, a column for each run."""
    heads = (table.heads[0] if table.heads[0] != "run" else "", *table.names)
    return replace(table, heads=heads, names=table.heads[1:], cells=tuple(zip(*table.cells, strict=True)))


def measure_table(table: Table, points: float, gap: float) -> float:
    """Measure the width of a table in points of TeX."""
    first = max(measure(name, points) for name in table.names)
    heads = list_heads(table)
    columns = [max(measure(line, points) for line in split_head(heads[0]))]
    columns[0] = max(columns[0], first)
    for i, head in enumerate(heads[1:]):
        cells = [row[i] for row in table.cells]
        columns.append(max(
            *(measure(line, points) for line in split_head(head)),
            *(measure(cell.text, points, cell.is_best) for cell in cells),
            *(measure(cell.interval, min(points, INTERVAL[1])) for cell in cells)))
    start = 1
    for name, n in table.groups:
        wanted = measure(name, points) - 2 * gap * (n - 1)
        columns[start + n - 1] += max(0.0, wanted - sum(columns[start:start + n]))  # as LaTeX widens the last of them
        start += n
    return sum(columns) * SAFETY + 2 * gap * (len(columns) - 1)


@cache
def measure(text: str, points: float, is_bold: bool = False) -> float:
    """Measure the width of a text in points."""
    if not text.strip():
        return 0.0
    font = FontProperties(family="STIXGeneral", weight="bold" if is_bold else "normal")
    return float(TextPath((0, 0), text, size=points, prop=font).get_extents().width) + points * 0.05


def split_head(head: str) -> list[str]:
    """Split the head of a column into lines: at its brackets and, where it is long, between its words."""
    name, bracket, rest = head.partition(" (")
    lines = [name] if len(name) <= LONG_HEAD else name.split(" ")
    return [*lines, *([f"({rest}"] if bracket else [])]


def escape(text: str) -> str:
    """Escape a text for LaTeX."""
    return text.translate(LETTERS)


def write_head(head: str) -> str:
    """Write the head of a column for LaTeX, on several lines if it has them."""
    lines = [escape(line) for line in split_head(head)]
    stacked = (chr(92) * 2).join(lines)
    return rf"\begin{{tabular}}[b]{{@{{}}c@{{}}}}{stacked}\end{{tabular}}" if len(lines) > 1 else lines[0]


def write_row(name: str, cells: Sequence[Cell]) -> str:
    """Write a row for LaTeX; intervals stand small on a line of their own below the numbers."""
    numbers = [rf"\textbf{{{escape(cell.text)}}}" if cell.is_best else escape(cell.text) for cell in cells]
    lines = [" & ".join([escape(name), *numbers]) + r" \\"]
    if any(cell.interval for cell in cells):
        below = [rf"{{\{INTERVAL[0]} {escape(cell.interval)}}}" if cell.interval else "" for cell in cells]
        lines.append(" & ".join(["", *below]) + r" \\\addlinespace[1pt]")
    return "\n".join(lines)


def write_table(table: Table, suffix: str, label: str, width: float = COLUMN) -> str:
    """Write a table in the format of a suffix; a LaTeX one no wider than a width in inches."""
    if suffix == ".tex":
        return write_latex(table, label, width)
    return write_markdown(table) if suffix == ".md" else write_csv(table)
