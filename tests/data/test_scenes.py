"""The procedural scenes: the same everywhere, exact masks, knobs that do what they say."""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amn_core.data import DataError, load_dataset, select_ids
from amn_core.data.scenes.backgrounds import BACKGROUNDS, Stage
from amn_core.data.scenes.canvas import Canvas, box, capsule, circle, cut, ellipse, polygon, ring, union
from amn_core.data.scenes.coats import Build, Look
from amn_core.data.scenes.dataset import SceneConfig, build_contact_sheet, build_scene, colour_mask, open_scenes
from amn_core.data.scenes.layout import choose_background, choose_classes, choose_look, measure_depth, place_objects
from amn_core.data.scenes.objects import CLASS_NAMES, FAMILIES, KINDS, looks_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scenes():
    config = SceneConfig(size=96)
    return [build_scene(i, config) for i in range(120)]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_dataset_keeps_the_protocol_of_data_sets():
    data = load_dataset("scenes:size=64,n=5", "val")
    assert data.class_names[0] == "background" and len(data.class_names) == 11
    assert data.ids == ("scene_000000", "scene_000001", "scene_000002", "scene_000003", "scene_000004")
    assert data.split == "val" and data.label_source == "scenes (exact)"
    image, gt, ids = data.image("scene_000003"), data.gt("scene_000003"), data.class_ids("scene_000003")
    assert image.shape == (64, 64, 3) and image.dtype == np.uint8
    assert gt.shape == (64, 64) and gt.dtype == np.uint8
    assert ids.dtype == np.int64 and ids.tolist() == sorted(set(gt.ravel().tolist()) - {0})


def test_spec_opens_the_same_data_set_again():
    data = load_dataset("scenes:size=48,n=3,seed=5,discriminative=0.25,cooccurrence=1,clutter=0", "train")
    again = load_dataset(data.spec, data.split)
    assert again == data
    assert np.array_equal(again.image("scene_000002"), data.image("scene_000002"))


def test_dataset_survives_selection_and_pickling():
    data = load_dataset("scenes:size=32,n=9", "train")
    some = pickle.loads(pickle.dumps(select_ids(data, ("scene_000007", "scene_000001"))))
    assert some.ids == ("scene_000007", "scene_000001")
    assert np.array_equal(some.gt("scene_000007"), data.gt("scene_000007"))


def test_returned_arrays_are_copies():
    data = open_scenes({"size": "32"}, "train")
    data.image("scene_000000")[:] = 0
    data.gt("scene_000000")[:] = 9
    fresh = build_scene(0, data.config)
    assert np.array_equal(data.image("scene_000000"), fresh.image)
    assert np.array_equal(data.gt("scene_000000"), fresh.gt)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "red"}, r"no option 'colour': use size \(32 to 1024\), n .*, clutter \(0.0 to 1.0\)"),
        ({"size": "big"}, "size is 'big' but must be a whole number between 32 and 1024"),
        ({"size": "20"}, "size is 20 but must lie between 32 and 1024"),
        ({"clutter": "1.5"}, "clutter is 1.5 but must lie between 0.0 and 1.0"),
        ({"discriminative": "nan"}, "discriminative is nan but must lie between"),
    ],
)


def test_options_that_are_wrong_name_what_is_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        open_scenes(options, "train")


def test_split_that_is_unknown_names_the_splits():
    with pytest.raises(ValueError, match="split is 'test' but must be one of train, val"):
        open_scenes({}, "test")


@pytest.mark.parametrize("image_id", ["scene_000003", "scene_3", "2007_000032", "scene_-00001", "scene_²"])
def test_ids_outside_the_split_are_refused(image_id):
    with pytest.raises(ValueError, match="ids run from scene_000000 to scene_000002"):
        open_scenes({"n": "3", "size": "32"}, "train").image(image_id)


def test_scene_is_the_same_in_another_process():
    code = (
        "import hashlib\nfrom amn_core.data.scenes.dataset import SceneConfig, build_scene\n"
        "s = build_scene(11, SceneConfig(size=64))\n"
        "print(hashlib.sha256(s.image.tobytes() + s.gt.tobytes() + s.parts.tobytes()).hexdigest())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1 and len(printed.pop().strip()) == 64


def test_scene_does_not_depend_on_those_drawn_before_or_on_global_randomness():
    config = SceneConfig(size=64)
    first = build_scene(4, config).image
    np.random.seed(1)
    build_scene(9, replace(config, size=48))
    assert np.array_equal(build_scene(4, config).image, first)


def test_splits_seeds_and_indices_give_different_scenes():
    config = SceneConfig(size=48)
    variants = [(0, config), (1, config), (0, replace(config, split="val")), (0, replace(config, seed=8))]
    images = {build_scene(i, c).image.tobytes() for i, c in variants}
    assert len(images) == 4


def test_every_class_and_no_other_label_occurs(scenes):
    seen = set(np.concatenate([s.class_ids for s in scenes]).tolist())
    assert seen == set(range(1, len(CLASS_NAMES)))
    assert all(set(np.unique(s.gt)) - {0} == set(s.class_ids.tolist()) for s in scenes)


def test_scenes_hold_one_and_several_classes(scenes):
    counts = [len(s.class_ids) for s in scenes]
    assert min(counts) == 1 and max(counts) >= 3


def test_objects_span_small_to_large(scenes):
    shares = [np.mean(s.gt == c) for s in scenes for c in s.class_ids]
    assert min(shares) < 0.035
    assert max(shares) > 0.45


def test_parts_are_a_small_share_of_their_class():
    shares = []
    for s in (build_scene(i, SceneConfig(size=96, discriminative=1)) for i in range(120)):
        is_part = s.parts > 0
        assert np.array_equal(s.parts[is_part], s.gt[is_part])
        shares += [np.mean(s.parts[s.gt == c] > 0) for c in s.class_ids if np.mean(s.gt == c) > 0.02]
    assert 0.1 < np.mean(shares) < 0.35
    assert np.mean(np.array(shares) > 0.04) > 0.97


@pytest.mark.parametrize("index", range(0, 24, 3))
def test_mask_is_the_majority_of_a_finer_drawing(index):
    """Eight times finer, the mask of the coarse scene must be what most of each pixel is covered by."""
    coarse = build_scene(index, SceneConfig(size=64)).gt
    fine = build_scene(index, SceneConfig(size=512)).gt
    blocks = fine.reshape(64, 8, 64, 8).transpose(0, 2, 1, 3).reshape(64, 64, 64)
    shares = np.stack([(blocks == c).mean(2) for c in range(len(CLASS_NAMES))])
    own = np.take_along_axis(shares, coarse[None].astype(int), 0)[0]
    assert np.mean(own >= shares.max(0) - 0.15) > 0.995
    assert np.mean(coarse == shares.argmax(0)) > 0.985


def test_layout_is_the_same_at_every_size():
    small, large = (build_scene(6, SceneConfig(size=s)) for s in (64, 256))
    coarse = large.image.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(coarse - small.image).mean() < 12


def test_cooccurrence_sets_how_often_a_class_is_at_home():
    def share_at_home(cooccurrence: float) -> float:
        draws = rng(3)
        hits = [
            choose_background(draws, c, cooccurrence) == KINDS[c - 1].home
            for c in draws.integers(1, len(KINDS) + 1, 2000)
        ]
        return float(np.mean(hits))

    assert share_at_home(1.0) == 1.0
    elsewhere = np.mean([1 / len(kind.places) for kind in KINDS])
    assert share_at_home(0.0) == pytest.approx(elsewhere, abs=0.03)
    assert share_at_home(0.5) == pytest.approx(0.5 + elsewhere / 2, abs=0.04)


def test_every_class_has_a_background_of_its_own():
    assert sorted(kind.home for kind in KINDS) == sorted(BACKGROUNDS)


def test_body_narrows_the_class_down_as_the_knob_says():
    """Own coats and builds are the share that the knob leaves, and those of the family that chance gives back."""
    cow = CLASS_NAMES.index("cow")
    coats, builds = looks_of("quadruped")
    for knob in (0.0, 0.3, 1.0):
        draws = rng(5)
        looks = [choose_look(draws, cow, knob) for _ in range(1500)]
        own_coat = np.mean([look.coat.pattern == "patches" for look in looks])
        own_build = np.mean([look.build.tail == "tuft" for look in looks])
        assert own_coat == pytest.approx(1 - knob + knob / len(coats), abs=0.04)
        assert own_build == pytest.approx(1 - knob + knob / len(builds), abs=0.04)


def test_coat_and_build_are_dealt_out_by_themselves():
    draws = rng(6)
    looks = [choose_look(draws, CLASS_NAMES.index("cat"), 1.0) for _ in range(1500)]
    striped = [look.build.tail == "long" for look in looks if look.coat.pattern == "stripes"]
    assert np.mean(striped) == pytest.approx(1 / 3, abs=0.06)


@pytest.mark.parametrize("discriminative", [0.0, 1.0])
def test_every_class_of_a_scene_has_its_small_part(discriminative):
    scenes = [build_scene(i, SceneConfig(size=96, discriminative=discriminative)) for i in range(12)]
    shown = [set(np.unique(s.parts)) - {0} for s in scenes]
    assert np.mean([parts == set(s.class_ids.tolist()) for parts, s in zip(shown, scenes)]) > 0.8


def test_objects_stand_where_they_belong():
    draws = rng(7)
    for name, paint in BACKGROUNDS.items():
        setting = paint(Stage(Canvas(np.zeros((3, 64, 64), np.float32), (0.0, 0.0), 64), draws, 0.5))
        first = next(c for c, kind in enumerate(KINDS, 1) if name in kind.places)
        classes = choose_classes(draws, first, name)
        assert all(name in KINDS[c - 1].places for c in classes)
        for it in place_objects(draws, classes, setting, 0.5):
            strips = [setting.strips[s] for s in KINDS[it.class_id - 1].stands_on if s in setting.strips]
            assert any(top - 1e-9 <= it.foot <= bottom + 0.03 for top, bottom in strips)
            assert it.is_afloat <= ("water" in setting.strips)


def test_sizes_go_together():
    """Two of one kind differ as their distance says, within a tenth."""
    draws = rng(8)
    setting = BACKGROUNDS["meadow"](Stage(Canvas(np.zeros((3, 64, 64), np.float32), (0.0, 0.0), 64), draws, 0.0))
    found = 0
    for _ in range(60):
        placed = place_objects(draws, [2, 2], setting, 0.5)
        if len(placed) == 2:
            far, near = (it.unit / measure_depth(it.foot, setting) for it in placed)
            assert 0.8 < far / near < 1.25
            found += 1
    assert found > 20


@pytest.mark.parametrize("family", FAMILIES)
def test_relatives_differ_in_the_small_part_alone(family):
    """In the same coat, two classes of a family agree on every pixel that belongs to neither small part."""
    look = Look(looks_of(family)[0][0], Build())
    layers = []
    for kind in (k for k in KINDS if k.family == family):
        canvas = Canvas(np.zeros((5, 128, 128), np.float32), (64, 70), 50)
        FAMILIES[family].draw(canvas, look, kind.draw_part, rng(1))
        layers.append(canvas.planes)
    first, second = layers[:2]
    is_shared = (first[4] == 0) & (second[4] == 0)
    assert np.array_equal(first[:4, is_shared], second[:4, is_shared])
    assert np.abs(first[:3] - second[:3]).max() > 0.3


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_family_describes_the_extent_and_area_of_its_classes(kind):
    family, scale = FAMILIES[kind.family], 60
    canvas = Canvas(np.zeros((5, 200, 200), np.float32), (100, 100), scale)
    family.draw(canvas, Look(kind.coat, kind.build), kind.draw_part, rng(0))
    rows, columns = np.nonzero(canvas.planes[3] > 0.5)
    u0, v0, u1, v1 = family.extent
    low, high = (
        (np.array([columns.min(), rows.min()]) - 100) / scale,
        (np.array([columns.max(), rows.max()]) - 99) / scale,
    )
    assert (low >= np.array([u0, v0]) - 0.06).all() and (high <= np.array([u1, v1]) + 0.06).all()
    assert canvas.planes[3].sum() / scale**2 == pytest.approx(family.area, rel=0.25)


def test_clutter_adds_detail():
    def detail(clutter: float) -> float:
        images = [build_scene(i, SceneConfig(size=64, clutter=clutter)).image.astype(int) for i in range(30)]
        return float(np.mean([np.abs(np.diff(im, axis=1)).mean() for im in images]))

    assert detail(1.0) > 1.2 * detail(0.0)


def test_objects_keep_their_small_parts_in_sight():
    draws = rng(2)
    for _ in range(200):
        setting = BACKGROUNDS["meadow"](Stage(Canvas(np.zeros((3, 32, 32), np.float32), (0.0, 0.0), 32), draws, 0.0))
        placed = place_objects(draws, choose_classes(draws, 2, "meadow"), setting, 0.5)
        assert placed and [p.foot for p in placed] == sorted(p.foot for p in placed)
        assert all(0 < p.part[0] < 1 and 0 < p.part[1] < 1 for p in placed)


SHAPES = {
    "circle": circle(0.1, -0.1, 0.6),
    "ellipse": ellipse(0.0, 0.1, 0.7, 0.35, 0.5),
    "capsule": capsule(-0.4, -0.3, 0.4, 0.2, 0.3, 0.15),
    "box": box(0.05, 0.0, 0.6, 0.4, 0.15),
    "polygon": polygon([(-0.6, 0.5), (0.0, -0.7), (0.6, 0.5)]),
    "ring": ring(0.0, 0.0, 0.5, 0.12),
    "cut": cut(circle(0.0, 0.0, 0.7), circle(0.3, 0.0, 0.5)),
    "union": union(circle(-0.3, 0.0, 0.4), circle(0.3, 0.0, 0.4), blend=0.2),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_coverage_is_the_mean_of_finer_pixels(name, turn):
    def cover(size: int) -> np.ndarray:
        canvas = Canvas(np.zeros((5, size, size), np.float32), (size / 2, size / 2), size / 2, turn, True)
        canvas.paint(SHAPES[name], (1.0, 0.5, 0.0))
        return canvas.planes[3]

    coarse, fine = cover(40), cover(320).reshape(40, 8, 40, 8).mean((1, 3))
    assert np.abs(coarse - fine).max() < 0.3
    assert np.abs(coarse - fine).mean() < 0.01
    assert coarse.max() > 0.99


def test_painting_within_a_patch_keeps_its_outline():
    canvas = Canvas(np.zeros((5, 40, 40), np.float32), (20, 20), 20)
    patch = canvas.paint(circle(0.0, 0.0, 0.5), (0.2, 0.2, 0.2))
    before = canvas.planes[3].copy()
    canvas.paint(box(0.4, 0.0, 0.5, 0.5), (1.0, 0.0, 0.0), within=patch)
    assert np.allclose(canvas.planes[3], before)
    assert canvas.planes[0].max() == pytest.approx(1.0)
    assert (canvas.planes[:3] <= canvas.planes[3] + 1e-6).all()


def test_contact_sheet_sets_image_and_mask_side_by_side():
    data = open_scenes({"size": "64", "n": "8"}, "train")
    sheet = np.asarray(build_contact_sheet(data, 3))
    scene = build_scene(0, data.config)
    assert np.array_equal(sheet[4:68, 4:68], scene.image)
    assert np.array_equal(sheet[4:68, 69:133], colour_mask(scene))


def test_contact_sheet_of_nothing_is_refused():
    with pytest.raises(ValueError, match="contact sheet of 0 scenes"):
        build_contact_sheet(open_scenes({"size": "32"}, "train"), 0)


def test_list_of_ids_is_a_split_and_says_of_which_one_it_is(tmp_path):
    path = tmp_path / "odd ones.txt"
    for head, split in (("", "train"), ("# split: val\n", "val")):
        path.write_text(f"{head}scene_000003\nscene_000001\n")
        some, whole = load_dataset("scenes:size=32,n=4", str(path)), load_dataset("scenes:size=32,n=4", split)
        assert some.ids == ("scene_000003", "scene_000001") and some.split == split
        np.testing.assert_array_equal(some.gt("scene_000003"), whole.gt("scene_000003"))
    path.write_text("scene_000004\n")
    with pytest.raises(DataError, match=r"scene_000004.*run from scene_000000 to scene_000003"):
        load_dataset("scenes:size=32,n=4", str(path))
