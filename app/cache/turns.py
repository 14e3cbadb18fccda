"""Turns: of all pages of this server one at a time lets a model run; whoever waits knows how many are before them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

POLL = 0.5  # seconds between looks whether it is one's turn


class Line:
    """A queue of those who want a turn, first come first served."""

    def __init__(self) -> None:
        self.waiting: list[object] = []
        self.changed = threading.Condition()

    @contextmanager
    def turn(self, tell: Callable[[int], None]) -> Iterator[None]:
        """Wait for one's turn and hold it for a while.

        Args:
            tell: called again and again while one waits, with how many are before; what it raises ends the waiting.
        """
        ticket = object()
        with self.changed:
            self.waiting.append(ticket)
        try:
            while (before := self.count_before(ticket)) > 0:
                tell(before)
            yield
        finally:
            with self.changed:
                self.waiting.remove(ticket)
                self.changed.notify_all()

    def count_before(self, ticket: object) -> int:
        """Count those before somebody, after a moment's wait for a change if there is one."""
        with self.changed:
            if self.waiting.index(ticket):
                self.changed.wait(POLL)
            return self.waiting.index(ticket)


@st.cache_resource(show_spinner=False)
def get_line() -> Line:
    """Get the queue for the models: one for the whole server."""
    return Line()
