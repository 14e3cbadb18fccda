"""The definitions, written so that anyone can read them: what the engine is held against."""

import numpy as np

from amn_core.sweep import Counts, CountsBuilder

NAMES = tuple(f"class {i}" for i in range(8))
N_CLASSES = len(NAMES)
GRIDS = {
    "default": np.arange(201) / 200,
    "linspace": np.linspace(0, 1, 201),
    "offsets": np.arange(-40, 41) / 40,
    "coarse": np.array([0.05, 0.3, 0.31, 0.7]),
    "one": np.array([0.3]),
    "squares": np.linspace(0, 1, 30) ** 2,
    "thirds": np.linspace(0.1, 0.9, 49),
}


def predict(cam: np.ndarray, class_ids, threshold: float) -> np.ndarray:
    """Label each pixel by the argmax with a constant background plane in front: (H, W)."""
    if cam.dtype == np.uint8:
        cam = cam.astype(np.float32) / np.float32(255)
    background = np.full((1, *cam.shape[1:]), threshold, dtype=cam.dtype)
    labels = np.array([0, *class_ids])
    return labels[np.argmax(np.concatenate([background, cam]), axis=0)]


def count_confusion(prediction: np.ndarray, gt: np.ndarray, n_classes: int = N_CLASSES) -> np.ndarray:
    """Count confusion[gt, pred] pixel by pixel."""
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    for truth, label in zip(gt.ravel().tolist(), prediction.ravel().tolist()):
        if truth != 255:
            confusion[truth, label] += 1
    return confusion


def average_iou(confusion: np.ndarray) -> float:
    """Average the IoU over the classes whose union is not empty; NaN if there is none."""
    scores = []
    for c in range(len(confusion)):
        union = confusion[c].sum() + confusion[:, c].sum() - confusion[c, c]
        if union:
            scores.append(confusion[c, c] / union)
    return float(np.mean(scores)) if scores else float("nan")


def make_image(
    seed: int, n_planes: int, dtype=np.float32, thresholds=GRIDS["default"], size: tuple[int, int] = (9, 11)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make maps half of which lie on a threshold or next to one, their class ids, and ground truth with 255.

    A class may be missing from the ground truth, and the ground truth may hold a class without a map.
    """
    rng = np.random.default_rng(seed)
    class_ids = np.sort(rng.choice(np.arange(1, N_CLASSES), n_planes, replace=False))
    shape = (n_planes, *size)
    if dtype == np.uint8:
        cam = rng.integers(0, 256, shape).astype(np.uint8)
    else:
        on = np.asarray(thresholds).astype(dtype)
        near = np.concatenate([on, np.nextafter(on, dtype(9)), np.nextafter(on, dtype(-9)), [0, 1]]).astype(dtype)
        cam = np.where(rng.random(shape) < 0.5, rng.choice(near, shape), rng.random(shape).astype(dtype))
    labels = np.concatenate([[0, 0, 255], rng.choice(np.arange(N_CLASSES), 3), class_ids])
    return cam, class_ids, rng.choice(labels, size).astype(np.uint8)


def make_counts(seed: int, n_images: int = 6, thresholds=GRIDS["default"]) -> Counts:
    """Make the counts of a small data set with zero to three classes an image."""
    builder = CountsBuilder(NAMES, thresholds)
    for i in range(n_images):
        builder.add(f"image {i}", *make_image(1000 * seed + i, (i + seed) % 4, thresholds=thresholds))
    return builder.build()


def assert_same(first: Counts, second: Counts) -> None:
    """Assert that two counts are equal, moments to rounding."""
    for name in Counts.__dataclass_fields__:
        one, other = getattr(first, name), getattr(second, name)
        if name == "separation_moments":
            np.testing.assert_allclose(one, other, rtol=1e-12)
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other, err_msg=name)
        else:
            assert one == other, name
