"""Pictures of the screens for the README: a real browser opens the app on the bundled drawn scenes.

No photograph is in them: everything shown is drawn, or a table of counts.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from PIL import Image

from amn_core.bench.page import BenchAppConfig, start_browser
from amn_core.bench.serving import PATIENCE, REPOSITORY, serving
from amn_core.formats.files import write_bytes
from amn_core.formats.runs import load_run
from amn_core.options import option

SCENES = "checkpoints/scenes/amn"
FIRST = "explore"
SCREENS = ("activation", "curves", "images", "photo", "choose", "label", "diagnose", "train", "data-and-runs",
           "figures")
SETTLED = "[data-testid='stApp'][data-test-script-state='notRunning']"
SMALL = {"width": 1120, "height": 700}  # a window whose picture stays legible when it is made small
QUIET = 2500  # milliseconds in which charts and pictures are painted after the server has finished


@dataclass(frozen=True)
class BenchScreensConfig:
    """What `bench screens` needs: where the pictures go, and how large they are."""

    out: str = option("app/assets", "folder to write explore.png and screens/*.png into")
    width: int = option(1440, "of the window, in pixels")
    height: int = option(900, "of the window, in pixels")
    small: int = option(320, "width of a small picture, in pixels")
    only: str = option("", "screens to take, separated by commas; all by default")


def bench_screens(config: BenchScreensConfig, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Take a picture of Explore, and a small one of every screen.

    Returns:
        ``files``, the paths that were written, with their sizes in bytes.

    Raises:
        ValueError: playwright or a browser is not there, or the app does not answer.
    """
    out, files = REPOSITORY / config.out, {}
    wanted = [part.strip() for part in config.only.split(",") if part.strip()] or [FIRST, *SCREENS]
    with serving() as (address, _), open_tabs(config) as open_tab:
        for name in wanted:
            picture = Image.open(io.BytesIO(take(open_tab, address, name)))
            if name == FIRST:
                files |= save(picture, out / f"{name}.png", picture.width)
            files |= save(picture, out / "screens" / f"{name}.png", config.small)
    return {"files": files}


@contextmanager
def open_tabs(config: BenchScreensConfig) -> Iterator[Callable[..., tuple[Any, float]]]:
    """Start a browser with a window of the size that is asked for."""
    with start_browser(BenchAppConfig(width=config.width, height=config.height)) as open_page:
        yield open_page


def take(open_tab: Callable[..., tuple[Any, float]], address: str, name: str) -> bytes:
    """Open a screen on the drawn scenes, wait until it stands, and take its picture as PNG."""
    run = load_run(REPOSITORY / SCENES)
    query = urlencode({"data": f"{run.meta['data']}/{run.meta['split']}"})
    page, _ = open_tab(f"http://{address}/{'' if name == FIRST else name}?{query}", SETTLED)
    try:
        if name != FIRST:
            page.set_viewport_size(SMALL)
        page.wait_for_timeout(QUIET)
        page.wait_for_selector(SETTLED, state="attached", timeout=PATIENCE * 1000)
        if name == "photo":
            show_scene(page)
        return page.screenshot()
    finally:
        page.close()


def show_scene(page: Any) -> None:
    """Give the screen of one's own photo a drawn scene instead of a photograph."""
    from amn_core.data import load_dataset

    run = load_run(REPOSITORY / SCENES)
    dataset, buffer = load_dataset(run.meta["data"], run.meta["split"]), io.BytesIO()
    Image.fromarray(dataset.image(dataset.ids[0])).save(buffer, "PNG")
    page.locator("input[type=file]").first.set_input_files(
        {"name": "scene.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    page.wait_for_timeout(QUIET)
    page.wait_for_selector(SETTLED, state="attached", timeout=PATIENCE * 1000)
    page.wait_for_timeout(QUIET)


def save(picture: Image.Image, path: Path, width: int) -> dict[str, int]:
    """Save a picture at a width; returns its size in bytes by its path."""
    height = round(picture.height * width / picture.width)
    small = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    small.save(buffer := io.BytesIO(), "PNG", optimize=True)
    write_bytes(path, buffer.getvalue())
    return {str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(path): buffer.tell()}


def format_screens(result: dict[str, Any]) -> str:
    """Write the files and their sizes as lines."""
    return "\n".join(f"{path:<40}{size / 1000:>8.1f} kB" for path, size in result["files"].items())
