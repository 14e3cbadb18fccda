"""COCO through the commands, as a user types them: check, train, extract, count, compare."""

import numpy as np

from amn_core.cli import main
from amn_core.formats.runs import load_run
from tests.data.coco_maker import make_coco


def test_commands_run_on_coco_from_check_to_compare(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spec = f"coco:{make_coco(tmp_path / 'coco')}"
    assert main(["data", "check", spec, "--split", "train"]) == 0
    assert "4 images, 80 classes, labels from annotations (instances_train2014.json" in capsys.readouterr().out
    assert main(["train", "cam", "--data", spec, "--split", "train", "--out", str(tmp_path / "cam"),
                 "--epochs", "1", "--batch", "2", "--crop", "32",
                 "--long-side-min", "32", "--long-side-max", "48", "--device", "cpu"]) == 0
    model = next((tmp_path / "cam").glob("*.pth"))
    for name in ("a", "b"):
        assert main(["extract", "--checkpoint", str(model), "--data", spec, "--split", "train", "--out",
                     str(tmp_path / name), "--scales", "1", "--device", "cpu"]) == 0
        assert main(["count", "--run", str(tmp_path / name)]) == 0
    run = load_run(tmp_path / "a")
    assert run.meta["data"] == "coco:coco" and run.meta["protocol"]["ground_truth"] == "instances_train2014.json"
    cam, class_ids = run.map("COCO_train2014_000000000034", (24, 32))
    assert len(cam) == len(class_ids) == 0
    np.testing.assert_array_equal(run.map("COCO_train2014_000000000009", (24, 32))[1], [1, 17, 40])
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0


def test_check_says_what_is_missing(tmp_path, capsys):
    make_coco(tmp_path / "coco", annotations=[{"id": 1}])
    assert main(["data", "check", f"coco:{tmp_path / 'coco'}", "--split", "train"]) == 1
    assert "give instances_*.json" in capsys.readouterr().err
