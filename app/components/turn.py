"""One's place in the queue for the models, shown while one waits."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app.cache.turns import get_line


@contextmanager
def taking_turn(is_needed: bool = True) -> Iterator[None]:
    """Hold the turn to let a model run, if one has to; until it comes, the page says how many are before.

    Not to be used where a cache is filled: what is shown there would be shown again each time.
    """
    if not is_needed:
        yield
        return
    place = st.empty()

    def tell(before: int) -> None:
        place.info(f"One model runs at a time: you are number {before + 1} in the queue, and it goes on by itself.",
                   icon=":material/hourglass_top:")

    with get_line().turn(tell):
        place.empty()
        yield
