"""Where to compute and in which arithmetic."""

from contextlib import AbstractContextManager

import torch


def choose_device(name: str) -> torch.device:
    """Choose a device: ``auto`` takes CUDA where there is one.

    Raises:
        ValueError: CUDA was asked for and is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for, but torch sees no GPU; use --device cpu")
    return torch.device(name)


def choose_precision(name: str, device: torch.device, backbone: str) -> torch.dtype:
    """Choose the arithmetic: ``auto`` takes bfloat16 where it was measured to help.

    On a CPU that is ResNet-50; the depthwise convolutions of EfficientNet-Lite0 gain nothing there.
    """
    if name == "auto":
        name = "bf16" if device.type == "cuda" or backbone == "resnet50" else "fp32"
    return {"bf16": torch.bfloat16, "fp32": torch.float32}[name]


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    """Open an autocast region; float32 means none."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)
