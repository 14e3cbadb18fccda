"""Thresholds by class as CSV: a column ``class``, names or numbers, and a column ``threshold``.

Other columns are passed over, such as those of cheXlocalize's tables; a row ``*`` stands for every class not named.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amn_core.constants import BACKGROUND
from amn_core.formats.errors import FormatError
from amn_core.formats.tables import save_csv
from amn_core.options import read_unit

CLASS, THRESHOLD, REST = "class", "threshold", "*"
LARGEST = 1 << 20  # bytes


def save_class_thresholds(path: str | Path, class_names: Sequence[str], thresholds: np.ndarray) -> None:
    """Save one threshold for each class but background.

    Args:
        class_names: background first. thresholds: (C,), that of background is left out.
    """
    save_csv(path, (CLASS, THRESHOLD), [
        (name, round(float(value), 6)) for name, value in zip(class_names[1:], thresholds[1:], strict=True)])


def load_class_thresholds(path: str | Path, class_names: Sequence[str]) -> np.ndarray:
    """Load one threshold for each class, (C,) float64; that of background is the one of the rest, else 0.

    Raises:
        FormatError: no such file, no such columns, an unknown class, one twice or without a row, or a threshold that is
            no number from 0 to 1; names the file and the row.
    """
    found: dict[str, float] = {}
    for number, (name, text) in enumerate(read_rows(Path(path)), start=2):
        place = REST if name == REST else name_class(name, class_names, f"{path}, line {number}")
        if place in found:
            raise FormatError(f"{path}, line {number}: {place} has a threshold already; keep one")
        found[place] = parse_threshold(text, f"{path}, line {number}")
    missing = [name for name in class_names[1:] if name not in found]
    if missing and REST not in found:
        raise FormatError(f"{path}: no threshold for {len(missing)} of {len(class_names) - 1} classes, such as "
                          f"{missing[0]}; add it, or a row * for the rest")
    rest = found.get(REST, 0.0)
    values = [found.get(name, rest) for name in class_names]
    values[BACKGROUND] = rest
    return np.array(values)


def read_rows(path: Path) -> list[tuple[str, str]]:
    """Read class and threshold of each row."""
    try:
        content = path.read_bytes()[:LARGEST].decode("utf-8-sig")
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not a table in UTF-8 ({error})") from None
    table = csv.DictReader(io.StringIO(content))
    heads = {str(head).strip().lower(): head for head in table.fieldnames or ()}
    if not {CLASS, THRESHOLD} <= set(heads):
        raise FormatError(f"{path}: needs the columns class and threshold, and has {', '.join(heads) or 'none'}")
    return [((row[heads[CLASS]] or "").strip(), (row[heads[THRESHOLD]] or "").strip()) for row in table]


def name_class(text: str, class_names: Sequence[str], place: str) -> str:
    """Name a class that is given by its name or its number, 1 and up."""
    if text in class_names[1:]:
        return text
    if text.isdecimal() and 1 <= int(text) < len(class_names):
        return class_names[int(text)]
    raise FormatError(f"{place}: the class {text!r} is none of the run's; give a name, or 1 to {len(class_names) - 1}")


def parse_threshold(text: str, place: str) -> float:
    """Parse a threshold from 0 to 1."""
    value = read_unit(text)
    if value is None:
        raise FormatError(f"{place}: the threshold is {text!r}; give a number from 0 to 1")
    return value
