"""bench screens opens the real page on drawn scenes, and saves pictures of the size that is asked for."""

import shutil

import pytest
from PIL import Image

from amn_core.bench.page import BROWSERS
from amn_core.bench.screens import BenchScreensConfig, bench_screens, format_screens


def test_a_picture_of_a_screen_is_saved_with_its_size(tmp_path):
    pytest.importorskip("playwright.sync_api")
    if not any(map(shutil.which, BROWSERS)):
        pytest.skip("needs chromium on the PATH")
    result = bench_screens(BenchScreensConfig(str(tmp_path), only="train", small=300))
    path = tmp_path / "screens" / "train.png"
    assert result["files"] == {str(path): path.stat().st_size}
    with Image.open(path) as picture:
        assert picture.size == (300, round(300 * 700 / 1120))
        assert len(picture.convert("L").getcolors()) > 20  # something is drawn
    assert "kB" in format_screens(result)
