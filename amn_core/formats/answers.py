"""Answers at pixels on disk: one line of JSON each, only ever added to, so that two writers lose nothing.

A line holds ``id`` (of the answer), ``when``, ``who`` (optional), ``data`` and ``split``, ``image``, ``photo`` (a hash
of its pixels), ``x`` and ``y`` (fractions of width and height, so that they hold at any size), ``kind`` (background,
object, other, unsure), ``name`` (of the object's class), ``run`` (which run's maps chose the pixel) and ``weight`` (the
pixels that it stands for, over how many a pixel drawn evenly from all would). A line with ``undo`` takes the answer of
that id back. A last line cut short by a killed writer is passed over.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from amn_core.formats.files import describe_failed_write

NAME = "answers.jsonl"
KINDS = ("background", "object", "other", "unsure")


@dataclass(frozen=True)
class Entry:
    """One answer, as the module's docstring says."""

    id: str
    when: str
    data: str
    split: str
    image: str
    photo: str
    x: float
    y: float
    kind: str
    name: str = ""
    run: str = ""
    weight: float = 1.0
    who: str = ""


def build_entry(**fields) -> Entry:
    """Build an answer of now, with an id of its own.

    Raises:
        ValueError: an unknown kind, or a place outside the image.
    """
    entry = Entry(uuid.uuid4().hex, datetime.now(UTC).isoformat(timespec="seconds"), **fields)
    check_entry(entry)
    return entry


def check_entry(entry: Entry) -> None:
    """Raise ValueError if an answer is of no known kind, or lies outside its image or has no weight."""
    if entry.kind not in KINDS:
        raise ValueError(f"answer {entry.kind!r}: expected one of {', '.join(KINDS)}")
    if not (0 <= entry.x < 1 and 0 <= entry.y < 1 and 0 < entry.weight < np.inf):
        raise ValueError(f"answer at {entry.x}, {entry.y} with weight {entry.weight}: x and y lie in [0, 1), the "
                         "weight above 0")


def append_entries(path: str | Path, *entries: Entry) -> None:
    """Add answers to a file, which is made if need be; they are on the disk when this returns.

    Raises:
        OSError: the disk is full or the file cannot be written; names it.
    """
    append(Path(path), [asdict(entry) for entry in entries])


def append_undo(path: str | Path, *entry_ids: str) -> None:
    """Take answers back: lines that say so; the answers themselves stay in the file."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    append(Path(path), [{"undo": entry_id, "when": when} for entry_id in entry_ids])


def append(path: Path, contents: list[dict]) -> None:
    """Append lines in one write, so that writers at the same time do not mix; after a cut line it starts a new one."""
    lines = "".join(json.dumps(content) + "\n" for content in contents).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(file).st_size
            is_cut = size and os.pread(file, 1, size - 1) != b"\n"
            os.write(file, b"\n" + lines if is_cut else lines)
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise describe_failed_write(path, error) from None


def load_entries(*paths: str | Path) -> list[Entry]:
    """Load the answers of one file or several together, in the order of their time; those taken back are left out.

    Raises:
        ValueError: a file that is not one of answers.
        OSError: a file that is not there.
    """
    entries, undone = {}, set()
    for path in map(Path, paths):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(filter(str.strip, lines), 1):
            read_line(path, number, line, entries, undone)
    kept = [entry for entry_id, entry in entries.items() if entry_id not in undone]
    return sorted(kept, key=lambda entry: entry.when)


def read_line(path: Path, number: int, line: str, entries: dict[str, Entry], undone: set[str]) -> None:
    """Read one line into the answers or what was taken back; one that was cut short is passed over."""
    try:
        content = json.loads(line)
    except json.JSONDecodeError:
        if line.startswith("{"):
            return
        raise ValueError(f"{path}: line {number} is not an answer; give a file that the screen Label wrote") from None
    try:
        if "undo" in content:
            undone.add(str(content["undo"]))
            return
        entry = Entry(**content)
        check_entry(entry)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: line {number} is not an answer ({error}); remove or restore it") from None
    entries[entry.id] = entry


def merge_entries(path: str | Path, entries: Iterable[Entry]) -> int:
    """Add those answers to a file that it does not have yet, taken back or not; returns how many."""
    path = Path(path)
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    new = [entry for entry in entries if f'"{entry.id}"' not in text]
    if new:
        append_entries(path, *new)
    return len(new)


def hash_photo(image: np.ndarray) -> str:
    """Hash the pixels of a photograph (H, W, 3) uint8: 16 hexadecimal digits that change with any of them."""
    digest = hashlib.sha256(f"{image.shape}".encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()[:16]
