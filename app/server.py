"""The app's server: ``python -m app.server``, as ``python -m amn_core run`` starts it."""

import argparse
import os
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from app.guard import GUARDED, Guard

MAIN = Path(__file__).resolve().with_name("main.py")


def read_arguments() -> argparse.Namespace:
    """Read what the command hands on."""
    parser = argparse.ArgumentParser(prog="python -m app.server")
    parser.add_argument("--address", default="127.0.0.1", help="where to listen")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--names", default="127.0.0.1,localhost,[::1]", help="hosts that are answered, with commas")
    parser.add_argument("--headless", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Serve the app until it is stopped; the teacher's key is that of AMN_TEACHER_KEY."""
    arguments = read_arguments()
    os.environ[GUARDED] = "1"
    hosts = [f"{name}:{arguments.port}" for name in arguments.names.split(",")]
    app = st.App(MAIN, middleware=[Middleware(Guard, hosts=hosts, teacher_key=os.environ.get("AMN_TEACHER_KEY", ""))])
    app.run(config={
        "server.address": arguments.address, "server.port": arguments.port, "server.headless": arguments.headless,
        "browser.serverAddress": arguments.names.split(",")[0], "server.fileWatcherType": "none"})


if __name__ == "__main__":
    main()
