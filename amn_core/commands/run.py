"""``python -m amn_core run``: the app."""

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``run``."""
    parser.add_argument("--port", type=int, default=8501, help="port of the server (default: 8501)")
    parser.add_argument("--headless", action="store_true", help="do not open a browser")
    parser.set_defaults(handle=run_app)


def run_app(options: argparse.Namespace) -> None:
    """Become the app's server: this process is replaced, so that nothing of it stays in memory beside the server."""
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "main.py"),
               "--server.port", str(options.port), "--server.headless", str(options.headless).lower()]
    os.chdir(ROOT)
    os.execv(sys.executable, command)
