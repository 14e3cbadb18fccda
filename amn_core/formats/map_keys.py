"""The classes that a file of maps names, in every spelling, as whole numbers.

========================== ================================================
written as                 read as
========================== ================================================
whole numbers, any dtype   themselves; 3.0 too
true and false, 0 and 1    the places of what is true, if there is one for each class (with or without background)
texts                      the number they spell, or the class of that name, counted from 1
(1, K), a single number    the same in a row
========================== ================================================

From which number the classes count is decided later, for a whole folder (`amn_core.formats.recognise`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from amn_core.formats.errors import FormatError

MAX_KEYS = 512
KEY_ENTRIES = ("keys", "keys_gt", "fg_cls", "class_ids", "label", "labels", "classes")
BIGGEST = 1 << 15  # no list of classes is longer; larger numbers would not survive as floats


def parse_keys(value: Any, class_names: Sequence[str] = ()) -> np.ndarray | None:
    """Parse what names the classes of a file.

    Args:
        class_names: names by class index, to read texts and vectors of 0 and 1; empty where nobody knows them.

    Returns:
        (n,) int64 as written; None if the value cannot be read as classes.
    """
    flat = flatten_keys(value)
    if flat is None or len(flat) > MAX_KEYS:
        return None
    if all(isinstance(item, str) for item in flat):
        numbers = [parse_name(item, class_names) for item in flat]
        return None if None in numbers else np.array(numbers, dtype=np.int64)
    if not all(isinstance(item, (bool, int, float)) for item in flat):
        return None
    if not all(-BIGGEST < item < BIGGEST and item == int(item) for item in flat):
        return None
    keys = np.array([int(item) for item in flat], dtype=np.int64)
    return np.flatnonzero(keys) if is_one_hot(flat, len(class_names)) else keys


def flatten_keys(value: Any) -> list | None:
    """Flatten keys into a list of Python's own numbers and texts; None if they are no row of such."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufUS" and value.size <= MAX_KEYS:
        is_row = value.ndim <= 1 or value.size in value.shape
        return [decode(item) for item in value.ravel().tolist()] if is_row else None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int, float, str, bytes)):
        return [decode(value)]
    if not isinstance(value, (list, tuple)) or len(value) > MAX_KEYS:
        return None
    if len(value) == 1 and isinstance(value[0], (list, tuple)) and not any(map(is_container, value[0])):
        value = value[0]
    parts = [item.item() if getattr(item, "size", 0) == 1 and hasattr(item, "dtype") else item for item in value]
    is_plain = all(isinstance(item, (bool, int, float, str, bytes)) for item in parts)
    return [decode(item) for item in parts] if is_plain else None


def is_container(value: Any) -> bool:
    """Whether a value holds others."""
    return isinstance(value, (list, tuple, dict))


def decode(value: Any) -> Any:
    """Decode bytes as text; anything else stays."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def is_one_hot(items: list, n_classes: int) -> bool:
    """Whether items tell for each class, with or without background, whether it is there."""
    if not n_classes or len(items) not in (n_classes - 1, n_classes) or not set(items) <= {0, 1}:
        return False
    return len(items) > 2 or all(isinstance(item, bool) for item in items)


def parse_name(text: str, class_names: Sequence[str]) -> int | None:
    """Parse the number that a text spells, or find the class of that name; None if it is neither."""
    if text.strip().isdecimal() and len(text) < 6:
        return int(text)
    simple = [simplify_name(name) for name in class_names]
    return simple.index(simplify_name(text)) if simplify_name(text) in simple else None


def simplify_name(name: str) -> str:
    """Simplify the name of a class: "Dining table", "dining_table" and "diningtable" are one."""
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def require_keys(value: Any, name: str, class_names: Sequence[str]) -> np.ndarray:
    """Parse an entry that must hold keys.

    Raises:
        FormatError: it does not; names the entry and what it is.
    """
    keys = parse_keys(value, class_names)
    if keys is None:
        raise FormatError(f"the entry {name!r} is {describe_kind(value)}; expected the numbers of the classes")
    return keys


def describe_kind(value: Any) -> str:
    """Describe what a value is by its type, and an array by its shape; never by what it holds."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype.name[:20]}"
    if value is None:
        return "missing"
    kind = {"dict": "a dict", "list": "a list", "tuple": "a tuple", "str": "a text", "int": "an integer"}
    name = type(value).__name__
    return kind.get(name, f"a {name}")
