"""The one training loop: batches in, a checkpoint after each epoch, stopped and resumed at any step.

OUT/last.pth       everything that is needed to go on: weights, optimiser, step
OUT/model.pth      the weights, written at the end; with float16 half the size
OUT/metrics.jsonl  a line every few steps: step, epoch, loss, learning rate, images a second
OUT/config.json    the configuration, as resolved
OUT/probe/         with --probe: counts and maps of a few images after each epoch (`amn_core.train.probe`)
"""

import json
import math
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from amn_core.compute.devices import autocast, choose_device, choose_precision
from amn_core.compute.distributed import (
    average_over_processes,
    is_distributed,
    is_main,
    share_batch,
    wait_for_all,
    wrap_network,
)
from amn_core.compute.failures import Stopped
from amn_core.compute.progress import Progress
from amn_core.data import DataError, Dataset, describe_problems, find_problems, load_dataset, select_ids
from amn_core.formats.checkpoints import read_checkpoint, save_checkpoint
from amn_core.formats.files import append_line, read_json, write_json
from amn_core.models import load_exactly
from amn_core.options import describe_config
from amn_core.train.config import TrainConfig, resolve_train_config
from amn_core.train.failures import describe_bad_loss, explain_failures, refuse_bad_weights
from amn_core.train.probe import Probe, build_probe, run_probe
from amn_core.train.samples import build_loader
from amn_core.train.stages import STAGES, build_optimizer, build_schedule, build_training_model, compute_loss
from amn_core.train.training import Training

LOG_EVERY = 5
# What may differ between the run that is resumed and the one that resumes it.
FREE_ON_RESUME = ("resume", "device", "workers", "skip_broken", "data", "out", "probe", "compile")


def train(config: TrainConfig) -> Path:
    """Train one model.

    Returns:
        The path of the trained model, OUT/model.pth.

    Raises:
        ValueError: something is wrong with the configuration, the data or the checkpoint to resume.
        FloatingPointError: the loss is no number; the last good checkpoint stays.
        MemoryError: memory ran out; the message says what needs less.
        RuntimeError: a process that decodes images died, or another of the processes that train together.
        Stopped: SIGINT or SIGTERM came; the checkpoint of that step was written.
    """
    config = resolve_train_config(config)
    with explain_failures(Path(config.out), config):
        training = start_training(config)
        with StopSignals() as signals:
            run_steps(training, signals)
        finish = STAGES[config.method].finish
        if finish is not None:
            finish(training.model, training.dataset, config, training.device)
    path = training.out / "model.pth"
    if is_main():
        save_checkpoint(path, training.model, build_meta(training))
    wait_for_all()
    return path


def start_training(config: TrainConfig) -> Training:
    """Open the data, build the model and the optimiser, and take up a checkpoint if asked to."""
    share_batch(config.batch)  # a batch that cannot be shared is an error before the work, not after
    dataset = open_training_data(config)
    device = choose_device(config.device)
    model, arguments = build_training_model(config, len(dataset.class_names))
    model = model.to(device, memory_format=torch.channels_last)
    training = Training(config, dataset, model, arguments, build_optimizer(model, config), device)
    last = training.out / "last.pth"
    if config.resume and last.is_file():
        resume_training(training, last)
    elif last.is_file():
        raise ValueError(f"{last} exists: pass --resume to go on, or choose another --out")
    wait_for_all()  # before the first file is written, each has seen what was there
    if is_main():
        write_json(training.out / "config.json", describe_config(config))
    freeze_what_does_not_learn(training)
    if config.compile:
        training.model.compile()
    training.network = wrap_network(training.model, device)
    return training


def freeze_what_does_not_learn(training: Training) -> None:
    """Mark the parameters that the optimiser does not have: gradient synchronisation skips them."""
    learning = {id(parameter) for group in training.optimizer.param_groups for parameter in group["params"]}
    for parameter in training.model.parameters():
        parameter.requires_grad_(id(parameter) in learning)


def open_training_data(config: TrainConfig) -> Dataset:
    """Open the data set and make sure before the first step that nothing needed is missing."""
    dataset = load_dataset(config.data, config.split, config.skip_broken)
    broken: set[str] = set()
    if config.skip_broken:
        problems = find_problems(dataset)
        broken |= {problem.image_id for problem in problems}
        if problems and is_main():
            print(f"left out: {describe_problems(problems, len(dataset.ids))}", file=sys.stderr)
    if config.seeds:
        missing = {i for i in dataset.ids if not (Path(config.seeds) / f"{i}.png").is_file()}
        if missing and not config.skip_broken:
            raise DataError(
                f"{config.seeds}: no seed label for {len(missing)} of {len(dataset.ids)} images, such as "
                f"{min(missing)}; make them with the command seed, or pass --skip-broken")
        broken |= missing
    if not broken:
        return dataset
    return select_ids(dataset, tuple(i for i in dataset.ids if i not in broken))


def resume_training(training: Training, path: Path) -> None:
    """Take up the weights, the optimiser and the step of a checkpoint of the same configuration."""
    try:
        content = read_checkpoint(path)
    except ValueError as error:
        raise ValueError(f"{error}; put a whole copy back, or remove it and start anew") from None
    ours = describe_config(training.config)
    for key, value in content["config"].items():
        if key not in FREE_ON_RESUME and ours.get(key) != value:
            raise ValueError(f"{path} was trained with {key}={value}, not {ours.get(key)}: choose another --out")
    if content["model"] != training.model_arguments:
        raise ValueError(f"{path} is of another network, {content['model']}: choose another --out")
    if content["images"] != len(training.dataset.ids):
        raise ValueError(f"{path} was trained on {content['images']} images, not {len(training.dataset.ids)}")
    load_exactly(training.model, content["state"], str(path))
    training.optimizer.load_state_dict(content["training"]["optimizer"])
    training.step, training.metrics = content["step"], content["metrics"]


def run_steps(training: Training, signals: "StopSignals") -> None:
    """Run all steps that are left; a checkpoint after each epoch and when asked to stop."""
    config = training.config
    schedule = build_schedule(config, training.total_steps)
    workers = config.workers if config.workers is not None else default_workers(training.device)
    loader = build_loader(training.dataset, config, training.step, workers)
    dtype = choose_precision(config.precision, training.device, config.backbone)
    probe = build_probe(training.out, training.dataset, config.probe) if is_main() else None
    if training.step % training.steps_per_epoch == 0:  # the start, or an epoch after which it was ended
        look(training, probe)
    training.model.train()
    with open_progress(training) as bar:
        for images, labels, seed, _ in loader:
            set_learning_rate(training, schedule(training.step))
            loss = run_step(training, (images, labels, seed), dtype)
            if not math.isfinite(loss):
                raise FloatingPointError(describe_bad_loss(training, loss))
            training.step += 1
            report_step(training, bar, loss, len(images))
            is_stopping = agree_to_stop(signals)
            if training.step % training.steps_per_epoch == 0 or is_stopping:
                save_progress(training)
            if training.step % training.steps_per_epoch == 0:
                look(training, probe)
            if is_stopping and training.step < training.total_steps:
                raise Stopped(f"stopped after step {training.step} of {training.total_steps}; --resume goes on")


def agree_to_stop(signals: "StopSignals") -> bool:
    """Tell whether any of the processes was asked to stop; all get the same answer after the same step."""
    return bool(average_over_processes(torch.tensor(float(signals.is_stopping))) > 0)


def look(training: Training, probe: Probe | None) -> None:
    """Look at the probe images, if there are any, with the model as it is now."""
    if probe is not None:
        epoch = training.step // training.steps_per_epoch
        run_probe(probe, training.model, epoch, training.device, training.config.precision, training.config.backbone)


def run_step(training: Training, batch: tuple[torch.Tensor, ...], dtype: torch.dtype) -> float:
    """Run one step: forward, backward, update; dropout draws from the step's own seed.

    Returns:
        The loss of the whole batch. If it is no number, nothing was learnt from it.
    """
    torch.manual_seed(training.config.seed * 1_000_003 + training.step)
    images, labels, seed = (part.to(training.device, non_blocking=True) for part in batch)
    training.optimizer.zero_grad(set_to_none=True)
    with autocast(training.device, dtype):
        loss = compute_loss(training.network, (images, labels, seed), training.config)
    total = float(average_over_processes(loss.detach()))
    if math.isfinite(total):
        loss.backward()
        training.optimizer.step()
    return total


def set_learning_rate(training: Training, factor: float) -> None:
    """Set the learning rates of this step."""
    config = training.config
    for group, rate in zip(training.optimizer.param_groups, (config.lr, config.lr * config.head_factor), strict=True):
        group["lr"] = rate * factor


def default_workers(device: torch.device) -> int:
    """Choose the number of decoding processes: none on a CPU, where they would compete with the model."""
    return 0 if device.type == "cpu" else min(8, torch.get_num_threads())


def open_progress(training: Training) -> Progress:
    """Open the progress bar, counted in images."""
    batch = training.config.batch
    return Progress(f"train {training.config.method}", training.total_steps * batch, training.step * batch)


def report_step(training: Training, bar: Progress, loss: float, n_images: int) -> None:
    """Move the bar, and write a line of metrics every few steps."""
    smooth = training.metrics.get("loss", loss)
    training.metrics["loss"] = 0.95 * smooth + 0.05 * loss
    bar.update(training.config.batch)
    bar.note(loss=f"{training.metrics['loss']:.4f}")
    if not is_main() or (training.step % LOG_EVERY and training.step != training.total_steps):
        return
    line = {
        "step": training.step, "steps": training.total_steps, "epoch": training.step / training.steps_per_epoch,
        "loss": loss, "loss_smooth": training.metrics["loss"], "lr": training.optimizer.param_groups[0]["lr"],
        "images_per_second": bar.rate, "memory": measure_memory(training.device), "time": time.time()}
    append_line(training.out / "metrics.jsonl", json.dumps(line))


def measure_memory(device: torch.device) -> int:
    """Measure the most memory that was held so far, in bytes: of the GPU, else of this process; 0 if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource  # not on every system
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # in bytes there, in KiB elsewhere


def save_progress(training: Training) -> None:
    """Save what is needed to go on from here, once for all processes."""
    refuse_bad_weights(training)
    if is_main():
        save_checkpoint(
            training.out / "last.pth", training.model, build_meta(training),
            training={"optimizer": training.optimizer.state_dict()})


def build_meta(training: Training) -> dict[str, Any]:
    """Describe the model for its checkpoint."""
    return {
        "model": training.model_arguments, "class_names": list(training.dataset.class_names),
        "config": describe_config(replace(training.config)), "step": training.step,
        "images": len(training.dataset.ids), "metrics": dict(training.metrics)}


def read_config(out: Path) -> TrainConfig:
    """Read the configuration of a training from its folder."""
    return TrainConfig(**read_json(out / "config.json"))


class StopSignals:
    """Notes SIGINT and SIGTERM while it is entered, so that a step is never cut in two; a second one cuts.

    Not under torchrun, which passes on what a terminal sends to all processes anyway, and kills after half a minute.
    """

    def __init__(self) -> None:
        self.is_stopping = False

    def __enter__(self) -> "StopSignals":
        self.previous = {number: set_handler(number, self.note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self.previous.items():
            set_handler(number, handler)

    def note(self, number: int, frame: object) -> None:
        """Note a signal; the second of them raises KeyboardInterrupt at once, where there is one process."""
        if self.is_stopping and not is_distributed():
            raise KeyboardInterrupt
        self.is_stopping = True


def set_handler(number: int, handler: Any) -> Any:
    """Set a signal handler where that is allowed (the main thread); returns the previous one."""
    try:
        return signal.signal(number, handler)
    except ValueError:
        return None
