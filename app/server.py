"""The app's server: ``python -m app.server``, as ``python -m amn_core run`` starts it."""

import argparse
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from app.guard import GUARDED, Guard, Receive, Scope, Send

MAIN = Path(__file__).resolve().with_name("main.py")
SCREEN = re.compile(r"/[\w-]*")  # the addresses of screens
BASE = b"<head><script>window.__streamlit = {BACKEND_BASE_URL: location.origin}</script>"


class Base:
    """ASGI middleware that tells a screen's page where its server is.

    Untold, Streamlit's page first looks below its own address (``/curves/_stcore/health``), and is answered 404 twice.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]):
        """Tell the pages of an app."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; the page of a screen with the line that tells."""
        if scope["type"] != "http" or scope["method"] != "GET" or not SCREEN.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        plain = [(name, value) for name, value in scope["headers"] if name not in (b"accept-encoding", b"range")]
        await self.app({**scope, "headers": plain}, receive, tell_base(send))


def tell_base(send: Send) -> Send:
    """Write the line into an answer, which is sent as a whole."""
    start, parts = {}, []

    async def send_told(message: dict) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            body = b"".join(parts).replace(b"<head>", BASE, 1)
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            length = [] if start["status"] == 304 else [(b"content-length", str(len(body)).encode())]
            await send({**start, "headers": [*headers, *length]})
            await send({"type": "http.response.body", "body": body})

    return send_told


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
    key = os.environ.get("AMN_TEACHER_KEY", "")
    app = st.App(MAIN, middleware=[Middleware(Guard, hosts=hosts, teacher_key=key), Middleware(Base)])
    app.run(config={
        "server.address": arguments.address, "server.port": arguments.port, "server.headless": arguments.headless,
        "browser.serverAddress": arguments.names.split(",")[0], "server.fileWatcherType": "none"})


if __name__ == "__main__":
    main()
