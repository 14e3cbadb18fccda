"""The layers after CRF and PAMR: what is made behind the page, in which order, and what the browser shows of it."""

import re
import zlib

import numpy as np
import pytest
from playwright.sync_api import expect

from amn_core.infer.cuts import CutRefiner
from amn_core.sweep.confusion import count_mask, score_miou
from app.cache import refinements
from app.cache.refinements import GRID, Refinement, fill
from app.components.refined import describe_status, pack_masks
from tests.app.test_canvas import open_image, settle
from tests.app.test_live import count_messages

READY = """() => {
  const masks = Object.values(globalThis.amnBench?.refined?.masks || {});
  return masks.length === 3 && masks.every((one) => one.size === 51);
}"""


def refine(run, scenes, image_id: str, method: str, threshold: float) -> np.ndarray:
    """Refine one mask alone, as class ids."""
    image, (cam, class_ids) = scenes.image(image_id), run.map(image_id)
    labels = CutRefiner(image, cam, method).refine(np.array([threshold]))[0]
    return np.concatenate([[0], class_ids])[labels]


def test_present_threshold_comes_first_then_its_neighbours():
    one = Refinement("crf", present=0.41)
    assert one.choose_next().tolist() == [20]
    one.masks[20] = b""
    assert set(one.choose_next().tolist()) == {21, 19, 22, 18, 23, 17, 24, 16}
    one.present = 0.9  # the hand has moved on
    assert one.choose_next().tolist() == [45]
    one.masks = dict.fromkeys(range(len(GRID)), b"")
    assert one.is_over


@pytest.mark.parametrize("method", ["crf", "pamr"])
def test_masks_are_those_of_each_threshold_alone(method, runs, scenes):
    one = Refinement(method, wanted_by={"me"})
    fill(one, runs["amn"], scenes.ids[0])
    assert one.is_over and not one.error and not one.is_queued
    for index in (5, 20):
        found = np.frombuffer(zlib.decompress(one.masks[index]), np.uint8)
        expected = refine(runs["amn"], scenes, scenes.ids[0], method, GRID[index])
        assert (found.reshape(expected.shape) == expected).mean() > 0.999


def test_what_nobody_waits_for_stops_and_goes_on_when_asked_again(runs, scenes, monkeypatch):
    one = Refinement("crf", wanted_by={"me"}, is_queued=True)
    choose = one.choose_next

    def leave():
        if len(one.masks) >= 9:
            one.wanted_by.discard("me")
        return choose()

    monkeypatch.setattr(one, "choose_next", leave)
    fill(one, runs["cam"], scenes.ids[0])
    assert 9 <= len(one.masks) < len(GRID) and not one.is_queued and not one.is_over
    before = dict(one.masks)
    monkeypatch.setattr(one, "choose_next", choose)
    one.wanted_by.add("me")
    fill(one, runs["cam"], scenes.ids[0])
    assert one.is_over and all(one.masks[index] is packed for index, packed in before.items())
    skipped = Refinement("crf")
    fill(skipped, runs["cam"], scenes.ids[0])
    assert not skipped.masks


def test_what_cannot_be_refined_says_why(runs):
    one = Refinement("crf", wanted_by={"me"})
    fill(one, runs["cam"], "no-such-image")
    assert one.is_over and "no-such-image" in one.error
    assert "After dense CRF: " in describe_status({"cam": one}, "crf") and "no-such-image" in one.error


def test_masks_are_packed_with_the_step_of_the_bar():
    one = Refinement("crf", masks={3: b"abc", 1: b"de"})
    meta, blob = pack_masks({"cam": one})
    assert meta == {"cam": [[4, 0, 2], [12, 2, 3]]} and blob.tobytes() == b"deabc"
    assert describe_status({"cam": one}, "pamr") == f"After PAMR: 2 of {len(refinements.GRID)} masks are ready"


def test_layer_shows_the_refined_mask_and_its_score_while_dragging(open_page, group, runs, scenes):
    image_id = scenes.ids[0]
    page = open_image(open_page, group, image_id, layer="crf", t="0.300", averaging="union")
    page.wait_for_function(READY)
    settle(page)
    truth, n = scenes.gt(image_id), len(scenes.class_names)
    for press, threshold in ((None, 0.30), ("End", 1.0)):
        if press:
            count_messages(page)
            page.locator(".threshold-track").first.dispatch_event("keydown", {"key": press, "bubbles": True})
            settle(page)
            assert page.evaluate("sentByPage") == 0
        shown = page.locator(".panel.method .score").all_inner_texts()
        for text, method in zip(shown, ("cam", "amn-without-lcm", "amn"), strict=True):
            mask = refine(runs[method], scenes, image_id, "crf", threshold)
            expected = score_miou(count_mask(mask, truth, n)[:, :n])
            found, at = re.fullmatch(r"([\d.]+) at ([\d.]+)", text).groups()
            assert float(at) == threshold and float(found) == pytest.approx(100 * expected, abs=0.11)
    expect(page.locator(".scores th").nth(1)).to_have_text("After CRF")


def test_layer_can_be_chosen_and_left_again(open_page, group, scenes):
    page = open_image(open_page, group, scenes.ids[1], layer="mask", t="0.300")
    settle(page)
    page.locator("[data-layer=pamr]").click()
    page.wait_for_url("**layer=pamr*")
    page.wait_for_function(READY)
    settle(page)
    expect(page.locator(".panel.method .score")).to_contain_text([" at 0.300"] * 3)
    page.locator("[data-layer=mask]").click()
    expect(page.locator(".panel.method .score").filter(has_text=" at ")).to_have_count(0)
