"""Label: keys answer, the band and the threshold move, and nothing that was answered is lost."""

import shutil

import numpy as np
import pytest

from amn_core.choosing.placing import Question
from amn_core.formats.answers import load_entries
from amn_core.formats.runs import load_run
from app import labelling, roots
from app.cache import answers as cached_answers
from app.pictures.questions import Asked, choose_keys, pack_questions
from app.words.answers import write_stop


@pytest.fixture
def kept(open_app, runs, tmp_path, monkeypatch):
    """The file of answers, in a folder of its own."""
    monkeypatch.setattr(roots, "find_answers", lambda: tmp_path / "answers.jsonl")
    return tmp_path / "answers.jsonl"


def test_keys_are_letters_of_the_names_and_never_taken_twice():
    assert choose_keys(["horse", "person", "bird", "bus"]) == ["h", "p", "i", "s"]
    keys = choose_keys(["bou", "ub", "ooo"])
    assert keys == ["1", "2", "3"] and not set(keys) & {"b", "u", "o"}


def test_questions_are_packed_one_after_another():
    asked = [Asked(str(i), Question(f"image-{i}", 0.5, 0.5, 1.0), "0", (10, 20), bytes([i] * (i + 1)), ("cat",))
             for i in range(3)]
    described, blob = pack_questions(asked)
    for one, question in zip(asked, described, strict=True):
        start, length = question["span"]
        assert blob[start:start + length].tobytes() == one.jpeg


def test_answers_are_kept_once_in_order_and_can_be_taken_back(kept, runs):
    run, session = runs["cam"], labelling.Session()
    labelling.fill_queue(session, run, cached_answers.load_standing(run))
    first, second = session.queue[:2]
    name = session.asked[second].classes[0]
    sent = [{"number": 2, "question": second, "answer": f"object:{name}"},
            {"number": 1, "question": first, "answer": "background"}]
    labelling.take_answers(session, run, sent, "Ada")
    labelling.take_answers(session, run, sent, "Ada")
    assert [(entry.kind, entry.name, entry.who) for entry in load_entries(kept)] == [
        ("background", "", "Ada"), ("object", name, "Ada")]
    assert first not in session.queue and cached_answers.load_standing(run).placed.entries
    labelling.take_answers(session, run, [{"number": 3, "question": second, "answer": "back"}])
    assert [entry.kind for entry in load_entries(kept)] == ["background"] and session.queue[0] == second
    labelling.take_answers(session, run, [{"number": 4, "question": first, "answer": "object:nothing"}, "noise"])
    assert len(load_entries(kept)) == 1


def test_label_needs_neither_counts_nor_ground_truth(kept, runs, tmp_path):
    shutil.copytree(runs["cam"].path, tmp_path / "cam", ignore=shutil.ignore_patterns("counts.npz"))
    bare = load_run(tmp_path / "cam")
    with_counts, without = (cached_answers.load_standing(run) for run in (runs["cam"], bare))
    assert with_counts.threshold == pytest.approx(without.threshold, abs=0.02)


def test_label_offers_its_threshold_to_every_screen(open_app, group):
    at = open_app("label", data=group)
    assert not at.exception and any("Use 0." in button.label for button in at.button)


def test_label_says_what_is_missing(open_app, monkeypatch, tmp_path):
    monkeypatch.setenv("AMN_RUNS", str(tmp_path))
    at = open_app("label")
    assert not at.exception and "No run with maps and photographs here" in at.info[0].value


def test_words_say_when_to_stop():
    assert "enough" in write_stop(0.009, 50)
    assert write_stop(0.02, 100, seconds=2) == "about 220 more answers, 7 minutes, until at most a point is lost"


def press_right_key(page, scenes):
    """Answer the question on the page as the ground truth has it, and wait until the next one is there."""
    labeller = page.locator(".labeller")
    image, x, y = labeller.get_attribute("data-at").split()
    gt = scenes.gt(image)
    value = int(gt[int(float(y) * gt.shape[0]), int(float(x) * gt.shape[1])])
    before = labeller.get_attribute("data-question")
    if value:
        named = page.locator(".keys button", has_text=scenes.class_names[value]).locator("kbd")
        page.keyboard.press(named.first.inner_text().lower() if named.count() else "o")
    else:
        page.keyboard.press("b")
    page.locator(f'.labeller:not([data-question="{before}"]):not([data-question=""])').wait_for()


def read_state(page) -> tuple[float, float]:
    """Read the threshold and the points lost at most."""
    words = page.locator(".verdict").inner_text().split()
    return float(words[0]), float(words[4])


def test_thirty_answers_by_keys_move_the_threshold_and_narrow_the_band(open_page, group, scenes, runs_root):
    (runs_root / "answers.jsonl").unlink(missing_ok=True)
    page = open_page("label", data=group, of="drawn/cam")
    page.locator('.labeller[data-at*=" "]').wait_for()
    start = page.locator(".verdict").inner_text()
    assert "before any answer" in start
    states = []
    for n, more in ((10, 10), (30, 20)):
        for _ in range(more):
            press_right_key(page, scenes)
        page.locator(f'.labeller[data-kept="{n}"]').wait_for()
        states.append(read_state(page))
    assert states[1][1] < states[0][1] and float(start.split()[0]) != states[1][0]
    assert len(load_entries(runs_root / "answers.jsonl")) == 30
    page.keyboard.press("ArrowLeft")
    page.locator('.labeller[data-kept="31"]').wait_for()
    assert len(load_entries(runs_root / "answers.jsonl")) == 29
    page.reload()
    page.get_by_text("Question 30").wait_for()
    assert np.isfinite(read_state(page)).all()


def test_every_run_is_compared_with_the_chosen_one(kept, open_app, runs, group):
    run, session = runs["cam"], labelling.Session()
    for number in range(1, 13):
        labelling.fill_queue(session, run, cached_answers.load_standing(run))
        labelling.take_answers(session, run, [{
            "number": number, "question": session.queue[0], "answer": "background" if number % 2 else "other"}])
    at = open_app("label", data=group, of="drawn/cam")
    at.toggle(key="label-all").set_value(True).run()
    table = at.dataframe[0].value
    chosen = table["above"] == "–"
    assert not at.exception and chosen.sum() == 1 and (table["above"][~chosen].str.contains(" to ")).all()
