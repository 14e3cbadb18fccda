"""The order of the rooms: a module imports from rooms below its own, and nothing imports in a circle."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
# From the top down; a room knows its own files and the rows below, nothing beside it. As drawn in amn_core/README.md.
CORE = (
    ("__main__",), ("cli",), ("bench",), ("commands",), ("course",), ("figures", "train", "diagnose"),
    ("choosing", "infer"), ("scoring", "jobs"), ("data",), ("formats",), ("sweep",), ("refine", "models"),
    ("compute",), ("presets",), ("options",), ("constants",), ("__init__",),
)
APP = (
    ("main", "server", "viewers"), ("screens", "lessons"), ("components",),
    ("cache", "charts", "words", "pictures", "state", "controls", "browser", "roots", "training", "imports", "getting",
     "diagnosing", "labelling", "brushing", "afterwards", "checks", "coursework", "official_runs"),
    ("guard",),
    ("__init__",),
)
TABLES = {"amn_core": CORE, "app": APP}


def list_modules(package: str) -> list[Path]:
    """List the files of a package."""
    return sorted((REPOSITORY / package).rglob("*.py"))


def name_module(path: Path) -> str:
    """Name the module in a file; a package is named after its folder."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def find_imports(path: Path, known: set[str]) -> Iterator[tuple[str, int, bool]]:
    """Find what a file imports from its own project: module, line, and whether the import runs when it is loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_load = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in whole]
        else:
            continue
        yield from ((name, node.lineno, id(node) in at_load) for name in names if name in known)


def find_room(module: str) -> str:
    """Find the room of a module: the folder or the loose file below the package."""
    return [*module.split("."), "__init__"][1]


@pytest.mark.parametrize("package", TABLES)
def test_every_room_has_its_place_in_the_order(package):
    rooms = {find_room(name_module(path)) for path in list_modules(package)}
    assert rooms <= {room for row in TABLES[package] for room in row}


@pytest.mark.parametrize("package", TABLES)
def test_rooms_import_from_rows_below_their_own_alone(package):
    height = {room: -i for i, row in enumerate(TABLES[package]) for room in row}
    known = {name_module(path) for path in list_modules(package)} | {package}
    loose = {"state", "controls", "browser", "roots", "training", "imports", "getting", "diagnosing", "labelling",
             "brushing", "afterwards", "checks", "coursework", "official_runs", *APP[3]}
    wrong = []
    for path in list_modules(package):
        own = find_room(name_module(path))
        for name, line, _ in find_imports(path, known):
            other = find_room(name)
            is_beside = package == "app" and own in loose and other in loose
            if other != own and height[other] >= height[own] and not is_beside:
                wrong.append(f"{path.relative_to(REPOSITORY)}:{line} imports {name}")
    assert wrong == []


def test_core_imports_nothing_of_the_app():
    known = {name_module(path) for package in TABLES for path in list_modules(package)} | set(TABLES)
    asked = {name for path in list_modules("amn_core") for name, _, _ in find_imports(path, known)}
    assert not [name for name in asked if name.startswith("app")]


@pytest.mark.parametrize("package", TABLES)
def test_nothing_imports_in_a_circle(package):
    known = {name_module(path) for path in list_modules(package)} | {package}
    graph = {
        name_module(path): {name for name, _, at_load in find_imports(path, known) if at_load} - {name_module(path)}
        for path in list_modules(package)
    }
    list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_rooms_are_those_of_the_picture():
    text = (REPOSITORY / "amn_core" / "README.md").read_text(encoding="utf-8")
    picture = re.search(r"```\n(amn_core/.*?)```", text, flags=re.S).group(1)
    core, app = re.search(r"^amn_core/(.*)^app/(.*?)^checkpoints/", picture, flags=re.S | re.M).groups()
    for package, lines in (("amn_core", core), ("app", app)):
        drawn = " ".join(line.strip().split("  ")[0] for line in lines.splitlines()[1:]).replace("/", "").split()
        in_order = {room for row in TABLES[package] for room in row} - {"__init__"}
        assert set(drawn) == in_order, "draw it in amn_core/README.md, and give it its row above"
        rooms = {find_room(name_module(path)) for path in list_modules(package)}
        assert in_order == rooms - {"__init__"}
