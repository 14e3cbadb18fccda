"""Examples in docstrings of what other rooms import are true, and the list of functions without one only shrinks."""

import ast
import doctest
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from amn_core.sweep.counts import CountsBuilder

REPOSITORY = Path(__file__).resolve().parents[1]
ROOMS = ("sweep", "choosing")
MODULES = [".".join(path.relative_to(REPOSITORY).with_suffix("").parts) for room in ROOMS
           for path in sorted((REPOSITORY / "amn_core" / room).glob("*.py")) if path.stem != "__init__"]
WITHOUT = 0  # lower it whenever a function gets its example; it never rises


def find_imported() -> set[str]:
    """Find what files outside the rooms import from them: names as module.function."""
    found = set()
    for package in ("amn_core", "app"):
        for path in (REPOSITORY / package).rglob("*.py"):
            if path.parent.name not in ROOMS:
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    if isinstance(node, ast.ImportFrom) and node.module in MODULES:
                        found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def list_without_example() -> list[str]:
    """List the functions that other rooms import and whose docstring has no example."""
    imported = find_imported()
    return [f"{module}.{name}" for module in MODULES for name, value in vars(import_module(module)).items()
            if callable(value) and not isinstance(value, type) and f"{module}.{name}" in imported
            and ">>>" not in (value.__doc__ or "")]


def build_counts():
    """Build what the examples call counts: two images of four pixels with a cat, at three thresholds."""
    builder = CountsBuilder(("background", "cat"), (0.25, 0.5, 0.75))
    for name, cam, gt in (("a", [0.9, 0.6, 0.2, 0.1], [1, 1, 0, 0]), ("b", [0.8, 0.4, 0.4, 0.0], [1, 0, 0, 0])):
        builder.add(name, np.array([[cam]], np.float32), [1], np.array([gt], np.uint8))
    return builder.build()


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_the_docstrings_are_true(module):
    assert doctest.testmod(import_module(module), extraglobs={"counts": build_counts()}).failed == 0


def test_fewer_and_fewer_functions_have_no_example():
    missing = list_without_example()
    assert len(missing) <= WITHOUT, f"give the new one an example: {missing}"
