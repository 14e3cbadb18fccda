"""The same maps in every spelling of the field give the same activation maps, each held to what was written."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amn_core.constants import COCO_CATEGORY_IDS, COCO_CLASSES, VOC_CLASSES
from amn_core.formats.errors import FormatError
from amn_core.formats.map_folder import open_map_folder
from amn_core.formats.recognise import ReadOptions, interpret_map, recognise
from tests.formats.layouts import add_background, make_maps, save_dict

IDS = ("2007_000001", "2007_000002", "2007_000003")
LABELS = ([3, 7], [1, 12, 20], [5])
SIZE = (12, 16)
AUTO = ReadOptions()


def spread(cam: np.ndarray, ids: list[int], n_classes: int = 20) -> np.ndarray:
    """Put the maps of an image among weak maps of all classes, (n_classes, h, w)."""
    full = np.random.default_rng(len(ids)).random((n_classes, *cam.shape[1:])).astype(np.float32) * 0.1
    full[np.array(ids, dtype=int) - 1] = cam
    return full


def zero_based(ids: list[int]) -> np.ndarray:
    """The classes of an image counted from 0."""
    return np.array(ids) - 1


def one_hot(ids: list[int], length: int = 20, first: int = 1) -> np.ndarray:
    """A vector that tells for each class whether it is there."""
    vector = np.zeros(length, np.float32)
    vector[np.array(ids) - first] = 1
    return vector


def by_keys(make_keys):
    """Build a writer of dicts whose keys are made in some way."""
    return lambda path, cam, ids: save_dict(path, {"keys": make_keys(ids), "high_res": cam})


def by_value(make):
    """Build a writer of whatever is made from the maps."""
    return lambda path, cam, ids: np.save(path, make(cam, ids), allow_pickle=True)


def by_pickle(protocol: int):
    """Build a writer of bare pickles of one protocol."""
    return lambda path, cam, ids: path.with_suffix(".pkl").write_bytes(
        pickle.dumps({"keys": zero_based(ids), "cam": cam}, protocol))


def by_torch(make, suffix: str = ".pt", **options):
    """Build a writer of torch.save."""
    return lambda path, cam, ids: torch.save(make(torch.from_numpy(cam), ids), path.with_suffix(suffix), **options)


def to_objects(cam: np.ndarray, ids: list[int]) -> np.ndarray:
    """An array of objects with a map each."""
    array = np.empty(len(cam), dtype=object)
    for place, plane in enumerate(cam):
        array[place] = plane
    return array


SPELLINGS = {
    "20 planes": by_value(spread),
    "21 planes": by_value(lambda cam, ids: add_background(spread(cam, ids))),
    "21 planes, background last": by_value(lambda cam, ids: np.roll(add_background(spread(cam, ids)), -1, axis=0)),
    "20 planes, keys of those present": lambda path, cam, ids: save_dict(
        path, {"keys": zero_based(ids), "cam": spread(cam, ids)}),
    "20 planes, keys of all": lambda path, cam, ids: save_dict(
        path, {"keys": np.arange(20), "cam": spread(cam, ids)}),
    "21 planes, keys of those present": lambda path, cam, ids: save_dict(
        path, {"keys": zero_based(ids), "cam": add_background(spread(cam, ids))}),
    "msc_seg": lambda path, cam, ids: save_dict(path, {"msc_seg": add_background(spread(cam, ids))[None]}),
    "planes as the last axis of all": by_value(lambda cam, ids: spread(cam, ids).transpose(1, 2, 0)),
    "planes as the last axis": lambda path, cam, ids: save_dict(
        path, {"keys": zero_based(ids), "cam": np.ascontiguousarray(cam.transpose(1, 2, 0))}),
    "(1, K, H, W)": lambda path, cam, ids: save_dict(path, {"keys": zero_based(ids), "cam": cam[None]}),
    "(K, 1, H, W)": lambda path, cam, ids: save_dict(path, {"keys": zero_based(ids), "cam": cam[:, None]}),
    "list of maps": lambda path, cam, ids: save_dict(path, {"keys": ids, "cam": list(cam)}),
    "list of maps with an axis": lambda path, cam, ids: save_dict(path, {"keys": ids, "cam": [p[None] for p in cam]}),
    "bare list of all": by_value(lambda cam, ids: to_objects(spread(cam, ids), ids)),
    "dict in an array of one": lambda path, cam, ids: np.save(
        path, np.array([{"keys": zero_based(ids), "cam": cam}], dtype=object), allow_pickle=True),
    "float keys": by_keys(lambda ids: zero_based(ids).astype(np.float32)),
    "one-hot keys": by_keys(one_hot),
    "one-hot keys with background": by_keys(lambda ids: one_hot(ids, 21, 0)),
    "bool keys": by_keys(lambda ids: one_hot(ids).astype(bool)),
    "bool tensor keys": by_keys(lambda ids: torch.from_numpy(one_hot(ids)) > 0),
    "(1, K) keys": by_keys(lambda ids: zero_based(ids)[None]),
    "list keys": by_keys(lambda ids: zero_based(ids).tolist()),
    "list of tensors as keys": by_keys(lambda ids: [torch.tensor(int(i)) for i in zero_based(ids)]),
    "numbers as texts": by_keys(lambda ids: [str(i) for i in zero_based(ids)]),
    "names": by_keys(lambda ids: [VOC_CLASSES[i] for i in ids]),
    "names in an array": by_keys(lambda ids: np.array([VOC_CLASSES[i].upper() for i in ids])),
    "one_hot entry": lambda path, cam, ids: save_dict(path, {"label": one_hot(ids), "cam": cam}),
    "dict by name": lambda path, cam, ids: save_dict(
        path, {VOC_CLASSES[i]: plane for i, plane in zip(ids, cam, strict=True)}),
    "dict by number as text": lambda path, cam, ids: save_dict(
        path, {str(i - 1): plane for i, plane in zip(ids, cam, strict=True)}),
    "dict in a dict": lambda path, cam, ids: save_dict(
        path, {"cam_dict": {i - 1: plane for i, plane in zip(ids, cam, strict=True)}}),
    "dict by class with an axis": lambda path, cam, ids: save_dict(
        path, {i - 1: plane[None] for i, plane in zip(ids, cam, strict=True)}),
    "archive by class": lambda path, cam, ids: np.savez(
        path.with_suffix(".npz"), **{str(i): plane for i, plane in zip(ids, cam, strict=True)}),
    "archive without names": lambda path, cam, ids: np.savez(path.with_suffix(".npz"), cam, zero_based(ids)),
    "archive of one stack": lambda path, cam, ids: np.savez_compressed(path.with_suffix(".npz"), spread(cam, ids)),
    "archive of a dict": lambda path, cam, ids: np.savez(
        path.with_suffix(".npz"), np.array({"keys": zero_based(ids), "cam": cam}, dtype=object)),
    **{f"pickle protocol {n}": by_pickle(n) for n in range(6)},
    "torch dict": by_torch(lambda cam, ids: {"keys": torch.tensor(zero_based(ids)), "cam": cam}),
    "torch dict, old layout": by_torch(lambda cam, ids: {"keys": torch.tensor(zero_based(ids)), "cam": cam}, ".pth",
                                       _use_new_zipfile_serialization=False),
    "torch by class": by_torch(lambda cam, ids: {i - 1: plane for i, plane in zip(ids, cam, strict=True)}),
    "torch stack in half precision": by_torch(lambda cam, ids: torch.from_numpy(spread(cam.numpy(), ids)).half()),
    "float64": lambda path, cam, ids: save_dict(path, {"keys": zero_based(ids), "cam": cam.astype(np.float64)}),
    "0 to 255 as int64": lambda path, cam, ids: save_dict(
        path, {"keys": zero_based(ids), "cam": np.rint(cam * 255).astype(np.int64)}),
    "big-endian": lambda path, cam, ids: save_dict(path, {"keys": zero_based(ids), "cam": cam.astype(">f4")}),
    "ID.jpg.npy": lambda path, cam, ids: save_dict(
        path.with_name(f"{path.stem}.jpg.npy"), {"keys": zero_based(ids), "cam": cam}),
    "sub-folder of a split": lambda path, cam, ids: save_dict(
        make_folder(path.parent / "train") / path.name, {"keys": zero_based(ids), "cam": cam}),
}
TOLERANCE = {"0 to 255 as int64": 0.5 / 255 + 1e-6, "torch stack in half precision": 5e-4}


def make_folder(path: Path) -> Path:
    """Make a folder and return it."""
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_all(folder: Path, write, cams: list[np.ndarray]) -> None:
    """Write the maps of every image."""
    for image_id, cam, ids in zip(IDS, cams, LABELS, strict=True):
        write(folder / f"{image_id}.npy", cam, ids)


def read_all(folder: Path, options: ReadOptions = AUTO, ids=IDS, labels=LABELS, names=VOC_CLASSES, size=SIZE):
    """Read, recognise and interpret a folder as an import does: what was recognised, and maps by image."""
    files = open_map_folder(folder, ids, names, "maps")
    raws = [files.read(image_id, names, options.entry) for image_id in ids]
    present = [np.array(classes, dtype=np.int64) for classes in labels]
    known = recognise(raws, present, [size] * len(raws), len(names), options)
    return known, [interpret_map(raw, known, c, len(names)) for raw, c in zip(raws, present, strict=True)]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_the_same_maps_is_read_alike(spelling, tmp_path):
    cams = [make_maps(len(ids), *SIZE, seed=i) for i, ids in enumerate(LABELS)]
    write_all(tmp_path, SPELLINGS[spelling], cams)
    known, maps = read_all(tmp_path)
    assert known.agreement == 1 and known.stray == 0 and not known.is_resized
    for (cam, class_ids), written, ids in zip(maps, cams, LABELS, strict=True):
        assert class_ids.tolist() == ids
        np.testing.assert_allclose(cam, written, atol=TOLERANCE.get(spelling, 0), rtol=0)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_maps_of_0_and_1_are_0_and_1_in_every_type(dtype, tmp_path):
    cams = [(make_maps(len(ids), *SIZE, seed=i) > 0.5).astype(np.float32) for i, ids in enumerate(LABELS)]
    write_all(tmp_path, lambda path, cam, ids: save_dict(
        path, {"keys": zero_based(ids), "cam": cam.astype(dtype)}), cams)
    for (cam, _), written in zip(read_all(tmp_path)[1], cams, strict=True):
        np.testing.assert_array_equal(cam, written)


def test_integers_beyond_those_of_the_sample_are_refused(tmp_path):
    cams = [make_maps(len(ids), *SIZE) for ids in LABELS]
    write_all(tmp_path, lambda path, cam, ids: save_dict(
        path, {"keys": zero_based(ids), "cam": (cam > 0.5).astype(np.uint8)}), cams)
    known, _ = read_all(tmp_path)
    save_dict(tmp_path / f"{IDS[0]}.npy", {"keys": np.array([2, 6]), "cam": np.full((2, *SIZE), 200, np.uint8)})
    raw = open_map_folder(tmp_path, IDS, VOC_CLASSES).read(IDS[0], VOC_CLASSES)
    with pytest.raises(FormatError, match="200 to 200 in a folder where 1 stands for 1"):
        interpret_map(raw, known, np.array([3, 7]), 21)


EMPTY = {
    "keys alone": {"keys": np.zeros(0, np.int64)}, "keys alone, a tensor": {"keys": torch.zeros(0)},
    "no planes": {
        "keys": torch.zeros(0, dtype=torch.int64), "cam": torch.zeros(0, 3, 4), "high_res": np.zeros((0, 12, 16))},
    "nothing": {}, "None": {"keys": np.zeros(0, np.int64), "cam": None, "high_res": None},
    "lists": {"keys": [], "cam": []}, "flat": {"keys": np.zeros(0), "high_res": np.zeros(0, np.float32)},
    "background alone": {"keys": np.zeros(0, np.int64), "high_res": np.ones((1, 12, 16), np.float32)},
    "no one-hot": {"keys": np.zeros(20, np.float32), "high_res": np.zeros((0, 12, 16), np.float32)},
}


@pytest.mark.parametrize("spelling", EMPTY)
def test_image_without_a_label_is_background_in_every_spelling(spelling, tmp_path):
    save_dict(tmp_path / f"{IDS[0]}.npy", {"keys": np.array([2, 6]), "high_res": make_maps(2, *SIZE)})
    save_dict(tmp_path / f"{IDS[1]}.npy", EMPTY[spelling])
    _, maps = read_all(tmp_path, ids=IDS[:2], labels=([3, 7], []))
    assert maps[0][1].tolist() == [3, 7] and maps[1][1].tolist() == [] and len(maps[1][0]) == 0


@pytest.mark.parametrize("layout", ["padded keys", "key 0", "bare"])
def test_image_with_background_alone_is_background(layout, tmp_path):
    cam = make_maps(2, *SIZE)
    if layout == "padded keys":
        save_dict(tmp_path / f"{IDS[0]}.npy", {"keys": np.array([0, 3, 7]), "hr_cam": cam})
        save_dict(tmp_path / f"{IDS[1]}.npy", {"keys": np.array([0]), "hr_cam": cam[:0]})
    elif layout == "key 0":
        save_dict(tmp_path / f"{IDS[0]}.npy", {0: cam[0], 3: cam[0], 7: cam[1]})
        save_dict(tmp_path / f"{IDS[1]}.npy", {0: cam[0]})
    else:
        np.save(tmp_path / f"{IDS[0]}.npy", spread(cam, [3, 7]))
        np.save(tmp_path / f"{IDS[1]}.npy", spread(cam[:0], []))
    _, maps = read_all(tmp_path, ids=IDS[:2], labels=([3, 7], []))
    np.testing.assert_array_equal(maps[0][0], cam)
    assert maps[1][1].tolist() == []


def test_background_last_is_found_by_its_values_beside_keys(tmp_path):
    cams = [make_maps(len(ids), *SIZE, seed=i) for i, ids in enumerate(LABELS)]
    write_all(tmp_path, lambda path, cam, ids: save_dict(
        path, {"keys": zero_based(ids), "cam": np.roll(add_background(cam), -1, axis=0)}), cams)
    known, maps = read_all(tmp_path)
    assert known.background == "last" and "last plane of background" in known.describe()
    np.testing.assert_array_equal(maps[1][0], cams[1])
    assert read_all(tmp_path, ReadOptions(background="first"))[0].background == "plane"


COCO_IDS = ("COCO_train2014_000000000009", "COCO_train2014_000000000025")
COCO_LABELS = ([1, 17], [12, 80])


@pytest.mark.parametrize("writer", ["dict", "class dict", "class images"])
def test_coco_by_category_numbers_is_found_through_the_gaps(writer, tmp_path):
    for image_id, ids in zip(COCO_IDS, COCO_LABELS, strict=True):
        cam, keys = make_maps(2, *SIZE), [COCO_CATEGORY_IDS[i - 1] for i in ids]
        if writer == "dict":
            save_dict(tmp_path / f"{image_id}.npy", {"keys": np.array(keys), "high_res": cam})
        elif writer == "class dict":
            save_dict(tmp_path / f"{int(image_id[-12:])}.npy", dict(zip(keys, cam, strict=True)))
        else:
            for key, plane in zip(keys, cam, strict=True):
                Image.fromarray(np.rint(plane * 255).astype(np.uint8)).save(tmp_path / f"{image_id[-12:]}_{key}.png")
    known, maps = read_all(tmp_path, ids=COCO_IDS, labels=COCO_LABELS, names=COCO_CLASSES)
    assert known.key_base == "categories" and known.agreement == 1 and "category ids" in known.describe()
    assert [class_ids.tolist() for _, class_ids in maps] == list(map(list, COCO_LABELS))


def test_a_stranger_to_the_labels_is_counted(tmp_path):
    cams = [make_maps(len(ids), *SIZE) for ids in LABELS]
    write_all(tmp_path, by_keys(lambda ids: (zero_based(ids) + 9) % 20), cams)
    known, _ = read_all(tmp_path)
    assert known.agreement == 0 and known.stray == 1


CLASS_NAMES = ("{id}_{number}", "{id}_{number:02d}", "{id}-{number:03d}", "{id}_{name}", "{name}/{id}",
               "{id}.jpg_{number}")


@pytest.mark.parametrize("pattern", CLASS_NAMES)
@pytest.mark.parametrize("kind", ["png", "jpg", "palette", "rgb", "npy"])
def test_class_images_of_every_name_and_kind_are_read(pattern, kind, tmp_path):
    shades = [np.full(SIZE, 40 * (i + 1), np.uint8) for i in range(3)]
    for image_id, ids in zip(IDS, LABELS, strict=True):
        for shade, number in zip(shades, ids, strict=False):
            name = pattern.format(id=image_id, number=number, name=VOC_CLASSES[number])
            save_class_image(make_folder((tmp_path / name).parent) / Path(name).name, shade, kind)
    known, maps = read_all(tmp_path)
    assert known.agreement == 1 and open_map_folder(tmp_path, IDS, VOC_CLASSES).kind == "class images"
    for (cam, class_ids), ids in zip(maps, LABELS, strict=True):
        assert class_ids.tolist() == ids
        np.testing.assert_allclose(cam, np.stack(shades[:len(ids)]) / np.float32(255), atol=1e-6)


def save_class_image(path: Path, shade: np.ndarray, kind: str) -> None:
    """Save the map of one class in a kind of file."""
    image = Image.fromarray(shade)
    if kind == "npy":
        np.save(path.with_name(f"{path.name}.npy"), shade)
    elif kind == "palette":
        turned = Image.fromarray(255 - shade)
        turned.putpalette(bytes(value for grey in range(256) for value in [255 - grey] * 3))
        turned.save(f"{path}.png")
    elif kind == "rgb":
        image.convert("RGB").save(f"{path}.png")
    else:
        image.save(f"{path}.{kind}")


def test_class_images_name_what_is_no_class_and_what_is_twice(tmp_path):
    for name in (f"{IDS[2]}_5", f"{IDS[2]}_21", f"{IDS[2]}_unicorn"):
        save_class_image(tmp_path / name, np.zeros(SIZE, np.uint8), "png")
    folder = open_map_folder(tmp_path, IDS, VOC_CLASSES)
    assert folder.strangers == (f"{IDS[2]}_21.png", f"{IDS[2]}_unicorn.png")
    save_class_image(tmp_path / f"{IDS[2]}_05", np.zeros(SIZE, np.uint8), "png")
    with pytest.raises(FormatError, match="two files of this image name one class"):
        open_map_folder(tmp_path, IDS, VOC_CLASSES).read(IDS[2], VOC_CLASSES)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)).save(tmp_path / f"{IDS[0]}_3.png")
    with pytest.raises(FormatError, match="in colours, as a heat map is"):
        open_map_folder(tmp_path, IDS, VOC_CLASSES).read(IDS[0], VOC_CLASSES)


def test_folder_names_what_is_there_instead(tmp_path):
    with pytest.raises(FormatError, match="the folder is empty"):
        open_map_folder(tmp_path, IDS, VOC_CLASSES)
    (tmp_path / "readme.md").write_text("x")
    with pytest.raises(FormatError, match=r"none of its 1 files \(readme\.md, …\) is a file of maps"):
        open_map_folder(tmp_path, IDS, VOC_CLASSES)
    for split in ("one", "two"):
        np.save(make_folder(tmp_path / split) / f"{IDS[0]}.npy", np.zeros(SIZE))
    with pytest.raises(FormatError, match=r"two files belong to 2007_000001: one/2007_000001\.npy and two/"):
        open_map_folder(tmp_path, IDS, VOC_CLASSES)


@pytest.mark.parametrize("content,message", [
    (b"", "empty; get the file itself"), (b"<!DOCTYPE html><html>", "an HTML page"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a pointer of Git LFS"),
    (b"\x89PNG\r\n\x1a\n" + b"0" * 40, "a PNG picture"), (b"\x1f\x8b\x08" + b"0" * 40, "a gzip archive"),
])
def test_what_stands_in_place_of_a_file_is_named(content, message, tmp_path):
    (tmp_path / f"{IDS[0]}.npy").write_bytes(content)
    with pytest.raises(FormatError, match=rf"{IDS[0]}\.npy: .*{message}"):
        open_map_folder(tmp_path, IDS, VOC_CLASSES).read(IDS[0], VOC_CLASSES)


def test_twenty_planes_are_named_by_the_labels_even_where_the_counts_meet(tmp_path):
    """Where height equals the number of classes, the shape of the images tells which axis is that of the planes."""
    size = (20, 30)
    cams = [make_maps(len(ids), *size, seed=i) for i, ids in enumerate(LABELS)]
    write_all(tmp_path, by_value(lambda cam, ids: np.ascontiguousarray(spread(cam, ids).transpose(1, 2, 0))), cams)
    known, maps = read_all(tmp_path, size=size)
    assert known.is_last and known.is_full
    np.testing.assert_array_equal(maps[1][0], cams[1])
