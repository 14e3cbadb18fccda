"""bench app drives the real page and says what a user waits for."""

import json
import subprocess
import sys

import pytest

from amn_core.bench.page import BenchAppConfig, format_app


def test_bench_app_refuses_to_measure_nothing():
    with pytest.raises(ValueError, match="at least 1"):
        BenchAppConfig(images=0)


def test_bench_app_sends_nothing_while_dragging_and_writes_every_number(chromium):
    command = [sys.executable, "-m", "amn_core", "bench", "app", "--images", "1", "--json"]
    result = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=280).stdout)
    assert result["explore"]["messages"] == result["curves"]["messages"] == 0
    assert result["explore"]["repaints"] > 100 and result["next_image_ms"] > 0
    text = format_app(result)
    assert text.count("\n") == 13 and f"{result['release_ms']:.2f}" in text


def test_large_run_is_opened_on_every_screen_and_every_time_is_written(chromium):
    command = [sys.executable, "-m", "amn_core", "bench", "app", "--large", "60", "--classes", "6", "--json"]
    result = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=500).stdout)
    screens = result["large_run"]["screens"]
    assert set(screens) == {"explore", "curves", "activation", "images", "choose"}
    assert all(one["stands_s"] > 0 and one["memory_mb"] > 50 for one in screens.values())
    assert format_app(result).count("\n") == len(screens) + 1
