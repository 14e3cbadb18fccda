"""The front door of counting: maps and ground truth of one image or several, numpy or torch, to their counts."""

from collections.abc import Sequence

from amn_core.constants import DEFAULT_THRESHOLDS
from amn_core.sweep.binning import check_thresholds
from amn_core.sweep.pixels import ImageCounts, check_class_ids, count_array, is_tensor


def count_image(
    cam, class_ids, gt, thresholds=DEFAULT_THRESHOLDS, n_classes: int = 21, background=None
) -> ImageCounts:
    """Count the pixels of one image by ground truth, strongest class and threshold bin, all thresholds at once.

    A pixel is foreground at a threshold only if its strongest map is strictly above it: background wins ties,
    and among classes the first row wins. The thresholds are cast to the dtype of the maps first. The result is
    bit for bit what an argmax over ``[constant plane, *cam]`` gives at every threshold.

    Args:
        cam: (K, H, W) maps, numpy or torch (CPU or CUDA): float16, float32 or float64 of any finite range, or
            uint8, which stands for a/255 in float32. K may be 0.
        class_ids: (K,) distinct integers in 1..n_classes-1, in the order of the rows.
        gt: (H, W) integers, 0 background, 1..n_classes-1 classes, 255 left out.
        thresholds: (T,) strictly increasing.
        n_classes: number of classes with background, 2 to 255.
        background: (H, W) learnt background channel, or None. With it, the thresholds are offsets added to
            that channel: at 0 the result is exactly the argmax over ``[background, *cam]``, and separation
            is that of ``cam - background``.

    Raises:
        ValueError: if shapes differ, ids or labels are out of range, or a map holds NaN or infinity.

    >>> import numpy as np
    >>> counts = count_image(np.array([[[0.2, 0.9]]]), [1], np.array([[0, 1]]), [0.3], n_classes=2)
    >>> counts.decision_gt.tolist(), counts.decision_bins.tolist()
    ([0, 1], [[1, 0], [0, 1]])
    """
    thresholds = check_thresholds(thresholds)
    return count_checked(cam, check_class_ids(class_ids, n_classes), gt, thresholds, n_classes, background)


def count_images(
    cams: Sequence, class_ids: Sequence, gts: Sequence, thresholds=DEFAULT_THRESHOLDS, n_classes: int = 21
) -> list[ImageCounts]:
    """Count several images as `count_image` does, numpy or torch; on a graphics card with one transfer for all.

    Args:
        cams: maps (K, H, W) of each image, of any size. class_ids, gts: of each image.

    Raises:
        ValueError: as `count_image`.

    >>> import numpy as np
    >>> maps, masks = [np.array([[[0.2, 0.9]]])] * 2, [np.array([[0, 1]])] * 2
    >>> [len(counts.decision_gt) for counts in count_images(maps, [[1], [1]], masks, [0.3], n_classes=2)]
    [2, 2]
    """
    if not len(cams) == len(class_ids) == len(gts):
        raise ValueError(f"there are {len(cams)} maps, {len(class_ids)} lists of class ids and {len(gts)} masks")
    thresholds = check_thresholds(thresholds)
    ids = [check_class_ids(i, n_classes) for i in class_ids]
    if cams and all(is_tensor(cam) and cam.device.type != "cpu" for cam in cams):
        from amn_core.sweep.tensors import count_on_device

        return count_on_device(cams, ids, gts, thresholds, n_classes)
    return [count_checked(cam, i, gt, thresholds, n_classes) for cam, i, gt in zip(cams, ids, gts, strict=True)]


def count_checked(cam, class_ids, gt, thresholds, n_classes: int, background=None) -> ImageCounts:
    """Count one image, array or tensor, given checked ids and thresholds."""
    if is_tensor(cam):
        from amn_core.sweep.tensors import count_tensor

        return count_tensor(cam, class_ids, gt, thresholds, n_classes, background)
    return count_array(cam, class_ids, gt, thresholds, n_classes, background)
