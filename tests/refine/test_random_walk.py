"""The random walk: the same as a dense matrix raised to a power, held back by edges, for any batch of images."""

import math

import numpy as np
import pytest
import torch

from amn_core.refine.random_walk import EPSILON, WalkConfig, build_transitions, spread_maps


def walk_slowly(cam: np.ndarray, edge: np.ndarray, config: WalkConfig) -> np.ndarray:
    """Walk with one dense matrix, made pixel by pixel, raised to a power: (K, h, w) in, (K, h, w) out."""
    height, width = edge.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]
    affinity = np.array([[measure_affinity(edge, a, b, config) for b in pixels] for a in pixels])
    transition = affinity / affinity.sum(axis=1, keepdims=True)
    start = (cam ** config.power * (1 - edge)).reshape(len(cam), -1)
    walk = np.linalg.matrix_power(transition, config.steps)
    moved = (walk @ start.T).T.reshape(cam.shape)
    if config.normalisation == "mean":
        return moved / (walk @ (1 - edge).reshape(-1)).reshape(edge.shape)
    return moved / (moved.max() + EPSILON)


def measure_affinity(edge: np.ndarray, a: tuple[int, int], b: tuple[int, int], config: WalkConfig) -> float:
    """Measure the affinity of two pixels from every pixel nearer than 1 to the line between them."""
    rows, columns = b[0] - a[0], b[1] - a[1]
    length = math.hypot(rows, columns)
    if length == 0:
        return 1.0
    if length >= config.radius:
        return 0.0
    between = [
        edge[a[0] + dy, a[1] + dx]
        for dy in range(min(rows, 0), max(rows, 0) + 1) for dx in range(min(columns, 0), max(columns, 0) + 1)
        if abs(dy * columns - dx * rows) / length < 1]
    return (1 - max(between)) ** config.beta


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("config", [
    WalkConfig(), WalkConfig(beta=3, steps=5, radius=3, power=1), WalkConfig(beta=1, steps=1, radius=6),
    WalkConfig(normalisation="mean"), WalkConfig(beta=3, steps=5, radius=3, power=1, normalisation="mean")])
def test_walk_equals_a_dense_matrix_to_a_power(config: WalkConfig, device: str) -> None:
    rng = np.random.default_rng(5)
    sizes, numbers = ((7, 9), (5, 5), (9, 4)), (2, 0, 3)
    maps = [rng.random((n, *size)).astype(np.float32) for n, size in zip(numbers, sizes, strict=True)]
    edges = [(rng.random(size) ** 3).astype(np.float32) for size in sizes]
    found = spread_maps(
        [torch.from_numpy(cam).to(device) for cam in maps], [torch.from_numpy(e).to(device) for e in edges], config)
    for cam, edge, result in zip(maps, edges, found, strict=True):
        assert result.shape == cam.shape and result.dtype == torch.float32
        if len(cam):
            slow = walk_slowly(cam.astype(np.float64), edge.astype(np.float64), config)
            assert np.abs(result.cpu().numpy() - slow).max() < 5e-4  # single precision, up to 256 steps


def test_activation_stays_on_its_side_of_a_closed_edge() -> None:
    edge, cam = torch.zeros(12, 16), torch.zeros(1, 12, 16)
    edge[:, 8] = 1
    cam[0, 5, 3] = 1
    spread = spread_maps([cam], [edge])[0][0]
    assert spread[:, 8:].max() == 0
    assert spread[:, :8].min() > 0.5  # 256 steps reach every corner of the other side


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_mean_leaves_even_maps_as_they_are_whatever_the_edges(level: float) -> None:
    edge = torch.rand(9, 12, generator=torch.Generator().manual_seed(1)) ** 4
    spread = spread_maps([torch.full((2, 9, 12), level)], [edge], WalkConfig(power=1, normalisation="mean"))[0]
    assert torch.allclose(spread, torch.tensor(level), atol=1e-4)


def test_mean_keeps_weak_and_strong_maps_apart_where_the_largest_value_makes_them_alike() -> None:
    edge, shape = torch.full((8, 8), 0.1), torch.linspace(0, 1, 64).view(1, 8, 8)
    weak, strong = 0.3 * shape, shape
    alike = [spread_maps([cam], [edge], WalkConfig(power=1))[0] for cam in (weak, strong)]
    apart = [spread_maps([cam], [edge], WalkConfig(power=1, normalisation="mean"))[0] for cam in (weak, strong)]
    assert torch.allclose(*alike, atol=1e-3) and torch.allclose(0.3 * apart[1], apart[0], atol=1e-4)


def test_mean_ends_at_nothing_where_everything_is_edge() -> None:
    edge = torch.ones(4, 5)
    assert not spread_maps([torch.ones(1, 4, 5)], [edge], WalkConfig(normalisation="mean"))[0].any()


def test_every_pixel_takes_a_mean_of_its_neighbours() -> None:
    matrix = build_transitions([torch.rand(6, 5), torch.rand(3, 8)], WalkConfig()).to_dense()
    assert torch.allclose(matrix.sum(1), torch.ones(54)) and (matrix >= 0).all()
    assert not matrix[:30, 30:].any() and not matrix[30:, :30].any()  # images do not touch


def test_image_without_classes_has_no_maps() -> None:
    assert spread_maps([torch.zeros(0, 3, 4)], [torch.zeros(3, 4)])[0].shape == (0, 3, 4)


def test_edges_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"image 0 are \(3, 4\) but its edges are \(4, 3\)"):
        spread_maps([torch.zeros(1, 3, 4)], [torch.zeros(4, 3)])


@pytest.mark.parametrize("wrong", [{"beta": 0}, {"steps": 0}, {"radius": 1}, {"power": -1}, {"normalisation": "max"}])
def test_parameters_that_make_no_walk_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WalkConfig(**wrong)
