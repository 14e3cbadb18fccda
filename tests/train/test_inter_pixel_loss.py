"""The loss of IRN, its paths and its gradient, held to loops that go pair by pair."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from amn_core.refine.pixel_pairs import add_at_path_maximum, build_pairs, find_path_maximum
from amn_core.train.losses import RELATION_EPSILON, inter_pixel_loss


def find_slow_path(rows: int, columns: int) -> set[tuple[int, int]]:
    """Walk over the rectangle that two pixels span and keep what is nearer than 1 to their line."""
    length = math.hypot(rows, columns)
    inside = ((y, x) for y in range(rows + 1) for x in range(min(0, columns), max(0, columns) + 1))
    return {(y, x) for y, x in inside if abs(rows * x - columns * y) / length < 1 - 1e-9}


def compute_slow_loss(edge, displacement, seed, radius: int) -> torch.Tensor:
    """Compute the loss by loops over images and pixels, with autograd."""
    terms: dict[str, list] = {name: [] for name in ("bg", "fg", "neg", "toward", "still")}
    n_images, height, width = seed.shape
    probability = torch.sigmoid(edge)
    for b in range(n_images):
        for y in range(height):
            for x in range(width):
                for dy in range(radius):
                    for dx in range(1 - radius, radius):
                        is_pair = (dy > 0 or dx > 0) and math.hypot(dy, dx) < radius
                        if not is_pair or not (y + dy < height and 0 <= x + dx < width):
                            continue
                        first, second = seed[b, y, x].item(), seed[b, y + dy, x + dx].item()
                        if 255 in (first, second):
                            continue
                        path = [probability[b, 0, y + py, x + px] for py, px in sorted(find_slow_path(dy, dx))]
                        affinity = 1 - torch.stack(path).max()
                        moved = displacement[b, :, y, x] - displacement[b, :, y + dy, x + dx]
                        if first != second:
                            terms["neg"].append(-torch.log(1 + RELATION_EPSILON - affinity))
                        elif first == 0:
                            terms["bg"].append(-torch.log(affinity + RELATION_EPSILON))
                            terms["still"].append(moved.abs().mean())
                        else:
                            terms["fg"].append(-torch.log(affinity + RELATION_EPSILON))
                            terms["toward"].append((moved - torch.tensor([dy, dx])).abs().mean())
    mean = {name: torch.stack(some).mean() if some else torch.zeros(()) for name, some in terms.items()}
    return 0.5 * (0.5 * (mean["bg"] + mean["fg"]) + mean["neg"]) + 0.5 * (mean["toward"] + mean["still"])


def draw_batch(seed: int, size: tuple[int, int], labels: list[int]) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    edge = torch.randn(2, 1, *size, generator=generator).requires_grad_()
    displacement = (3 * torch.randn(2, 2, *size, generator=generator)).requires_grad_()
    chosen = torch.tensor(labels)[torch.randint(0, len(labels), (2, *size), generator=generator)]
    return edge, displacement, chosen


def test_paths_are_those_of_the_slow_walk() -> None:
    pairs = build_pairs(10)
    assert len(pairs) == 152 and sum(len(pair.path) for pair in pairs) == 2134  # as IRN's code has them
    for pair in pairs:
        assert set(pair.path) == find_slow_path(*pair.offset)
        assert {(0, 0), pair.offset} <= set(pair.path) and math.hypot(*pair.offset) < 10
    with pytest.raises(ValueError, match="radius is 1"):
        build_pairs(1)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([(3, 4), (5, 2), (1, 6), (6, 6)]), st.sampled_from([2, 3, 4]),
    st.sampled_from([[0, 1, 255], [0, 1, 2], [0, 0, 255], [2, 2], [255], [0, 3]]))
def test_loss_and_gradient_are_those_of_the_slow_loops(seed, size, radius, labels) -> None:
    edge, displacement, chosen = draw_batch(seed, size, labels)
    loss = inter_pixel_loss(edge, displacement, chosen, radius)
    loss.backward()
    found = edge.grad.clone(), displacement.grad.clone()
    edge.grad = displacement.grad = None
    expected = compute_slow_loss(edge, displacement, chosen, radius)
    torch.testing.assert_close(loss, expected)
    if expected.requires_grad:
        expected.backward()
    for tensor, gradient in zip((edge, displacement), found, strict=True):
        wanted = tensor.grad if tensor.grad is not None else torch.zeros_like(tensor)
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("labels", [[255], [0], [4], [0, 255]])
def test_loss_is_finite_without_some_kind_of_pair(labels: list[int]) -> None:
    edge, displacement, seed = draw_batch(0, (12, 9), labels)
    loss = inter_pixel_loss(edge, displacement, seed)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(edge.grad).all() and torch.isfinite(displacement.grad).all()
    assert (loss == 0) == (labels == [255])


def test_saturated_edges_keep_loss_and_gradient_finite() -> None:
    edge, displacement, seed = draw_batch(0, (12, 9), [0, 1])
    extreme = (edge.detach() * 1e4).requires_grad_()
    loss = inter_pixel_loss(extreme, displacement, seed)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(extreme.grad).all()


def test_displacement_to_the_centre_of_each_object_costs_nothing() -> None:
    rows, columns = torch.meshgrid(torch.arange(10.0), torch.arange(14.0), indexing="ij")
    seed = torch.full((1, 10, 14), 0)
    seed[:, 2:7, 3:9] = 1
    toward = torch.stack([4 - rows, 5.5 - columns])[None] * (seed == 1)
    still = torch.full((1, 1, 10, 14), -20.0)  # no edge anywhere
    best = inter_pixel_loss(still, toward, seed)
    assert inter_pixel_loss(still, -toward, seed) > best + 1
    same = torch.where(seed == 1, 1, 255)  # pairs on the object alone
    assert inter_pixel_loss(still, toward, same).item() == pytest.approx(0, abs=1e-4)


def test_of_equal_edges_on_a_path_the_first_gets_the_gradient() -> None:
    pair = next(pair for pair in build_pairs(4) if pair.offset == (0, 3))
    planes, total = torch.tensor([[[0.2], [0.7], [0.7], [0.1]]]), torch.zeros(1, 4, 1)
    best = find_path_maximum(planes, pair)
    add_at_path_maximum(total, planes, pair, best, torch.ones_like(best))
    assert best.item() == pytest.approx(0.7) and total.flatten().tolist() == [0, 1, 0, 0]


@pytest.mark.cuda
def test_loss_on_cuda_is_that_on_the_cpu() -> None:
    edge, displacement, seed = draw_batch(1, (20, 30), [0, 1, 255])
    inter_pixel_loss(edge, displacement, seed).backward()
    there = [tensor.detach().cuda().requires_grad_() for tensor in (edge, displacement)]
    inter_pixel_loss(*there, seed.cuda()).backward()
    for tensor, other in zip((edge, displacement), there, strict=True):
        torch.testing.assert_close(other.grad.cpu(), tensor.grad, rtol=1e-4, atol=1e-6)
