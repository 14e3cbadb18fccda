"""Viewers without a browser: pages that speak the app's protocol, for measuring the server and for trying it out.

``python -m app.viewers`` opens many at once, each of which moves the threshold and changes images, or with ``--tour``
opens one screen after the other anew, and prints as JSON how long the server took. A viewer sends what the page of a
browser sends (the same components' messages), and waits until the server says that it is done; nothing is drawn, so
that what is measured is the server alone.
"""

import argparse
import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

CANVAS, LIST = "amn_canvas", "amn_image_list"
TRIGGER = "$$STREAMLIT_INTERNAL_KEY_{id}__events"  # as `streamlit.components.v2` names the events of a component
PATIENCE = 180  # seconds for one answer
LARGEST = 1 << 28  # bytes of one message
STEPS = 200
SCREENS = ("", "activation", "curves", "images", "photo", "choose", "label", "diagnose", "train", "data-and-runs",
           "figures")
EARLY = ForwardMsg.ScriptFinishedStatus.FINISHED_EARLY_FOR_RERUN


@dataclass
class Viewer:
    """One page.

    Attributes:
        components: id, fragment and data of each component of ours on the page, by its name.
        errors: types of the exceptions that the page showed.
        states: what the components hold, by id: a page sends all of it with each message. kept: messages by
            their hash, which the server then names in place of sending them again.
    """

    connection: ClientConnection
    query: str = ""
    page: str = ""
    components: dict[str, tuple[str, str, dict]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    kept: dict[str, ForwardMsg] = field(default_factory=dict)

    async def visit(self, query: str = "", page: str = "", timeout: float = PATIENCE) -> float:
        """Open a page; returns the seconds until the server was done."""
        self.query, self.page = query, page
        return await self.ask(BackMsg(), timeout)

    async def move(self, threshold: float, timeout: float = PATIENCE) -> float:
        """Let the bar go at a threshold; returns the seconds until the server was done."""
        found, fragment, data = self.components[CANVAS]
        view = {**data["meta"]["start"], "t": round(threshold * STEPS)}
        self.states[found] = json.dumps({"view": view})
        return await self.ask(BackMsg(), timeout, fragment)

    async def pick(self, image: str, timeout: float = PATIENCE) -> float:
        """Choose an image of the list; returns the seconds until the server was done."""
        found, fragment, _ = self.components[LIST]
        message = BackMsg()
        trigger = message.rerun_script.widget_states.widgets.add(id=TRIGGER.format(id=found))
        trigger.json_trigger_value = json.dumps([{"event": "pick", "value": {"name": image, "next": []}}])
        return await self.ask(message, timeout, fragment)

    async def ask(self, message: BackMsg, timeout: float, fragment: str = "") -> float:
        """Send a message with the page's state, and take in the answer up to its end.

        Raises:
            TimeoutError: the server was not done in time. ConnectionClosed: it went away.
        """
        state = message.rerun_script
        state.query_string, state.fragment_id, state.page_name = self.query, fragment, self.page
        state.cached_message_hashes.extend(self.kept)
        for found, value in self.states.items():
            state.widget_states.widgets.add(id=found, json_value=value)
        began = time.perf_counter()
        await self.connection.send(message.SerializeToString())
        async with asyncio.timeout(timeout):
            while not self.take(ForwardMsg.FromString(await self.connection.recv())):
                pass
        return time.perf_counter() - began

    def take(self, message: ForwardMsg) -> bool:
        """Take in one message; tells whether the server is done."""
        if message.WhichOneof("type") == "ref_hash":
            message = self.kept.get(message.ref_hash, message)
        elif message.metadata.cacheable and message.hash:
            self.kept[message.hash] = message
        if message.WhichOneof("type") == "delta":
            self.take_delta(message)
        elif message.WhichOneof("type") == "page_info_changed":
            self.query = message.page_info_changed.query_string
        return message.WhichOneof("type") == "script_finished" and message.script_finished != EARLY

    def take_delta(self, message: ForwardMsg) -> None:
        """Take in one element: a component of ours, or an exception."""
        element, fragment = message.delta.new_element, message.delta.fragment_id
        if element.WhichOneof("type") == "exception":
            self.errors.append(element.exception.type)
        elif element.WhichOneof("type") == "bidi_component":
            proto = element.bidi_component
            self.components[proto.component_name] = proto.id, fragment, json.loads(proto.mixed.json or proto.json)
            self.states.setdefault(proto.id, "{}")  # what a component says of itself before anything is done

    @property
    def images(self) -> list[str]:
        """The images of the list on the page."""
        return self.components[LIST][2]["list"]["names"].split("\n") if LIST in self.components else []


def open_viewer(address: str, **headers: str):
    """Open the connection of a page, ``async with open_viewer("127.0.0.1:8501") as connection``."""
    return connect(f"ws://{address}/_stcore/stream", origin=f"http://{address}", subprotocols=["streamlit"],
                   max_size=LARGEST, open_timeout=60, additional_headers=headers, proxy=None)


@dataclass
class Times:
    """Seconds of each kind of wait of all viewers, and what went wrong."""

    visits: list[float] = field(default_factory=list)
    moves: list[float] = field(default_factory=list)
    images: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


async def look_around(viewer: Viewer, draw: random.Random, pause: float, times: Times) -> None:
    """Move the threshold twice, then choose an image; each has to be what the page shows afterwards."""
    for _ in range(2):
        await asyncio.sleep(draw.expovariate(1 / pause))
        threshold = draw.randrange(STEPS + 1) / STEPS
        times.moves.append(await viewer.move(threshold))
        if f"t={threshold:.3f}" not in viewer.query:
            times.errors.append(f"the threshold {threshold:.3f} was not taken: {viewer.query}")
    await asyncio.sleep(draw.expovariate(1 / pause))
    image = draw.choice(viewer.images)
    times.images.append(await viewer.pick(image))
    if viewer.components[CANVAS][2]["meta"]["image"] != image:
        times.errors.append(f"{image} was not shown")


async def be_viewer(address: str, number: int, until: float, arguments: argparse.Namespace, times: Times) -> None:
    """Be one viewer until a time: in one page, or in one after the other."""
    draw = random.Random(number)
    await asyncio.sleep(draw.random() * arguments.pause)
    while time.perf_counter() < until:
        try:
            async with open_viewer(address) as connection:
                viewer = Viewer(connection)
                times.visits.append(await viewer.visit(
                    arguments.query, draw.choice(SCREENS) if arguments.tour else ""))
                while not arguments.tour and time.perf_counter() < until:
                    await look_around(viewer, draw, arguments.pause, times)
                times.errors += viewer.errors
        except (ConnectionClosed, TimeoutError, OSError, KeyError, InvalidHandshake) as error:
            times.errors.append(f"{type(error).__name__}: {error}")
        await asyncio.sleep(draw.expovariate(1 / arguments.pause))


async def look_together(arguments: argparse.Namespace) -> Times:
    """Let all viewers look at once."""
    times, until = Times(), time.perf_counter() + arguments.seconds
    first = arguments.seed * arguments.viewers
    await asyncio.gather(*(be_viewer(arguments.address, first + number, until, arguments, times)
                           for number in range(arguments.viewers)))
    return times


def read_arguments() -> argparse.Namespace:
    """Read what the benchmark hands on."""
    parser = argparse.ArgumentParser(prog="python -m app.viewers")
    parser.add_argument("--address", required=True, help="HOST:PORT of the server")
    parser.add_argument("--query", default="", help="what stands behind the question mark")
    parser.add_argument("--viewers", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pause", type=float, default=3, help="mean seconds between an answer and the next move")
    parser.add_argument("--tour", action="store_true", help="open one screen after the other instead")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Look, and print the times as JSON."""
    found: dict[str, Any] = vars(asyncio.run(look_together(read_arguments())))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
