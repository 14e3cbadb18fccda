"""What a model would give at every threshold, looked at after each epoch on a few fixed images.

OUT/probe/probe.json        the data set, and the images: all that are counted, and the few that are shown
OUT/probe/pictures/ID.png   the images that are shown, small
OUT/probe/epoch-003/        after the third epoch; epoch-000 is the start
    counts.npz              the counts of all probe images (`amn_core.formats.counts`)
    maps/ID.npz             the maps of those that are shown (`amn_core.formats.maps`)

The training does not notice: nothing random is drawn and the mode of the model is put back, so a training
with a probe ends at the same weights as one without.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from amn_core.compute.devices import choose_precision
from amn_core.data import DataError, Dataset
from amn_core.formats.counts import save_counts
from amn_core.formats.files import write_bytes, write_json
from amn_core.formats.maps import LEVELS, resize_maps, save_map
from amn_core.infer.extractor import Extractor
from amn_core.sweep.counts import CountsBuilder

SHOWN = 4
PICTURE_SIDE = 192


@dataclass(frozen=True)
class Probe:
    """The fixed images of a training.

    Attributes:
        ids: images with ground truth, spread evenly over the data set. shown: the first few of them.
    """

    folder: Path
    dataset: Dataset
    ids: tuple[str, ...]

    @property
    def shown(self) -> tuple[str, ...]:
        """The images whose maps are kept."""
        return self.ids[:SHOWN]


def build_probe(out: Path, dataset: Dataset, number: int) -> Probe | None:
    """Choose the images of the probe and write down which they are; None if there are none.

    Args:
        out: the training's folder. number: how many images with ground truth, 0 for no probe.
    """
    ids = choose_images(dataset, number)
    if not ids:
        return None
    probe = Probe(out / "probe", dataset, ids)
    write_json(probe.folder / "probe.json", {
        "data": dataset.spec, "split": dataset.split, "class_names": list(dataset.class_names), "images": list(ids),
        "shown": list(probe.shown)})
    for image_id in probe.shown:
        write_picture(probe.folder / "pictures" / f"{image_id}.png", dataset.image(image_id))
    return probe


def choose_images(dataset: Dataset, number: int) -> tuple[str, ...]:
    """Choose images with ground truth: evenly spaced, and from each place the next that has some."""
    chosen: dict[str, None] = {}
    for start in np.linspace(0, len(dataset.ids), min(number, len(dataset.ids)), endpoint=False).astype(int):
        for image_id in dataset.ids[start:start + 50]:  # a split without masks is not read to its end
            if image_id not in chosen and has_ground_truth(dataset, image_id):
                chosen[image_id] = None
                break
    return tuple(chosen)


def has_ground_truth(dataset: Dataset, image_id: str) -> bool:
    """Whether an image has a mask that can be read."""
    try:
        return dataset.gt(image_id) is not None
    except DataError:
        return False


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write an image, (H, W, 3) uint8, as a small PNG."""
    small = Image.fromarray(image)
    small.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    small.save(buffer := io.BytesIO(), "PNG")
    write_bytes(path, buffer.getvalue())


def run_probe(probe: Probe, model: torch.nn.Module, epoch: int, device: torch.device, precision: str,
              backbone: str) -> None:
    """Count the probe images with the model as it is now, at one scale, and keep the maps of the first few.

    The maps are rounded as they are on disk, so that picture and count agree.
    """
    dtype = choose_precision(precision, device, backbone)
    extractor = Extractor(model, probe.dataset.class_names, device, dtype, scales=(1.0,), flip=False)
    folder = probe.folder / f"epoch-{epoch:03d}"
    builder = CountsBuilder(probe.dataset.class_names)
    with evaluate(model):
        for image_id in probe.ids:
            image, gt = probe.dataset.image(image_id), probe.dataset.gt(image_id)
            class_ids = probe.dataset.class_ids(image_id)
            small = extractor.infer_map(image, class_ids)
            if image_id in probe.shown:
                save_map(folder / "maps" / f"{image_id}.npz", small, class_ids, image.shape[:2])
            stored = np.rint(small * LEVELS).astype(np.float32) / np.float32(LEVELS)
            builder.add(image_id, resize_maps(stored, *gt.shape), class_ids, gt)
    save_counts(folder / "counts.npz", builder.build())


@contextmanager
def evaluate(model: torch.nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and back into the one it was in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
