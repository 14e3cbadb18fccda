"""The same work on many images, on one process or several, with one progress bar."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import Any, TypeVar

from amn_core.compute.distributed import get_local_world_size
from amn_core.compute.failures import STOPPED, ending_on_sigterm
from amn_core.compute.progress import Progress

Result = TypeVar("Result")
CHUNK = 16
_worker: dict[str, Any] = {"opening": None}


class Once:
    """Something that is made when it is first asked for, and once in each process that it is handed to.

    >>> numbers = iter([1, 2])
    >>> once = Once(numbers.__next__)
    >>> once(), once()
    (1, 1)
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        """Say how to make it; to be handed to other processes, this must be picklable."""
        self.make, self.made = make, None

    def __call__(self) -> Any:
        """Get it."""
        if self.made is None:
            self.made = self.make()
        return self.made

    def __reduce__(self) -> tuple:
        return Once, (self.make,)


def run_chunks(
    work: Callable[..., Result], ids: Sequence[str], description: str, workers: int = 0, chunk: int = CHUNK,
    few: int = 0, opening: "Once | None" = None,
) -> Iterator[Result]:
    """Run work on chunks of ids and yield the results in order.

    Args:
        work: takes some ids; with more than one worker it must be picklable.
        workers: processes; 1 works here, 0 takes one a core where there is enough to do.
        chunk: ids given out at once.
        few: where fewer ids are left to the program's choice, starting processes would take longer than the work.
        opening: opens what all chunks need, such as a run and its data, once in each process; work takes it first.
    """
    chunks = [ids[i:i + chunk] for i in range(0, len(ids), chunk)]
    workers = min(workers or choose_workers(len(ids), few), len(chunks))
    with Progress(description, len(ids)) as bar:
        if workers <= 1:
            for part in chunks:
                yield work(opening(), part) if opening else work(part)
                bar.update(len(part))
            return
        with open_pool(workers, opening) as pool:
            with shielding_from_interrupts():  # the processes are started here, and inherit it
                results = [pool.submit(run_part, work, part) for part in chunks]
            for part, result in zip(chunks, results, strict=True):
                yield result.result()
                bar.update(len(part))


def choose_workers(n: int, few: int) -> int:
    """Choose the number of processes for n ids: one where there are few, else one a core.

    >>> choose_workers(3, few=8)
    1
    """
    return 1 if n < few else count_cores()


@contextmanager
def open_pool(workers: int, opening: "Once | None" = None) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of processes; when the block is cut short they end at once, with their last file whole or absent.

    Raises:
        RuntimeError: one of the processes died.
    """
    before = set(active_children())
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=begin_worker,
                               initargs=(opening,))
    try:
        yield pool
    except BrokenProcessPool:
        raise RuntimeError(
            "one of the processes that share the work died, perhaps because memory ran out: what is done is kept, "
            f"and the same command goes on; start it with fewer, --workers {max(1, workers // 2)}") from None
    except BaseException:
        for process in set(active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown()


@contextmanager
def shielding_from_interrupts() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM to the end of the block; processes started in it never get Ctrl-C.

    The main process ends them: a terminal would send it to all of them at once.
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield  # not on this system, or nobody's signals
        return
    came: list[int] = []
    handlers = {number: signal.signal(number, lambda number, frame: came.append(number))
                for number in (signal.SIGINT, signal.SIGTERM)}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # processes inherit the mask
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def begin_worker(opening: "Once | None") -> None:
    """Begin a process of a pool: one thread, and what opens the things that all its parts need."""
    use_one_thread()
    _worker["opening"] = opening


def run_part(work: Callable[..., Result], part: Sequence[str]) -> Result:
    """Run the work on a part in a process of a pool, which ends at SIGTERM once half-written files are removed."""
    try:
        with ending_on_sigterm():
            opening = _worker["opening"]  # opened here and not before, so that an error of it is one of the work
            return work(opening(), part) if opening else work(part)
    except KeyboardInterrupt:
        os._exit(STOPPED)


def count_cores() -> int:
    """Count the cores that this process may use; those of a machine are shared by its processes of torchrun."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // get_local_world_size())


def use_one_thread() -> None:
    """Keep a worker to one core: the cores are shared out between processes already."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
