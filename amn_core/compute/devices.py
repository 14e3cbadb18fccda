"""Where to compute and in which arithmetic."""

from contextlib import AbstractContextManager

import torch

from amn_core.compute.distributed import get_local_rank, get_local_world_size, is_distributed


def choose_device(name: str) -> torch.device:
    """Choose a device: ``auto`` takes CUDA where there is one; of several processes each takes a GPU of its own.

    Raises:
        ValueError: CUDA was asked for and is not there, or there are more processes than GPUs.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for, but torch sees no GPU; use --device cpu")
    return choose_own_gpu() if name == "cuda" and is_distributed() else torch.device(name)


def choose_own_gpu() -> torch.device:
    """Choose the GPU that belongs to this one of several processes, and make it the current one."""
    wanted, present = get_local_world_size(), torch.cuda.device_count()
    if wanted > present:
        raise ValueError(f"{wanted} processes were started, but there are {present} GPUs here: use "
                         f"--nproc-per-node {present}, or --device cpu")
    device = torch.device("cuda", get_local_rank())
    torch.cuda.set_device(device)
    return device


def choose_precision(name: str, device: torch.device, backbone: str) -> torch.dtype:
    """Choose the arithmetic: ``auto`` takes bfloat16 where it was measured to help.

    On a CPU that is ResNet; the depthwise convolutions of EfficientNet-Lite0 gain nothing there.
    """
    if name == "auto":
        name = "bf16" if device.type == "cuda" or backbone.startswith("resnet") else "fp32"
    return {"bf16": torch.bfloat16, "fp32": torch.float32}[name]


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    """Open an autocast region; float32 means none."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)
