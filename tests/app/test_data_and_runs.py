"""Data and runs shows what is here, where it comes from, and adds what exists."""

import os
import shutil

import numpy as np
import pytest

from amn_core.formats.masks import save_mask
from amn_core.formats.runs import load_run
from amn_core.jobs import wait_for_job
from app import imports, roots
from app.cache import runs as cached
from app.words import provenance
from tests.data.coco_maker import make_coco
from tests.data.pets_maker import make_pets


def find_button(at, label: str):
    """Find a button by its label."""
    return next(button for button in at.button if button.label == label)


def wait_for_import(job):
    """Wait until an import is done and open its run."""
    job = wait_for_job(job, 120)
    assert job.state == "done", job.error
    return load_run(job.path / "run")


@pytest.fixture
def open_data(open_app):
    """Open Data and runs."""
    return lambda **query: open_app("data_and_runs", **query)


class Hostile:
    """What makes a pickle run a command when it is read without care."""

    def __reduce__(self):
        return os.system, ("false",)


@pytest.fixture
def maps(scenes, tmp_path):
    """Maps of the scenes by another method: a dict of planes by 0-based class, halved so that none reaches 1."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    for image_id in scenes.ids:
        gt = scenes.gt(image_id)
        planes = {int(c) - 1: ((gt == c) * 0.4 + 0.1).astype(np.float32) for c in scenes.class_ids(image_id)}
        np.save(folder / f"{image_id}.npy", np.array(planes, dtype=object), allow_pickle=True)
    return folder


@pytest.fixture
def open_import(open_data, scenes, tmp_path, monkeypatch):
    """Open Data and runs with jobs of its own, fill in the form of an import and press one of its buttons."""
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))

    def press(folder, button: str, name: str = "ReCAM", **choices: str):
        at = open_data()
        at.text_input(key="import-maps").set_value(str(folder))
        at.text_input(key="import-name").set_value(name)
        at.text_input(key="import-split").set_value("val")
        at.selectbox(key="import-data").set_value(scenes.spec)
        for key, value in choices.items():
            at.selectbox(key=f"import-{key}").set_value(value)
        find_button(at, button).click()
        return at.run()

    return press


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
    assert not any(roots.load_added().values())


def test_a_folder_without_images_is_not_added_as_data(open_data, tmp_path):
    at = open_data()
    at.text_input(key="add-data-folder").set_value(str(tmp_path))
    find_button(at, "Add data set").click().run()
    assert not at.exception
    assert len(at.error) == 1
    assert roots.load_added()["data"] == []


def test_a_root_of_coco_is_added(open_data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = make_coco(tmp_path / "COCO")
    at = open_data()
    next(box for box in at.selectbox if box.label == "Layout").set_value("coco")
    at.text_input(key="add-data-folder").set_value(str(root))
    find_button(at, "Add data set").click().run()
    assert not at.exception and not at.error
    assert roots.load_added()["data"] == [f"coco:{root}"]


@pytest.mark.parametrize(("layout", "options"), [("pets", ""), ("species", ",classes=species")])
def test_pets_are_added_and_their_photographs_found_for_runs_on_them(open_data, tmp_path, layout, options):
    root = make_pets(tmp_path / "pets")
    at = open_data()
    next(box for box in at.selectbox if box.label == "Layout").set_value(layout)
    at.text_input(key="add-data-folder").set_value(str(root))
    find_button(at, "Add data set").click().run()
    assert not at.exception and not at.error
    assert roots.load_added()["data"] == [f"pets:{root}{options}"]
    for wanted in ("", ",classes=species"):  # a run knows its own classes, whichever of both was added
        found = cached.find_dataset(f"pets:pets{wanted}", "", "trainval")
        assert found.spec == f"pets:{root}{wanted}" and len(found.class_names) == (3 if wanted else 38)


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
    assert text == "model.pth · sha256 0123456789ab…"


def test_marked_runs_that_differ_are_warned_about(open_page):
    page = open_page("data-and-runs")
    table = page.locator("[data-testid=stDataFrame]").first
    table.wait_for()
    table.scroll_into_view_if_needed()
    page.wait_for_timeout(800)
    box = table.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 16)  # the box above the first column marks all rows
    page.get_by_text("Not comparable · Data set").wait_for()


def test_a_look_says_what_the_files_are_and_starts_nothing(open_import, maps, scenes):
    at = open_import(maps, "Look at the files")
    assert not at.exception and not at.error
    assert f"{len(scenes.ids)} of {len(scenes.ids)} images have a file" in at.info[0].value
    assert "classes count from 0" in at.info[0].value
    assert imports.list_imports() == []


def test_an_import_becomes_a_run_with_its_report(open_import, maps, scenes):
    at = open_import(maps, "Import", normalisation="max")
    assert not at.exception and not at.error
    run = wait_for_import(imports.list_imports()[0])
    assert (run.name, run.meta["protocol"]["normalisation"], run.has_counts) == ("ReCAM", "max", True)
    at.run()
    table = at.dataframe[0].value.set_index("name")
    assert table.loc["ReCAM", "origin"] == "imported"
    report = next(text.value for text in at.text if text.value.startswith("ReCAM:"))
    assert f"{len(scenes.ids)} images" in report
    find_button(at, "Open in Curves").click().run()
    assert not at.exception
    assert at.query_params["data"] == f"{scenes.spec}/val"


def test_masks_can_be_imported_too(open_import, scenes, tmp_path):
    for image_id in scenes.ids:
        save_mask(tmp_path / "masks" / f"{image_id}.png", scenes.gt(image_id))
    at = open_import(tmp_path / "masks", "Look at the files")
    assert "finished masks" in at.info[0].value.lower()


@pytest.mark.parametrize(("folder", "name"), [
    ("", "x"), ("relative/path", "x"), ("/no/such/folder", "x"), ("{empty}", "x"), ("{maps}", "--out"),
])


def test_what_cannot_be_imported_says_why(open_import, maps, tmp_path, folder, name):
    (tmp_path / "empty").mkdir()
    at = open_import(folder.format(empty=tmp_path / "empty", maps=maps), "Import", name)
    assert not at.exception
    assert len(at.error) == 1
    assert imports.list_imports() == []


def test_files_that_could_run_code_are_refused(open_import, scenes, tmp_path):
    (tmp_path / "hostile").mkdir()
    for image_id in scenes.ids:
        np.save(tmp_path / "hostile" / f"{image_id}.npy", np.array(Hostile(), dtype=object), allow_pickle=True)
    at = open_import(tmp_path / "hostile", "Import")
    assert not at.exception
    assert "system" in at.error[0].value
    assert imports.list_imports() == []


def test_maps_are_imported_again_under_a_normalisation_that_others_have(open_import, maps, runs):
    open_import(maps, "Import")
    run = wait_for_import(imports.list_imports()[0])
    assert imports.find_targets(run, list(runs.values())) == ["max"]  # image-softmax needs the model
    assert imports.find_targets(runs["cam"], [run]) == []
    again = wait_for_import(imports.import_again(run, "max"))
    assert again.name == "ReCAM (max)"
    assert imports.find_targets(again, list(runs.values())) == []
    cam, _ = again.map(again.map_ids[0])
    assert cam.max() == 1 and run.map(run.map_ids[0])[0].max() == pytest.approx(0.5, abs=0.01)
