"""Batches by size, read ahead and written behind, give the maps that one image after another gives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from amn_core.commands.extract import ExtractConfig, extract, resolve_batch
from amn_core.data import DataError, load_dataset
from amn_core.formats.checkpoints import load_checkpoint
from amn_core.formats.maps import load_map
from amn_core.formats.runs import load_run, save_run
from amn_core.infer.extractor import Extractor, load_extractor
from amn_core.infer.streaming import FULL_PIXELS, Item, WriteBehind, count_fitting, group_by_size, read_ahead
from amn_core.models import build_model
from amn_core.models.folding import fold_norms
from amn_core.train.config import TrainConfig
from amn_core.train.loop import train

SPEC = "scenes:size=64,n=9,seed=3"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model")
    return train(TrainConfig(
        data=SPEC, out=str(out), epochs=1, batch=4, crop=32, long_side_min=32, long_side_max=48, device="cpu"))


def test_batch_gives_the_maps_of_its_images_one_by_one(model: Path) -> None:
    extractor, dataset = load_extractor(model, device="cpu", scales=(1.0, 0.5)), load_dataset(SPEC, "train")
    images = [dataset.image(i) for i in dataset.ids[:3]]
    class_ids = [np.array([1, 3]), np.array([], dtype=np.int64), np.array([2])]
    together = extractor.infer_batch(images, class_ids, [None] * 3)
    for image, chosen, cam in zip(images, class_ids, together, strict=True):
        assert cam.shape == (len(chosen), 16, 16)
        assert np.allclose(cam, extractor.infer_map(image, chosen), atol=1e-5)


@pytest.mark.parametrize("workers", [0, 2])
def test_extraction_in_batches_stores_the_same_maps(model: Path, tmp_path: Path, workers: int) -> None:
    config = ExtractConfig(checkpoint=str(model), data=SPEC, out=str(tmp_path / "one"), scales="1", device="cpu")
    one = extract(replace(config, workers=0))
    many = extract(replace(config, out=str(tmp_path / "many"), batch=4, workers=workers))
    for image_id in load_dataset(SPEC, "train").ids:
        (cam, class_ids), (other, others) = (load_map(run / "maps" / f"{image_id}.npz") for run in (one, many))
        assert np.array_equal(class_ids, others) and np.abs(cam - other).max(initial=0) <= 1.01 / 255


@pytest.mark.parametrize("backbone", ["resnet50", "efficientnet_lite0_small"])
def test_folded_norms_leave_the_scores_as_they_were(backbone: str) -> None:
    torch.manual_seed(1)
    network = build_model("amn", backbone, 4).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    images, labels = torch.randint(0, 256, (2, 3, 48, 32), dtype=torch.uint8), torch.ones(2, 3)
    with torch.inference_mode():
        expected = network.infer_scores(images, labels)
        found = fold_norms(network).infer_scores(images, labels)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())


def test_run_says_how_its_maps_were_drawn_and_is_not_mixed_with_the_other_way(model: Path, tmp_path: Path) -> None:
    config = ExtractConfig(checkpoint=str(model), data=SPEC, out=str(tmp_path), scales="1", device="cpu")
    first = load_run(extract(replace(config, registered=False)))
    assert first.meta["protocol"]["registration"] == "cells" and not first.is_registered
    del first.meta["protocol"]["registration"]  # as of a run from before it was written down
    save_run(first.path, first.meta)
    with pytest.raises(ValueError, match="holds a run with another protocol: choose another --out"):
        extract(config)
    assert extract(replace(config, registered=False)) == first.path
    assert load_run(extract(replace(config, out=str(tmp_path / "other")))).is_registered


def make_items(*sizes: tuple[int, int]) -> list[Item]:
    return [Item(str(i), np.zeros((*size, 3), np.uint8)) for i, size in enumerate(sizes)]


def test_groups_hold_images_of_one_size_and_every_image_once() -> None:
    rng = np.random.default_rng(0)
    items = make_items(*[((8, 6), (6, 8), (5, 5))[i] for i in rng.choice(3, 100, p=[0.5, 0.45, 0.05])])
    groups = list(group_by_size(items, 4))
    assert sorted(item.image_id for group in groups for item in group) == sorted(item.image_id for item in items)
    assert all(len({item.image.shape for item in group}) == 1 and len(group) <= 4 for group in groups)
    assert sum(len(group) == 4 for group in groups) > 20


def test_images_of_rare_sizes_do_not_pile_up() -> None:
    waiting = []

    def count(items):
        for item in items:
            waiting.append(item)
            yield item

    for group in group_by_size(count(make_items(*[(4, width) for width in range(4, 300)])), 2):
        waiting = [item for item in waiting if all(item is not one for one in group)]
        assert len(waiting) <= 16


def test_groups_of_one_keep_the_order() -> None:
    items = make_items((4, 4), (5, 5), (4, 4))
    assert list(group_by_size(items, 1)) == [[item] for item in items]


def test_large_images_come_in_smaller_groups() -> None:
    assert count_fitting((512, 512), 16) == count_fitting((100, 100), 16) == 16
    assert count_fitting((1024, 1024), 16) == 4 and count_fitting((9000, 9000), 16) == 1
    assert count_fitting((700, 900), 16) * 700 * 900 <= 16 * FULL_PIXELS


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_items_are_read_ahead_in_order_and_their_errors_come_in_turn(workers: int) -> None:
    def load(number: int) -> int:
        if number == 7:
            raise DataError("seven")
        return number * number

    assert list(read_ahead(load, range(7), workers)) == [n * n for n in range(7)]
    items = read_ahead(load, range(20), workers)
    assert [next(items) for _ in range(7)] == [n * n for n in range(7)]
    with pytest.raises(DataError, match="seven"):
        next(items)


@pytest.mark.parametrize("workers", [0, 2])
def test_writes_are_all_done_at_the_end_and_a_failure_is_raised(workers: int) -> None:
    done: list[int] = []
    with WriteBehind(workers) as writer:
        for number in range(30):
            writer.write(done.append, number)
    assert sorted(done) == list(range(30))

    def fail() -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"), WriteBehind(workers) as writer:
        writer.write(fail)


def test_memory_that_runs_out_suggests_half_the_batch(model: Path, tmp_path: Path, monkeypatch) -> None:
    def run_out(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB")

    monkeypatch.setattr(Extractor, "infer_batch", run_out)
    config = ExtractConfig(checkpoint=str(model), data=SPEC, out=str(tmp_path), device="cpu", batch=6)
    with pytest.raises(MemoryError, match="with --batch 6 at scene_000000: use --batch 3; the maps that are made"):
        extract(config)
    with pytest.raises(MemoryError, match="--device cpu"):
        extract(replace(config, batch=1))


def test_batch_and_threads_are_filled_in_and_checked() -> None:
    config, gpu = ExtractConfig(), torch.device("cuda")
    assert resolve_batch(config, torch.device("cpu"))[0] == 1 and resolve_batch(config, gpu)[0] == 16
    assert resolve_batch(replace(config, batch=3, workers=0), gpu) == (3, 0)
    with pytest.raises(ValueError, match="batch is 0"):
        resolve_batch(replace(config, batch=0), gpu)


@pytest.mark.cuda
def test_gpu_gives_the_maps_of_the_cpu(model: Path) -> None:
    dataset = load_dataset(SPEC, "train")
    images, class_ids = [dataset.image(i) for i in dataset.ids[:4]], [np.array([1, 2])] * 4
    network, content = load_checkpoint(model)
    maps = []
    for name in ("cpu", "cuda"):
        extractor = Extractor(network.to(name), tuple(content["class_names"]), torch.device(name), torch.float32)
        maps.append(np.stack(extractor.infer_batch(images, class_ids, [None] * 4)))
    assert np.allclose(*maps, atol=1e-3)
