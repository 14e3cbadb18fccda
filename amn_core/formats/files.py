"""Writing files so that a reader never sees half of one, and telling files apart by their hash."""

import errno
import hashlib
import itertools
import json
import os
from pathlib import Path
from typing import Any

LARGEST_JSON = 64 * 2**20  # bytes
FULL = (errno.ENOSPC, errno.EDQUOT)
NUMBERS = itertools.count()  # tell the files apart that the threads of this process write


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step: readers see the old content or the new, never a part of it.

    Raises:
        OSError: the disk is full or the folder cannot be written; names the file. The old one is still whole then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise describe_failed_write(path, error) from None


def replace_file(path: Path, content: bytes) -> None:
    """Write beside a file, and put what was written in its place once it is on the disk.

    The file beside it is named before it is made, so that an interruption at any moment from there on removes it.
    """
    half = path.with_name(f".{path.name[:200]}.{os.getpid():x}.{next(NUMBERS):x}.half")
    try:
        with half.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def describe_failed_write(path: Path, error: OSError) -> OSError:
    """Word the error of a write: which file, why, and for a full disk what is kept and how to go on."""
    reason = error.strerror or str(error)
    if error.errno in FULL:
        reason = (f"the disk is full ({reason}); what was in this file before is whole. Make room, then start the same "
                  "command again (a training with --resume)")
    return OSError(error.errno, reason, str(path))


def append_line(path: Path, line: str) -> None:
    """Append a line to a text file.

    Raises:
        OSError: the disk is full or the file cannot be written; names it.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise describe_failed_write(path, error) from None


def write_json(path: Path, content: Any) -> None:
    """Write JSON in one step, with sorted keys left as given, two spaces and a final newline."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        ValueError: no such file, or not JSON; the message names the file.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST_JSON else b""
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: not readable ({error.strerror}); restore or remove it") from None
    if size > LARGEST_JSON:
        raise ValueError(f"{path}: {size / 2**20:.0f} MiB are too much for a description; remove it")
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable as JSON ({error}); restore or remove it") from None


def hash_file(path: Path) -> str:
    """Hash a file's content, SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
