"""The per-pixel classification loss against its definition, and where the official one is NaN."""

import pytest
import torch

from amn_core.train.losses import build_pixel_targets, multilabel_loss, per_pixel_classification_loss

EPSILON, C = 0.4, 21


def compute_slowly(logits: torch.Tensor, seed: torch.Tensor) -> float:
    """Compute L = ½ (mean over background + mean over foreground), pixel by pixel."""
    parts: dict[bool, list[float]] = {True: [], False: []}
    for b, i, j in torch.ones_like(seed).nonzero().tolist():
        label = int(seed[b, i, j])
        if label == 255:
            continue
        log_p = logits[b, :, i, j].double().log_softmax(0)
        target = torch.full((C,), EPSILON / (C - 1), dtype=torch.double)
        target[label] = 1 - EPSILON
        parts[label == 0].append(float(-(target * log_p).sum()))
    return 0.5 * sum(sum(values) / len(values) for values in parts.values() if values)


@pytest.mark.parametrize("labels", [(0, 3, 255), (0, 255), (3, 7), (255,), (0,)])
def test_loss_follows_its_definition(labels: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, C, 4, 5, generator=generator)
    seed = torch.tensor(labels)[torch.randint(len(labels), (2, 4, 5), generator=generator)]
    loss = per_pixel_classification_loss(logits, seed, EPSILON)
    assert loss.item() == pytest.approx(compute_slowly(logits, seed), abs=1e-5)


@pytest.mark.parametrize("label", [0, 3, 255])
def test_gradient_is_finite_when_a_part_is_missing(label: int) -> None:
    logits = torch.randn(1, C, 3, 3, requires_grad=True)
    per_pixel_classification_loss(logits, torch.full((1, 3, 3), label)).backward()
    assert torch.isfinite(logits.grad).all()
    assert bool(logits.grad.any()) == (label != 255)


def test_targets_sum_to_one_and_hold_epsilon() -> None:
    targets = build_pixel_targets(torch.tensor([[[0, 5]]]), C, EPSILON)
    assert torch.allclose(targets.sum(1), torch.ones(1, 1, 2))
    assert targets[0, 5, 0, 1].item() == pytest.approx(1 - EPSILON)
    assert targets[0, 5, 0, 0].item() == pytest.approx(EPSILON / (C - 1))


def test_multilabel_loss_is_log_two_for_no_evidence() -> None:
    loss = multilabel_loss(torch.zeros(2, 20), torch.ones(2, 20))
    assert loss.item() == pytest.approx(0.693147, abs=1e-5)
