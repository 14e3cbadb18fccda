"""Oxford-IIIT Pet is read in its own layout, by breeds or species, in every command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amn_core.cli import main
from amn_core.commands.apply import ApplyConfig, apply_bundle
from amn_core.commands.checks import list_splits
from amn_core.commands.extract import ExtractConfig, extract
from amn_core.commands.pipeline import ReproduceConfig, resolve_splits
from amn_core.constants import PET_BREEDS
from amn_core.data import DataError, load_dataset
from amn_core.data.check import check_dataset
from amn_core.formats.runs import describe_data, load_run, resolve_spec
from amn_core.formats.specs import Spec, hide_root, make_whole, place_root, split_spec
from amn_core.train.config import TrainConfig
from tests.data.pets_maker import PETS, TRAINVAL, make_pets, write_list

BUNDLE = Path(__file__).resolve().parents[2] / "checkpoints" / "voc-animals"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_pets(tmp_path / "pets")


def test_breeds_are_the_37_of_the_data_set_in_the_order_of_their_numbers(root):
    assert len(PET_BREEDS) == 38 and sorted(PET_BREEDS[1:], key=str.lower) == list(PET_BREEDS[1:])
    dataset = load_dataset(f"pets:{root}", "trainval")
    assert dataset.ids == TRAINVAL and dataset.class_names == PET_BREEDS and dataset.label_source == "list.txt"
    for image_id in TRAINVAL:  # a file is named after its breed
        (class_id,) = dataset.class_ids(image_id)
        assert PET_BREEDS[class_id].replace(" ", "_") == image_id.rpartition("_")[0]


def test_species_are_cat_and_dog(root):
    dataset = load_dataset(f"pets:{root},classes=species", "all")
    assert dataset.class_names == ("background", "cat", "dog")
    assert [dataset.class_ids(i).tolist() for i in PETS] == [[species] for _, species, _ in PETS.values()]


@pytest.mark.parametrize(("options", "column"), [("", 0), (",classes=species", 1), (",classes=breeds", 0)])
def test_a_mask_holds_the_one_class_of_its_image_and_its_border_is_not_scored(options, column, root):
    dataset = load_dataset(f"pets:{root}{options}", "all")
    for image_id, numbers in PETS.items():
        gt = dataset.gt(image_id)
        trimap = np.asarray(Image.open(root / "annotations" / "trimaps" / f"{image_id}.png"))
        assert gt.dtype == np.uint8 and gt.shape == dataset.image(image_id).shape[:2]
        for value, label in ((1, numbers[column]), (2, 0), (3, 255)):
            assert (gt[trimap == value] == label).all() and (trimap == value).any()


def test_splits_are_those_of_the_data_set_and_lists_of_ones_own(root, tmp_path):
    spec = f"pets:{root}"
    assert load_dataset(spec, "test").ids == ("Egyptian_Mau_7",)
    (tmp_path / "mine.txt").write_text("pug_3\nimages/beagle_12.jpg\n")
    assert load_dataset(spec, str(tmp_path / "mine.txt")).ids == ("pug_3", "beagle_12")
    assert list_splits(spec) == ("trainval", "test", "all")
    resolved = resolve_splits(ReproduceConfig(data=spec))
    assert (resolved.train_split, resolved.split) == ("trainval", "test")


def test_some_images_of_a_split_are_drawn_alike_everywhere(root):
    spec = f"pets:{root},classes=species,n=2"
    drawn = {seed: load_dataset(f"{spec},seed={seed}", "trainval").ids for seed in range(8)}
    assert drawn[0] == load_dataset(spec, "trainval").ids == ("Abyssinian_1", "beagle_12")
    assert all(len(ids) == 2 and sorted(ids, key=TRAINVAL.index) == list(ids) for ids in drawn.values())
    assert len(set(drawn.values())) > 1
    assert load_dataset(f"pets:{root},n=9", "trainval").ids == TRAINVAL
    with pytest.raises(DataError, match="n is 'few'; write a whole number"):
        load_dataset(f"pets:{root},n=few", "trainval")


def test_torchvisions_folder_is_found_below_the_root(tmp_path):
    make_pets(tmp_path / "oxford-iiit-pet")
    assert load_dataset(f"pets:{tmp_path}", "test").ids == ("Egyptian_Mau_7",)


def test_without_the_whole_list_the_two_splits_give_the_classes(root):
    (root / "annotations" / "list.txt").unlink()
    dataset = load_dataset(f"pets:{root}", "all")
    assert set(dataset.ids) == set(PETS) and dataset.label_source == "trainval.txt and test.txt"


def test_a_gif_under_the_name_of_a_jpeg_is_read(root):
    Image.new("RGB", (50, 41), (200, 0, 0)).convert("P").save(root / "images" / "beagle_12.jpg", format="GIF")
    assert load_dataset(f"pets:{root}", "trainval").image("beagle_12").shape == (41, 50, 3)


def test_an_image_without_a_trimap_has_no_ground_truth(root):
    (root / "annotations" / "trimaps" / "pug_3.png").unlink()
    assert load_dataset(f"pets:{root}", "trainval").gt("pug_3") is None


@pytest.mark.parametrize(("spec", "split", "message"), [
    ("pets:{root}", "train", "split 'train' is neither a file nor one of trainval, test, all"),
    ("pets:{root}/nowhere", "test", "no such folder"), ("pets:{root}/images", "test", "data get pets"),
    ("pets:{root},classes=fur", "test", "classes is 'fur'; write classes=species"),
    ("pets", "test", r"expected voc:ROOT, coco:ROOT, pets:ROOT\[,classes=species\], folder:ROOT, photos or scenes")])
def test_what_is_missing_is_named(spec, split, message, root):
    with pytest.raises(DataError, match=message):
        load_dataset(spec.format(root=root), split)


@pytest.mark.parametrize(("line", "message"), [
    ("pug_3 38 2 18", "breed 1 to 37 but is 'pug_3 38 2 18'"), ("pug_3", "but is 'pug_3'"),
    ("pug_3 x 2 1", "'pug_3 x")])
def test_broken_lines_are_named(line, message, root):
    with (root / "annotations" / "list.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=rf"list.txt: line 7 must be ID CLASS SPECIES BREED.*{message}"):
        load_dataset(f"pets:{root}", "test")


def test_broken_trimaps_missing_files_and_strange_ids_are_named(root):
    Image.fromarray(np.full((41, 50), 4, np.uint8)).save(root / "annotations" / "trimaps" / "beagle_12.png")
    with pytest.raises(DataError, match=r"beagle_12\.png: value 4 is none of a trimap's"):
        load_dataset(f"pets:{root}", "trainval").gt("beagle_12")
    (root / "images" / "pug_3.jpg").unlink()
    with pytest.raises(DataError, match=r"1 problem.*pug_3.*--skip-broken"):
        load_dataset(f"pets:{root}", "trainval")
    assert load_dataset(f"pets:{root}", "trainval", skip_broken=True).ids == TRAINVAL[:2]
    with (root / "annotations" / "test.txt").open("a") as file:
        file.write("Sphynx_9 34 1 12\n")
    with pytest.raises(DataError, match="Sphynx_9 has no class"):
        load_dataset(f"pets:{root}", "test")


def test_check_and_preview_take_pets_and_their_first_split(root, tmp_path, capsys):
    report = check_dataset(f"pets:{root},classes=species", "trainval")
    assert report["findings"] == [] and report["masks"] == 3 and report["ground_truth"] == "trimaps"
    assert main(["data", "check", f"pets:{root}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 3
    assert main(["data", "preview", f"pets:{root}", "--out", str(tmp_path / "sheet.png")]) == 0
    write_list(root, "trainval", ())
    assert main(["data", "check", f"pets:{root}"]) == 1


def test_options_stay_with_the_spec_wherever_its_folder_is_shown_or_hidden(root):
    spec = f"pets:{root},classes=species"
    assert split_spec(spec) == Spec("pets", str(root), ",classes=species")
    assert split_spec(f"folder:{root},classes=species").options == "", "a comma may be in a folder's name"
    assert describe_data(spec) == ("pets:pets,classes=species", str(root))
    assert place_root(*describe_data(spec)) == spec and make_whole(spec) == spec
    assert hide_root("scenes:n=2") == make_whole("scenes:n=2") == place_root("scenes:n=2", "") == "scenes:n=2"


def test_cam_is_trained_extracted_and_counted_on_pets(root, tiny_cam: TrainConfig, tmp_path, capsys):
    from amn_core.train.loop import train

    spec = f"pets:{root},classes=species"
    path = train(replace(tiny_cam, data=spec, split="trainval", epochs=1, batch=2))
    run = load_run(extract(ExtractConfig(checkpoint=str(path), data=spec, split="test", out=str(tmp_path / "run"))))
    assert run.meta["data"] == "pets:pets,classes=species" and resolve_spec(run) == spec
    assert main(["count", "--run", str(run.path)]) == 0
    capsys.readouterr()
    assert main(["compare", str(run.path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert row["images"] == 1 and 0 <= row["peak_miou"] <= 1


def test_models_of_more_classes_are_applied_to_cat_and_dog_by_name(root, tmp_path):
    config = ApplyConfig(bundle=str(BUNDLE), data=f"pets:{root},classes=species", split="test",
                         out=str(tmp_path / "applied"), device="cpu", precision="fp32")
    run, bundled = load_run(apply_bundle(config) / "cam"), load_run(BUNDLE / "cam")
    assert run.has_counts and run.class_names == ("background", "cat", "dog")
    assert run.meta["model"]["knows"].split(", ") == list(bundled.class_names)
    maps, class_ids = run.map("Egyptian_Mau_7")
    assert class_ids.tolist() == [1]
    # the same image under the model's own numbers
    image = root / "images" / "Egyptian_Mau_7.jpg"
    own = tmp_path / "own"
    own.mkdir()
    (own / "Egyptian_Mau_7.jpg").write_bytes(image.read_bytes())
    (own / "classes.txt").write_text("\n".join(bundled.class_names[1:]))
    (own / "labels.csv").write_text("image,labels\nEgyptian_Mau_7.jpg,cat\n")
    extract(ExtractConfig(checkpoint=str(BUNDLE / "cam" / "model.pth"), data=f"folder:{own}", split="all",
                          out=str(tmp_path / "same"), device="cpu", precision="fp32",
                          scales=",".join(f"{s:g}" for s in bundled.meta["protocol"]["scales"])))
    assert np.array_equal(load_run(tmp_path / "same").map("Egyptian_Mau_7")[0], maps)


def test_planes_follow_the_classes_of_the_data_set_whatever_their_order(tmp_path):
    def apply(order: tuple[str, str]):
        folder = tmp_path / "-".join(order)
        folder.mkdir()
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(folder / "a.png")
        (folder / "classes.txt").write_text("\n".join(order))
        (folder / "labels.csv").write_text(f"image,labels\na.png,{';'.join(order)}\n")
        extract(ExtractConfig(checkpoint=str(BUNDLE / "amn" / "model.pth"), data=f"folder:{folder}", split="all",
                              out=str(folder / "run"), device="cpu", precision="fp32", scales="1"))
        return load_run(folder / "run").map("a")[0]

    assert np.array_equal(apply(("dog", "cat"))[::-1], apply(("cat", "dog")))


def test_breeds_that_a_model_does_not_know_are_named(root, tmp_path):
    config = ApplyConfig(bundle=str(BUNDLE), data=f"pets:{root}", split="test", out=str(tmp_path / "out"))
    with pytest.raises(ValueError, match=r"knows other classes than pets:.* \(Abyssinian, american bulldog, .* …\)"):
        apply_bundle(config)
