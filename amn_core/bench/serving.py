"""The app as benchmarks start it: a server on a free port of loopback, and pages that look at it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds
GRACE = 20  # seconds that the server may take to end


def find_port() -> int:
    """Find a port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_app(port: int, environment: Mapping[str, str] = {}) -> subprocess.Popen:
    """Start the app's server on a port of loopback, and wait until it answers.

    Raises:
        ValueError: it does not.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "app.server", "--headless", "--port", str(port)], cwd=REPOSITORY,
        env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_server(f"http://127.0.0.1:{port}", process)
    except BaseException:
        end_app(process)
        raise
    return process


def end_app(process: subprocess.Popen) -> None:
    """End the server; by force if it does not end by itself."""
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def serving(environment: Mapping[str, str] = {}) -> Iterator[tuple[str, subprocess.Popen]]:
    """Serve the app for a while; yields ``127.0.0.1:PORT`` and the process."""
    port = find_port()
    process = start_app(port, environment)
    try:
        yield f"127.0.0.1:{port}", process
    finally:
        end_app(process)


def wait_for_server(address: str, process: subprocess.Popen) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise ValueError("the app did not answer: try `python -m amn_core run` by hand to see why")


def start_viewers(address: str, viewers: int, seconds: float, *more: str) -> subprocess.Popen:
    """Start viewers, in a process of their own (`app.viewers`), who look for so many seconds."""
    return subprocess.Popen(
        [sys.executable, "-m", "app.viewers", "--address", address, "--viewers", str(viewers), "--seconds",
         str(seconds), *more], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read_viewers(process: subprocess.Popen, timeout: float) -> dict[str, Any]:
    """Wait for viewers to end, and read what they met.

    Raises:
        ValueError: they broke, or did not end in time.
    """
    try:
        found, said = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise ValueError(f"the viewers did not end within {timeout:.0f} seconds") from None
    if process.returncode:
        raise ValueError(f"the viewers broke: {(said.strip().splitlines() or ['without a word'])[-1]}")
    return json.loads(found)
