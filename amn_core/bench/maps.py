"""What the compact form of a run's maps costs: mIoU against maps kept at full size in float32, and bytes."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from amn_core.data import load_dataset
from amn_core.formats.maps import LEVELS, resize_maps
from amn_core.infer.extractor import Extractor, load_extractor, normalise_scores, parse_scales, resolve_normalisation
from amn_core.options import option
from amn_core.sweep import CountsBuilder, score_confusion, score_miou


@dataclass(frozen=True)
class BenchMapsConfig:
    """What `bench maps` needs."""

    checkpoint: str = option("", "checkpoint of CAM or AMN", required=True)
    data: str = option("", "data set with ground truth", required=True)
    split: str = option("train", "split or path of a list")
    images: int = option(100, "number of images, spread over the split")
    scales: str = option("0.5,1,1.5", "scales whose maps are summed")


def bench_maps(config: BenchMapsConfig) -> dict[str, Any]:
    """Compare full-size float32 maps with the stored form on the same images.

    Returns:
        Peak mIoU and its threshold both ways, the largest difference of the two curves in points, and the
        mean size of both forms in bytes an image.
    """
    dataset = load_dataset(config.data, config.split)
    extractor = load_extractor(config.checkpoint, scales=parse_scales(config.scales))
    builders = {name: CountsBuilder(dataset.class_names) for name in ("full", "stored")}
    sizes: dict[str, list[int]] = {"full": [], "stored": []}
    for image_id in dataset.ids[:: max(1, len(dataset.ids) // config.images)][: config.images]:
        gt, class_ids = dataset.gt(image_id), dataset.class_ids(image_id)
        full = infer_full_map(extractor, dataset.image(image_id), class_ids)
        small = extractor.infer_map(dataset.image(image_id), class_ids)
        levels = np.rint(small * LEVELS).astype(np.uint8)
        stored = resize_maps(levels.astype(np.float32) / np.float32(LEVELS), *gt.shape)
        for name, cam in (("full", full), ("stored", stored)):
            builders[name].add(image_id, cam, class_ids, gt)
        sizes["full"].append(full.nbytes)
        sizes["stored"].append(measure_bytes(levels))
    return describe(builders, sizes)


def infer_full_map(extractor: Extractor, image: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Infer maps with every scale resized to the image's own size, as the full-size maps of IRN are made."""
    with torch.inference_mode():
        scores = extractor.sum_scores(torch.from_numpy(image.copy()), torch.from_numpy(class_ids), image.shape[:2])
        return normalise_scores(scores, class_ids, resolve_normalisation(extractor)).cpu().numpy()


def measure_bytes(levels: np.ndarray) -> int:
    """Measure the size of a stored map as a file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, cam=levels, class_ids=np.zeros(len(levels), np.uint8), size=np.zeros(2, np.int32))
    return buffer.tell()


def describe(builders: dict[str, CountsBuilder], sizes: dict[str, list[int]]) -> dict[str, Any]:
    """Describe both forms and their difference."""
    curves = {name: score_miou(score_confusion(builder.build())) for name, builder in builders.items()}
    thresholds = builders["full"].thresholds
    result: dict[str, Any] = {"images": len(builders["full"])}
    for name, curve in curves.items():
        result[name] = {
            "peak_miou": float(np.nanmax(curve)), "peak_threshold": float(thresholds[np.nanargmax(curve)]),
            "bytes_per_image": float(np.mean(sizes[name]))}
    result["largest_difference_points"] = float(100 * np.nanmax(np.abs(curves["full"] - curves["stored"])))
    result["ratio"] = result["full"]["bytes_per_image"] / result["stored"]["bytes_per_image"]
    return result
