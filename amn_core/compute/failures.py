"""What goes wrong with a machine, told apart by what torch, Python and the system say; free of torch."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED = 130  # the exit status of what somebody stopped, as shells give it
MEMORY_SIGNS = ("out of memory", "allocate memory", "alloc_failed")  # of CUDA, the CPU's allocator, cuBLAS and cuDNN


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """The training was asked to stop and did, with a checkpoint; the message says how to go on."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory ran out, of a GPU or of the machine."""
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in MEMORY_SIGNS)


def take_first_line(error: BaseException) -> str:
    """Take the first line of what an error says; its name if it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that files and processes are tidied up."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return
    previous = signal.signal(signal.SIGTERM, raise_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def raise_interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, as Ctrl-C does; the same signal again does not interrupt the tidying up."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
