"""Where the app may look for runs and data sets: bundled, ``runs/``, the environment, and what was added.

No path ever comes from a URL: a run is chosen by its key among those that were found here.
"""

import os
import zipfile
from pathlib import Path
from typing import Any

from amn_core.course.assignment import NAME as COURSE
from amn_core.data import DataError, load_dataset
from amn_core.formats.answers import NAME
from amn_core.formats.files import read_json, write_json
from amn_core.formats.runs import Run, load_run
from amn_core.formats.specs import make_whole
from amn_core.jobs import scan_jobs
from app.official_runs import build_run, write_item

REPOSITORY = Path(__file__).resolve().parents[1]
ADDED = REPOSITORY / "runs" / "added.json"
DEPTH = 4
KINDS = ("runs", "data", "official", "hidden", "courses")


def list_run_roots() -> tuple[Path, ...]:
    """List the folders to search for runs: bundled, own, those of jobs, then those of AMN_RUNS, then added ones."""
    named = [Path(part) for part in os.environ.get("AMN_RUNS", "").split(os.pathsep) if part]
    added = [Path(part) for part in load_added()["runs"]] + [folder / "runs" for folder in list_courses()]
    jobs = Path(os.environ.get("AMN_JOBS") or REPOSITORY / "jobs")
    roots = [REPOSITORY / "checkpoints", REPOSITORY / "runs", jobs, *named, *added]
    return tuple(dict.fromkeys(root for root in roots if root.is_dir()))


def list_courses() -> tuple[Path, ...]:
    """List the folders of assignments: that of AMN_COURSE, those that were added, and those below ``runs/``."""
    named = [os.environ["AMN_COURSE"]] if os.environ.get("AMN_COURSE") else []
    below = sorted((REPOSITORY / "runs").glob(f"*/{COURSE}"), key=lambda path: -path.stat().st_mtime)
    folders = [*map(Path, [*named, *reversed(load_added()["courses"])]), *(path.parent for path in below)]
    return tuple(dict.fromkeys(folder.resolve() for folder in folders if (folder / COURSE).is_file()))


def find_answers() -> Path:
    """Find where answers at pixels are kept: beside the runs of AMN_RUNS, else beside one's own."""
    named = [Path(part) for part in os.environ.get("AMN_RUNS", "").split(os.pathsep) if part]
    return (named[0] if named else REPOSITORY / "runs") / NAME


def list_data_specs() -> tuple[str, ...]:
    """List the data sets that the user told of: those of AMN_DATA (joined by semicolons), then added ones."""
    named = [part for part in os.environ.get("AMN_DATA", "").split(";") if part]
    return tuple(dict.fromkeys([*named, *load_added()["data"]]))


def load_added() -> dict[str, list[str]]:
    """Load what was added on the screen: ``runs``, folders; ``data``, specs; ``official`` (`app.official_runs`).

    ``hidden`` are files that cannot be read, and shall not be named any more.
    """
    try:
        stored = read_json(ADDED)
    except ValueError:
        stored = {}
    stored = stored if isinstance(stored, dict) else {}
    return {kind: [item for item in as_list(stored.get(kind)) if isinstance(item, str) and "\0" not in item]
            for kind in KINDS}


def as_list(value: Any) -> list:
    """Take a value for a list; what is none counts as empty."""
    return value if isinstance(value, list) else []


def add_run_root(folder: str) -> Path:
    """Remember a folder that holds runs, or is one.

    Raises:
        ValueError: no such folder, or no run in it.
    """
    path = Path(folder).expanduser().resolve()
    if not path.is_dir():
        raise ValueError(f"{folder}: no such folder; give the folder of a run or one that holds runs")
    if not find_run_folders(path):
        raise ValueError(f"{folder}: no run in it (no run.json in this folder or {DEPTH - 1} levels below)")
    store_added("runs", str(path))
    return path


def add_data_spec(spec: str, split: str) -> str:
    """Remember a data set, after opening it once.

    Raises:
        DataError: the data set cannot be opened; the message says what is missing.
    """
    spec = make_whole(spec)
    if not load_dataset(spec, split).ids:
        raise DataError(f"{spec}: the split {split} has no images")
    store_added("data", spec)
    return spec


def add_official(checkpoints: dict[str, tuple[Path, int]]) -> None:
    """Remember checkpoints of the official code, each by its method with its number of classes."""
    for method, (path, n_classes) in checkpoints.items():
        store_added("official", write_item(method, n_classes, path))


def store_added(kind: str, item: str) -> None:
    """Add one item to what was added, once."""
    added = load_added()
    write_json(ADDED, {**added, kind: [*(old for old in added[kind] if old != item), item]})


def remove_added(kind: str, item: str) -> None:
    """Forget one item; nothing on disk but the list is touched."""
    added = load_added()
    write_json(ADDED, {**added, kind: [old for old in added[kind] if old != item]})


def find_run_folders(root: Path, depth: int = DEPTH) -> list[Path]:
    """Find the folders with a run.json, sorted; folders of maps, which may hold thousands of files, are not entered.

    Nor are those of ``consequence``, whose many networks are drawn together as one figure.
    """
    if (root / "run.json").is_file():
        return [root]
    if depth <= 1 or (root / "consequence.json").is_file():
        return []
    with os.scandir(root) as entries:
        below = sorted(entry.path for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    return [run for folder in below for run in find_run_folders(Path(folder), depth - 1)]


def is_bundled(run: Run) -> bool:
    """Tell whether a run came with the project."""
    return (REPOSITORY / "checkpoints") in run.path.parents


def find_runs() -> dict[str, Run]:
    """Find every readable run by its key (`scan_runs`)."""
    return scan_runs()[0]


def find_faults() -> dict[Path, str]:
    """Find the descriptions of runs and jobs that cannot be read, and what is wrong with each; not the hidden ones."""
    jobs = scan_jobs(Path(os.environ.get("AMN_JOBS") or REPOSITORY / "jobs"))[1]
    hidden = set(load_added()["hidden"])
    return {path: fault for path, fault in (scan_runs()[1] | jobs).items() if str(path) not in hidden}


def scan_runs() -> tuple[dict[str, Run], dict[Path, str]]:
    """Find every readable run by its key, and what is wrong with the others by their file.

    The key is a run's path below its root, or the root's own name. Where two roots have the same key, the later gets
    a number: the key is what a URL says.
    """
    runs: dict[str, Run] = {}
    faults: dict[Path, str] = {}
    for root in list_run_roots():
        for folder in find_run_folders(root):
            key = folder.relative_to(root).as_posix() if folder != root else root.name
            if folder not in {run.path for run in runs.values()}:
                add_run(runs, key, folder, faults)
    for run in filter(None, map(build_run, load_added()["official"])):
        put_run(runs, f"{run.path.parent.name}/{run.method}", run)
    return runs, faults


def add_run(runs: dict[str, Run], key: str, folder: Path, faults: dict[Path, str]) -> None:
    """Open a run and put it under a free key; what is wrong with one that cannot be read is noted by its file."""
    try:
        run = load_run(folder)
    except ValueError as error:
        path = folder / "run.json"
        faults[path] = str(error).removeprefix(f"{path}: ")
        return
    if run.has_counts and not zipfile.is_zipfile(run.counts_path):  # its end alone is read: this is asked for often
        faults[run.counts_path] = "cut short, or no file of counts: remove it and count the run again"
    else:
        put_run(runs, key, run)


def put_run(runs: dict[str, Run], key: str, run: Run) -> None:
    """Put a run under its key, with a number behind it if that is taken."""
    number = 2
    free = key
    while free in runs:
        free, number = f"{key}-{number}", number + 1
    runs[free] = run
