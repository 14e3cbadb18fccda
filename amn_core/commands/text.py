"""Text tables of the commands: columns, cells and protocols."""

from collections.abc import Sequence
from typing import Any


def format_rows(columns: Sequence[tuple[str, str, str]], runs: list[dict[str, Any]]) -> list[str]:
    """Format one table, its columns aligned to the right."""
    rows = [[title for _, title, _ in columns]]
    rows += [[format_cell(run.get(key), kind) for key, _, kind in columns] for run in runs]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def format_cell(value: Any, kind: str) -> str:
    """Format one cell; undefined numbers are a dash."""
    if value is None:
        return "–"
    if kind == "%":
        return f"{100 * value:.1f}"
    if kind == "+":
        return f"{100 * value:+.1f}"
    if kind == "pair":
        return "[" + ", ".join(f"{100 * bound:.1f}" for bound in value) + "]"
    return format(value, kind)


def format_protocol(protocol: dict[str, Any]) -> str:
    """Format a protocol as one line."""
    return ", ".join(f"{key} {value}" for key, value in protocol.items() if value not in ("", None))
