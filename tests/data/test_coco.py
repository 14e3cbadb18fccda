"""COCO's images, labels and masks: from its annotations, and from the masks that others made."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from amn_core.commands.count import has_mask
from amn_core.commands.import_maps import run_import
from amn_core.commands.import_plan import ImportConfig
from amn_core.constants import COCO_CATEGORY_IDS, COCO_CLASSES
from amn_core.data import DataError, find_problems, load_dataset, name_ground_truth, select_ids
from amn_core.data.coco import index as coco_index
from amn_core.data.coco.masks import draw_mask
from amn_core.formats.coco_labels import decode_labels, find_writings
from tests.data.coco_maker import CATEGORIES, NUMBERS, SIZE, build_objects, draw_slowly, is_inside, make_coco

IDS = tuple(f"COCO_train2014_{number:012d}" for number in NUMBERS)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep what goes to the user's cache in the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    return make_coco(tmp_path / "coco")


def save_masks(folder, masks):
    """Save masks as greyscale PNGs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in masks.items():
        Image.fromarray(np.asarray(mask, np.uint8)).save(folder / f"{name}.png")


def test_masks_equal_those_drawn_pixel_by_pixel(root):
    dataset = load_dataset(f"coco:{root}", "train")
    assert dataset.ids == IDS and dataset.class_names == COCO_CLASSES
    for number, image_id in zip(NUMBERS, IDS, strict=True):
        gt = dataset.gt(image_id)
        np.testing.assert_array_equal(gt, draw_slowly(build_objects(), number))
        assert gt.dtype == np.uint8 and dataset.image(image_id).shape == (*SIZE, 3)
    assert find_problems(dataset, with_masks=True) == []


def test_smaller_objects_lie_on_top_and_crowds_at_the_bottom(root):
    dataset = load_dataset(f"coco:{root}", "train")
    gt = dataset.gt(IDS[0])
    dog, bottle = COCO_CLASSES.index("dog"), COCO_CLASSES.index("bottle")
    assert gt[5, 9] == dog and gt[7, 11] == dog and gt[11, 17] == bottle and gt[3, 3] == 1
    gt = dataset.gt(IDS[1])
    assert gt[19, 0] == 1 and gt[2, 2] == 80 and gt[5, 5] == COCO_CLASSES.index("stop sign")


def test_labels_leave_crowds_out_and_an_image_without_objects_is_background(root):
    dataset = load_dataset(f"coco:{root}", "train")
    assert [dataset.class_ids(i).tolist() for i in IDS] == [[1, 17, 40], [12, 80], [], []]
    assert dataset.class_ids(IDS[0]).dtype == np.int64 and "without crowds" in dataset.label_source
    assert has_mask(dataset, IDS[3]) and not dataset.gt(IDS[3]).any()
    assert name_ground_truth(load_dataset(f"coco:{root}", "train")) == "instances_train2014.json"


def test_slanted_polygons_equal_a_test_of_each_pixel_but_on_the_outline(tmp_path):
    rng = np.random.default_rng(0)
    angles = np.sort(rng.uniform(0, 2 * np.pi, (20, 7)), axis=1)
    for turn in angles:
        radius = rng.uniform(6, 11, 7)
        points = np.stack([16 + radius * np.cos(turn), 12 + radius * np.sin(turn)], axis=1)
        polygon = points.reshape(-1).round(2).tolist()
        item = build_objects()[0] | {"segmentation": [polygon]}
        root = make_coco(tmp_path / str(turn[0]), annotations=[item])
        gt = load_dataset(f"coco:{root}", "train").gt(IDS[0])
        edges = np.linspace(points, np.roll(points, -1, axis=0), 200).reshape(-1, 2)
        far = [(y, x) for y in range(SIZE[0]) for x in range(SIZE[1])
               if np.hypot(*(edges - (x + 0.5, y + 0.5)).T).min() > 1]
        assert len(far) > SIZE[0] * SIZE[1] / 2
        assert [bool(gt[y, x]) for y, x in far] == [is_inside(polygon, x + 0.5, y + 0.5) for y, x in far]


def test_compressed_runs_equal_plain_ones(tmp_path):
    from pycocotools import mask as coco_mask

    objects = build_objects()
    for item in objects:
        if isinstance(item["segmentation"], dict):
            packed = coco_mask.frPyObjects(item["segmentation"], *SIZE)
            item["segmentation"] = {"size": packed["size"], "counts": packed["counts"].decode()}
    dataset = load_dataset(f"coco:{make_coco(tmp_path, annotations=objects)}", "train")
    np.testing.assert_array_equal(dataset.gt(IDS[1]), draw_slowly(build_objects(), 25))


@pytest.mark.parametrize("line", ["9", "000000000009", "COCO_train2014_000000000009", "9 0 16 39",
                                  "/train2014/COCO_train2014_000000000009.jpg /SegmentationClass/000000000009.png"])
def test_lists_name_images_with_or_without_prefix(root, tmp_path, line):
    (tmp_path / "list.txt").write_text(f"{line}\n25\n")
    (root / "splits").mkdir()
    (root / "splits" / "mine.txt").write_text(f"25\n{line}\n")
    assert load_dataset(f"coco:{root}", str(tmp_path / "list.txt")).ids == IDS[:2]
    assert load_dataset(f"coco:{root}", "mine").ids == IDS[1::-1]


def test_one_list_may_take_from_both_years(root, tmp_path):
    objects = [item | {"image_id": item["image_id"] + 1000} for item in build_objects()]
    entries = [{"id": n + 1000, "file_name": f"COCO_val2014_{n + 1000:012d}.jpg", "height": 24, "width": 32}
               for n in NUMBERS]
    make_coco(root, "val2014", place="val2014", annotations=objects)
    path = root / "annotations" / "instances_val2014.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"images": entries}))
    for number in NUMBERS:
        (root / "val2014" / f"COCO_val2014_{number:012d}.jpg").rename(root / "val2014" / f"{number + 1000:012d}.jpg")
    (tmp_path / "both.txt").write_text("1009\n9\n")
    dataset = load_dataset(f"coco:{root}", str(tmp_path / "both.txt"))
    assert dataset.ids == ("COCO_val2014_000000001009", IDS[0])
    np.testing.assert_array_equal(dataset.gt(dataset.ids[0]), dataset.gt(IDS[0]))
    assert dataset.image(dataset.ids[0]).shape == (*SIZE, 3)


@pytest.mark.parametrize("images", ["images/train2014", "images"])
def test_images_are_found_where_the_field_keeps_them(tmp_path, images):
    assert load_dataset(f"coco:{make_coco(tmp_path, place=images)}", "train2014").ids == IDS


def test_index_is_kept_and_made_anew_when_the_annotations_change(root, monkeypatch):
    path = root / "annotations" / "instances_train2014.json"
    load_dataset(f"coco:{root}", "train")
    kept = path.with_suffix(".index.npz")
    assert kept.is_file()
    coco_index.load_stamped.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(coco_index, "scan", lambda path: pytest.fail("read again"))
        assert coco_index.load_index(path).class_ids(9).tolist() == [1, 17, 40]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"annotations": build_objects()[:1]}))
    os.utime(path, ns=(1, 1))
    assert load_dataset(f"coco:{root}", "train").class_ids(IDS[0]).tolist() == [1]
    kept.write_bytes(kept.read_bytes()[:100])
    coco_index.load_stamped.cache_clear()
    assert coco_index.load_index(path).class_ids(9).tolist() == [1]


def test_index_goes_to_the_cache_where_the_root_cannot_be_written(root, monkeypatch, tmp_path):
    path, write = root / "annotations" / "instances_train2014.json", coco_index.write_bytes

    def refuse(place, content):
        if place.parent == path.parent:
            raise OSError("read-only")
        write(place, content)

    monkeypatch.setattr(coco_index, "write_bytes", refuse)
    coco_index.load_index(path)
    assert not path.with_suffix(".index.npz").exists() and len(list((tmp_path / "cache").rglob("*.npz"))) == 1


def test_index_equals_that_of_indented_json_in_another_order(root):
    path = root / "annotations" / "instances_train2014.json"
    before = [draw_mask(coco_index.load_index(path), number) for number in NUMBERS]
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items())), indent=3))
    for mask, number in zip(before, NUMBERS, strict=True):
        np.testing.assert_array_equal(mask, draw_mask(coco_index.load_index(path), number))


WRONG = {
    "boxes": ({"annotations": [{"image_id": 9, "category_id": 1, "bbox": []}]},
              "an annotation lacks area, segmentation; give instances"),
    "captions": ({"annotations": [{"image_id": 9, "id": 1, "caption": "a dog"}]}, "not the captions or the results"),
    "no area": ({"annotations": [{k: v for k, v in build_objects()[0].items() if k != "area"}]},
                "annotation 100 lacks area; write its area"),
    "deep": ({"annotations": [build_objects()[0] | {"category_id": [[[]]] * 99}]}, "has a category, which COCO's 80"),
    "category": ({"annotations": [build_objects()[0] | {"category_id": 12}]}, "has the category 12"),
    "names": ({"categories": [{"id": 1, "name": "cat"}]}, "category 1 is 'cat', which is not COCO's"),
    "stranger": ({"annotations": [build_objects()[0] | {"image_id": 7}]}, "images that are not listed, such as 7"),
    "empty": ({"images": []}, "lacks any image"),
    "twice": ({"images": [{"id": 9, "file_name": "9.jpg", "height": 2, "width": 2}] * 2}, "appears twice"),
    "image": ({"images": [{"id": 9}]}, "an image lacks id, height"),
}


@pytest.mark.parametrize("changes,message", WRONG.values(), ids=WRONG)
def test_wrong_annotations_are_named(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        load_dataset(f"coco:{make_coco(tmp_path, **changes)}", "train")


def test_broken_json_and_missing_things_are_named(root, tmp_path):
    path = root / "annotations" / "instances_train2014.json"
    with pytest.raises(DataError, match="no annotations of val2014"):
        load_dataset(f"coco:{root}", "val")
    with pytest.raises(DataError, match="'nothing' is neither one of"):
        load_dataset(f"coco:{root}", "nothing")
    (root / "cat.txt").write_text("2007_000032\n")
    with pytest.raises(DataError, match="'2007_000032' is no id of COCO"):
        load_dataset(f"coco:{root}", "cat")
    (root / "cat.txt").write_text("77\n")
    with pytest.raises(DataError, match="in no annotation file"):
        load_dataset(f"coco:{root}", "cat")
    (root / "cat.txt").write_text("9\nCOCO_train2014_000000000009\n")
    with pytest.raises(DataError, match="image 9 is listed twice"):
        load_dataset(f"coco:{root}", "cat")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="not readable as JSON"):
        load_dataset(f"coco:{root}", "train")
    path.unlink()
    with pytest.raises(DataError, match="neither annotations nor masks"):
        load_dataset(f"coco:{root}", "train")
    with pytest.raises(DataError, match="no such folder"):
        load_dataset(f"coco:{tmp_path / 'nowhere'}", "train")


def test_missing_images_are_refused_or_left_out(root):
    (root / "train2014" / f"{IDS[1]}.jpg").unlink()
    with pytest.raises(DataError, match=f"1 problem.*{IDS[1]}: no image in .*train2014.*--skip-broken"):
        load_dataset(f"coco:{root}", "train")
    dataset = load_dataset(f"coco:{root}", "train", skip_broken=True)
    assert dataset.ids == (IDS[0], *IDS[2:]) and IDS[1] not in dataset.mask_paths


@pytest.mark.parametrize("shape", [
    {"size": [5, 5], "counts": [25]}, {"size": [24, 32], "counts": [3]}, [[1, 2, 3, 4, 5, 6, 7]]])
def test_object_that_cannot_be_drawn_is_named(tmp_path, shape):
    objects = [build_objects()[0] | {"segmentation": shape}]
    dataset = load_dataset(f"coco:{make_coco(tmp_path, annotations=objects)}", "train")
    with pytest.raises(DataError, match="annotation 100 cannot be drawn"):
        dataset.gt(IDS[0])


ORIGINAL = np.array((0, *COCO_CATEGORY_IDS))
WRITE = {"80": lambda labels: labels, "91": ORIGINAL.__getitem__, "80+91": lambda labels: labels + 91}


@pytest.mark.parametrize("written_as", WRITE)
@pytest.mark.parametrize("folder", ["SegmentationClass", "SemanticMask/train2014", "coco_seg_anno"])
def test_ready_made_masks_come_first_and_are_told_apart(root, written_as, folder):
    drawn = {i: load_dataset(f"coco:{root}", "train").gt(i) for i in IDS}
    save_masks(root / folder, {i[-12:]: WRITE[written_as](mask.astype(int)) for i, mask in drawn.items()})
    dataset = load_dataset(f"coco:{root}", "train")
    for image_id in IDS:
        np.testing.assert_array_equal(dataset.gt(image_id), drawn[image_id])
    assert dataset.ground_truth == f"{folder.split('/')[0]} (written as {written_as})"
    assert dataset.mask_paths[IDS[0]].parent == root / folder


@pytest.mark.parametrize("written_as", WRITE)
def test_finished_masks_of_a_method_are_imported_in_any_numbering(root, tmp_path, written_as, capsys):
    spec, folder = f"coco:{root}", tmp_path / "theirs"
    drawn = {i: load_dataset(spec, "train").gt(i) for i in IDS}
    save_masks(folder, {i: WRITE[written_as](mask.astype(int)) for i, mask in drawn.items()})
    report = run_import(ImportConfig(maps=str(folder), data=spec, out=str(tmp_path / "run"), kind="masks"))
    assert report["peak_miou"] == 1 and report["images"] == len(IDS)
    said = {"80": "finished masks", "91": "finished masks, read as COCO's category ids",
            "80+91": "finished masks, read as raised by 91"}
    assert report["recognised"]["description"] == said[written_as]


def test_finished_mask_of_another_numbering_than_the_rest_is_named(root, tmp_path):
    spec, folder = f"coco:{root}", tmp_path / "theirs"
    save_masks(folder, {i: load_dataset(spec, "train").gt(i).astype(int) + 91 for i in IDS})
    (folder / f"{IDS[0]}.png").write_bytes(b"no image")
    config = ImportConfig(maps=str(folder), data=spec, out=str(tmp_path / "run"), kind="masks", skip_broken=True)
    report = run_import(config)
    assert list(report["broken"]) == [IDS[0]] and report["peak_miou"] == 1
    save_masks(folder, {IDS[0]: np.array([[0, 12, 200]])})
    with pytest.raises(ValueError, match="fit neither 0–80"):
        run_import(replace(config, out=str(tmp_path / "other")))


def test_ready_made_masks_need_no_annotations(tmp_path):
    root = make_coco(tmp_path)
    (root / "annotations" / "instances_train2014.json").unlink()
    save_masks(root / "SegmentationClass", {IDS[0]: np.array([[0, 12, 255, 45]])})
    dataset = load_dataset(f"coco:{root}", "train")
    assert dataset.ids == IDS and dataset.class_ids(IDS[0]).tolist() == [12, 45]
    assert dataset.gt(IDS[1]) is None and dataset.label_source == "ground-truth masks"


def test_doubtful_masks_are_settled_by_labels_or_a_note_and_never_guessed(root):
    for folder in ("SegmentationClass",):  # 18 is a dog by COCO's ids, a horse among the 80
        save_masks(root / folder, {IDS[0]: np.array([[0, 1, 18, 44]])})
    assert load_dataset(f"coco:{root}", "train").gt(IDS[0]).tolist() == [[0, 1, 17, 40]]
    (root / "annotations" / "instances_train2014.json").unlink()
    with pytest.raises(DataError, match=r"Write 80 or 91 into .*mask_values\.txt"):
        load_dataset(f"coco:{root}", "train")
    (root / "SegmentationClass" / "mask_values.txt").write_text("80\n")
    assert load_dataset(f"coco:{root}", "train").gt(IDS[0]).tolist() == [[0, 1, 18, 44]]


def test_masks_of_another_kind_are_refused(root):
    save_masks(root / "SegmentationClass", {IDS[0]: np.array([[0, 12, 200]])})
    with pytest.raises(DataError, match="fit neither 0–80"):
        load_dataset(f"coco:{root}", "train")


def test_writings_agree_where_they_cannot_be_told_apart():
    assert find_writings([0, 5, 11, 255]) == ["80"] and find_writings([0, 12]) == ["80"]
    assert find_writings([0, 81]) == ["91"] and find_writings([91, 171, 90]) == ["80+91"]
    assert find_writings([0, 13]) == ["80", "91"] and find_writings([0, 12, 81]) == []
    assert decode_labels(np.array([[91, 92, 171, 90, 255]], np.uint8), "80+91", "x").tolist() == [[0, 1, 80, 255, 255]]
    with pytest.raises(ValueError, match="the value 12 is no label"):
        decode_labels(np.array([[12]], np.uint8), "91", "x")


def test_opening_again_is_free_until_something_changes(root):
    first = load_dataset(f"coco:{root}", "train")
    assert load_dataset(f"coco:{root}", "train") is first
    (root / "train2014" / "extra.txt").write_text("")
    assert load_dataset(f"coco:{root}", "train") is not first
    assert select_ids(first, IDS[:2]).ids == IDS[:2] and len(CATEGORIES) == 80


@pytest.mark.parametrize("year,prefix", [("train2017", ""), ("val2017", ""), ("train2014", "COCO_train2014_"),
                                         ("val2025", "COCO_val2025_")])
@pytest.mark.parametrize("place", ["{}", "images/{}"])
def test_every_year_is_opened_by_its_part_and_by_its_name(year, prefix, place, tmp_path):
    make_coco(tmp_path, year, place.format(year))
    annotations = tmp_path / "annotations" / f"instances_{year}.json"
    if not prefix:  # since 2017 the names are numbers alone
        annotations.write_text(annotations.read_text().replace(f"COCO_{year}_", ""))
        for path in (tmp_path / place.format(year)).iterdir():
            path.rename(path.with_name(path.name.removeprefix(f"COCO_{year}_")))
    for split in (year, year[:-4]):
        dataset = load_dataset(f"coco:{tmp_path}", split)
        assert dataset.ids == tuple(f"{prefix}{number:012d}" for number in NUMBERS)
        assert dataset.image(dataset.ids[0]).shape == (*SIZE, 3)
        np.testing.assert_array_equal(dataset.gt(dataset.ids[0]), draw_slowly(build_objects(), 9))


def test_two_years_ask_for_the_one_that_is_meant(tmp_path):
    for year in ("train2014", "train2017"):
        make_coco(tmp_path, year, year)
    with pytest.raises(DataError, match="may be train2014 or train2017; name one of them as the split"):
        load_dataset(f"coco:{tmp_path}", "train")
    assert "train2017" in str(load_dataset(f"coco:{tmp_path}", "train2017").label_source)
