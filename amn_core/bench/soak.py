"""``bench soak``: the app and jobs for a while, with kills, full disks, a clock that jumps and reloads, from a seed.

Everything happens in a temporary folder and on loopback. In the end every training is gone on with until it is done,
and has to have the weights of one that nobody disturbed; no process may be left, and the server's memory be flat.
"""

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.bench.serving import read_viewers
from amn_core.bench.soak_events import EVENTS, check_files, compare, describe_leftovers, restart_server
from amn_core.bench.soak_world import World, building, list_processes, read_words, run_training, wait_until
from amn_core.jobs import list_jobs, resume_job, wait_for_job
from amn_core.jobs.processes import read_memory
from amn_core.options import option

PAUSE = (0.5, 4.0)  # seconds between events
LAST = 900.0  # seconds that trainings may take in the end
LOST = ("Connection", "OSError", "InvalidHandshake", "InvalidStatus", "InvalidMessage", "TimeoutError")
SHOWN = 10


@dataclass(frozen=True)
class BenchSoakConfig:
    """What `bench soak` needs: for how long, from which seed, and how many look."""

    minutes: float = option(
        60.0, "for how long things happen; bringing all to an end takes up to a quarter of an hour more")
    seed: int = option(0, "of what happens; printed, so that it can be made again")
    viewers: int = option(2, "pages that are opened and left all the time")

    def __post_init__(self) -> None:
        """Refuse what never ends."""
        if not (0 < self.minutes <= 60 * 72 and 0 <= self.viewers <= 50):
            raise ValueError(f"--minutes {self.minutes:g} --viewers {self.viewers}: take up to 4320 minutes and 50 "
                             "viewers")


def bench_soak(config: BenchSoakConfig, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Let things happen; see the module's docstring.

    Returns:
        The fields of ``config``; ``happened`` (number of each event); ``room`` (what stood for a full disk);
        ``trainings`` (those that were brought to their end, their weights compared); ``jobs`` by their state;
        ``pages`` opened, ``lost`` connections (a server that was killed), ``page_s`` (median and the longest wait);
        ``memory_mb`` of the server since its last start: median of each third of it as ``first``, ``second`` and
        ``last``, and ``most``; ``left`` (temporary files that killed processes left); ``faults``, what must not have
        been; ``agree``: there is none.

    Raises:
        ValueError: the server does not start.
    """
    with (tempfile.TemporaryDirectory(prefix="amn-soak-", ignore_cleanup_errors=True) as folder,
          building(Path(folder)) as world):
        undisturbed = run_training(world.folder / "undisturbed")
        if undisturbed.returncode:
            raise ValueError(f"a training that nobody disturbs fails: {undisturbed.stderr.strip()[-300:]}")
        world.start_server()
        happened, memory = let_happen(world, config, progress)
        pages = read_pages(world)
        trainings = bring_to_end(world)
        jobs = dict(Counter(job.state for job in list_jobs(world.jobs)))
        check_processes(world)
        check_files(world)
        return {**asdict(config), "room": world.room, "happened": happened, "trainings": trainings, "jobs": jobs,
                **pages, "memory_mb": describe_memory(memory), "left": describe_leftovers(world),
                "faults": world.faults, "agree": not world.faults}


def let_happen(
    world: World, config: BenchSoakConfig, progress: Callable[[int, int], None] | None
) -> tuple[dict[str, int], list[int]]:
    """Let one thing after the other happen until the time is over; how often each did, and the server's memory."""
    draw, happened, memory = random.Random(config.seed), Counter(), []
    began = time.monotonic()
    seconds = config.minutes * 60
    if config.viewers:
        world.start_viewers(config.viewers, seconds, config.seed)
    while (passed := time.monotonic() - began) < seconds:
        event = draw.choices(list(EVENTS), list(EVENTS.values()))[0]
        try:
            event(world, draw)
        except (ValueError, OSError) as error:
            world.faults.append(f"{event.__name__}: {type(error).__name__}: {error}")
        happened[event.__name__] += 1
        memory = [] if event is restart_server else [*memory, read_memory(world.server.pid)]
        if progress:
            progress(round(passed), round(seconds))
        time.sleep(draw.uniform(*PAUSE))
    return dict(happened), memory


def read_pages(world: World) -> dict[str, Any]:
    """Read what those who looked met: a lost connection is no fault where a server was killed, an exception is."""
    waits, lost = [], 0
    for process in world.viewers:
        found = read_viewers(process, 400)
        waits += found["visits"]
        for error in found["errors"]:
            if error.startswith(LOST):
                lost += 1
            else:
                world.faults.append(f"a page showed {error}")
    return {"pages": len(waits), "lost": lost, "page_s": {
        "median": float(np.median(waits)) if waits else np.nan, "most": max(waits, default=np.nan)}}


def bring_to_end(world: World) -> int:
    """Resume every training until it is done, and compare its weights; returns how many there are."""
    world.clock.write_text("0")
    deadline, trainings = time.monotonic() + LAST, 0
    wait_until(lambda: not world.list_active(), LAST)
    for job in list_jobs(world.jobs):
        if job.words[0] != "train":
            continue
        if job.can_resume:
            job = wait_for_job(resume_job(job), max(1.0, deadline - time.monotonic()))
        if job.state == "done":
            compare(world, job.path)
            trainings += 1
        else:
            world.faults.append(f"{job.id} was not done in the end: {job.state} ({job.error})")
    return trainings


def check_processes(world: World) -> None:
    """Note each process that goes on though no job does; the server's are its own."""
    def list_strangers() -> list[int]:
        return [pid for pid in list_processes(world.token) if "app.server" not in read_words(pid)]

    if not wait_until(lambda: not list_strangers(), 30):
        world.faults += [f"left running: {read_words(pid)[:120]}" for pid in list_strangers()]


def describe_memory(seen: list[int]) -> dict[str, float]:
    """Describe the memory of the server over its time, in megabytes."""
    if len(seen) < 3:
        return dict.fromkeys(("first", "second", "last", "most"), np.nan)
    thirds = zip(("first", "second", "last"), np.array_split(np.array(seen) / 1e6, 3), strict=True)
    return {name: float(np.median(third)) for name, third in thirds} | {"most": max(seen) / 1e6}


def format_soak(result: dict[str, Any]) -> str:
    """Write the result as lines for people."""
    memory, pages = result["memory_mb"], result["page_s"]
    lines = [
        f"{result['minutes']:g} minutes from seed {result['seed']}; the small disk is {result['room']}",
        "happened: " + ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in sorted(result["happened"].items())),
        f"trainings brought to their end, weights as without disturbance: {result['trainings']}",
        "jobs in the end: " + ", ".join(f"{n} {state}" for state, n in sorted(result["jobs"].items())),
        f"pages opened: {result['pages']}, median {pages['median']:.2f} s, longest {pages['most']:.1f} s; connections "
        f"lost to killed servers: {result['lost']}",
        f"memory of the server since its last start, median of each third: {memory['first']:.0f}, "
        f"{memory['second']:.0f} and {memory['last']:.0f} MB, {memory['most']:.0f} MB at most",
        f"temporary files that killed processes left: {len(result['left'])}",
        f"faults: {len(result['faults'])}", *(f"  {fault}" for fault in result["faults"][:SHOWN])]
    return "\n".join(lines)
