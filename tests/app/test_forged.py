"""Messages that no page sends: a viewer of a classroom sends any values for any forms, over the real websocket.

Whatever is sent for the forms of the teacher's page, whose ids are no secret, or by the address: no job starts, no file
is written, no word of a file comes back, and the server goes on.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from amn_core.bench.serving import find_port
from app.viewers import CANVAS, SCREENS, TRIGGER, Viewer, open_viewer
from tests.app.conftest import REPOSITORY, wait_for

SECRET = "word-in-a-file-of-the-server"
WIDGET = re.compile(rb"\$\$ID-[0-9a-f]{32}-[\w:./ -]*")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a secret file, for jobs and runs."""
    folder = tmp_path_factory.mktemp("forged")
    (folder / "secret.txt").write_text(SECRET)
    return folder


@pytest.fixture(scope="module")
def address(place: Path, runs_root: Path) -> Iterator[str]:
    """A classroom's server."""
    port = find_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "app.server", "--port", str(port), "--headless"], cwd=REPOSITORY,
        env=os.environ | {"AMN_CLASSROOM": "1", "AMN_TEACHER_KEY": "key", "AMN_JOBS": str(place / "jobs"),
                          "AMN_RUNS": str(runs_root)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def run_apart(coroutine: Coroutine) -> Any:
    """Run a coroutine in a thread of its own: the browser of other tests keeps a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def list_files(*folders: Path) -> set[Path]:
    """List every file below some folders."""
    return {path for folder in folders for path in folder.rglob("*")}


def forge(widgets: list[str], path: str, kind: int) -> BackMsg:
    """Write a message with a value of one kind for each form: of buttons alone, too, as other values end the script."""
    message = BackMsg()
    for widget in widgets:
        state = message.rerun_script.widget_states.widgets.add(id=widget)
        if kind == 0:
            state.string_value = path
        elif kind == 1:
            state.trigger_value = True
        elif kind == 2:
            state.string_array_value.data.extend([path, "--out"])
        elif kind == 3:
            state.json_value = f'{{"view": "{path}", "answers": ["{path}", 5, null]}}'
        else:
            state.bool_value = True
    return message


def listen(viewer: Viewer) -> bytearray:
    """Note everything that the server says to a page from now on."""
    said, take = bytearray(), viewer.take
    viewer.take = lambda message: (said.extend(message.SerializeToString()), take(message))[1]
    return said


async def find_widgets(address: str, page: str) -> list[str]:
    """Find the ids of the forms on the teacher's page, which a viewer may know or guess."""
    async with open_viewer(address, Cookie=f"amn_teacher_{address.rpartition(':')[2]}=key") as connection:
        viewer = Viewer(connection)
        said = listen(viewer)
        await viewer.visit("", page)
        return sorted({found.decode() for found in WIDGET.findall(bytes(said))})


async def send_forged(address: str, page: str, path: str) -> bytes:
    """Open a page as a viewer, send values for the teacher's forms and one's own, look again; all that was said."""
    widgets = await find_widgets(address, page)
    assert widgets
    async with open_viewer(address) as connection:
        viewer = Viewer(connection)
        said = listen(viewer)
        await viewer.visit(f"options=results%3D{path}&image={path}&data={path}&job={path}", page)
        own = [found for found, _, _ in viewer.components.values()]
        viewer.states.clear()
        for kind in range(5):
            wanted = [*widgets, *own, *(TRIGGER.format(id=found) for found in own)]
            await viewer.ask(forge(wanted, path, kind), 180)
        await viewer.visit("", page)
        return bytes(said)


@pytest.mark.parametrize("page", SCREENS)
def test_forged_values_start_nothing_write_nothing_and_read_nothing(page, address, place, runs_root):
    secret = str(place / "secret.txt")
    before = list_files(place, runs_root)
    said = run_apart(send_forged(address, page, secret))
    assert list_files(place, runs_root) == before
    assert SECRET.encode() not in said
    errors = run_apart(look(address))
    assert errors == []


async def look(address: str) -> list[str]:
    """Open Explore as anybody does, and move the threshold."""
    async with open_viewer(address) as connection:
        viewer = Viewer(connection)
        await viewer.visit("")
        if CANVAS in viewer.components:
            await viewer.move(0.4)
        return viewer.errors


async def open_train(address: str, query: str, **headers: str) -> bytes:
    """Open Train with an address and headers of one's own; everything that the server says."""
    async with open_viewer(address, **headers) as connection:
        viewer = Viewer(connection)
        said = listen(viewer)
        await viewer.visit(query, "train")
        await viewer.ask(forge(["amn_teacher", "teacher"], "key", 0), 180)
        return bytes(said)


def test_key_makes_a_teacher_as_a_cookie_of_the_connection_alone(address):
    port = address.rpartition(":")[2]
    viewer = run_apart(open_train(address, "teacher=key"))
    wrong = run_apart(open_train(address, "", Cookie=f"amn_teacher_{port}=wrong"))
    teacher = run_apart(open_train(address, "", Cookie=f"amn_teacher_{port}=key"))
    form = b"How long will it take?"
    assert form in teacher and form not in viewer and form not in wrong
