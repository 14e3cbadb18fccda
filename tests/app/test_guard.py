"""The door of the server, over real HTTP and websockets on loopback: hosts, origins, policy, the teacher."""

import base64
import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from amn_core.bench.serving import find_port
from amn_core.commands.run import check_address, draw_code, list_names, write_invitation
from app.guard import is_local
from tests.app.conftest import PATIENCE, REPOSITORY, wait_for

KEY = "a-key-for-tests-only"
SOCKET = "/_stcore/stream"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a classroom's server."""
    port = find_port()
    command = [sys.executable, "-m", "app.server", "--port", str(port), "--headless"]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=os.environ | {"AMN_CLASSROOM": "1", "AMN_TEACHER_KEY": KEY},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield port
    finally:
        process.kill()
        process.wait()


def ask(port: int, path: str = "/", **headers: str) -> http.client.HTTPResponse:
    """Ask the server for a path, with headers whose names have '_' for '-'."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.putrequest("GET", path, skip_host=True)
        for name, value in ({"Host": f"127.0.0.1:{port}"} | headers).items():
            if value:
                connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        return answer


def open_socket(port: int, host: str, origin: str) -> int:
    """Open a websocket by hand; returns the status of the answer, 101 if it was opened."""
    key = base64.b64encode(b"0123456789abcdef").decode()
    lines = [f"GET {SOCKET} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: streamlit"]
    lines += [f"Origin: {origin}"] if origin else []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(connection.recv(1024).split()[1])


@pytest.mark.parametrize("host", ["127.0.0.1:PORT", "localhost:PORT", "LOCALHOST:PORT", "[::1]:PORT"])
def test_own_addresses_are_answered(host: str, port: int) -> None:
    host = host.replace("PORT", str(port))
    assert ask(port, Host=host).status == 200
    assert ask(port, Host=host, Origin=f"http://{host}").status == 200
    assert open_socket(port, host, f"http://{host}") == 101


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:PORT", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:PORT", "0.0.0.0:PORT",
    "127.0.0.1:PORT@evil.example", "user@127.0.0.1:PORT", "2130706433:PORT", ""])
def test_strange_hosts_are_refused(host: str, port: int) -> None:
    host = host.replace("PORT", str(port))
    for path in ("/", "/_stcore/health", "/_stcore/host-config", f"/?teacher={KEY}"):
        answer = ask(port, path, Host=host)
        assert answer.status in (400, 421) and not answer.getheader("set-cookie")
    assert open_socket(port, host, f"http://{host}") in (400, 403)


@pytest.mark.parametrize("origin", [
    "http://evil.example", "http://127.0.0.1:1", "http://localhost", "null", "http://localhost:PORT.evil.example",
    "file://", "chrome-extension://127.0.0.1:PORT", "http://127.0.0.1:PORT/path"])
def test_strange_origins_are_refused(origin: str, port: int) -> None:
    origin = origin.replace("PORT", str(port))
    assert ask(port, Origin=origin).status == 421
    assert open_socket(port, f"127.0.0.1:{port}", origin) == 403


def test_page_may_load_from_this_server_alone(port: int) -> None:
    policy = ask(port).getheader("content-security-policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["img-src"] == "'self' data: blob:" and rules["default-src"] == "'self'"
    own = {f"ws://{name}:{port}" for name in ("127.0.0.1", "localhost")}
    assert {part.rstrip(";") for part in policy.split() if "://" in part} <= own


@pytest.mark.parametrize("path", ["", "curves", "data-and-runs"])
def test_page_asks_for_nothing_that_is_not_there(path: str, port: int, browser) -> None:
    context = browser.new_context()
    page, refused = context.new_page(), []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.goto(f"http://127.0.0.1:{port}/{path}", timeout=PATIENCE)
    page.get_by_test_id("stTopNav").wait_for(timeout=PATIENCE)  # the server has answered the page's first message
    assert page.url.split("?")[0] == f"http://127.0.0.1:{port}/{path}"
    context.close()
    assert refused == []


def test_key_becomes_a_cookie_that_scripts_cannot_read(port: int) -> None:
    answer = ask(port, f"/?teacher={KEY}")
    cookie = answer.getheader("set-cookie")
    assert answer.status == 303 and answer.getheader("location") == "/"
    assert cookie.startswith(f"amn_teacher_{port}={KEY};") and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert ask(port, "/?teacher=wrong").status == 200 and not ask(port, "/?teacher=").getheader("set-cookie")


def test_taken_port_and_foreign_address_are_named_before_anything_starts(port: int) -> None:
    for host, number in (("127.0.0.1", port), ("192.0.2.77", 8501), ("127.0.0.1", 99999)):
        with pytest.raises(ValueError, match=r"--(port|host)"):
            check_address(host, number)


def test_invitation_has_a_code_for_the_students_alone() -> None:
    text = write_invitation("http://192.0.2.5:8501/", "secret-key")
    assert text.count("secret-key") == 1 and draw_code("http://192.0.2.5:8501/") in text
    assert len(draw_code("http://192.0.2.5:8501/").splitlines()) > 10
    assert list_names("192.0.2.5")[0] == "192.0.2.5" and "localhost" in list_names("192.0.2.5")


@pytest.mark.parametrize(("host", "origin", "is_right"), [
    ("127.0.0.1:8501", "http://127.0.0.1:8501", True), ("localhost:8501", "", True), ("[::1]:8501", "", True),
    ("", "", True), ("localhost", "http://localhost", True), ("evil.example:8501", "http://evil.example:8501", False),
    ("127.0.0.1.evil.example:8501", "", False), ("127.0.0.1:8501", "http://127.0.0.1:9000", False),
    ("[::2]:8501", "", False), ("evil.example", "", False)])
def test_app_started_by_hand_answers_to_loopback_alone(host: str, origin: str, is_right: bool) -> None:
    assert is_local(host, origin) is is_right


def test_page_under_a_strange_name_shows_nothing_where_the_app_was_started_by_hand(open_app, monkeypatch) -> None:
    monkeypatch.setattr("app.guard.is_local", lambda host, origin: False)
    at = open_app("explore")
    assert "python -m amn_core run" in at.error[0].value and not at.sidebar.selectbox and len(at.error) == 1
