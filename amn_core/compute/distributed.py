"""Several processes on the same work, as ``torchrun`` starts them; without it, one process that is the main one.

``torchrun --nproc-per-node 2 -m amn_core COMMAND …`` starts the same command several times. Each process knows
from its environment which one it is. Long work is either spread over images, where every process takes its
shard and writes files, or over the images of a batch, where gradients are averaged. Without torchrun nothing
here does anything, and torch is imported only where processes have to meet.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
PATIENCE = timedelta(hours=2)  # for the slowest shard of an extraction; a process that died is noticed at once


def get_rank() -> int:
    """Return which process this is, 0 for the main one."""
    return int(os.environ.get("RANK", 0)) if is_distributed() else 0


def get_world_size() -> int:
    """Return how many processes there are."""
    return int(os.environ.get("WORLD_SIZE", 1))


def get_local_rank() -> int:
    """Return which process of this machine this is."""
    return int(os.environ.get("LOCAL_RANK", 0)) if is_distributed() else 0


def get_local_world_size() -> int:
    """Return how many processes there are on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if is_distributed() else 1


def is_distributed() -> bool:
    """Tell whether there are several processes."""
    return get_world_size() > 1


def is_main() -> bool:
    """Tell whether this is the process that writes what all share: run.json, checkpoints, metrics."""
    return get_rank() == 0


def take_shard(items: Sequence[Item]) -> Sequence[Item]:
    """Take this process's part of a sequence, in order: all parts one after the other are the whole.

    Their lengths differ by one at most; with more processes than items some are empty.
    """
    rank, world = get_rank(), get_world_size()
    return items[len(items) * rank // world:len(items) * (rank + 1) // world]


@contextmanager
def main_first() -> Iterator[None]:
    """Let the main process run the block before the others enter it, so that they find what it wrote."""
    if not is_main():
        wait_for_all()
    yield
    if is_main():
        wait_for_all()


def wait_for_all() -> None:
    """Wait until every process has come here; does nothing where there is one.

    Raises:
        RuntimeError: another process has died.
    """
    if is_distributed():
        import torch

        sum_over_processes(torch.zeros(1))


def sum_over_processes(values: "torch.Tensor") -> "torch.Tensor":
    """Sum a tensor over all processes, which all get the same; no gradient passes.

    Raises:
        RuntimeError: another process has died.
    """
    if not is_distributed():
        return values
    from torch.distributed import all_reduce

    join_group()
    total = values.detach().clone()
    all_reduce(total)
    return total


def average_over_processes(values: "torch.Tensor") -> "torch.Tensor":
    """Average a tensor over all processes; no gradient passes.

    A mean over the pixels of the whole batch that a mask picks is the sum over this process's pixels, divided
    by this average of the number of them: the mean of gradients, which DDP takes, is then that of one process.
    """
    return sum_over_processes(values) / get_world_size() if is_distributed() else values


def is_loss_of_a_process(error: RuntimeError) -> bool:
    """Tell whether an error means that another process cannot be reached any more."""
    if not is_distributed():
        return False
    from torch.distributed import DistError

    return isinstance(error, DistError) or "gloo" in str(error)  # gloo raises a plain RuntimeError


def join_group() -> None:
    """Meet the other processes, once: gloo between CPUs, NCCL between GPUs."""
    import torch
    from torch import distributed

    if distributed.is_initialized():
        return
    has_nccl = torch.cuda.is_available() and distributed.is_nccl_available()
    distributed.init_process_group("cpu:gloo,cuda:nccl" if has_nccl else "gloo", timeout=PATIENCE)


def leave_group() -> None:
    """Part from the other processes at the end of a command that went well."""
    if is_distributed():
        from torch import distributed

        if distributed.is_initialized():
            distributed.destroy_process_group()


def share_batch(size: int) -> int:
    """Return this process's share of a batch.

    Raises:
        ValueError: the batch cannot be shared out evenly.
    """
    world = get_world_size()
    if size % world:
        near = max(1, size // world) * world
        raise ValueError(f"a batch of {size} cannot be shared evenly by {world} processes: use --batch {near}")
    return size // world


def wrap_network(network: "torch.nn.Module", device: "torch.device") -> "torch.nn.Module":
    """Wrap a network so that its gradients are averaged over the processes; itself where there is one.

    What needs no gradient must say so (``requires_grad``). Dropout is told which part of the batch it sees.
    """
    if not is_distributed():
        return network
    from torch.nn.parallel import DistributedDataParallel

    join_group()
    for module in network.modules():
        if hasattr(module, "set_part"):
            module.set_part(get_rank(), get_world_size())
    known = signature(DistributedDataParallel).parameters  # the option was renamed; buffers are frozen statistics
    sync = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=devices, **{sync: False})


def may_speak() -> bool:
    """Tell whether this process may print the error that ends the command: the first of a machine that asks may."""
    own = os.environ.get("TORCHELASTIC_ERROR_FILE")  # in a folder that torchrun makes for this start, and removes
    if not own or not is_distributed():
        return True
    try:
        (Path(own).parents[1] / "spoken").touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:
        return True
    return True
