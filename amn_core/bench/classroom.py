"""``bench classroom``: viewers who look at the app all at once, on loopback: answer times and the server's memory.

The viewers are pages without a browser (`app.viewers`): they send what a browser's page sends when the bar is let go
and when an image is chosen, and wait until the server is done. Thirty browsers on one machine would measure the
drawing of thirty pages, which in a classroom thirty laptops do.
"""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from amn_core.bench.serving import read_viewers, serving, start_viewers
from amn_core.jobs.processes import read_memory
from amn_core.options import option

EVERY = 0.5  # seconds between looks at the memory
WAITS = {"visits": "first page", "moves": "threshold let go", "images": "next image"}
PATIENCE = 240  # seconds for the answers that are still awaited at the end


@dataclass(frozen=True)
class BenchClassroomConfig:
    """What `bench classroom` needs: how many look, for how long, and how often each does something."""

    viewers: int = option(30, "pages at once")
    seconds: float = option(60.0, "how long they look")
    pause: float = option(3.0, "mean seconds between an answer and the viewer's next move")
    query: str = option("", "what stands behind the question mark of the address, to open certain runs")

    def __post_init__(self) -> None:
        """Refuse what measures nothing, or never ends."""
        if not (1 <= self.viewers <= 200 and 1 <= self.seconds <= 3600 and 0 < self.pause <= 60):
            raise ValueError(f"--viewers {self.viewers} --seconds {self.seconds:g} --pause {self.pause:g}: take 1 to "
                             "200 viewers, 1 to 3600 seconds, and a pause above 0 and up to 60")


def bench_classroom(
    config: BenchClassroomConfig, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Let viewers look at a classroom's server, each moving the threshold and changing images.

    Returns:
        The fields of ``config``; ``cores``; ``visits_ms``, ``moves_ms`` and ``images_ms``, each with ``number``,
        ``median``, ``p95`` and ``most``, from the message to the end of the server's answer; ``memory_mb`` of the
        server: ``before`` anybody came, ``most``, ``after``; ``errors`` that pages showed or met; ``agree``, whether
        there were none.

    Raises:
        ValueError: the server or the viewers do not work.
    """
    with serving({"AMN_CLASSROOM": "1", "AMN_TEACHER_KEY": ""}) as (address, process):
        watch = MemoryOf(process.pid)
        viewers = start_viewers(address, config.viewers, config.seconds, "--pause", str(config.pause), "--query",
                                config.query)
        found = read_viewers(viewers, config.seconds + PATIENCE)
        memory = watch.end()
    waits = {f"{name}_ms": describe_waits(found[name]) for name in WAITS}
    return {**asdict(config), "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else
            os.cpu_count(), **waits, "memory_mb": memory, "errors": found["errors"], "agree": not found["errors"]}


def describe_waits(seconds: Sequence[float]) -> dict[str, float]:
    """Describe waits in milliseconds; NaN where there was none."""
    waits = np.array(seconds, dtype=np.float64) * 1000
    if not len(waits):
        return {"number": 0, "median": np.nan, "p95": np.nan, "most": np.nan}
    return {"number": len(waits), "median": float(np.median(waits)), "p95": float(np.percentile(waits, 95)),
            "most": float(waits.max())}


class MemoryOf:
    """Watches the memory of a process from now on."""

    def __init__(self, pid: int) -> None:
        self.pid, self.is_over = pid, threading.Event()
        self.seen = [read_memory(pid)]
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self) -> None:
        """Look again and again."""
        while not self.is_over.wait(EVERY):
            self.seen.append(read_memory(self.pid))

    def end(self) -> dict[str, float]:
        """Stop looking; megabytes before, at most and at the end."""
        self.is_over.set()
        self.thread.join()
        self.seen.append(read_memory(self.pid))
        return {"before": self.seen[0] / 1e6, "most": max(self.seen) / 1e6, "after": self.seen[-1] / 1e6}


def format_classroom(result: dict[str, Any]) -> str:
    """Write the result as lines for people."""
    lines = [f"{result['viewers']} viewers for {result['seconds']:.0f} s on {result['cores']} cores, pages without a "
             "browser, on loopback", f"{'':<20}{'number':>8}{'median ms':>11}{'95 % ms':>10}{'most ms':>10}"]
    for name, title in WAITS.items():
        waits = result[f"{name}_ms"]
        lines.append(f"{title:<20}{waits['number']:>8}{waits['median']:>11.0f}{waits['p95']:>10.0f}"
                     f"{waits['most']:>10.0f}")
    memory = result["memory_mb"]
    lines.append(f"memory of the server: {memory['before']:.0f} MB before, {memory['most']:.0f} MB at most, "
                 f"{memory['after']:.0f} MB after")
    lines.append(f"errors: {len(result['errors'])}" + "".join(f"\n  {error}" for error in result["errors"][:5]))
    return "\n".join(lines)
