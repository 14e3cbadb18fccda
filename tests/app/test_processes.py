"""The app as a process: its first start on a machine, and the processes that work for its pages."""

import os
import runpy
import subprocess
import sys

import pytest

from amn_core.bench.serving import find_port
from tests.app.conftest import REPOSITORY, wait_for


def test_first_start_on_a_machine_asks_nothing(tmp_path) -> None:
    """With a home in which Streamlit has never been, and nobody at the keyboard."""
    port = find_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "amn_core", "run", "--port", str(port)], cwd=REPOSITORY, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "HOME": str(tmp_path), "BROWSER": "true"})
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 15)
        process.wait(20)


def test_loading_the_app_for_a_worker_opens_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    monkeypatch.setattr(st, "navigation", lambda *args, **more: pytest.fail("a worker opened the page"))
    monkeypatch.setattr(st, "set_page_config", lambda **more: pytest.fail("a worker opened the page"))
    loaded = runpy.run_path(str(REPOSITORY / "app" / "main.py"), run_name="__mp_main__")  # as multiprocessing does
    assert callable(loaded["main"])
