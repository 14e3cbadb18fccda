"""What a piece of work takes: seconds, and memory while it runs."""

import ctypes
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

SAMPLE_EVERY = 0.002


@dataclass
class Meter:
    """Adds up the time of several pieces of work and keeps the most memory that any of them took.

    Memory is what tensors took on a GPU at most; on a CPU by how much the process grew over what it held at the
    start of the piece, looked at every two milliseconds. None where the system does not tell.

    Attributes:
        work: how many images (or whatever is counted) were worked on.
        cpu_seconds: of all threads of this process; other work on the machine does not add to it.
    """

    device: torch.device
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    work: int = 0
    memory: int | None = None
    before: int | None = field(default=None, repr=False)

    def run(self, number: int, function: Any, *arguments: Any) -> Any:
        """Run a piece of work on this number of images."""
        with MemoryWatch(self.device) as watch:
            synchronise(self.device)
            began, cpu_began = time.perf_counter(), time.process_time()
            result = function(*arguments)
            synchronise(self.device)
            self.seconds += time.perf_counter() - began
            self.cpu_seconds += time.process_time() - cpu_began
        self.work += number
        if watch.most is not None:
            self.memory = max(self.memory or 0, watch.most)
        return result

    def describe(self) -> dict[str, Any]:
        """Describe as JSON: images a second, seconds an image by the clock and of the CPU, and the memory in MB."""
        return {"images_per_second": self.work / self.seconds, "seconds_per_image": self.seconds / self.work,
                "cpu_seconds_per_image": self.cpu_seconds / self.work,
                "peak_memory_mb": None if self.memory is None else self.memory / 1e6}


class MemoryWatch:
    """Watches memory while it is entered; `most` then holds what was taken at most, in bytes."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.most = device, None
        self.is_over = threading.Event()

    def __enter__(self) -> "MemoryWatch":
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            return self
        give_back_memory()
        self.start = self.highest = read_resident()
        self.thread = threading.Thread(target=self.sample, daemon=True)
        self.thread.start()
        return self

    def sample(self) -> None:
        """Look again and again."""
        while self.start is not None and not self.is_over.wait(SAMPLE_EVERY):
            self.highest = max(self.highest, read_resident())

    def __exit__(self, *error: object) -> None:
        if self.device.type == "cuda":
            self.most = torch.cuda.max_memory_allocated(self.device)
            return
        self.is_over.set()
        self.thread.join()
        self.most = None if self.start is None else self.highest - self.start


def give_back_memory() -> None:
    """Give memory that is free back to the system, where its C library can, so that growth shows what is used."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return


def read_resident() -> int | None:
    """Read how much memory this process holds, in bytes; None where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
