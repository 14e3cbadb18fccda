"""Cells of CSV files: a text that a spreadsheet would take for a formula is written so that it stays a text."""

from typing import Any

STARTS = ("=", "+", "-", "@", "\t", "\n")  # what begins a formula in the spreadsheets in use


def write_text_cell(value: Any) -> Any:
    """Write a cell: a text that would begin a formula gets an apostrophe, as spreadsheets mark text; others stay.

    >>> write_text_cell("=cmd|'/c calc'!A1"), write_text_cell(-0.5), write_text_cell("dog")
    ("'=cmd|'/c calc'!A1", -0.5, 'dog')
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\r", " ")  # which Python writes without quotes, and spreadsheets take for the end of a row
    return f"'{text}" if text.lstrip(" ").startswith(STARTS) else text
