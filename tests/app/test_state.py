"""The shared choices and their way into the URL and back."""

from math import inf

import pytest

from app.state import PARAMS, PREFIX, collect, fit, is_classroom, restore
from tests.app.conftest import get_component


def test_choices_survive_the_way_through_the_url():
    chosen = {"t": 0.205, "runs": ("a/cam", "a/amn"), "contour": False, "image": "x"}
    session = {PREFIX + name: value for name, value in chosen.items()}
    query = collect({"t", "runs", "contour", "image", "sort"}, session)
    assert query == {"t": "0.205", "runs": "a/cam~a/amn", "contour": "0", "image": "x"}
    restored = {}
    restore(query, restored)
    assert restored == session


@pytest.mark.parametrize(("text", "bounds"), [
    ("0.2~0.5", (0.2, 0.5)), ("5~", (5.0, inf)), ("~-0.1", (-inf, -0.1)), ("1~1", (1.0, 1.0))])
def test_ranges_survive_the_way_through_the_url(text, bounds):
    session = {}
    restore({"gap-range": text}, session)
    assert session == {PREFIX + "gap-range": bounds}
    assert collect({"gap-range"}, session)["gap-range"] == text


def test_threshold_is_always_in_the_url_and_other_defaults_never():
    assert collect(set(PARAMS), {}) == {"t": PARAMS["t"].write(PARAMS["t"].default)}


def test_choices_of_other_screens_stay_out_of_the_url():
    assert "image" not in collect({"t"}, {PREFIX + "image": "x"})


@pytest.mark.parametrize(
    ("name", "text"), [("t", "1.5"), ("t", "abc"), ("t", "nan"), ("contour", "yes"), ("low", "-1"),
    ("gap-range", "0.5"), ("gap-range", "2~1"), ("gap-range", "nan~1"), ("gap-range", "1~2~3")])
def test_unreadable_choices_are_passed_over(name, text):
    session = {}
    restore({name: text, "unknown": "1"}, session)
    assert session == {}


@pytest.mark.parametrize(("value", "default", "options", "expected"), [
    ("b", "a", ["a", "b"], "b"), ("z", "a", ["a", "b"], "a"), ("z", "y", ["a", "b"], "a"), ("z", None, None, "z"),
    (("a", "z"), (), ["a", "b"], ("a",)),
])


def test_value_is_fitted_to_what_is_on_offer(value, default, options, expected):
    assert fit(value, default, options) == expected


def test_classroom_is_a_switch_in_the_environment(monkeypatch):
    monkeypatch.delenv("AMN_CLASSROOM", raising=False)
    assert not is_classroom()
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    assert is_classroom()
    monkeypatch.setenv("AMN_CLASSROOM", "0")
    assert not is_classroom()


def test_going_back_takes_every_choice_from_the_address_and_forgets_later_ones(open_app, group, scenes, monkeypatch):
    at = open_app("explore", data=group, image=scenes.ids[1], layer="mask", t="0.300")
    monkeypatch.setattr("app.state.is_history_step", lambda: True)
    for name, value in (("image", scenes.ids[2]), ("t", "0.400"), ("data", group)):
        at.query_params[name] = value
    del at.query_params["layer"]
    at.run()
    start = get_component(at, "amn_canvas")["meta"]
    assert (start["image"], at.query_params["image"], at.query_params["t"]) == (scenes.ids[2], scenes.ids[2], "0.400")
    assert "layer" not in at.query_params


def test_back_returns_to_the_image_before_and_forward_to_the_next(open_page, group, scenes):
    page = open_page("", data=group, image=scenes.ids[0], sort="name", t="0.300")
    page.wait_for_selector(f".amn[data-ready={scenes.ids[0]}]")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**t=0.305**")
    page.keyboard.press("]")
    page.wait_for_selector(f".amn[data-ready={scenes.ids[1]}]")
    page.wait_for_url(f"**image={scenes.ids[1]}**")
    page.go_back()
    page.wait_for_selector(f".amn[data-ready={scenes.ids[0]}]")
    page.wait_for_url(lambda url: scenes.ids[0] in url)
    page.go_forward()
    page.wait_for_selector(f".amn[data-ready={scenes.ids[1]}]")
    page.wait_for_url(lambda url: scenes.ids[1] in url)
