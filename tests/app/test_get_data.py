"""Getting a data set from the app: a job that downloads, one that makes maps, and the way into Explore."""

import hashlib

import pytest

from amn_core.data import choose_first_split
from amn_core.formats.runs import load_run
from amn_core.jobs import load_job, wait_for_job
from app import getting, roots
from tests.data import test_download
from tests.data.pets_maker import make_pets
from tests.data.test_download import Server, pack, voc_archive  # noqa: F401 - a fixture

server = test_download.server


def find_button(at, label: str):
    """Find a button by its label."""
    return next(button for button in at.button if button.label == label)


@pytest.fixture
def jobs_root(tmp_path, monkeypatch):
    """A folder for jobs of its own."""
    monkeypatch.setenv("AMN_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("AMN_VOC_ROOT", str(tmp_path / "none"))
    return tmp_path / "jobs"


def test_form_starts_a_download_whose_result_is_remembered(open_app, jobs_root, server, voc_archive, tmp_path):  # noqa: F811
    at = open_app("data_and_runs")
    at.text_input(key="get-root").set_value(str(tmp_path / "got"))
    at.text_input(key="get-url").set_value(server.url)
    find_button(at, "Get it").click()
    at.run()
    assert not at.exception
    job = wait_for_job(getting.list_own_jobs()[0], 60)
    assert job.state == "failed" and "its MD5 sum is" in job.error, "the small archive is not VOC's"
    at.run()
    assert any("its MD5 sum is" in error.value for error in at.error)


def test_what_was_got_is_found_remembered_and_offered_to_the_models(open_app, jobs_root, server, voc_archive, tmp_path):  # noqa: F811
    from amn_core.jobs import start_job

    md5 = hashlib.md5(voc_archive).hexdigest()
    words = ["data", "get", "voc", "--root", str(tmp_path / "got"), "--url", server.url, "--md5", md5]
    job = wait_for_job(start_job(jobs_root, "Get VOC", lambda path: words, "cpu"), 60)
    assert job.state == "done", job.error
    spec = f"voc:{tmp_path / 'got' / 'VOCdevkit' / 'VOC2012'}"
    assert getting.find_got(load_job(job.path)) == (spec,)
    at = open_app("data_and_runs")
    assert not at.exception
    assert spec in roots.list_data_specs()


def test_pets_are_found_as_species_and_breeds_and_offered_everywhere(open_app, jobs_root, server, tmp_path):
    from amn_core.jobs import start_job

    content = pack(make_pets(tmp_path / "made"), ".")  # both archives in one
    server.files = {"images.tar.gz": content, "annotations.tar.gz": content}
    root, md5 = tmp_path / "got", hashlib.md5(content).hexdigest()
    words = ["data", "get", "pets", "--root", str(root), "--url", server.url, "--md5", md5]
    job = wait_for_job(start_job(jobs_root, "Get pets", lambda path: words, "cpu"), 60)
    assert job.state == "done", job.error
    specs = [f"pets:{root},classes=species", f"pets:{root}"]
    assert list(getting.find_got(load_job(job.path))) == specs
    at = open_app("data_and_runs")
    assert not at.exception and list(roots.list_data_specs()) == specs
    assert set(specs) <= set(at.selectbox(key="check-data").options) & set(at.selectbox(key="import-data").options)
    at = open_app("train")
    assert not at.exception and set(specs) <= set(at.selectbox[0].options)


def test_maps_of_pets_are_made_for_the_split_that_they_have(jobs_root, tmp_path):
    job = getting.start_maps(roots.REPOSITORY / "checkpoints" / "voc-animals",
                             f"pets:{make_pets(tmp_path / 'pets')},classes=species",
                             choose_first_split("pets:"))
    job = wait_for_job(job, 120)
    assert job.state == "done", job.error
    run = load_run(job.path / "runs" / "cam")
    assert run.class_names == ("background", "cat", "dog") and run.meta["split"] == "trainval" and run.has_counts


@pytest.mark.parametrize(("root", "url", "words"), [
    ("data", "", "whole path"), ("", "", "whole path"), ("/data", "ftp://x", "begins with http")])
def test_wrong_places_are_refused_before_a_job_starts(jobs_root, root, url, words):
    with pytest.raises(ValueError, match=words):
        getting.start_get("voc", root, url)
    assert not jobs_root.exists()


def test_voc_is_looked_for_where_it_is_named_else_in_the_usual_places(tmp_path, monkeypatch):
    monkeypatch.setenv("AMN_VOC_ROOT", str(tmp_path / "here"))
    assert getting.find_voc() is None
    (tmp_path / "here" / "JPEGImages").mkdir(parents=True)
    assert getting.find_voc() == tmp_path / "here"
    monkeypatch.delenv("AMN_VOC_ROOT")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data" / "VOCdevkit" / "VOC2012" / "JPEGImages").mkdir(parents=True)
    monkeypatch.setattr(roots, "REPOSITORY", tmp_path / "project")
    assert getting.find_voc() == tmp_path / "data" / "VOCdevkit" / "VOC2012"
