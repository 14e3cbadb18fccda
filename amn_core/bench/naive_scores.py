"""mIoU, precision and recall the slow way: an argmax and a confusion matrix, one threshold at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

THRESHOLDS = np.arange(201) / 200


@dataclass
class Protocol:
    """How a set is scored; the values are those of `amn_core.diagnose.readings.Reading`."""

    images: str = "train"
    ground_truth: str = "SegmentationClassAug"
    rule: str = "constant"
    size: str = "bilinear"
    ignored: str = "left out"
    unsure: str = "background"
    averaging: str = "irn"
    cut: float | None = 0.3


def score_slowly(
    images: Sequence, protocol: Protocol, n_classes: int, masks: Sequence[np.ndarray] | None = None
) -> np.ndarray:
    """Score images as a protocol says, (3,) mIoU, precision, recall; without a cut at the best threshold."""
    if masks is not None or protocol.cut is not None or protocol.rule != "constant":
        return score_once(images, protocol, n_classes, protocol.cut, masks)
    scores = [score_once(images, protocol, n_classes, cut, None) for cut in THRESHOLDS]
    return scores[int(np.argmax([score[0] for score in scores]))]


def score_once(
    images: Sequence, protocol: Protocol, n_classes: int, cut: float | None, masks: Sequence[np.ndarray] | None
) -> np.ndarray:
    """Score images at one threshold, or finished masks."""
    confusion = np.zeros((n_classes + 1, n_classes + 1))
    for i, one in enumerate(images):
        gt = one.gt if protocol.ground_truth == "SegmentationClassAug" else one.other_gt
        if masks is None:
            called, gt = call_classes(one, gt, protocol, cut)
        else:
            called = masks[i]
        for truth, call in zip(gt.ravel().tolist(), called.ravel().tolist(), strict=True):
            truth = 0 if truth == 255 and protocol.ignored == "background" else truth
            call = 0 if call == 255 and protocol.unsure == "background" else call
            if (truth == 255 and protocol.ignored == "left out") or (call == 255 and protocol.unsure == "left out"):
                continue
            confusion[min(truth, n_classes), min(call, n_classes)] += 1
    return average_slowly(confusion, n_classes, protocol.averaging)


def call_classes(one, gt: np.ndarray, protocol: Protocol, cut: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Call the class of each pixel by an argmax over background and maps, at the size of one of the two."""
    planes = np.concatenate([one.cam, one.ground[None]])
    if planes.shape[1:] != gt.shape and protocol.size == "reduced":
        step = gt.shape[0] // planes.shape[1]
        gt = gt[step // 2 :: step, step // 2 :: step]
    elif planes.shape[1:] != gt.shape:
        how = {"bilinear": Image.Resampling.BILINEAR, "nearest": Image.Resampling.NEAREST}[protocol.size]
        planes = np.stack([np.asarray(Image.fromarray(plane).resize(gt.shape[::-1], how)) for plane in planes])
    cam, ground = planes[:-1], planes[-1]
    if protocol.rule == "nothing":
        ground = np.full(gt.shape, -np.inf)
    elif protocol.rule == "constant":
        ground = np.full(gt.shape, np.float32(cut))
    elif protocol.rule.startswith("exponent"):
        ground = (1 - cam.max(axis=0)) ** np.float32(protocol.rule.split()[1])
    names = np.concatenate([[0], one.class_ids])
    return names[np.concatenate([ground[None], cam]).argmax(axis=0)], gt


def average_slowly(confusion: np.ndarray, n_classes: int, averaging: str) -> np.ndarray:
    """Average IoU, precision and recall over classes under one of three rules."""
    rows = []
    for c in range(n_classes):
        hit, truth, called = confusion[c, c], confusion[c].sum(), confusion[:, c].sum()
        shares = [hit / below if below else np.nan for below in (truth + called - hit, called, truth)]
        if averaging == "seam":
            shares = [0 if np.isnan(share) else share for share in shares]
        if averaging != "toco" or truth:
            rows.append(shares)
    table = np.array(rows)
    return np.array([np.mean(column[~np.isnan(column)]) for column in table.T])
