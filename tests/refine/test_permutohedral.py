"""The lattice filter against a sum over all pairs of points."""

import pytest
import torch

from amn_core.refine.permutohedral import Lattice, find_simplices, slice_gain


def draw_points(n=1500, dimension=2, extent=12.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, dimension, generator=generator) * extent, torch.rand(n, 3, generator=generator)


def dense_matrix(points):
    return torch.exp(-torch.cdist(points, points) ** 2 / 2)


def lattice_matrix(points):
    return Lattice(points).filter(torch.eye(len(points))) * slice_gain(points.shape[1])


@pytest.mark.parametrize(("dimension", "extent", "tolerance"), [(2, 12.0, 0.06), (5, 3.0, 0.15)])
def test_lattice_agrees_with_the_sum_over_all_pairs(dimension, extent, tolerance):
    points, values = draw_points(1500, dimension, extent)
    dense = dense_matrix(points)
    expected = (dense @ values) / dense.sum(1, keepdim=True)
    lattice = Lattice(points)
    found = lattice.filter(values) / lattice.filter(torch.ones(len(points), 1))
    assert (found - expected).abs().max() < tolerance
    assert (found - expected).abs().mean() < tolerance / 4


def test_lattice_of_well_covered_points_keeps_the_gaussian_shape():
    grid = torch.cartesian_prod(torch.arange(0, 8, 0.25), torch.arange(0, 8, 0.25))
    middle = torch.full((1, 2), 4.0)
    points = torch.cat([middle, grid])
    impulse = torch.zeros(len(points), 1)
    impulse[0] = 1
    found = Lattice(points).filter(impulse)[1:, 0]
    expected = torch.exp(-((grid - middle) ** 2).sum(1) / 2)
    assert torch.corrcoef(torch.stack([found, expected]))[0, 1] > 0.98


def test_lattice_weights_sum_to_one_and_are_not_negative():
    points, _ = draw_points(4000, 5, 40.0)
    weights = find_simplices(points).weights
    assert torch.allclose(weights.sum(1), torch.ones(4000), atol=1e-5)
    assert weights.min() > -1e-5


def test_lattice_corners_of_a_point_are_all_distinct():
    points, _ = draw_points(2000, 5, 40.0)
    keys = find_simplices(points).keys.sort(1).values
    assert (keys[:, 1:] > keys[:, :-1]).all()


def test_lattice_corners_surround_the_point_they_belong_to():
    # Linear precision: the point is the weighted mean of its corners, so points on a line between
    # two neighbours in one simplex share keys and interpolate weights.
    points, _ = draw_points(500, 3, 20.0)
    nudged = points + 1e-3
    near, moved = find_simplices(points), find_simplices(nudged)
    is_same = (near.keys == moved.keys).all(1)
    assert is_same.float().mean() > 0.95
    assert (near.weights - moved.weights)[is_same].abs().max() < 0.02


def test_lattice_groups_never_mix():
    points, values = draw_points(600)
    both = Lattice(torch.cat([points, points]), torch.arange(2).repeat_interleave(600))
    other = torch.rand(600, 3, generator=torch.Generator().manual_seed(9))
    found = both.filter(torch.cat([values, other]))
    alone = Lattice(points)
    assert torch.allclose(found[:600], alone.filter(values), atol=1e-4, rtol=1e-4)
    assert torch.allclose(found[600:], alone.filter(other), atol=1e-4, rtol=1e-4)


def test_lattice_scale_folds_diagonals_around_the_filter():
    points, values = draw_points(400)
    before, after = torch.rand(400) + 0.5, torch.rand(400) + 0.5
    plain, scaled = Lattice(points), Lattice(points)
    scaled.scale(before, after)
    expected = after[:, None] * plain.filter(before[:, None] * values)
    assert torch.allclose(scaled.filter(values), expected, rtol=1e-4, atol=1e-5)


def test_lattice_of_one_point_returns_its_value_scaled():
    found = Lattice(torch.zeros(1, 2)).filter(torch.tensor([[2.0]]))
    assert found.shape == (1, 1) and found.item() > 0


def test_lattice_refuses_points_too_far_apart():
    with pytest.raises(ValueError, match="64-bit keys"):
        Lattice(torch.tensor([[0.0] * 5, [1e5] * 5]))
