"""The same work on many images, on one process or several, with one progress bar."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from tqdm import tqdm

from amn_core.distributed import get_local_world_size, is_main

Result = TypeVar("Result")
CHUNK = 16


def run_chunks(
    work: Callable[[Sequence[str]], Result], ids: Sequence[str], description: str, workers: int = 0,
    chunk: int = CHUNK,
) -> Iterator[Result]:
    """Run work on chunks of ids and yield the results in order.

    Args:
        work: takes some ids; with more than one worker it must be picklable.
        workers: processes; 1 works here, 0 takes one a core where there is enough to do.
        chunk: ids given out at once.
    """
    chunks = [ids[i:i + chunk] for i in range(0, len(ids), chunk)]
    workers = min(workers or count_cores(), len(chunks))
    with tqdm(total=len(ids), unit="image", desc=description, file=sys.stderr, mininterval=0.5,
              disable=not is_main()) as bar:
        if workers <= 1:
            for part in chunks:
                yield work(part)
                bar.update(len(part))
            return
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=use_one_thread) as pool:
            for part, result in zip(chunks, pool.map(work, chunks), strict=True):
                yield result
                bar.update(len(part))


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
