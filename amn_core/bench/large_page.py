"""A large data set on every screen of the app: how long until it stands, until a key is answered, and the memory."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amn_core.bench.classroom import MemoryOf
from amn_core.bench.scale import BenchScaleConfig, make_run_apart
from amn_core.bench.serving import PATIENCE, serving

BAR = ".threshold-track[aria-valuenow]"
SCREENS = {  # what stands when a screen can be read: the bar, and what the screen is for
    "": (".images .row",),
    "curves": (BAR, ".amn-overlay line", ".runs td.now"),
    "activation": (BAR, ".amn-overlay line", ".runs td.now"),
    "images": (BAR, ".figures .rows .line, [data-testid=stDataFrame]"),
    "choose": (BAR,),
}
LATER = {  # what may come after, and then stands, too
    "curves": "[data-testid=stTable]",
    "choose": "[data-testid=stPlotlyChart]",
}


def measure_screens(images: int, classes: int, open_page: Callable[..., tuple[Any, float]]) -> dict[str, Any]:
    """Open one run of a large data set on every screen, each on a server that has just started.

    Args:
        open_page: opens an address in a fresh tab and waits for a part (`amn_core.bench.page.start_browser`).

    Returns:
        By screen: ``stands_s``, until bar, chart and table stand; ``answer_ms``, from a key right after that until
        the address follows; ``later_s``, until its slower parts stand, where it has any; ``memory_mb`` of the server
        at most. ``load``: of the machine before and after, for a machine that does other work measures that.
    """
    found: dict[str, Any] = {"images": images, "classes": classes, "load": [os.getloadavg()[0]], "screens": {}}
    with tempfile.TemporaryDirectory() as folder:
        make_run_apart(Path(folder) / "large" / "one", BenchScaleConfig(images, classes))
        for screen in SCREENS:
            with serving({"AMN_RUNS": folder}) as (host, process):
                memory = MemoryOf(process.pid)
                address = f"http://{host}/{screen}?data=folder:scale/train&runs=large/one"
                found["screens"][screen or "explore"] = {
                    **measure_screen(screen, address, open_page), "memory_mb": memory.end()["most"]}
    found["load"].append(os.getloadavg()[0])
    return found


def measure_screen(screen: str, address: str, open_page: Callable[..., tuple[Any, float]]) -> dict[str, float]:
    """Measure one screen on a fresh server; see `measure_screens`."""
    begun = time.perf_counter()
    page, _ = open_page(address, SCREENS[screen][0])
    for part in SCREENS[screen][1:]:
        page.wait_for_selector(part, state="attached", timeout=PATIENCE * 1000)
    found = {"stands_s": time.perf_counter() - begun}
    if BAR in SCREENS[screen]:
        found["answer_ms"] = time_key(page)
    if screen in LATER:
        page.wait_for_selector(LATER[screen], state="attached", timeout=10 * PATIENCE * 1000)
        found["later_s"] = time.perf_counter() - begun
    page.close()
    return found


def time_key(page: Any) -> float:
    """Time from a key on the bar until the address of the page follows, in milliseconds."""
    before = page.url
    begun = time.perf_counter()
    page.locator(".threshold-track").press("PageUp")
    page.wait_for_function("before => document.location.href !== before", arg=before, timeout=PATIENCE * 1000)
    return (time.perf_counter() - begun) * 1000


def format_screens(found: dict[str, Any]) -> str:
    """Write the result as lines for people."""
    lines = [f"one run of {found['images']} images and {found['classes']} classes, each screen on a fresh server; load "
             f"{found['load'][0]:.1f} before, {found['load'][1]:.1f} after",
             f"{'':<12}{'stands, s':>12}{'a key, ms':>12}{'all of it, s':>14}{'server, MB':>12}"]
    for screen, one in found["screens"].items():
        cells = [f"{one[name]:.{digits}f}" if name in one else "–"
                 for name, digits in (("stands_s", 1), ("answer_ms", 0), ("later_s", 1), ("memory_mb", 0))]
        lines.append(f"{screen:<12}{cells[0]:>12}{cells[1]:>12}{cells[2]:>14}{cells[3]:>12}")
    return "\n".join(lines)
