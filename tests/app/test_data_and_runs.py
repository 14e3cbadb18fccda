"""Data and runs shows what is here, where it comes from, and adds what exists."""

import shutil

import pytest

from app import provenance, roots


def find_button(at, label: str):
    """Find a button by its label."""
    return next(button for button in at.button if button.label == label)


@pytest.fixture
def open_data(open_app):
    """Open Data and runs."""
    return lambda **query: open_app("data_and_runs", **query)


def test_runs_are_listed_with_what_they_have(open_data):
    at = open_data()
    assert not at.exception
    table = at.dataframe[0].value.set_index("key")
    assert set(table.index) == {
        f"{data}/{method}" for data in ("drawn", "large") for method in ("cam", "amn-without-lcm", "amn")
    } | {"large/amn-again"}
    assert table[["counts", "maps", "photographs"]].all(axis=None)
    assert set(table["origin"]) == {"on disk"}


def test_data_sets_say_where_they_are(open_data, scenes):
    table = open_data().dataframe[1].value.set_index("data")
    assert table.loc[scenes.spec, "place"] == "drawn when they are needed"
    assert table.loc[scenes.spec, "runs"] == 3


def test_a_folder_of_runs_can_be_added_and_forgotten(open_data, runs_root, monkeypatch, tmp_path):
    copied = tmp_path / "elsewhere"
    shutil.copytree(runs_root / "drawn" / "cam", copied / "copied")
    at = open_data()
    at.text_input(key="add-runs-folder").set_value(str(copied))
    find_button(at, "Add runs").click().run()
    assert not at.error
    assert "copied" in set(at.dataframe[0].value["key"])
    find_button(at, "Forget").click().run()
    assert "copied" not in set(at.dataframe[0].value["key"])
    assert (copied / "copied" / "run.json").is_file()


@pytest.mark.parametrize("folder", ["", "relative/path", "../..", "/no/such/folder"])
def test_what_is_no_folder_is_not_added(open_data, folder):
    at = open_data()
    at.text_input(key="add-runs-folder").set_value(folder)
    find_button(at, "Add runs").click().run()
    assert not at.exception
    assert len(at.error) == 1
    assert roots.load_added() == {"runs": [], "data": []}


def test_a_folder_without_images_is_not_added_as_data(open_data, tmp_path):
    at = open_data()
    at.text_input(key="add-data-folder").set_value(str(tmp_path))
    find_button(at, "Add data set").click().run()
    assert not at.exception
    assert len(at.error) == 1
    assert roots.load_added()["data"] == []


def test_classroom_adds_nothing(open_data, monkeypatch):
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    at = open_data()
    assert not at.exception
    assert not at.text_input
    assert "read-only" in at.info[0].value


def test_nothing_here_says_what_to_do(open_data, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("AMN_RUNS", str(tmp_path / "empty"))
    at = open_data()
    assert not at.exception
    assert "No run with counts" in at.info[0].value


def test_provenance_tells_method_and_protocol(runs):
    source, protocol = provenance.describe_provenance(runs["cam"])
    assert source["Method"] == "CAM"
    assert source["Checkpoint"] == "not said"
    assert (protocol["Normalisation"], protocol["Flip"]) == ("max", "no")


def test_checkpoint_is_written_with_the_beginning_of_its_hash():
    text = provenance.write_checkpoint({"checkpoint": "model.pth", "sha256": "0123456789abcdef" * 4})
    assert text == "model.pth · sha256 `0123456789ab…`"


def test_marked_runs_that_differ_are_warned_about(open_page):
    page = open_page("data-and-runs")
    table = page.locator("[data-testid=stDataFrame]").first
    table.wait_for()
    table.scroll_into_view_if_needed()
    page.wait_for_timeout(800)
    box = table.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 16)  # the box above the first column marks all rows
    page.get_by_text("Not comparable · Data set").wait_for()
