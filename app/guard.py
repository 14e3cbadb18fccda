"""The door of the app's server: who may ask, and what a page may load.

A browser lets any page of the internet send requests to this machine. What tells them apart is the Host that was
asked for (a name that was rebound to 127.0.0.1 is another one) and the Origin of the page that asks (another port is
another one). Whatever does not name this server by an address that it was started with is refused.
"""

import hmac
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
COOKIE = "amn_teacher"
GUARDED = "AMN_GUARDED"  # in the environment of a server with this door
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
LONGEST_KEY = 200
# Everything from this server alone: a picture, font or script that somebody's name points to is not fetched.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "worker-src 'self' blob:; connect-src 'self' data: blob: {sockets}; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
REFUSED = b"This server answers only to the addresses that it was started with: open the one that the terminal shows.\n"


class Guard:
    """ASGI middleware that refuses strange hosts and origins, says what a page may load, and knows the teacher."""

    def __init__(self, app: Callable[..., Awaitable[None]], hosts: Iterable[str], teacher_key: str = ""):
        """Guard an app: `hosts` as browsers write them, ``127.0.0.1:8501``; the key opens the teacher's page."""
        self.app, self.teacher_key = app, teacher_key
        self.hosts = frozenset(host.lower() for host in hosts)
        # A policy cannot name an IPv6 address; 'self' stands for it where a browser counts sockets in.
        sockets = " ".join(f"ws://{host}" for host in sorted(self.hosts) if "[" not in host)
        self.headers = [
            (b"content-security-policy", POLICY.format(sockets=sockets).encode()), (b"referrer-policy", b"no-referrer"),
            (b"x-content-type-options", b"nosniff"), (b"cross-origin-opener-policy", b"same-origin")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif not self.is_welcome(scope["headers"]):
            await refuse(scope, send)
        elif self.is_teacher_at_door(scope):
            await self.let_teacher_in(scope, send)
        else:
            await self.app(scope, receive, self.add_headers(send))

    def is_welcome(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a request names one host, which is ours, and comes from no page or from one of ours."""
        hosts = [value for name, value in headers if name == b"host"]
        origins = [value for name, value in headers if name == b"origin"]
        return len(hosts) == 1 and self.is_ours(hosts[0]) and all(
            any(origin.startswith(scheme) and self.is_ours(origin.removeprefix(scheme))
                for scheme in (b"http://", b"https://")) for origin in origins)

    def is_ours(self, host: bytes) -> bool:
        """Whether a host with its port is one of ours."""
        return host.decode("latin-1").lower() in self.hosts

    def is_teacher_at_door(self, scope: Scope) -> bool:
        """Whether a request brings the teacher's key in its address."""
        if scope["type"] != "http" or not self.teacher_key:
            return False
        given = parse_qs(scope["query_string"][:LONGEST_KEY].decode("latin-1")).get("teacher", [""])[0]
        return is_key(given, self.teacher_key)

    async def let_teacher_in(self, scope: Scope, send: Send) -> None:
        """Give the key as a cookie that no script can read, and go to the page without it in the address."""
        cookie = f"{name_cookie(scope)}={self.teacher_key}; Path=/; HttpOnly; SameSite=Strict"
        await answer(send, 303, b"", [(b"location", b"/"), (b"set-cookie", cookie.encode()), *self.headers])

    def add_headers(self, send: Send) -> Send:
        """Add what a page may load to every answer."""
        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *self.headers]}
            await send(message)

        return send_with_headers


def is_local(host: str, origin: str) -> bool:
    """Whether a page without this door (`streamlit run` by hand) was asked for under a name of loopback, by itself.

    Args:
        host, origin: of the connection, empty where there is none.
    """
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    return not host or (name.lower() in LOOPBACK and origin in ("", f"http://{host}", f"https://{host}"))


def is_key(given: str, key: str) -> bool:
    """Whether a key is the right one, in a time that tells nothing about it; an empty one never is."""
    return bool(key) and hmac.compare_digest(given.encode("utf-8", "replace"), key.encode())


def name_cookie(scope: Scope) -> str:
    """Name the cookie by the server's port: browsers share cookies between the ports of a host."""
    return f"{COOKIE}_{(scope.get('server') or ('', 0))[1]}"


async def refuse(scope: Scope, send: Send) -> None:
    """Refuse a request; a websocket is closed before it was opened."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await answer(send, 421, REFUSED, [(b"content-type", b"text/plain; charset=utf-8")])


async def answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Send a whole answer."""
    await send({"type": "http.response.start", "status": status,
                "headers": [*headers, (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]})
    await send({"type": "http.response.body", "body": body})
