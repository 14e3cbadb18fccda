"""What several rooms' tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from amn_core.bench.page import BROWSERS
from amn_core.train.config import TrainConfig

SCENES = "scenes:size=64,n=8,seed=3"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)


@pytest.fixture(scope="session")
def voc_root() -> Path:
    """A VOC root with real images, where AMN_VOC_ROOT says."""
    root = Path(os.environ.get("AMN_VOC_ROOT") or "none")
    if not (root / "JPEGImages").is_dir():
        pytest.skip("needs photographs of VOC: set AMN_VOC_ROOT")
    return root


@pytest.fixture
def tiny_cam(tmp_path: Path) -> TrainConfig:
    """A CAM training of six steps on eight small scenes."""
    return TrainConfig(
        method="cam", data=SCENES, out=str(tmp_path / "cam"), epochs=3, batch=4, crop=32,
        long_side_min=32, long_side_max=48, device="cpu")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium, for tests that drive the real page; without it they are skipped by name."""
    pytest.importorskip("playwright.sync_api")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip("needs chromium on the PATH")
    return executable


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator:
    """A real browser without a window."""
    from playwright import sync_api

    sync_api.expect.set_options(timeout=60_000)  # on a busy machine a page takes long to answer
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield launched
        launched.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked ``cuda`` where there is no GPU."""
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a GPU with CUDA"))
