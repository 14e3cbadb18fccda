"""Processes that work for a page load the app's file as theirs: they must not open the page again."""

import runpy

import pytest

from tests.app.conftest import REPOSITORY


def test_loading_the_app_for_a_worker_opens_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    monkeypatch.setattr(st, "navigation", lambda *args, **more: pytest.fail("a worker opened the page"))
    monkeypatch.setattr(st, "set_page_config", lambda **more: pytest.fail("a worker opened the page"))
    loaded = runpy.run_path(str(REPOSITORY / "app" / "main.py"), run_name="__mp_main__")  # as multiprocessing does
    assert callable(loaded["main"])
