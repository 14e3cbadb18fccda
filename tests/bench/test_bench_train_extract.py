"""bench train and extract: the plain loop computes the same, and is what it says it is."""

import json
import time

import numpy as np
import pytest
import torch

from amn_core.bench.extraction import BenchExtractConfig, bench_extract
from amn_core.bench.meters import Meter
from amn_core.bench.plain import infer_map_plainly, make_plain
from amn_core.bench.training import BenchTrainConfig, bench_train
from amn_core.cli import main
from amn_core.infer.extractor import Extractor
from amn_core.models import build_model

TINY = {"data": "scenes:size=64,n=6,seed=3", "weights": "none", "device": "cpu"}
WAY = {"images_per_second", "seconds_per_image", "cpu_seconds_per_image", "peak_memory_mb"}


@pytest.mark.parametrize("backbone", ["resnet50", "efficientnet_lite0_small"])
@pytest.mark.parametrize("method", ["cam", "amn"])
def test_plain_network_gives_the_same_maps(backbone: str, method: str) -> None:
    torch.manual_seed(0)
    model = build_model(method, backbone, 4).eval()
    extractor = Extractor(model, ("background", "a", "b", "c"), torch.device("cpu"), torch.float32, (1.0, 0.5))
    image, class_ids = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8), np.array([1, 3])
    found = infer_map_plainly(extractor, make_plain(model), image, class_ids)
    assert np.allclose(found, extractor.infer_map(image, class_ids), atol=1e-4)


def test_gradient_of_the_plain_network_stops_where_it_is_told_to() -> None:
    model = build_model("cam", "efficientnet_lite0_small", 4)
    images = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    reached = {}
    for gradient in ("stopped", "all"):
        plain = make_plain(model, gradient).train()
        plain(images).sum().backward()
        reached[gradient] = [name for name, value in plain.named_parameters() if value.grad is not None]
        assert not any(module.training for module in plain.modules() if isinstance(module, torch.nn.BatchNorm2d))
    assert not any(".early." in name for name in reached["stopped"])
    assert any(".early." in name for name in reached["all"])


@pytest.mark.parametrize("method", ["cam", "amn"])
def test_bench_train_agrees_and_tells_what_each_took(method: str) -> None:
    result = bench_train(BenchTrainConfig(
        method=method, steps=2, batch=2, crop=32, backbone="efficientnet_lite0_small", **TINY))
    assert result["agree"] and result["loss"] == pytest.approx(result["plain_loss"], rel=1e-4)
    assert result["ours"].keys() == result["plain"].keys() == WAY
    expected = result["plain"]["seconds_per_image"] / result["ours"]["seconds_per_image"]
    assert result["ratio"] == pytest.approx(expected) and result["arithmetic"] == "torch.float32"


def test_bench_extract_agrees_in_batches_and_prints_json(capsys) -> None:
    words = [f"--{name}={value}" for name, value in TINY.items()]
    assert main(["bench", "extract", *words, "--images", "3", "--batch", "2", "--scales", "1,0.5", "--backbone",
                 "efficientnet_lite0_small", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["agree"] and result["max_difference"] < 1e-3 and result["batch"] == 2
    assert result["ours"].keys() == result["plain"].keys() == WAY and result["ratio"] > 0


def test_numbers_that_leave_nothing_to_do_are_refused() -> None:
    with pytest.raises(ValueError, match="images is 0"):
        BenchExtractConfig(images=0)
    with pytest.raises(ValueError, match="crop is 0"):
        BenchTrainConfig(crop=0)


def test_meter_sees_the_memory_that_a_piece_of_work_takes() -> None:
    meter = Meter(torch.device("cpu"))

    def fill(megabytes: int) -> int:
        block = np.ones(megabytes * 1_000_000, np.uint8)
        time.sleep(0.1)  # so that the watch looks at it
        return int(block[-1])

    assert meter.run(4, fill, 80) == 1 and meter.work == 4 and meter.seconds > 0.09
    if meter.memory is not None:
        assert 60 < meter.describe()["peak_memory_mb"] < 200


@pytest.mark.cuda
def test_benchmarks_run_on_a_gpu() -> None:
    on_gpu = TINY | {"device": "cuda"}
    assert bench_train(BenchTrainConfig(steps=2, batch=2, crop=64, **on_gpu))["plain"]["peak_memory_mb"] > 0
    assert bench_extract(BenchExtractConfig(images=3, **on_gpu))["ours"]["peak_memory_mb"] > 0
