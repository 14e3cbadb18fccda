"""bench screens opens the real page on drawn scenes, and saves pictures of the size that is asked for."""

import json
import subprocess
import sys

from PIL import Image

from amn_core.bench.screens import format_screens


def test_a_picture_of_a_screen_is_saved_with_its_size(chromium, tmp_path):
    command = [sys.executable, "-m", "amn_core", "bench", "screens", "--out", str(tmp_path), "--only", "train",
               "--small", "300", "--json"]  # a process of its own: other tests keep a browser open in this one
    result = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=280).stdout)
    path = tmp_path / "screens" / "train.png"
    assert result["files"] == {str(path): path.stat().st_size}
    with Image.open(path) as picture:
        assert picture.size == (300, round(300 * 700 / 1120))
        assert len(picture.convert("L").getcolors()) > 20  # something is drawn
    assert "kB" in format_screens(result)
