"""Tensors give the counts that arrays give, on any device."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from amn_core.sweep import count_image, count_images  # noqa: E402
from amn_core.sweep.tensors import count_on_device  # noqa: E402
from tests.sweep.reference import GRIDS, N_CLASSES, make_image  # noqa: E402

DTYPES = (np.float16, np.float32, np.float64, np.uint8)
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def assert_same(first, second) -> None:
    for name in type(first).__dataclass_fields__:
        if name == "separation_moments":
            np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=1e-12, atol=1e-12)
        else:
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("grid", sorted(GRIDS))
@pytest.mark.parametrize("n_planes", [0, 1, 3])
def test_tensor_on_a_device_counts_as_the_array(device, dtype, grid, n_planes):
    cam, class_ids, gt = make_image(n_planes + 10, n_planes, dtype, GRIDS[grid])
    expected = count_image(cam, class_ids, gt, GRIDS[grid], N_CLASSES)
    on_device = torch.from_numpy(cam).to(device), torch.from_numpy(gt).to(device)
    found = count_on_device([on_device[0]], [class_ids], [on_device[1]], GRIDS[grid], N_CLASSES)
    assert_same(found[0], expected)
    assert_same(count_image(on_device[0], torch.from_numpy(class_ids), on_device[1], GRIDS[grid], N_CLASSES), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_images_of_any_size_are_counted_together_as_alone(device):
    images = [make_image(i, i % 4, size=(5 + i, 7)) for i in range(6)]
    cams = [torch.from_numpy(cam).to(device) for cam, _, _ in images]
    ids, gts = [class_ids for _, class_ids, _ in images], [gt for _, _, gt in images]
    alone = [count_image(*image, n_classes=N_CLASSES) for image in images]
    together = count_images(cams, ids, gts, n_classes=N_CLASSES)
    in_one_transfer = count_on_device(cams, ids, gts, GRIDS["default"], N_CLASSES)
    arrays = count_images([cam for cam, _, _ in images], ids, gts, n_classes=N_CLASSES)
    for expected, *found in zip(alone, together, in_one_transfer, arrays):
        for counts in found:
            assert_same(counts, expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES[:3])
def test_learnt_background_counts_on_a_device_as_in_an_array(device, dtype):
    cam, class_ids, gt = make_image(4, 2, dtype)
    background = np.ascontiguousarray(cam[0][::-1])
    expected = count_image(cam, class_ids, gt, GRIDS["offsets"], N_CLASSES, background)
    found = count_on_device(
        [torch.from_numpy(cam).to(device)], [class_ids], [gt], GRIDS["offsets"], N_CLASSES, background
    )
    assert_same(found[0], expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("value", "label", "message"),
    [(float("nan"), 0, "NaN or infinity"), (float("inf"), 0, "NaN or infinity"), (0.5, 99, "mask holds labels")],
)


def test_wrong_tensors_are_refused_by_name(device, value, label, message):
    cam = torch.full((1, 2, 2), value, device=device)
    gt = torch.full((2, 2), label, dtype=torch.uint8, device=device)
    with pytest.raises(ValueError, match=message):
        count_on_device([cam], [np.array([1])], [gt], GRIDS["default"], 21)


def test_other_number_types_are_refused_by_name():
    cam, gt = torch.zeros(1, 2, 2), torch.zeros(2, 2, dtype=torch.uint8)
    with pytest.raises(ValueError, match="bfloat16"):
        count_image(cam.bfloat16(), [1], gt)
    with pytest.raises(ValueError, match="map must be float16"):
        count_on_device([cam.int()], [np.array([1])], [gt], GRIDS["default"], 21)
    with pytest.raises(ValueError, match="give both as the same float"):
        count_on_device([cam], [np.array([1])], [gt], GRIDS["default"], 21, gt)
    with pytest.raises(ValueError, match="there are 1 maps, 2 lists"):
        count_images([cam], [[1], [2]], [gt])


def test_map_that_needs_a_gradient_is_counted():
    cam = torch.full((1, 2, 2), 0.7, requires_grad=True)
    assert count_image(cam, [1], torch.ones(2, 2, dtype=torch.int64)).decision_bins.sum() == 4
