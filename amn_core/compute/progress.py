"""Progress of long work: a bar on standard error, and a small file for whoever started the work.

The file is that of the variable AMN_PROGRESS, which the runner of a job sets. It is replaced in one step, at most
every half second, and holds ``stage``, ``what``, ``done``, ``total`` and ``time``.
"""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from amn_core.compute.distributed import is_main

VARIABLE = "AMN_PROGRESS"
EVERY = 0.5
Item = TypeVar("Item")
_stage = {"name": ""}


def set_stage(name: str) -> None:
    """Say which stage of a longer work begins; what is reported from now on belongs to it."""
    _stage["name"] = name
    write_progress(name, 0, 1)


class Progress:
    """A bar that also reports to a file; a context manager. Of several processes the first alone shows anything."""

    def __init__(self, what: str, total: int, initial: int = 0, unit: str = "image"):
        """Open the bar of some work: `total` units in all, `initial` of them done before."""
        self.what, self.written = what, 0.0
        self.bar = tqdm(total=total, initial=initial, unit=unit, desc=what, file=sys.stderr, mininterval=1.0,
                        disable=not is_main())

    def __enter__(self) -> "Progress":
        """Show the bar."""
        self.report()
        return self

    def __exit__(self, *error: object) -> None:
        """Close the bar, and report where it stands."""
        self.report()
        self.bar.close()

    def update(self, done: int = 1) -> None:
        """Note that some more units are done."""
        self.bar.update(done)
        if self.bar.disable:
            return
        if time.monotonic() - self.written > EVERY:
            self.report()

    def note(self, **numbers: str) -> None:
        """Show numbers behind the bar."""
        self.bar.set_postfix(**numbers, refresh=False)

    @property
    def rate(self) -> float:
        """Units a second of late; 0 where that is not known yet."""
        return self.bar.format_dict["rate"] or 0.0

    def report(self) -> None:
        """Write to the file where the work stands."""
        if not self.bar.disable:
            self.written = time.monotonic()
            write_progress(self.what, self.bar.n, self.bar.total)


def track(items: Iterable[Item], what: str, total: int, initial: int = 0) -> Iterator[Item]:
    """Yield items, each noted as done when the next is asked for."""
    with Progress(what, total, initial) as progress:
        for item in items:
            yield item
            progress.update()


def write_progress(what: str, done: int, total: int) -> None:
    """Write where the work stands to the file that was asked for, if one was; a failure to write stops nothing."""
    wanted = os.environ.get(VARIABLE)
    if not wanted or not is_main():
        return
    path = Path(wanted)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    entry = {"stage": _stage["name"], "what": what, "done": done, "total": total, "time": time.time()}
    try:
        half.write_text(json.dumps(entry), encoding="utf-8")
        half.replace(path)
    except OSError:
        half.unlink(missing_ok=True)


def read_progress(path: Path) -> dict[str, Any]:
    """Read a file of progress: ``stage``, ``what`` and ``share`` in [0, 1); empty where there is none or it is odd."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        share = entry["done"] / max(1, entry["total"])
        return {"stage": str(entry["stage"]), "what": str(entry["what"]), "share": max(0.0, min(0.999, float(share)))}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
