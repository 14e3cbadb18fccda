"""What a viewer of a classroom makes: it works, stays in the page within limits, and nothing is written."""

import threading
from pathlib import Path

import pytest

from amn_core.formats.answers import load_entries
from app import labelling, roots
from app.cache import answers as cached_answers
from app.cache import own
from app.cache.turns import Line
from app.components.selection_form import FAILURE, store


@pytest.fixture(autouse=True)
def classroom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server for a classroom."""
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    monkeypatch.setenv("AMN_TEACHER_KEY", "key")


def list_files(*folders: Path) -> set[tuple[Path, int]]:
    """List every file with its time."""
    return {(path, path.stat().st_mtime_ns) for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_viewers_answers_move_the_viewers_threshold_and_no_file(runs, runs_root, monkeypatch, tmp_path):
    monkeypatch.setenv("AMN_RUNS", str(runs_root))
    monkeypatch.setattr(roots, "REPOSITORY", tmp_path)
    before, run, mine = list_files(runs_root, tmp_path), runs["cam"], own.OwnAnswers()
    session = labelling.Session(own=mine)
    labelling.fill_queue(session, run, cached_answers.load_standing(run, mine))
    first, second = session.queue[:2]
    labelling.take_answers(session, run, [{"number": 1, "question": first, "answer": "background"},
                                          {"number": 2, "question": second, "answer": "background"},
                                          {"number": 3, "question": second, "answer": "back"}])
    assert [entry.kind for entry in mine.entries] == ["background"]
    assert len(cached_answers.load_standing(run, mine).placed.entries) == 1
    assert list_files(runs_root, tmp_path) == before
    (tmp_path / "answers.jsonl").write_bytes(mine.write())
    assert load_entries(tmp_path / "answers.jsonl") == mine.entries


def test_answers_are_bounded(monkeypatch):
    monkeypatch.setattr(own, "MOST_ANSWERS", 2)
    mine = own.OwnAnswers()
    for number in range(5):
        mine.add(number)
    assert mine.entries == [0, 1]


def test_viewer_labels_and_has_a_download(open_app, group):
    at = open_app("label", data=group)
    assert not at.exception and any("Use 0." in button.label for button in at.button)
    assert not at.file_uploader and at.get("download_button")


def test_viewers_selection_is_kept_in_the_page_and_opened_again(open_app, group, tmp_path, scenes):
    at = open_app("images", data=group)
    at.session_state[own.SELECTIONS] = {group: {"hard ones": tuple(scenes.ids[:2])}}
    at = at.run()
    at.button(key="selection:hard ones").click().run()
    assert not at.exception and at.session_state["shared:subset"] == tuple(scenes.ids[:2])
    at.text_input(key="selection-name").set_value("mine").run()
    next(button for button in at.button if button.label == "Save").click().run()
    assert not at.exception and set(at.session_state[own.SELECTIONS][group]) == {"hard ones", "mine"}
    assert not list(tmp_path.rglob("*.txt"))


def test_odd_or_many_selections_are_refused_in_words(monkeypatch):
    kept = {}
    monkeypatch.setattr("streamlit.session_state", kept)
    store("group", "../../x", ("a",))
    assert "letters" in kept.pop(FAILURE)
    for number in range(own.MOST_SELECTIONS + 1):
        store("group", f"n{number}", ("a",))
    assert "selections" in kept[FAILURE] and len(own.list_selections("group")) == own.MOST_SELECTIONS


def test_one_at_a_time_in_the_order_of_coming_and_each_is_told_its_place():
    line, order, told, held = Line(), [], {}, threading.Event()

    def come(name: str) -> None:
        with line.turn(lambda before: told.setdefault(name, before)):
            order.append(name)
            assert line.waiting[0] and order.count(name) == 1
            held.wait(30)

    threads = []
    for number, name in enumerate("abc"):
        threads.append(threading.Thread(target=come, args=(name,)))
        threads[-1].start()
        while len(line.waiting) <= number:
            pass
    while len(told) < 2:
        pass
    assert order == ["a"] and told == {"b": 1, "c": 2}
    held.set()
    for thread in threads:
        thread.join(30)
    assert order == ["a", "b", "c"] and line.waiting == []


def test_who_goes_away_leaves_the_queue():
    line = Line()

    def leave(before: int) -> None:
        raise KeyboardInterrupt

    with line.turn(lambda before: None):
        with pytest.raises(KeyboardInterrupt), line.turn(leave):
            pass
        assert len(line.waiting) == 1
    assert line.waiting == []


def test_no_path_of_a_figure_is_read_for_a_viewer(open_app, group):
    at = open_app("figures", data=group, figure="consequence", options="results=/etc/passwd")
    assert not at.exception and not any("passwd" in str(one.value) for one in [*at.info, *at.error, *at.code])
    assert not any(one.key == "figure-option:results" for one in at.text_input)
