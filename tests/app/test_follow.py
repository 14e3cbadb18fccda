"""Follow the teacher: a viewer's page takes over the teacher's page and choices, and nobody else leads."""

import pytest

from app import state
from app.components import follow


@pytest.fixture(autouse=True)
def classroom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server for a classroom."""
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    monkeypatch.setenv("AMN_TEACHER_KEY", "key")


def test_viewer_takes_over_choices_and_page(open_app) -> None:
    at = open_app("explore", t="0.2")
    follow.get_lead().page, follow.get_lead().query, follow.get_lead().changes = "curves", {"t": "0.625"}, 1
    at = at.sidebar.toggle(key=follow.WANTED).set_value(True).run()
    assert not at.exception and at.session_state[state.PREFIX + "t"] == pytest.approx(0.625)
    assert at.session_state[state.PAGE] == "curves"


def test_viewer_does_not_lead(open_app) -> None:
    open_app("explore", t="0.2")
    assert follow.get_lead().changes == 0


def test_teacher_leads(open_app, monkeypatch) -> None:
    monkeypatch.setattr(state, "is_teacher", lambda: True)
    at = open_app("explore", t="0.2")
    assert follow.get_lead().query["t"] == "0.200" and follow.get_lead().changes > 0
    assert not any(one.key == follow.WANTED for one in at.sidebar.toggle)
