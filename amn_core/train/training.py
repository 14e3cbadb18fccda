"""A training under way: what the loop and the stages hand to one another."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from amn_core.data import Dataset
from amn_core.train.config import TrainConfig
from amn_core.train.samples import count_steps


@dataclass
class Training:
    """A training under way.

    Attributes:
        network: what a step runs: the model, or what wraps it so that several processes learn together.
    """

    config: TrainConfig
    dataset: Dataset
    model: torch.nn.Module
    model_arguments: dict[str, Any]
    optimizer: torch.optim.Optimizer
    device: torch.device
    step: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    network: torch.nn.Module = field(init=False)

    def __post_init__(self) -> None:
        """Run the model as it is, unless something wraps it."""
        self.network = self.model

    @property
    def out(self) -> Path:
        """The output folder."""
        return Path(self.config.out)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass over the data."""
        return count_steps(len(self.dataset.ids), self.config.batch)

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return self.steps_per_epoch * self.config.epochs
