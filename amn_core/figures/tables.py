"""Tables of runs and of classes, as Markdown, CSV and HTML; the best in bold, the protocol below. LaTeX: `latex`."""

import csv
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.figures.bars import find_rows, score_at
from amn_core.figures.captions import Caption
from amn_core.figures.curves import PERCENT
from amn_core.figures.material import Material, has_one_scale, write_caption
from amn_core.formats.cells import write_text_cell


@dataclass(frozen=True)
class Column:
    """A column: its head, digits, factor, which end is best (1 high, −1 low, 0 neither), and its measure.

    `is_scaled` says that a rescaling of the maps changes it: runs that were normalised in different ways are not
    ranked by it. `sampled` is the name of the measure in a bootstrap, for an interval.
    """

    head: str
    measure: str
    digits: int = 3
    factor: float = 1.0
    best: int = 1
    is_scaled: bool = False
    sampled: str = ""


RUN_COLUMNS = (
    Column("peak mIoU (%)", "peak_miou", 1, PERCENT, sampled="peak_miou"),
    Column("at", "peak_threshold", best=0, is_scaled=True),
    Column("plateau", "plateau", is_scaled=True, sampled="plateau"),
    Column("plateau (share)", "plateau_share", sampled="plateau_share"),
    Column("mean mIoU (%)", "mean_miou", 1, PERCENT, is_scaled=True, sampled="mean_miou"),
    Column("oracle mIoU (%)", "oracle_miou", 1, PERCENT, sampled="oracle_miou"),
    Column("gap", "gap", is_scaled=True, sampled="gap"),
    Column("AUC", "auc", sampled="auc"),
    Column("imbalance (CV)", "imbalance", best=-1, sampled="imbalance"),
)


@dataclass(frozen=True)
class Cell:
    """One number of a table: in full, as it is printed, its interval as it is printed, and whether it is a best."""

    value: float
    text: str
    low: float = float("nan")
    high: float = float("nan")
    interval: str = ""
    is_best: bool = False


@dataclass(frozen=True)
class Table:
    """A table: heads of the columns, the first being that of the row names; rows of cells; its caption.

    `can_turn` says that a narrow column of a page may have it with rows and columns exchanged. `groups` are names that
    stand before the heads of so many columns each, from the second on; LaTeX has them once, on a line above.
    """

    heads: tuple[str, ...]
    names: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    caption: Caption
    can_turn: bool = False
    groups: tuple[tuple[str, int], ...] = ()


def build_runs_table(material: Material) -> Table:
    """Build the table of a comparison: a row for each run, its peak, robustness and separation with intervals."""
    has_intervals, is_alike = material.config.intervals, has_one_scale(material)
    columns = []
    for column in RUN_COLUMNS:
        values = [getattr(source.summary, column.measure) * column.factor for source in material.sources]
        bounds = [(np.nan, np.nan)] * len(values)
        if has_intervals and column.sampled:
            bounds = [np.array(b.interval(column.sampled)) * column.factor for b in material.bootstraps]
        is_ranked = column.best and (is_alike or not column.is_scaled)
        columns.append(build_column(values, bounds, column.digits, column.best if is_ranked else 0))
    rows = tuple(zip(*columns, strict=True))
    names = tuple(source.look.label for source in material.sources)
    return Table(("run", *(column.head for column in RUN_COLUMNS)), names, rows, caption_runs(material, is_alike),
                 can_turn=True)


def build_column(values: Sequence[float], bounds: Sequence, digits: int, best: int) -> list[Cell]:
    """Build the cells of a column; all that are printed like the best are marked, unless all are."""
    texts = [format_number(value, digits) for value in values]
    known = [value for value in values if np.isfinite(value)]
    top = format_number(max(known, key=lambda v: best * v), digits) if best and len(set(texts)) > 1 else None
    bounds = [pair if np.isfinite(value) else (np.nan, np.nan) for value, pair in zip(values, bounds, strict=True)]
    return [
        Cell(float(value), text, float(low), float(high), format_interval(low, high, digits), text == top)
        for value, text, (low, high) in zip(values, texts, bounds, strict=True)
    ]


def format_number(value: float, digits: int) -> str:
    """Format a number with a fixed number of digits; what is undefined is a dash."""
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"


def format_interval(low: float, high: float, digits: int) -> str:
    """Format an interval; nothing where it is undefined."""
    return f"{low:.{digits}f}–{high:.{digits}f}" if np.isfinite(low) and np.isfinite(high) else ""


def caption_runs(material: Material, is_alike: bool) -> Caption:
    """Write the caption of the table of runs."""
    small = f"; small: {100 * material.config.level:g} % intervals" * material.config.intervals
    return write_caption(
        material, f"Peak mIoU over all thresholds, robustness and separation. Bold: best{small}.",
        "Peaks, plateaus and oracle are read off the ground truth of these images. Plateau: width of the thresholds "
        "within one point of the peak, and the same as a share of the pixels called foreground; oracle: every image at "
        "its own best threshold.",
        "Plateau, mean mIoU and gap depend on how maps are normalised, in which the runs differ, and are not ranked."
        * (not is_alike),
        f"Intervals: {material.interval_note}." * material.config.intervals)


def build_classes_table(material: Material) -> Table:
    """Build the table of the IoU of each class: a row for each class, a column for each run, the mean last."""
    rows, names = find_rows(material), material.sources[0].counts.class_names
    values = np.stack([score_at(source.counts, source.index) for source in material.sources]) * PERCENT
    means = [source.summary.miou[source.index] * PERCENT for source in material.sources]
    nothing = [(np.nan, np.nan)] * len(means)
    cells = [tuple(build_column(line, nothing, 1, 1)) for line in (*values[:, rows].T, means)]
    caption = write_caption(material, f"IoU of each class in %, {material.threshold_note}. Bold: best.",
                            material.choice_note)
    heads = ("class", *(source.look.label for source in material.sources))
    return Table(heads, (*(names[c] for c in rows), "mean"), tuple(cells), caption)


def write_markdown(table: Table) -> str:
    """Write a table in Markdown, its caption below."""
    def clean(text: str) -> str:
        return text.replace("|", "\\|").replace("*", "\\*")

    lines = [[clean(head) for head in table.heads], [":--", *["--:"] * (len(table.heads) - 1)]]
    for name, cells in zip(table.names, table.cells, strict=True):
        lines.append([clean(name), *(
            (f"**{cell.text}**" if cell.is_best else cell.text) + (f" [{cell.interval}]" if cell.interval else "")
            for cell in cells)])
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", table.caption.text, "",
                      f"<small>{html.escape(table.caption.note)}</small>", ""])


def write_csv(table: Table) -> str:
    """Write a table as CSV, numbers in full in the units of the heads; ends of intervals in columns of their own."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    has_interval = [any(np.isfinite(row[i].low) for row in table.cells) for i in range(len(table.heads) - 1)]
    heads = [f"{head}{end}" for head, extra in zip(table.heads[1:], has_interval, strict=True)
             for end in (("", " low", " high") if extra else ("",))]
    writer.writerow(map(write_text_cell, [table.heads[0], *heads]))
    for name, cells in zip(table.names, table.cells, strict=True):
        numbers = [value for cell, extra in zip(cells, has_interval, strict=True)
                   for value in ((cell.value, cell.low, cell.high) if extra else (cell.value,))]
        writer.writerow([write_text_cell(name), *(repr(value) if np.isfinite(value) else "" for value in numbers)])
    return buffer.getvalue()


def write_html(table: Table) -> str:
    """Write a table as HTML, without its caption."""
    def write_cell(cell: Cell) -> str:
        text = html.escape(cell.text)
        small = f" <small>{html.escape(cell.interval)}</small>" if cell.interval else ""
        return f"<td>{f'<b>{text}</b>' if cell.is_best else text}{small}</td>"

    heads = "".join(f"<th>{html.escape(head)}</th>" for head in table.heads)
    rows = "".join(f"<tr><th>{html.escape(name)}</th>{''.join(map(write_cell, cells))}</tr>"
                   for name, cells in zip(table.names, table.cells, strict=True))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
