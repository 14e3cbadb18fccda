"""Every layout of the field is recognised from its content, and read as its own project reads it."""

import numpy as np
import pytest
from PIL import Image

from amn_core.constants import VOC_CLASSES
from amn_core.formats.errors import FormatError
from amn_core.formats.foreign import read_raw_map
from amn_core.formats.map_folder import open_map_folder
from amn_core.formats.recognise import ReadOptions, Recognised, fit_maps, interpret_map, normalise_maps, recognise
from tests.formats.layouts import WRITERS, make_maps, save_dict, write_irn, write_keys_only, write_wsol

IDS = ("2007_000001", "2007_000002", "2007_000003")
LABELS = ([3, 7], [1, 12, 20], [5])
EXPECTED = {
    "irn": ("IRN dict", 0, "none"), "amn": ("IRN dict", 0, "plane"), "puzzle": ("PuzzleCAM dict", 1, "padded keys"),
    "puzzle-walk": ("PuzzleCAM dict after its random walk", 1, "padded keys"),
    "seam": ("dict by class (SEAM, MCTformer, WeakTr, S2C)", 0, "none"),
    "seam-crf": ("dict by class (SEAM, MCTformer, WeakTr, S2C)", 1, "key 0"), "clip-es": ("CLIP-ES dict", 0, "none"),
    "toco": ("ToCo dict", 0, "none"), "excel": ("ExCEL dict", 0, "plane"),
    "weaktr": ("WeakTr dict of step 2", 0, "none"), "fma": ("FMA-WSSS archive", 0, "none"),
    "class-images": ("one PNG for each class (WSSS-BED)", 1, "none"),
}
TOLERANCE = {"clip-es": 5e-4, "class-images": 0.5 / 255 + 1e-6}


AUTO = ReadOptions()


def open_all(folder, options=AUTO, labels=LABELS):
    """Read, recognise and interpret a folder as an import does: what was recognised, and maps by id."""
    files = open_map_folder(folder, IDS, VOC_CLASSES, "maps")
    raws = [files.read(image_id, VOC_CLASSES, options.entry) for image_id in files.files]
    present = [np.array(labels[IDS.index(image_id)]) for image_id in files.files]
    known = recognise(raws, present, [(12, 16)] * len(raws), 21, options)
    return known, [interpret_map(raw, known, ids, 21) for raw, ids in zip(raws, present, strict=True)]


@pytest.mark.parametrize("layout", WRITERS)
def test_layout_is_recognised_and_read_back(layout, tmp_path):
    cams = [make_maps(len(ids), seed=i) for i, ids in enumerate(LABELS)]
    for image_id, cam, ids in zip(IDS, cams, LABELS, strict=True):
        WRITERS[layout](tmp_path / f"{image_id}.npy", cam, np.array(ids))
    known, maps = open_all(tmp_path)
    assert (known.layout, known.key_base, known.background) == EXPECTED[layout]
    assert known.agreement == 1 and not known.is_resized and known.samples == 3
    assert known.layout in known.describe() and "100%" in known.describe()
    for (cam, class_ids), written, ids in zip(maps, cams, LABELS, strict=True):
        assert class_ids.tolist() == ids
        np.testing.assert_allclose(cam, written, atol=TOLERANCE.get(layout, 0), rtol=0)


def test_half_precision_maps_stay_in_half_precision(tmp_path):
    WRITERS["clip-es"](tmp_path / f"{IDS[0]}.npy", make_maps(2), np.array(LABELS[0]))
    assert open_all(tmp_path)[1][0][0].dtype == np.float16  # so that thresholds are cast as theirs are


def test_image_without_a_class_is_background(tmp_path):
    write_irn(tmp_path / f"{IDS[0]}.npy", make_maps(2), np.array(LABELS[0]))
    write_keys_only(tmp_path / f"{IDS[1]}.npy", make_maps(0), np.array([]))
    known, maps = open_all(tmp_path, labels=([3, 7], [], []))
    assert known.layout == "IRN dict" and maps[1][0].shape[0] == 0 and maps[1][1].size == 0
    assert fit_maps(maps[1][0], 12, 16).shape == (0, 12, 16)


def test_bare_map_takes_the_only_label_of_its_image(tmp_path):
    cam = make_maps(1)
    write_wsol(tmp_path / f"{IDS[2]}.npy", cam, np.array([5]))
    known, maps = open_all(tmp_path)
    assert known.layout.startswith("bare array") and maps[0][1].tolist() == [5]
    np.testing.assert_array_equal(maps[0][0], cam)
    with pytest.raises(FormatError, match="an image with 2 labels"):
        interpret_map(read_raw_map(tmp_path / f"{IDS[2]}.npy"), known, np.array([3, 7]), 21)


def test_key_base_follows_the_labels_and_the_user_overrules_it(tmp_path):
    save_dict(tmp_path / f"{IDS[2]}.npy", {"keys": np.array([5]), "high_res": make_maps(1)})
    assert open_all(tmp_path)[0].key_base == 1
    assert open_all(tmp_path, labels=([], [], [6]))[0].key_base == 0
    forced, maps = open_all(tmp_path, ReadOptions(key_base="0"))
    assert (forced.key_base, forced.agreement, maps[0][1].tolist()) == (0, 0.0, [6])


def test_background_and_entry_follow_the_user(tmp_path):
    cam = make_maps(2)
    save_dict(tmp_path / f"{IDS[0]}.npy", {"keys": np.array([2, 6]), "mine": cam[:, ::2], "high_res": cam})
    known, maps = open_all(tmp_path, ReadOptions(entry="mine"))
    assert known.entry == "mine" and known.is_resized and maps[0][0].shape == (2, 6, 16)
    with pytest.raises(FormatError, match="fit no reading with key base auto and background first"):
        open_all(tmp_path, ReadOptions(background="first"))
    with pytest.raises(FormatError, match="the entry 'other' is missing"):
        open_all(tmp_path, ReadOptions(entry="other"))
    with pytest.raises(ValueError, match="key_base is '2'"):
        ReadOptions(key_base="2")


def test_range_is_described():
    raw = read_raw_map_of({"keys": np.array([2]), "high_res": make_maps(1) * 3 - 1})
    known = recognise([raw], [np.array([3])], [None], 21)
    assert "outside of [0, 1]" in known.value_range
    raw = read_raw_map_of({"keys": np.array([2]), "high_res": make_maps(1)})
    assert "100% of the maps reach 1" in recognise([raw], [np.array([3])], [None], 21).value_range


def read_raw_map_of(content):
    """Take a dict apart as if it came from a file."""
    from amn_core.formats.foreign import parse_named
    from amn_core.formats.pickles.parts import build_budget

    return parse_named(content, "auto", (), build_budget(0))


def test_normalisations_follow_their_definitions():
    cam = np.array([[[-1.0, 0.0], [1.0, 3.0]], [[2.0, 2.0], [2.0, 2.0]]], dtype=np.float32)
    np.testing.assert_array_equal(normalise_maps(cam, "stored"), cam)
    np.testing.assert_allclose(normalise_maps(cam, "max")[0], [[0, 0], [1 / 3.00001, 3 / 3.00001]], rtol=1e-6)
    np.testing.assert_allclose(normalise_maps(cam, "minmax")[0], [[0, 0.25], [0.5, 1]])
    np.testing.assert_array_equal(normalise_maps(cam, "minmax")[1], 0)


@pytest.mark.parametrize("content,message", [
    ({"keys": np.array([1]), "cam": np.full((1, 2, 2), np.nan)}, "NaN"),
    ({"cam": np.zeros((600, 2, 513))}, "600, 2, 513"),
    ({"keys": np.array([0.5]), "cam": np.zeros((1, 2, 2))}, "expected the numbers of the classes"),
    ({"keys": np.array([1])}, "no maps among"), ({0: np.zeros((2, 2)), 1: np.zeros((2, 3))}, "differ in size"),
    ({0: "text"}, "one \\(H, W\\) array"), ("text", "instead of maps"),
])


def test_what_is_no_map_is_named(tmp_path, content, message):
    save_dict(tmp_path / "a.npy", content)
    with pytest.raises(FormatError, match=message):
        read_raw_map(tmp_path / "a.npy")


def test_classes_beyond_the_list_are_refused():
    known = Recognised("IRN dict", "high_res", 0, "none", "", "stored", False, 1.0, 1)
    for keys in ([25], [3, 3]):
        raw = read_raw_map_of({"keys": np.array(keys), "high_res": make_maps(len(keys))})
        with pytest.raises(FormatError, match="repeat or exceed 20"):
            interpret_map(raw, known, np.array([1]), 21)


def test_folder_finds_coco_names_class_names_and_no_strangers(tmp_path):
    coco = ("COCO_train2014_000000000009", "COCO_train2014_000000000025")
    save_dict(tmp_path / "9.npy", {"keys": np.array([0]), "cam": make_maps(1)})
    save_dict(tmp_path / "000000000025.npy", {"keys": np.array([0]), "cam": make_maps(1)})
    (tmp_path / "notes.txt").write_text("x")
    assert set(open_map_folder(tmp_path, coco, ("background", "person")).files) == set(coco)
    with pytest.raises(FormatError, match="belongs to one of the 1 images"):
        open_map_folder(tmp_path, ("2007_000001",), VOC_CLASSES)
    with pytest.raises(FormatError, match="no such folder"):
        open_map_folder(tmp_path / "none", coco, VOC_CLASSES)
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a_1_polar_bear", "a_1_2", "b_cat"):
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(images / f"{name}.png")
    folder = open_map_folder(images, ("a_1", "b"), ("background", "polar_bear", "cat"))
    assert folder.kind == "class images"
    assert folder.read("a_1", ("background", "polar_bear", "cat")).keys.tolist() == [1, 2]
    assert folder.read("b", ("background", "polar_bear", "cat")).keys.tolist() == [2]


def test_folder_does_not_follow_links_out_of_it(tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "maps"
    for folder in (outside, inside):
        folder.mkdir()
    save_dict(outside / "secret.npy", {"keys": np.array([0]), "cam": make_maps(1)})
    save_dict(inside / "b.npy", {"keys": np.array([0]), "cam": make_maps(1)})
    (inside / "a.npy").symlink_to(outside / "secret.npy")
    (inside / "c.npy").symlink_to(inside / "b.npy")
    assert set(open_map_folder(inside, ("a", "b", "c", "../outside/secret"), VOC_CLASSES).files) == {"b", "c"}
