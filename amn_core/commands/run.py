"""``python -m amn_core run``: the app, for oneself or for a classroom."""

import argparse
import ipaddress
import os
import secrets
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
ELSEWHERE = "192.0.2.1"  # an address that nobody has: asking the way to it sends nothing


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``run``."""
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS",
                        help="address of this machine to listen at, or 0.0.0.0 for all of them (default: 127.0.0.1, "
                        "which no other machine reaches)")
    parser.add_argument("--port", type=int, default=8501, help="port of the server (default: 8501)")
    parser.add_argument("--headless", action="store_true", help="do not open a browser")
    parser.add_argument("--classroom", action="store_true",
                        help="for many viewers, who change nothing: prints an address and a QR code for the students, "
                        "and a second, secret address for the teacher, whose page alone starts and writes")
    parser.set_defaults(handle=run_app)


def run_app(options: argparse.Namespace) -> None:
    """Become the app's server: this process is replaced, so that nothing of it stays in memory beside the server.

    Raises:
        ValueError: the port is none, the address is not this machine's, or the port is taken; says which.
    """
    check_address(options.host, options.port)
    names = list_names(options.host)
    environment = dict(os.environ)
    for variable in ("AMN_CLASSROOM", "AMN_TEACHER_KEY"):
        environment.pop(variable, None)
    if options.classroom:
        key = secrets.token_urlsafe(24)
        environment |= {"AMN_CLASSROOM": "1", "AMN_TEACHER_KEY": key}
        print(write_invitation(f"http://{names[0]}:{options.port}/", key), flush=True)
    elif not is_loopback(options.host):
        print(f"warning: everybody who reaches {names[0]}:{options.port} can start jobs and write files here; with "
              "--classroom they only look", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "app.server", "--address", options.host, "--port", str(options.port),
               "--names", ",".join(names), *(["--headless"] if options.headless or options.classroom else [])]
    os.chdir(ROOT)
    os.execve(sys.executable, command, environment)


def check_address(host: str, port: int) -> None:
    """Check that the server could listen there, before anything heavy is loaded."""
    if not 1 <= port <= 65535:
        raise ValueError(f"--port is {port}: choose one from 1024 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ValueError(f"--host {host} --port {port}: {error.strerror or error}; the address must be one of this "
                         "machine's and the port free") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def list_names(host: str) -> list[str]:
    """List the hosts that a browser may name to mean this server, the one to print first."""
    if host in ("0.0.0.0", "::"):
        own = [find_own_address(), *list_own_addresses()]
    else:
        own = [f"[{host.strip('[]')}]" if ":" in host else host]
    return list(dict.fromkeys([*own, *LOOPBACK]))


def find_own_address() -> str:
    """Find the address under which other machines know this one; loopback where there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ELSEWHERE, 9))
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def list_own_addresses() -> list[str]:
    """List the addresses that this machine's own name has."""
    try:
        return [entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    except OSError:
        return []


def write_invitation(address: str, key: str) -> str:
    """Write what the terminal shows: the students' address, as a QR code, too, and the teacher's."""
    return (f"\n  Students   {address}\n\n{draw_code(address)}\n"
            f"  Teacher    {address}?teacher={key}\n"
            "             Keep this one to yourself: it starts jobs, writes, and is followed.\n")


def draw_code(address: str) -> str:
    """Draw an address as a QR code of half blocks, dark on light whatever the terminal's colours are."""
    import io

    import segno

    drawn = io.StringIO()
    segno.make(address, error="m").terminal(drawn, compact=True)
    return drawn.getvalue()
