"""One writer a folder: who writes holds a lock, which the system lets go when the writer ends, however it ends."""

import fcntl
import getpass
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from amn_core.jobs.processes import Process, identify

PATIENCE = 15.0  # seconds that what a killed writer has started may take to let go
POLL = 0.1


@contextmanager
def writing_into(folder: Path, what: str) -> Iterator[None]:
    """Be the one writer of a folder for a while.

    The lock is a hidden file beside the folder, so that it holds before the folder is made and while it is replaced.

    Raises:
        ValueError: another process writes into the folder; the message says which, and since when.
    """
    path = name_lock(folder)
    is_new = not path.parent.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = take(path, folder)
    except OSError:  # a file system without locks, or one to read from: the command says itself what it cannot write
        yield
        return
    try:
        os.truncate(handle, 0)
        os.write(handle, describe_writer(what).encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
        if is_new and not any(path.parent.iterdir()):
            path.parent.rmdir()


def name_lock(folder: Path) -> Path:
    """Name the lock of a folder, the same by whichever way the folder is named."""
    folder = folder.expanduser().resolve()
    return folder.with_name(f".{folder.name[:200]}.writer") if folder.name else folder / ".writer"


def take(path: Path, folder: Path) -> int:
    """Take a lock: an open descriptor. One whose writer has died is waited for, one whose writer lives is not.

    Raises:
        ValueError: somebody else has it.
        OSError: the file cannot be opened or locked.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):  # not one that was just removed
                return handle
        except BlockingIOError:
            writer, text = read_writer(path)
            if (writer is not None and writer.is_alive) or time.monotonic() > deadline:
                os.close(handle)
                raise ValueError(f"{folder} is being written by {text}: wait for it, stop it, or choose another "
                                 "folder") from None
        except OSError:
            os.close(handle)
            raise
        os.close(handle)
        time.sleep(POLL)


def describe_writer(what: str) -> str:
    """Describe this process as a writer: what it does, who started it, since when."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return json.dumps({"what": what, "user": user, "since": time.time(), **identify(os.getpid()).describe()})


def read_writer(path: Path) -> tuple[Process | None, str]:
    """Read who holds a lock, and words for it; one that has not said so yet is another process."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        since = datetime.fromtimestamp(entry["since"])
        text = f"`{entry['what']}` of {entry['user']} since {since:%Y-%m-%d %H:%M:%S} (process {entry['pid']})"
        return Process(int(entry["pid"]), str(entry["began"])), text
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None, "another process"
