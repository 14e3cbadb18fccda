"""The app as a user meets it: a real browser drives the real page, and the waits are measured.

Needs playwright and Chromium, which are tools for tests and no part of the product.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from amn_core.bench.large_page import format_screens, measure_screens
from amn_core.bench.serving import PATIENCE, serving
from amn_core.options import option

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")
MOVES = 120
READY = ".amn[data-ready]"
TITLES = {
    "first_visit_s": "first picture, first visit, s", "second_visit_s": "first picture, second visit, s",
    "next_image_ms": "next image, median, ms", "release_ms": "release until the address follows, median, ms",
    "frame_p95_ms": "our code for a frame, 95th percentile, ms", "frame_median_ms": "our code for a frame, median, ms",
    "repaints": "repaints while dragging", "messages": "messages while dragging",
}


@dataclass(frozen=True)
class BenchAppConfig:
    """What `bench app` needs: which address to open, and how often to repeat."""

    query: str = option("", "what stands behind the question mark of the address, to open certain runs")
    images: int = option(10, "images to step through")
    width: int = option(1440, "of the window, in pixels")
    height: int = option(900, "of the window, in pixels")
    large: int = option(0, "images of a drawn run to open on every screen instead, such as 40000; 0: none")
    classes: int = option(81, "classes of that run, background counted")

    def __post_init__(self) -> None:
        """Refuse to measure nothing."""
        if self.images < 1:
            raise ValueError(f"images is {self.images}; it must be at least 1")


def bench_app(config: BenchAppConfig, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Drive the app in a browser: first picture, next images, drags and releases in Explore, then Curves.

    With ``large`` it opens one run of so many images on every screen (`amn_core.bench.large_page`) instead.

    Returns:
        A dict for JSON: the fields of ``config``; ``first_visit_s`` (a server that has just started) and
        ``second_visit_s`` (a new tab) until the first picture stands; medians ``next_image_ms`` and ``release_ms``;
        ``load`` of the machine before and after: other work on it is measured, too;
        ``explore`` and ``curves``, each with ``frame_median_ms`` and ``frame_p95_ms`` of our own code from the event
        to the end of drawing, ``moves``, ``repaints`` and ``messages`` sent to the server while dragging.

    Raises:
        ValueError: playwright or a browser is not there, or the app does not answer.
    """
    if config.large:
        with start_browser(config) as open_page:
            return {**asdict(config), "large_run": measure_screens(config.large, config.classes, open_page)}
    with serving() as (host, _), start_browser(config) as open_page:
        address, load = f"http://{host}", os.getloadavg()[0]
        where = f"{address}/?{config.query}"
        pages = [open_page(where), open_page(where)]
        visits = [seconds for _, seconds in pages]
        page = pages[1][0]
        steps = [time_step(page) for _ in range(config.images)]
        releases = [time_release(page, share) for share in (0.3, 0.5, 0.4, 0.6, 0.45)]
        explore = drag(page)
        curves, _ = open_page(f"{address}/curves?{config.query}", ".amn-overlay line")
        curves.wait_for_timeout(2000)
        return {
            **asdict(config), "first_visit_s": visits[0], "second_visit_s": visits[1],
            "next_image_ms": float(np.median(steps)), "release_ms": float(np.median(releases)), "explore": explore,
            "curves": drag(curves), "load": [load, os.getloadavg()[0]],
        }


@contextmanager
def start_browser(config: BenchAppConfig) -> Iterator[Callable[..., tuple[Any, float]]]:
    """Start a browser; yields a function that opens an address in a fresh tab and waits for a part of the page."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        executable = None
    if executable is None:
        raise ValueError("bench app drives a real browser: install playwright (tests/requirements.txt) and Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))

        def open_page(address: str, part: str = READY) -> tuple[Any, float]:
            """Open an address; returns the page and the seconds until the part stood."""
            page = browser.new_page(viewport={"width": config.width, "height": config.height})
            begun = time.perf_counter()
            page.goto(address)
            page.wait_for_selector(part, state="attached", timeout=PATIENCE * 1000)
            return page, time.perf_counter() - begun

        yield open_page
        browser.close()


def time_step(page: Any) -> float:
    """Time the step to the next image, in milliseconds, measured in the page."""
    taken = page.evaluate("""() => new Promise((done) => {
        const find = (root) => root.querySelector(".amn") || [...root.querySelectorAll("*")]
            .map((one) => one.shadowRoot && find(one.shadowRoot)).find(Boolean);
        const canvas = find(document);
        const begun = performance.now();
        new MutationObserver((_, observer) => { observer.disconnect(); done(performance.now() - begun); })
            .observe(canvas, { attributes: true, attributeFilter: ["data-ready"] });
        amnBench.list.step(1);
    })""")
    page.wait_for_timeout(700)
    return float(taken)


def time_release(page: Any, share: float) -> float:
    """Time from the release of the bar until the address of the page says so, in milliseconds."""
    box = page.locator(".threshold-track").bounding_box()
    x, y = box["x"] + box["width"] * share, box["y"] + 16
    page.mouse.move(x - 40, y)
    page.mouse.down()
    page.mouse.move(x, y)
    page.evaluate("""() => {
        const before = document.location.search;
        globalThis.released = new Promise((done) => addEventListener("pointerup", () => {
            const begun = performance.now();
            const isOld = () => document.location.search === before;
            const look = () => (isOld() ? setTimeout(look, 2) : done(performance.now() - begun));
            look();
        }, { once: true, capture: true }));
    }""")
    page.mouse.up()
    return float(page.evaluate("released"))


def drag(page: Any) -> dict[str, float]:
    """Drag the bar, one move a frame; see `bench_app`."""
    box = page.locator(".threshold-track").bounding_box()
    y = box["y"] + 16
    page.mouse.move(box["x"] + box["width"] * 0.2, y)
    page.evaluate("""() => {
        Object.assign(globalThis, { sentByPage: 0, moved: 0 });
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (...rest) { globalThis.sentByPage += 1; return send.apply(this, rest); };
        amnBench.addEventListener("move", () => { globalThis.moved += 1; });
        amnBench.times = [];
    }""")
    page.mouse.down()
    for i in range(MOVES):
        page.mouse.move(box["x"] + box["width"] * (0.2 + 0.005 * (i + 1)), y)
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found = page.evaluate("""() => ({ frame_median_ms: amnBench.percentile(0.5),
        frame_p95_ms: amnBench.percentile(0.95), repaints: moved, messages: sentByPage })""")
    page.mouse.up()
    return {"moves": MOVES, **found}


def format_app(result: dict[str, Any]) -> str:
    """Write the result as lines for people."""
    if "large_run" in result:
        return format_screens(result["large_run"])
    rows = [(TITLES[name], result[name]) for name in TITLES if name in result]
    for screen in ("explore", "curves"):
        rows += [(f"{screen}: {TITLES[name]}", result[screen][name]) for name in TITLES if name in result[screen]]
    rows += [(f"load of the machine {when}", value)
             for when, value in zip(("before", "after"), result["load"], strict=True)]
    return "\n".join(f"{title:<58}{value:>10.2f}" if isinstance(value, float) else f"{title:<58}{value:>10}"
                     for title, value in rows)
