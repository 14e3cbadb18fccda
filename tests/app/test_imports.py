"""Imports run one way: screens never bring torch in, and the core knows nothing of what shows it."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WITH_TORCH = tuple(
    f"amn_core.{name}" for name in ("infer", "models", "train.loop", "train.losses", "formats.checkpoints"))
SHOWING = {"streamlit", "plotly", "app"}
OPEN_EVERY_SCREEN = """
import json, sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
at = AppTest.from_file("app/main.py", default_timeout=120).run()
problems = [error.value for error in at.exception]
for screen in sorted(Path("app/screens").glob("[!_]*.py")):
    if screen.stem == "photo":  # asks the models about a photograph as soon as it is opened
        continue
    at.switch_page(f"screens/{screen.name}").run()
    problems += [f"{screen.name}: {error.value}" for error in at.exception]
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"problems": problems, "loaded": loaded}))
"""
IMPORT_THE_CORE = """
import importlib, json, pkgutil, sys
import amn_core
for module in pkgutil.walk_packages(amn_core.__path__, "amn_core."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def run_python(code: str, **environment: str):
    """Run code in a process of its own at the top of the repository; returns the JSON of its last line."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def find_imports(path: Path, is_top_level: bool = False) -> set[str]:
    """Find the modules that a file imports, anywhere in it or only when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if is_top_level else list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def find_roots(names: set[str]) -> set[str]:
    """Find the packages that some modules belong to."""
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", sorted((REPOSITORY / "app").rglob("*.py")), ids=lambda path: path.stem)
def test_app_names_torch_nowhere(path):
    assert "torch" not in find_roots(find_imports(path))


@pytest.mark.parametrize("path", sorted((REPOSITORY / "app").rglob("*.py")), ids=lambda path: path.stem)
def test_only_the_caches_ask_for_a_model(path):
    asking = [name for name in find_imports(path) if name.startswith(WITH_TORCH)]
    assert not asking or path.parent.name == "cache"
    assert not [name for name in find_imports(path, is_top_level=True) if name.startswith(WITH_TORCH)]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "amn_core").rglob("*.py")), ids=lambda path: path.stem)
def test_core_names_nothing_that_shows_it(path):
    assert not find_roots(find_imports(path)) & SHOWING


def test_opening_every_screen_brings_no_torch_in(runs_root):
    found = run_python(OPEN_EVERY_SCREEN, AMN_RUNS=str(runs_root))
    assert found["problems"] == []
    assert "amn_core" in found["loaded"] and "streamlit" in found["loaded"]
    assert "torch" not in found["loaded"]


def test_importing_the_whole_core_brings_no_streamlit_or_plotly_in():
    loaded = run_python(IMPORT_THE_CORE)
    assert "amn_core" in loaded
    assert not set(loaded) & SHOWING
