"""A folder with the official code's checkpoints is added once, and looks at photographs from then on."""

from pathlib import Path

import pytest
import torch

from amn_core.constants import VOC_CLASSES
from app import official_runs, roots
from app.cache import runs as cached
from app.pictures import photos
from tests.app.conftest import get_component
from tests.app.test_data_and_runs import find_button
from tests.app.test_photo import draw_picture, encode
from tests.formats.official_models import OfficialAMN, OfficialCAM


@pytest.fixture(scope="module")
def official(tmp_path_factory) -> Path:
    """A folder with a random CAM and AMN of the official structure."""
    folder = tmp_path_factory.mktemp("files") / "res50"
    folder.mkdir()
    torch.manual_seed(0)
    for name, network in {"cam": OfficialCAM, "amn": OfficialAMN}.items():
        torch.save(network().state_dict(), folder / f"res50_{name}.pth")
    return folder


def add(open_app, folder: Path):
    """Add a folder on Data and runs."""
    at = open_app("data_and_runs")
    at.text_input(key="add-runs-folder").set_value(str(folder))
    find_button(at, "Add runs").click().run()
    assert not at.exception
    return at


def test_official_checkpoints_are_added_listed_and_forgotten(open_app, official) -> None:
    at = add(open_app, official)
    assert not at.error
    table = at.dataframe[0].value.set_index("key")
    assert {"res50/cam", "res50/amn"} <= set(table.index) and table.loc["res50/amn", "name"] == "AMN (official)"
    assert "" not in set(at.dataframe[1].value["data"])
    assert all(run.meta["data"] for group in cached.group_runs().values() for run in group.values())
    for _ in range(2):
        find_button(at, "Forget").click().run()
    assert roots.load_added()["official"] == [] and "res50/cam" not in set(at.dataframe[0].value["key"])


def test_a_photograph_is_looked_at_by_the_official_checkpoints(open_app, official) -> None:
    add(open_app, official)
    assert list(photos.find_models(cached.find_runs())["res50"]) == ["cam", "amn"]
    at = open_app("photo", bundle="res50")
    at.file_uploader[0].upload("photo.png", encode(draw_picture(80, 60), "PNG")).run()
    assert not at.exception and not at.error
    meta = get_component(at, "amn_canvas")["meta"]
    assert [method["label"] for method in meta["methods"]] == ["CAM", "AMN"]
    assert len(at.get("pills")[0].options) == 20 and at.get("pills")[0].options[0].split()[0] in VOC_CLASSES


def test_broken_official_checkpoint_is_named_and_not_added(open_app, official, tmp_path) -> None:
    state = torch.load(official / "res50_cam.pth", weights_only=True)
    del state["stage2.0.0.conv1.weight"]
    torch.save(state, tmp_path / "res50_cam.pth")
    at = add(open_app, tmp_path)
    assert len(at.error) == 1
    assert "the tensor stage2.0.0.conv1.weight is missing" in at.error[0].value.replace("\\", "")  # names are text
    (tmp_path / "res50_cam.pth").write_bytes((official / "res50_cam.pth").read_bytes()[:1000])
    at = add(open_app, tmp_path)
    assert len(at.error) == 1 and "not a readable checkpoint" in at.error[0].value
    assert roots.load_added()["official"] == []


def test_official_amn_alone_is_not_added(open_app, official, tmp_path) -> None:
    (tmp_path / "res50_amn.pth").symlink_to(official / "res50_amn.pth")
    at = add(open_app, tmp_path)
    assert len(at.error) == 1 and "no checkpoint of an official CAM" in at.error[0].value


@pytest.mark.parametrize("item", ["", "cam", "cam:21:/gone.pth", "cam:7:x", "irn:21:x", "cam:many:x"])
def test_what_was_written_down_wrongly_is_passed_over(item: str) -> None:
    assert official_runs.build_run(item) is None
    assert isinstance(official_runs.describe_item(item), str)
