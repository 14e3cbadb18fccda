"""A run's score is one number on every surface: the table, JSON, CSV, figures, the import report and the canvas."""

import csv
import doctest
import json
from pathlib import Path

import numpy as np
import pytest

from amn_core import scoring
from amn_core.commands.compare import CompareConfig, compare, format_table
from amn_core.commands.count import CountConfig, count
from amn_core.commands.export import ExportConfig, run_export
from amn_core.commands.import_maps import run_import
from amn_core.commands.import_plan import ImportConfig
from amn_core.commands.import_report import format_report
from amn_core.constants import DEFAULT_THRESHOLDS
from amn_core.data import load_dataset
from amn_core.figures.config import FigureConfig
from amn_core.figures.material import load_material
from amn_core.figures.picking import pick_images
from amn_core.formats.counts import save_counts
from amn_core.formats.files import read_json, write_json
from amn_core.formats.maps import save_map
from amn_core.formats.masks import save_mask
from amn_core.formats.runs import Run, load_run, save_run
from amn_core.scoring import choose_classes, choose_terms, draw_runs, score_run, score_run_images
from amn_core.sweep import CountsBuilder, summarise
from amn_core.sweep.images import find_degenerate, score_images
from amn_core.sweep.scores import settle_masks
from app.pictures.planes import MethodMap, pack_image
from tests.app.canvas_model import score_in_browser

REPOSITORY = Path(__file__).resolve().parents[1]
RUNS = sorted(path.parent for path in (REPOSITORY / "checkpoints").glob("*/*/run.json"))
WIDTH = 64
SCENES = "scenes:size=48,n=6,seed=3"


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def lay_out(run: Run, image: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay out pixels that have the counts of an image, the last row filled up with 255: cam (K, H, W), ids (K,), gt."""
    counts = run.counts()
    rows = np.flatnonzero(counts.decision_image == image)
    class_ids = counts.separation_class[counts.separation_image == image].astype(np.int64)
    levels = np.concatenate([[0], (DEFAULT_THRESHOLDS[:-1] + DEFAULT_THRESHOLDS[1:]) / 2, [1]])
    gt, planes = [], []
    for row in rows:
        bins = counts.decision_bins[row].astype(np.int64)
        plane = np.zeros((len(class_ids), bins.sum()), np.float32)
        plane[class_ids == counts.decision_class[row]] = np.repeat(levels, bins)
        planes.append(plane)
        gt.append(np.full(bins.sum(), counts.decision_gt[row], np.uint8))
    cam, truth = np.concatenate(planes, axis=1), np.concatenate(gt)
    spare = -len(truth) % WIDTH
    return (np.pad(cam, ((0, 0), (0, spare))).reshape(len(cam), -1, WIDTH), class_ids,
            np.pad(truth, (0, spare), constant_values=255).reshape(-1, WIDTH))


def score_on_canvas(browser, run: Run, image: int, averaging: str = "union") -> np.ndarray:
    """Score an image in the browser, with what Explore sends: (T,)."""
    from app.cache.canvases import find_scored

    cam, class_ids, gt = lay_out(run, image)
    method = MethodMap("run", "Run", "#000000", "", cam, class_ids, scored=find_scored(run), is_masks=run.is_masks)
    photo = np.zeros((*gt.shape, 3), np.uint8)
    meta, blob = pack_image("a", photo, gt, [method], run.class_names, averaging)
    return score_in_browser(browser, meta, blob)[0]


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_compare_and_csv_and_canvas_give_one_score(folder, tmp_path, browser):
    run = load_run(folder)
    row = json.loads(json.dumps(compare(CompareConfig(runs=(str(folder),)))))["runs"][0]
    run_export(ExportConfig(run=str(folder), format="csv", out=str(tmp_path)))
    told = read_csv(tmp_path / "summary.csv")[0]
    for name in ("images", "peak_miou", "peak_threshold", "plateau", "mean_miou", "oracle_miou", "gap", "auc",
                 "imbalance"):
        assert told[name] == ("" if row[name] is None else repr(row[name])), name
    assert [float(line["miou"]) for line in read_csv(tmp_path / "curve.csv")] == row["miou"]
    assert row["protocol"]["classes"] == (list(run.scored_classes) or "all")

    scores, images = score_run_images(run), read_csv(tmp_path / "images.csv")
    assert [float(line["best_miou"]) for line in images] == scores.best_miou.tolist()
    narrow = np.abs(score_images(run.counts()).miou - scores.miou).max(axis=1)  # where the protocol's classes matter
    for image in sorted({0, int(np.argmax(narrow)), int(np.argmax(scores.is_degenerate))}):
        np.testing.assert_allclose(score_on_canvas(browser, run, image), scores.miou[image], rtol=0, atol=1e-12)


def test_canvas_follows_the_averaging(browser):
    run = load_run(REPOSITORY / "checkpoints" / "scenes" / "cam")
    scores = score_run_images(run, averaging="present")
    image = int(np.argmax(np.nansum(np.abs(scores.miou - score_run_images(run).miou), axis=1)))
    np.testing.assert_allclose(score_on_canvas(browser, run, image, "present"), scores.miou[image], rtol=0, atol=1e-12)


def make_masks(folder: Path, n_perfect: int = 5, n: int = 12) -> Run:
    """Make a run of finished masks of which some are perfect and the others empty."""
    run = save_run(folder, {
        "name": "Masks", "method": "imported", "kind": "masks", "data": "folder:x", "split": "all",
        "class_names": ["background", "cat", "dog"], "protocol": {}})
    builder = CountsBuilder(run.class_names)
    draw = np.random.default_rng(3)
    for i in range(n):
        gt = draw.integers(0, 2, (6, 8)).astype(np.uint8)
        builder.add(f"i{i:02d}", (gt == 1)[None].astype(np.float32) * (i < n_perfect), [1], gt)
    save_counts(run.counts_path, builder.build())
    return run


def test_finished_masks_have_one_score_and_the_interval_of_a_slow_bootstrap(tmp_path):
    run = make_masks(tmp_path / "run")
    row = compare(CompareConfig(runs=(str(run.path),), intervals=True))["runs"][0]
    assert set(row["miou"]) == {row["peak_miou"]} and row["peak_threshold"] is None and row["plateau"] is None
    confusion = np.array([score_at_half(run, i) for i in range(12)])
    assert row["peak_miou"] == pytest.approx(average(confusion.sum(axis=0)))
    draws = np.random.default_rng(0).integers(0, 12, (1000, 12))
    slow = np.quantile([average(confusion[drawn].sum(axis=0)) for drawn in draws], [0.025, 0.975])
    np.testing.assert_allclose(row["peak_interval"], slow, rtol=0, atol=1e-12)
    assert row["peak_interval"][0] < row["peak_miou"] < row["peak_interval"][1]


def score_at_half(run: Run, image: int) -> np.ndarray:
    """Count the confusion of one image's masks, pixel by pixel: (3, 3)."""
    cam, class_ids, gt = lay_out(run, image)
    confusion = np.zeros((3, 3), int)
    is_scored = gt != 255
    for truth, value in zip(gt[is_scored], cam[0][is_scored], strict=True):
        confusion[truth, class_ids[0] if value > 0.5 else 0] += 1
    return confusion


def average(confusion: np.ndarray) -> float:
    """Average the IoU of the classes that occur."""
    ious = [confusion[c, c] / union for c in range(len(confusion))
            if (union := confusion[c].sum() + confusion[:, c].sum() - confusion[c, c])]
    return sum(ious) / len(ious)


def test_settling_masks_changes_nothing_below_one():
    run = load_run(REPOSITORY / "checkpoints" / "voc-resnet50" / "crf")
    once = run.counts()
    np.testing.assert_array_equal(settle_masks(once).decision_bins, once.decision_bins)
    np.testing.assert_allclose(summarise(once).miou, summarise(once).miou[100])


def test_bootstrap_of_masks_says_nothing_of_thresholds(tmp_path):
    run = make_masks(tmp_path / "run")
    counts = run.counts()
    drawn = draw_runs([run], [counts], [choose_terms(run, counts)], resamples=20)[0]
    assert all(np.isnan(drawn.interval(name)).all() for name in ("plateau", "peak_threshold", "oracle_miou"))
    assert np.ptp(drawn.samples["miou"], axis=1).max() == 0


@pytest.fixture(scope="module")
def drawn_run(tmp_path_factory) -> Run:
    """A run on drawn scenes whose protocol names three of the classes."""
    dataset = load_dataset(SCENES, "train")
    draw = np.random.default_rng(0)
    run = save_run(tmp_path_factory.mktemp("drawn") / "run", {
        "name": "Drawn", "method": "cam", "data": SCENES, "split": "train", "class_names": list(dataset.class_names),
        "protocol": {"classes": ["background", *dataset.class_names[1:3]]}})
    builder = CountsBuilder(run.class_names)
    for image_id in dataset.ids:
        gt, class_ids = dataset.gt(image_id), dataset.class_ids(image_id)
        cam = np.stack([(gt == c) * 0.3 + draw.random(gt.shape) * 0.7 for c in class_ids]).astype(np.float32)
        save_map(run.map_path(image_id), cam, class_ids, gt.shape)
        builder.add(image_id, *run.map(image_id), gt)
    save_counts(run.counts_path, builder.build())
    return run


@pytest.mark.parametrize("form", ["irn", "npz", "masks"])
def test_export_and_import_keep_the_classes_of_the_protocol(drawn_run, tmp_path, form):
    out = tmp_path / "files"
    run_export(ExportConfig(run=str(drawn_run.path), format=form, out=str(out), workers=1))
    report = run_import(ImportConfig(str(out), data=SCENES, split="train", out=str(tmp_path / "run"), workers=1))
    again = load_run(tmp_path / "run")
    assert again.scored_classes == drawn_run.scored_classes
    assert "averaged over background, " in format_report(report)
    assert report["peak_miou"] == score_run(again).peak_miou
    if form == "masks":
        assert report["masks"]["miou"]["background"] == pytest.approx(report["peak_miou"])
        return
    row = compare(CompareConfig(runs=(str(drawn_run.path), str(again.path))))
    assert row["notes"] == [] and row["runs"][0]["peak_miou"] == pytest.approx(row["runs"][1]["peak_miou"], abs=5e-3)


def test_import_and_count_take_classes_and_averaging(drawn_run, tmp_path):
    out, name = tmp_path / "files", drawn_run.class_names[4]
    run_export(ExportConfig(run=str(drawn_run.path), format="irn", out=str(out), workers=1))
    asked = ImportConfig(str(out), data=SCENES, split="train", out=str(tmp_path / "run"), workers=1,
                         classes=f"background,{name}", protocol="seam")
    run_import(asked)
    run = load_run(tmp_path / "run")
    assert run.scored_classes == ("background", name) and run.averaging == "seam"
    row = compare(CompareConfig(runs=(str(run.path),)))["runs"][0]
    assert row["protocol"]["averaging"] == "seam" and row["protocol"]["classes"] == ["background", name]
    count(CountConfig(run=str(run.path), data=SCENES, split="train", classes="all", protocol="toco"))
    run = load_run(run.path)
    assert run.scored_classes == () and run.averaging == "toco"
    with pytest.raises(ValueError, match="class 'unicorn' is unknown"):
        count(CountConfig(run=str(run.path), data=SCENES, split="train", classes="unicorn"))


def copy_run(run: Run, folder: Path, images: int, **protocol) -> Run:
    """Copy a run with its first images and another protocol."""
    meta = read_json(run.path / "run.json")
    write_json(folder / "run.json", meta | {"name": folder.name, "protocol": meta["protocol"] | protocol})
    counts = run.counts()
    save_counts(folder / "counts.npz", counts.select(counts.image_ids[:images]))
    return load_run(folder)


def test_compare_says_above_the_table_what_differs_and_common_makes_it_alike(drawn_run, tmp_path):
    other = copy_run(drawn_run, tmp_path / "Other", 4, classes=None, averaging="seam")
    runs = (str(drawn_run.path), str(other.path))
    lines = format_table(compare(CompareConfig(runs=runs))).splitlines()
    assert lines[0].startswith("These runs differ in classes: Drawn 3 classes (background, ")
    assert lines[1:3] == ["These runs differ in images: Drawn 6 images; Other 4 images.",
                          "These runs differ in averaging: Drawn union; Other all."]
    assert "--common" in lines[3] and "peak mIoU" in lines[5]
    with pytest.raises(ValueError, match="--common"):
        compare(CompareConfig(runs=runs, intervals=True))
    first, second = compare(CompareConfig(runs=runs, common=True, intervals=True))["runs"]
    assert first["images"] == second["images"] == 4
    assert first["miou"] == second["miou"] and second["gain"] == 0
    assert "differ" not in format_table(compare(CompareConfig(runs=runs, common=True)))


def test_runs_without_a_common_image_cannot_be_made_alike(drawn_run, tmp_path):
    other = copy_run(drawn_run, tmp_path / "Other", 2)
    save_counts(other.counts_path, drawn_run.counts().select(drawn_run.counts().image_ids[3:]))
    few = copy_run(drawn_run, tmp_path / "Few", 2)
    with pytest.raises(ValueError, match="share no image"):
        compare(CompareConfig(runs=(str(few.path), str(other.path)), common=True))


def test_classes_that_are_asked_for_go_before_the_protocol(drawn_run):
    names = drawn_run.class_names
    assert choose_classes(None, drawn_run) == choose_classes((), drawn_run) == list(names[:3])
    assert choose_classes("all", drawn_run) is None and choose_classes(names, drawn_run) is None
    assert choose_classes(f"{names[5]},0", drawn_run) == choose_classes([names[5], names[0]], drawn_run)
    assert choose_classes([names[5], names[0]], drawn_run) == [names[0], names[5]]
    assert score_run(drawn_run, classes="all").peak_miou == summarise(drawn_run.counts()).peak_miou
    assert score_run(drawn_run).peak_miou != score_run(drawn_run, classes="all").peak_miou


def make_degenerate(folder: Path) -> Run:
    """Make a run of four images: one all object, one all background, and two with both."""
    run = save_run(folder, {
        "name": "Odd", "method": "cam", "data": "folder:x", "split": "all", "class_names": ["background", "cat"],
        "protocol": {}})
    builder, cam = CountsBuilder(run.class_names), np.linspace(0, 0.9, 8, dtype=np.float32).reshape(1, 2, 4)
    half = np.repeat(np.array([[0], [1]], np.uint8), 4, axis=1)
    for image_id, gt in {"whole": half * 0 + 1, "empty": half * 0, "fair": half, "poor": 1 - half}.items():
        builder.add(image_id, cam, [1], gt)
        save_map(run.map_path(image_id), cam, [1], gt.shape)
    save_counts(run.counts_path, builder.build())
    return run


def test_degenerate_images_are_found_counted_and_never_picked(tmp_path):
    run = make_degenerate(tmp_path / "run")
    assert find_degenerate(run.counts()).tolist() == [True, True, False, False]
    result = compare(CompareConfig(runs=(str(run.path),)))
    assert result["runs"][0]["degenerate"] == 2 and "2 degenerate images" in format_table(result)
    for rule in ("largest-regret", "median", "random"):
        picked = pick_images(load_material(FigureConfig("grid", (str(run.path),), rule=rule, number=4)))
        assert set(picked.ids) == {"fair", "poor"} and "2 degenerate" in picked.words
    run_export(ExportConfig(run=str(run.path), format="csv", out=str(tmp_path / "csv")))
    assert [line["degenerate"] for line in read_csv(tmp_path / "csv" / "images.csv")] == ["1", "1", "0", "0"]


def test_import_of_perfect_masks_reports_the_score_that_compare_gives(tmp_path):
    dataset, folder = load_dataset(SCENES, "train"), tmp_path / "masks"
    for i, image_id in enumerate(dataset.ids):
        save_mask(folder / f"{image_id}.png", dataset.gt(image_id) * (i < 3))
    report = run_import(ImportConfig(
        str(folder), data=SCENES, split="train", out=str(tmp_path / "run"), workers=1, kind="masks"))
    row = compare(CompareConfig(runs=(report["run"],)))["runs"][0]
    assert report["peak_miou"] == row["peak_miou"] == pytest.approx(report["masks"]["miou"]["background"])
    assert report["peak_threshold"] is None and row["miou"][-1] == row["peak_miou"]


def test_examples_of_the_module_are_true():
    runs = {name: load_run(REPOSITORY / "checkpoints" / "voc-resnet50" / folder)
            for name, folder in (("run", "cam"), ("masks", "crf"))}
    assert doctest.testmod(scoring, extraglobs=runs).failed == 0


def test_figures_take_the_averaging_of_the_runs_and_refuse_two(drawn_run, tmp_path):
    other = copy_run(drawn_run, tmp_path / "Other", 6, averaging="seam")
    material = load_material(FigureConfig("table", (str(other.path),)))
    assert material.sources[0].summary.peak_miou == score_run(other).peak_miou
    assert material.protocol.name == "seam" != choose_terms(drawn_run, drawn_run.counts()).protocol.name
    runs = (str(drawn_run.path), str(other.path))
    with pytest.raises(ValueError, match="pass --protocol"):
        load_material(FigureConfig("table", runs))
    assert load_material(FigureConfig("table", runs, protocol="toco")).protocol.name == "toco"
