"""The brush of *Label*: what is painted is kept as a label PNG and as answers, once, and can be taken back."""

import numpy as np
import pytest
from playwright.sync_api import expect

from amn_core.choosing.painting import draw_dabs, read_strokes
from amn_core.formats.answers import load_entries
from amn_core.formats.masks import load_mask
from app import brushing, roots
from app.cache import answers as cached_answers
from app.components import mask_form


@pytest.fixture
def kept(open_app, runs, tmp_path, monkeypatch):
    """The file of answers, in a folder of its own."""
    monkeypatch.setattr(roots, "find_answers", lambda: tmp_path / "answers.jsonl")
    return tmp_path / "answers.jsonl"


def write_lengths(labels: np.ndarray) -> list[int]:
    """Write a mask as the browser sends it."""
    flat = labels.ravel()
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    return [int(one) for pair in zip(flat[starts], np.diff(np.r_[starts, len(flat)]), strict=True) for one in pair]


def test_strokes_are_read_as_they_were_painted():
    labels = np.random.default_rng(0).choice([0, 2, 255], (5, 7)).astype(np.uint8)
    np.testing.assert_array_equal(read_strokes(write_lengths(labels), (5, 7), [0, 2, 255]), labels)
    wrong = (([0, 34], "34 pixels"), ([1, 35], "not offered"), ([0, 30, 5], "no list"), (["0", 35], "no list"))
    for lengths, words in wrong:
        with pytest.raises(ValueError, match=words):
            read_strokes(lengths, (5, 7), [0, 2, 255])


def test_dabs_are_pixels_of_the_mask_and_none_is_unsure():
    labels = np.array([[0, 0, 1, 255], [255, 1, 1, 0]], np.uint8)
    dabs = draw_dabs(labels, ("background", "cat"), np.random.default_rng(0))
    assert len(dabs) == 6
    for dab in dabs:
        value = labels[int(dab.y * 2), int(dab.x * 4)]
        assert (dab.kind, dab.name) == (("background", ""), ("object", "cat"))[value]
    assert len(draw_dabs(labels, ("background", "cat"), np.random.default_rng(0), n=3)) == 3


def test_a_mask_is_kept_as_png_and_answers_and_moves_the_estimate(kept, runs, scenes):
    run = runs["cam"]
    sheet = brushing.draw_sheet(run, np.random.default_rng(1))
    gt = np.where(np.isin(scenes.gt(sheet.image), [one["value"] for one in sheet.labels]), scenes.gt(sheet.image), 255)
    before = cached_answers.load_standing(run)
    painted = brushing.keep_mask(run, sheet, write_lengths(gt), "Ada")
    np.testing.assert_array_equal(load_mask(painted.path, 256), gt)
    entries, after = load_entries(kept), cached_answers.load_standing(run)
    assert {entry.id for entry in entries} == set(painted.entries) and {entry.who for entry in entries} == {"Ada"}
    assert len(after.placed.entries) == len(entries) and after.placed.answers.counts.sum() < len(entries) / 2
    assert float(after.bounds.lost) != float(before.bounds.lost)
    assert brushing.draw_sheet(run, np.random.default_rng(1)).image != sheet.image
    brushing.take_back(painted)
    assert not load_entries(kept) and not painted.path.exists()


def test_what_is_no_mask_of_the_image_is_not_kept(kept, runs):
    sheet = brushing.draw_sheet(runs["cam"], np.random.default_rng(0))
    with pytest.raises(ValueError, match="paint it again"):
        brushing.keep_mask(runs["cam"], sheet, [0, 3])
    assert not kept.exists() and not brushing.find_path(runs["cam"], sheet.image).exists()


@pytest.mark.parametrize(("is_classroom", "offered"), [("1", 0), ("0", 1)])
def test_viewers_of_a_classroom_are_offered_no_brush(open_app, group, monkeypatch, is_classroom, offered):
    monkeypatch.setenv("AMN_CLASSROOM", is_classroom)
    at = open_app("label", data=group)
    assert not at.exception and len(at.get("button_group")) == offered


@pytest.mark.parametrize(("is_classroom", "is_written"), [("1", False), ("0", True)])
def test_viewers_of_a_classroom_write_no_mask(kept, runs, monkeypatch, is_classroom, is_written):
    sheet = brushing.draw_sheet(runs["cam"], np.random.default_rng(0))
    monkeypatch.setattr(mask_form.st, "session_state", {mask_form.SHEET: (("cam", 0), sheet)})
    monkeypatch.setenv("AMN_CLASSROOM", is_classroom)
    mask_form.keep(runs["cam"], ("cam", 0), sheet.id, [0, sheet.shape[0] * sheet.shape[1]], "")
    assert kept.exists() == brushing.find_path(runs["cam"], sheet.image).exists() == is_written


def test_an_image_is_painted_and_kept_in_the_browser(open_page, group, scenes, runs_root):
    (runs_root / "answers.jsonl").unlink(missing_ok=True)
    page = open_page("label", data=group, of="drawn/cam")
    page.get_by_role("radio", name="Masks").click()
    brush = page.locator(".brusher[data-sheet]")
    brush.wait_for()
    sheet, image = (brush.get_attribute(name) for name in ("data-sheet", "data-image"))
    box = page.locator(".sheet canvas").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 20, middle[1] + 5, steps=4)
    page.mouse.up()
    page.locator(".brusher[data-painted]").wait_for()
    assert int(brush.get_attribute("data-painted")) > 50
    page.keyboard.press("z")
    expect(brush).to_have_attribute("data-painted", "0")
    page.mouse.down()
    page.mouse.up()
    expect(brush).not_to_have_attribute("data-painted", "0")
    page.keyboard.press("Enter")
    expect(brush).not_to_have_attribute("data-sheet", sheet)
    page.get_by_text("of its pixels as answers").wait_for()
    assert {entry.image for entry in load_entries(runs_root / "answers.jsonl")} == {image}
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("of its pixels as answers")).to_have_count(0)
    assert not load_entries(runs_root / "answers.jsonl")
