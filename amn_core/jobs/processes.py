"""Which process is meant: an id is given out again, so it counts only together with when the process began."""

import os
import signal
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")
ENDED = "ZXx"  # zombie and dead, as in proc(5)


@dataclass(frozen=True)
class Process:
    """A process: its id, and a mark of when it began that no other process with this id will have."""

    pid: int
    began: str

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs; a zombie, or another one with its id, does not."""
        return bool(self.began) and find_beginning(self.pid) == self.began

    def send(self, number: int) -> None:
        """Send a signal, if the process is still there."""
        if self.is_alive:
            send_quietly(os.kill, self.pid, number)

    def kill_group(self) -> None:
        """Kill the group that the process leads, if it is still there."""
        if self.is_alive:
            send_quietly(os.killpg, self.pid, signal.SIGKILL)

    def describe(self) -> dict:
        """Describe the process as it is written into a status."""
        return asdict(self)


def send_quietly(send, pid: int, number: int) -> None:
    """Send a signal to what may have ended in between."""
    try:
        send(pid, number)
    except ProcessLookupError:
        return


def identify(pid: int) -> Process:
    """Identify a process that runs now; one that has ended already is never found alive later."""
    return Process(pid, find_beginning(pid) or "ended")


def find_beginning(pid: int) -> str | None:
    """Find the mark of a process's beginning; None if there is no such process, or only its zombie."""
    if (PROC / "self" / "stat").is_file():
        return read_proc(pid)
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, began = answer.stdout.strip().partition(" ")
    return None if not began or state[0] in ENDED else began.strip()


def read_proc(pid: int) -> str | None:
    """Read the mark from /proc: the boot, and the clock ticks from it to the beginning of the process."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    fields = text[text.rindex(")") + 2:].split()  # the name before may hold spaces and parentheses
    return None if fields[0] in ENDED else f"{read_boot()}:{fields[19]}"


def read_boot() -> str:
    """Read what names this boot of the machine, so that ids from before a restart are not taken for new ones."""
    path = PROC / "sys" / "kernel" / "random" / "boot_id"
    return path.read_text().strip() if path.is_file() else ""


def read_memory(pid: int) -> int:
    """Read how many bytes of memory a process and its children hold; 0 where that cannot be told."""
    pages = 0
    for path in (PROC / str(pid) / "statm", *(PROC / str(child) / "statm" for child in list_children(pid))):
        try:
            pages += int(path.read_text().split()[1])
        except (OSError, IndexError, ValueError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE")


def list_children(pid: int) -> list[int]:
    """List the direct children of a process."""
    try:
        return [int(child) for child in (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]
    except OSError:
        return []
