"""What one step sees: which images, cropped how. Depends on nothing but the seed, the epoch and the index.

So a training that was interrupted goes on with the very images that it would have seen.
"""

import signal
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from amn_core.compute.distributed import get_rank, get_world_size, is_distributed, share_batch
from amn_core.data import Dataset
from amn_core.data.transforms import augment
from amn_core.formats.masks import load_label_image
from amn_core.train.config import TrainConfig


class Samples(TorchDataset):
    """Augmented crops of a data set; an item is asked for by (epoch, index).

    An item is (image (3, crop, crop) uint8, labels (C−1,) float32, seed (crop, crop) int64, index).
    """

    def __init__(self, dataset: Dataset, config: TrainConfig) -> None:
        self.dataset = dataset
        self.config = config

    def __len__(self) -> int:
        return len(self.dataset.ids)

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
        epoch, index = key
        config, image_id = self.config, self.dataset.ids[index]
        rng = np.random.default_rng((config.seed, epoch, index))
        seed = self.load_seed(image_id) if config.seeds else None
        image, seed = augment(
            rng, self.dataset.image(image_id), seed, config.crop,
            pair(config.long_side_min, config.long_side_max), pair(config.scale_min, config.scale_max))
        labels = torch.zeros(len(self.dataset.class_names) - 1)
        labels[self.dataset.class_ids(image_id) - 1] = 1
        pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        return pixels, labels, torch.from_numpy(seed.astype(np.int64)), index

    def load_seed(self, image_id: str) -> np.ndarray:
        """Load the seed label of an image, (H, W) uint8."""
        return load_label_image(Path(self.config.seeds) / f"{image_id}.png", len(self.dataset.class_names))


def pair(low: float | None, high: float | None) -> tuple | None:
    """Pair two bounds; None if there are none."""
    return None if low is None or high is None else (low, high)


def count_steps(n_images: int, batch: int) -> int:
    """Count the steps of an epoch; the last incomplete batch is dropped, unless it is the only one."""
    return max(1, n_images // batch)


def build_batches(n_images: int, config: TrainConfig, first_step: int) -> list[list[tuple[int, int]]]:
    """Build the batches from a step on to the end, each a list of (epoch, index)."""
    steps = count_steps(n_images, config.batch)
    batches = []
    for epoch in range(first_step // steps, config.epochs):
        order = np.random.default_rng((config.seed, epoch)).permutation(n_images)
        start = first_step - epoch * steps if epoch == first_step // steps else 0
        for step in range(start, steps):
            chosen = order[step * config.batch:(step + 1) * config.batch]
            batches.append([(epoch, int(index)) for index in chosen])
    return batches


def take_share(batches: list[list[tuple[int, int]]], config: TrainConfig) -> list[list[tuple[int, int]]]:
    """Take this process's share of every batch; in their order the shares are the batch.

    Raises:
        ValueError: the batch cannot be shared evenly.
    """
    if not is_distributed():
        return batches
    share = share_batch(config.batch)
    if batches and len(batches[0]) < config.batch:
        raise ValueError(f"{len(batches[0])} images are fewer than a batch of {config.batch}: lower --batch, to a "
                         f"multiple of the {get_world_size()} processes")
    first = get_rank() * share
    return [batch[first:first + share] for batch in batches]


def build_loader(dataset: Dataset, config: TrainConfig, first_step: int, workers: int) -> DataLoader:
    """Build the loader of all batches from a step on; of several processes each gets its share of every batch."""
    batches = take_share(build_batches(len(dataset.ids), config, first_step), config)
    return DataLoader(
        Samples(dataset, config), batch_sampler=batches, num_workers=workers, pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(), worker_init_fn=leave_interrupts_to_main)


def leave_interrupts_to_main(worker: int) -> None:
    """Let a decoding process live on after Ctrl-C, which reaches it too: the main one finishes its step and saves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
