"""What goes wrong while training, in one message each: what happened, what helps, what is kept."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from amn_core.compute.distributed import get_world_size
from amn_core.compute.failures import is_out_of_memory, take_first_line
from amn_core.data import DataError
from amn_core.train.samples import build_batches

if TYPE_CHECKING:
    from amn_core.train.config import TrainConfig
    from amn_core.train.training import Training

NAMED = 16
CROP_MULTIPLE = 32
# How the loader of torch words what happened in one of its processes.
DEAD_WORKER = re.compile(r"DataLoader worker .*(exited unexpectedly|killed by signal)", re.DOTALL)
CAUGHT = re.compile(r"Caught \w+ in DataLoader worker")


@contextmanager
def explain_failures(out: Path, config: "TrainConfig") -> Iterator[None]:
    """Turn what torch raises in the block into errors that say what helps.

    Raises:
        MemoryError: memory ran out. RuntimeError: a process that decodes images died. DataError: an image is broken.
    """
    try:
        yield
    except (RuntimeError, MemoryError, OSError, ValueError) as error:
        if is_out_of_memory(error):
            raise MemoryError(f"{describe_out_of_memory(config, error)}. {describe_checkpoint(out)}") from None
        if DEAD_WORKER.search(str(error)):
            raise RuntimeError(f"a process that decodes images died, perhaps because memory ran out: use fewer, "
                               f"--workers 1, or none, --workers 0. {describe_checkpoint(out)}") from None
        if CAUGHT.match(str(error)):
            raise DataError(take_last_message(str(error))) from None
        raise


def describe_out_of_memory(config: "TrainConfig", error: BaseException) -> str:
    """Say how much was asked for, and what needs about half of it."""
    crop = max(CROP_MULTIPLE, round(config.crop * 0.7 / CROP_MULTIPLE) * CROP_MULTIPLE)
    half = config.batch // 2 // get_world_size() * get_world_size()
    smaller = f"--batch {half}, or --crop {crop}" if half else f"--crop {crop}"
    tried = f"out of memory with --batch {config.batch} and --crop {config.crop}"
    return f"{tried}: use {smaller} ({take_first_line(error)})"


def describe_checkpoint(out: Path) -> str:
    """Say what is kept of a training."""
    last = out / "last.pth"
    if last.is_file():
        return f"{last} is whole: --resume goes on from it with the same batch and crop; others need another --out"
    return "There is no checkpoint yet: start again"


def take_last_message(text: str) -> str:
    """Take the message from a traceback that another process sent."""
    last = text.strip().splitlines()[-1]
    return re.sub(r"^[\w.]+(Error|Exception): ", "", last)


def describe_bad_loss(training: "Training", loss: float) -> str:
    """Word the error of a loss that is no number: step, images, remedy."""
    return (f"loss is {loss} at step {training.step} (images {name_batch(training)}): lower --lr or use --precision "
            f"fp32. {describe_kept(training)}")


def describe_kept(training: "Training") -> str:
    """Say which checkpoint there is from before the numbers went bad."""
    last = training.out / "last.pth"
    return f"The last good checkpoint is whole: {last}" if last.is_file() else "No checkpoint was written"


def name_batch(training: "Training") -> str:
    """Name the images of the batch that is under way, of all processes."""
    batch = build_batches(len(training.dataset.ids), training.config, training.step)[0]
    names = [training.dataset.ids[index] for _, index in batch]
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def refuse_bad_weights(training: "Training") -> None:
    """Refuse to write weights that are no numbers over a good checkpoint.

    Raises:
        FloatingPointError: names the first such tensor.
    """
    for name, value in training.model.named_parameters():
        if not torch.isfinite(value).all():
            raise FloatingPointError(
                f"{name} is no longer a number at step {training.step}: lower --lr or use --precision fp32. "
                f"{describe_kept(training)}")
