"""Importing other methods' maps and masks, and handing them back."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from amn_core.commands.export import FORMATS, ExportConfig, format_export, run_export
from amn_core.commands.import_maps import build_plan, build_reimport, open_context, prepare_parts, run_import
from amn_core.commands.import_plan import ImportConfig
from amn_core.commands.import_report import format_report
from amn_core.constants import DEFAULT_THRESHOLDS
from amn_core.formats.errors import FormatError, RefusedError
from amn_core.formats.masks import load_mask, save_mask
from amn_core.formats.runs import load_run
from amn_core.sweep import score_confusion
from tests.commands.conftest import IDS, LABELS, SHAPE
from tests.formats.layouts import WRITERS, make_maps, save_dict, write_irn
from tests.formats.test_masks_and_levels import label
from tests.formats.test_numbering import WRITERS as TEST_WRITERS


def config(data, maps, tmp_path, **changes) -> ImportConfig:
    """The config of an import in one process."""
    given = {"maps": str(maps), "data": data, "split": "all", "name": "ReCAM", "out": str(tmp_path / "run")}
    return ImportConfig(**(given | {"workers": 1} | changes))


def evaluate(data: str, maps: dict) -> np.ndarray:
    """Evaluate maps as IRN's code does, one threshold after the other: confusion (T, 21, 21)."""
    from pathlib import Path

    confusion = np.zeros((len(DEFAULT_THRESHOLDS), 21, 21), dtype=np.int64)
    for image_id, (cam, ids) in maps.items():
        gt = np.asarray(Image.open(Path(data.partition(":")[2]) / "masks" / f"{image_id}.png"))
        for j, threshold in enumerate(DEFAULT_THRESHOLDS):
            predicted = label(cam, np.asarray(ids), threshold)
            np.add.at(confusion[j], (gt[gt != 255], predicted[gt != 255]), 1)
    return confusion


def load_theirs(folder) -> dict:
    """Load IRN's dicts as IRN does."""
    loaded = {path.stem: np.load(path, allow_pickle=True).item() for path in sorted(folder.glob("*.npy"))}
    return {image_id: (d["high_res"], np.asarray(d["keys"]) + 1) for image_id, d in loaded.items()}


@pytest.mark.parametrize("keep", ["full", "none"])
def test_import_counts_exactly_what_their_evaluation_counts(data, maps, tmp_path, keep):
    report = run_import(config(data, maps, tmp_path, keep=keep))
    run = load_run(report["run"])
    np.testing.assert_array_equal(score_confusion(run.counts()), evaluate(data, load_theirs(maps)))
    assert run.has_maps == (keep == "full") and run.counts().image_ids == tuple(IDS)


@pytest.mark.parametrize("layout", sorted(set(WRITERS) - {"clip-es", "class-images"}))
def test_import_gives_the_same_counts_from_every_layout(data, maps, tmp_path, layout):
    other = tmp_path / "other"
    other.mkdir()
    for image_id, (cam, ids) in load_theirs(maps).items():
        WRITERS[layout](other / f"{image_id}.npy", cam, ids)
    run = load_run(run_import(config(data, other, tmp_path, out=str(tmp_path / layout)))["run"])
    np.testing.assert_array_equal(score_confusion(run.counts()), evaluate(data, load_theirs(maps)))


def test_import_counts_the_maps_that_it_keeps(data, maps, tmp_path):
    for keep in ("full", "quarter"):
        run = load_run(run_import(config(data, maps, tmp_path, keep=keep, out=str(tmp_path / keep)))["run"])
        stored = {image_id: run.map(image_id) for image_id in run.map_ids}
        np.testing.assert_array_equal(score_confusion(run.counts()), evaluate(data, stored))


def test_import_describes_itself(data, maps, tmp_path):
    report = run_import(config(data, maps, tmp_path))
    run = load_run(tmp_path / "run")
    assert (run.name, run.method, run.meta["split"], run.meta["images"]) == ("ReCAM", "imported", "all", 6)
    assert run.meta["data"] == "folder:data" and run.meta["protocol"]["ground_truth"] == "masks"
    assert run.meta["protocol"]["resize"] == "none" and "as stored" in run.meta["protocol"]["normalisation"]
    assert report["recognised"]["layout"] == "IRN dict" and report["recognised"]["agreement"] == 1
    assert json.loads(json.dumps(report)) == report
    assert "IRN dict" in format_report(report) and not (tmp_path / "run" / "parts").exists()


def test_import_resizes_to_the_ground_truth_and_says_so(data, maps, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    for image_id, (cam, ids) in load_theirs(maps).items():
        np.savez(small / f"{image_id}.npz", cam=cam[:, ::2, ::2], fg_cls=ids - 1)
    run = load_run(run_import(config(data, small, tmp_path))["run"])
    assert run.meta["protocol"]["resize"] == "bilinear" and run.map(IDS[0])[0].shape == (1, *SHAPE)


def test_import_names_missing_and_broken_files(data, maps, tmp_path):
    (maps / f"{IDS[1]}.npy").unlink()
    (maps / f"{IDS[2]}.npy").write_bytes(b"broken")
    with pytest.raises(FormatError, match=rf"1 of 5 files cannot be used: .*{IDS[2]}\.npy"):
        run_import(config(data, maps, tmp_path))
    report = run_import(config(data, maps, tmp_path, skip_broken=True))
    assert (report["images"], report["missing"], report["missing_ids"]) == (4, 1, [IDS[1]])
    assert list(report["broken"]) == [IDS[2]] and report["broken_files"] == 1
    assert IDS[1] in format_report(report) and IDS[2] in format_report(report)


def test_import_refuses_what_may_run_code(data, maps, tmp_path):
    class Bomb:
        def __reduce__(self):
            return eval, ("1",)

    save_dict(maps / f"{IDS[0]}.npy", {"keys": Bomb()})
    with pytest.raises(RefusedError, match=rf"{IDS[0]}\.npy: the file asks for 'builtins\.eval'"):
        run_import(config(data, maps, tmp_path))


def test_stopped_import_goes_on_where_it_was(data, maps, tmp_path, monkeypatch):
    import amn_core.commands.import_maps as importing

    monkeypatch.setattr(importing, "CHUNK", 2)
    original, seen = importing.import_one, []

    def stop_at_fourth(plan, dataset, folder, image_id, *rest):
        seen.append(image_id)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return original(plan, dataset, folder, image_id, *rest)

    monkeypatch.setattr(importing, "import_one", stop_at_fourth)
    with pytest.raises(KeyboardInterrupt):
        run_import(config(data, maps, tmp_path))
    assert not (tmp_path / "run" / "run.json").exists()
    seen[:] = [None] * 10
    report = run_import(config(data, maps, tmp_path))
    assert seen[10:] == IDS[2:] and report["images"] == 6
    np.testing.assert_array_equal(
        score_confusion(load_run(report["run"]).counts()), evaluate(data, load_theirs(maps)))
    seen.clear()
    assert run_import(config(data, maps, tmp_path)) == report and not seen  # finished: nothing is done again


def test_parts_of_another_import_are_thrown_away(data, maps, tmp_path):
    first = config(data, maps, tmp_path)
    for changed in (first, config(data, maps, tmp_path, normalisation="max")):
        plan = build_plan(changed, *open_context(changed))
        assert prepare_parts(plan, IDS) == IDS
    run_import(first)
    with pytest.raises(ValueError, match=r"holds another run \(ReCAM\)"):
        run_import(config(data, maps, tmp_path, normalisation="max"))


def test_several_processes_count_the_same(data, maps, tmp_path, monkeypatch):
    import amn_core.commands.import_maps as importing

    monkeypatch.setattr(importing, "CHUNK", 2)
    run = load_run(run_import(config(data, maps, tmp_path, workers=2))["run"])
    np.testing.assert_array_equal(score_confusion(run.counts()), evaluate(data, load_theirs(maps)))


def test_reimport_changes_the_protocol_alone(data, maps, tmp_path):
    run = load_run(run_import(config(data, maps, tmp_path))["run"])
    again = build_reimport(run, str(tmp_path / "again"), normalisation="minmax")
    other = load_run(run_import(again)["run"])
    assert other.meta["protocol"]["normalisation"] == "min-max" and other.name == run.name
    with pytest.raises(ValueError, match="was not imported"):
        build_reimport(type(run)(run.path, {"name": "x"}), "out")


@pytest.mark.parametrize("palette", [True, False])
def test_finished_masks_are_one_point(data, tmp_path, palette):
    folder = tmp_path / "pseudo"
    draw = np.random.default_rng(1)
    confusion, unsure = np.zeros((21, 21), dtype=np.int64), np.zeros(21, dtype=np.int64)
    for image_id, ids in zip(IDS, LABELS, strict=True):
        mask = draw.choice([0, 255, *ids], SHAPE).astype(np.uint8)
        save_mask(folder / f"{image_id}.png", mask, palette)
        gt = load_mask(tmp_path / "data" / "masks" / f"{image_id}.png")
        np.add.at(confusion, (gt[(gt != 255) & (mask != 255)], mask[(gt != 255) & (mask != 255)]), 1)
        np.add.at(unsure, gt[(gt != 255) & (mask == 255)], 1)
    report = run_import(config(data, folder, tmp_path))
    matrix = score_confusion(load_run(report["run"]).counts())
    confusion[:, 0] += unsure
    for j in (0, 100, 199):
        np.testing.assert_array_equal(matrix[j], confusion)
    assert report["kind"] == "masks" and report["peak_miou"] == pytest.approx(report["masks"]["miou"]["background"])
    confusion[:, 0] -= unsure
    hit = np.diagonal(confusion)
    for way, union in (("ignore", confusion.sum(0) + confusion.sum(1) - hit),
                       ("error", confusion.sum(0) + confusion.sum(1) + unsure - hit)):
        iou = hit[union > 0] / union[union > 0]
        assert report["masks"]["miou"][way] == pytest.approx(iou.mean())
    ignored = run_import(config(data, folder, tmp_path, unsure="ignore", out=str(tmp_path / "ignored")))
    assert ignored["peak_miou"] == pytest.approx(report["masks"]["miou"]["ignore"])


def test_masks_of_another_size_are_refused(data, tmp_path):
    save_mask(tmp_path / "pseudo" / f"{IDS[0]}.png", np.zeros((3, 3), np.uint8))
    with pytest.raises(FormatError, match="mask is 3×3 but the image is 12×16"):
        run_import(config(data, tmp_path / "pseudo", tmp_path))


@pytest.mark.parametrize("fmt", ["irn", "npz", "png"])
def test_exported_maps_come_back_with_the_same_counts(data, maps, tmp_path, fmt):
    first = load_run(run_import(config(data, maps, tmp_path))["run"])
    report = run_export(ExportConfig(run=str(first.path), format=fmt, out=str(tmp_path / fmt), workers=1))
    assert report["images"] == 6 and report["files"] == (9 if fmt == "png" else 6)
    assert fmt in format_export(report)
    back = config(data, tmp_path / fmt, tmp_path, out=str(tmp_path / "again"), kind="maps")
    again = load_run(run_import(back)["run"])
    np.testing.assert_array_equal(score_confusion(again.counts()), score_confusion(first.counts()))


def test_exported_dict_is_what_irn_writes(data, maps, tmp_path):
    first = run_import(config(data, maps, tmp_path))
    run_export(ExportConfig(run=first["run"], format="irn", out=str(tmp_path / "irn"), workers=1))
    theirs = np.load(tmp_path / "irn" / f"{IDS[1]}.npy", allow_pickle=True).item()
    assert theirs["keys"].dtype == torch.int64 and theirs["keys"].tolist() == [0, 11]
    assert theirs["cam"].dtype == torch.float32 and tuple(theirs["cam"].shape) == (2, 3, 4)
    assert theirs["high_res"].dtype == np.float32 and theirs["high_res"].shape == (2, *SHAPE)


def test_exported_png_has_16_bits_and_the_name_of_its_class(data, maps, tmp_path):
    run = load_run(run_import(config(data, maps, tmp_path))["run"])
    run_export(ExportConfig(run=str(run.path), format="png", out=str(tmp_path / "png"), workers=1))
    with Image.open(tmp_path / "png" / f"{IDS[1]}_dog.png") as image:
        assert image.mode.startswith("I;16")
        np.testing.assert_allclose(np.asarray(image) / 65535, run.map(IDS[1])[0][1], atol=0.51 / 65535)


def test_exported_masks_and_seeds_follow_the_thresholds(data, maps, tmp_path):
    run = load_run(run_import(config(data, maps, tmp_path))["run"])
    for fmt in ("masks", "seeds"):
        run_export(ExportConfig(
            run=str(run.path), format=fmt, out=str(tmp_path / fmt), threshold=0.4, palette=fmt == "seeds",
            foreground=0.6, background=0.2, workers=1))
    for image_id in IDS:
        cam, ids = run.map(image_id)
        mask = load_mask(tmp_path / "masks" / f"{image_id}.png")
        np.testing.assert_array_equal(mask, label(cam, ids, np.float32(0.4)))
        high, low = label(cam, ids, np.float32(0.6)), label(cam, ids, np.float32(0.2))
        expected = np.where(high > 0, high, np.where(low > 0, 255, 0))
        np.testing.assert_array_equal(load_mask(tmp_path / "seeds" / f"{image_id}.png"), expected)


def test_exported_tables_add_up(data, maps, tmp_path):
    import csv

    run = load_run(run_import(config(data, maps, tmp_path))["run"])
    for fmt in ("csv", "list", "labels"):
        run_export(ExportConfig(run=str(run.path), format=fmt, out=str(tmp_path / "out"), workers=1))
    out = tmp_path / "out"
    assert (out / "all.txt").read_text().split() == IDS
    table = np.load(out / "cls_labels.npy", allow_pickle=True).item()
    present = [np.flatnonzero(table[int(image_id.replace("_", ""))]) + 1 for image_id in IDS]
    assert [ids.tolist() for ids in present] == LABELS
    tables = {path.name: list(csv.reader(path.read_text().splitlines())) for path in out.glob("*.csv")}
    assert set(tables) == {"summary.csv", "curve.csv", "images.csv", "decisions.csv", "separation.csv"}
    pixels = sum(sum(map(int, row[3:])) for row in tables["decisions.csv"][1:])
    assert pixels == run.counts().decision_bins.sum()
    miou = [float(row[tables["curve.csv"][0].index("miou")]) for row in tables["curve.csv"][1:]]
    assert len(miou) == 201 and max(miou) == run.meta["import"]["report"]["peak_miou"]
    assert [row[0] for row in tables["images.csv"][1:]] == IDS and len(tables["separation.csv"]) == 3 * 9 + 1


def test_export_says_what_the_run_lacks(data, maps, tmp_path):
    run = run_import(config(data, maps, tmp_path, keep="none"))["run"]
    with pytest.raises(ValueError, match="has no maps to export"):
        run_export(ExportConfig(run=run, format="irn", out=str(tmp_path / "x")))
    with pytest.raises(ValueError, match=f"choose one of {', '.join(FORMATS)}"):
        run_export(ExportConfig(run=run, format="mat", out=str(tmp_path / "x")))


def truth(data: str, image_id: str) -> np.ndarray:
    """The ground truth of an image."""
    from pathlib import Path

    return load_mask(Path(data.partition(":")[2]) / "masks" / f"{image_id}.png")


@pytest.mark.parametrize("numbering", ["luminance", "reduced", "plus-one"])
def test_masks_of_another_numbering_stop_the_import_and_are_read_when_asked(numbering, data, tmp_path):
    folder = tmp_path / "pseudo"
    folder.mkdir()
    for image_id in IDS:
        TEST_WRITERS[numbering](folder / f"{image_id}.png", truth(data, image_id))
    with pytest.raises(FormatError, match=rf"of 6 masks.*6 of 6 agree\. Pass --numbering {numbering} .* --insist"):
        run_import(config(data, folder, tmp_path))
    report = run_import(config(data, folder, tmp_path, numbering=numbering))
    assert report["masks"]["miou"]["ignore"] == 1 and "read as" in report["recognised"]["description"]
    if numbering == "plus-one":
        forced = run_import(config(data, folder, tmp_path, insist=True, out=str(tmp_path / "forced"), skip_broken=True))
        assert forced["strays"] >= 3 and "with a class that their labels lack" in format_report(forced)


def test_maps_of_other_classes_stop_the_import_unless_it_is_insisted(data, tmp_path):
    folder = tmp_path / "wrong"
    folder.mkdir()
    for i, (image_id, ids) in enumerate(zip(IDS, LABELS, strict=True)):
        write_irn(folder / f"{image_id}.npy", make_maps(len(ids), *SHAPE, seed=i), (np.array(ids) + 8) % 20 + 1)
    with pytest.raises(FormatError, match=r"are in 100% of 6 files of maps.*or pass --insist"):
        run_import(config(data, folder, tmp_path))
    assert run_import(config(data, folder, tmp_path, insist=True))["strays"] == 6


def test_a_key_base_that_disagrees_is_named_as_what_to_leave_out(data, maps, tmp_path):
    with pytest.raises(FormatError, match="Leave --key-base 1 out"):
        run_import(config(data, maps, tmp_path, key_base="1"))


def test_ground_truth_of_another_numbering_stops_the_import_until_its_note_is_written(data, maps, tmp_path):
    from pathlib import Path

    expected = run_import(config(data, maps, tmp_path, out=str(tmp_path / "right")))["peak_miou"]
    masks = Path(data.partition(":")[2]) / "masks"
    for image_id in IDS:
        TEST_WRITERS["luminance"](masks / f"{image_id}.png", truth(data, image_id))
    with pytest.raises(ValueError, match=r"masks of ground truth.*Write luminance into .*mask_values\.txt"):
        run_import(config(data, maps, tmp_path))
    (masks / "mask_values.txt").write_text("luminance\n")
    assert run_import(config(data, maps, tmp_path))["peak_miou"] == expected


def test_ground_truth_without_a_class_is_an_error(data, maps, tmp_path):
    from pathlib import Path

    for image_id in IDS:
        labels = truth(data, image_id)
        save_mask(Path(data.partition(":")[2]) / "masks" / f"{image_id}.png", np.where(labels > 0, 255, 0))
    with pytest.raises(ValueError, match="of all 6 images holds no pixel of a class"):
        run_import(config(data, maps, tmp_path))


def test_one_map_of_another_size_is_named(data, maps, tmp_path):
    write_irn(maps / f"{IDS[2]}.npy", make_maps(1, 6, 8), np.array(LABELS[2]))
    report = run_import(config(data, maps, tmp_path))
    assert report["resized_ids"] == [f"{IDS[2]} (6×8)"] and "another size than the others" in format_report(report)


def test_skip_broken_survives_every_broken_file_and_lists_them(data, maps, tmp_path):
    class Bomb:
        def __reduce__(self):
            return eval, ("1",)

    save_dict(maps / f"{IDS[0]}.npy", {"keys": Bomb()})
    (maps / f"{IDS[1]}.npy").write_bytes(b"<html>not found</html>")
    (maps / f"{IDS[2]}.npy").write_bytes((maps / f"{IDS[2]}.npy").read_bytes()[:300])
    with pytest.raises(FormatError):
        run_import(config(data, maps, tmp_path))
    report = run_import(config(data, maps, tmp_path, skip_broken=True))
    assert report["images"] == 3 and sorted(report["broken"]) == IDS[:3]
    text = format_report(report)
    assert "3 broken files left out" in text and "an HTML page" in text and "builtins.eval" in text


def test_images_without_a_label_stay_in_the_score(data, maps, tmp_path):
    from pathlib import Path

    root = Path(data.partition(":")[2])
    table = (root / "labels.csv").read_text().replace("2007_000002,tvmonitor", "2007_000002,")
    (root / "labels.csv").write_text(table)
    save_mask(root / "masks" / f"{IDS[2]}.png", np.zeros(SHAPE, np.uint8))
    counted = []
    for spelling in ({}, {"keys": np.zeros(0, np.int64)}, {"keys": [], "cam": [], "high_res": None}):
        save_dict(maps / f"{IDS[2]}.npy", spelling)
        run = load_run(run_import(config(data, maps, tmp_path, out=str(tmp_path / f"run{len(counted)}")))["run"])
        counted.append(score_confusion(run.counts()))
    assert len(run.counts().image_ids) == 6
    for one in counted[1:]:
        np.testing.assert_array_equal(one, counted[0])
