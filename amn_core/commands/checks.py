"""What to look at before a reproduction starts: data, disk, memory. Nothing here imports torch."""

import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from amn_core.commands.pipeline import ReproduceConfig, plan_steps, resolve_splits
from amn_core.data import DataError, Dataset, load_dataset

# Bytes that one training leaves, its checkpoint to go on from and its model, rounded up: measured
# for Lite0 and ResNet-50, from the number of weights for the others.
TRAINING_BYTES = {
    "efficientnet_lite0": 80e6, "efficientnet_lite0_small": 40e6, "resnet50": 420e6, "resnet101": 720e6}
CLASSES_PER_IMAGE = 1.6  # of VOC 2012, the highest of the data sets that are offered
RESERVE = 1.2


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: whether it stands in the way, or may, and a sentence about it."""

    name: str
    state: str
    text: str

    @property
    def is_error(self) -> bool:
        """Whether nothing should be started."""
        return self.state == "error"


def list_splits(spec: str) -> tuple[str, ...]:
    """List the splits that a data set is known to have; ``train`` where that cannot be told."""
    kind, _, rest = spec.partition(":")
    if kind == "scenes":
        return "train", "val"
    if kind == "pets":
        return "trainval", "test", "all"
    if kind != "voc":
        return "train", "val", "all"
    root = Path(rest).expanduser()
    lists = [path for part in (".", "VOC2012", "VOCdevkit/VOC2012")
             for path in (root / part / "ImageSets" / "Segmentation").glob("*.txt")]
    return tuple(sorted({path.stem for path in lists})) or ("train",)


def check_start(config: ReproduceConfig, root: Path) -> list[Check]:
    """Check what a reproduction needs before it starts: both splits, ground truth, space below a folder."""
    config = resolve_splits(config)
    try:
        trained = load_dataset(config.data, config.train_split, config.skip_broken)
        measured = load_dataset(config.measure_data, config.split, config.skip_broken)
        checks = [check_images(trained, measured), check_ground_truth(measured)]
        return [*checks, check_disk(root, estimate_bytes(config, trained, measured))]
    except DataError as error:
        return [Check("Data", "error", str(error))]
    except OSError as error:
        return [Check("Data", "error", f"{error.filename}: {error.strerror}")]


def check_images(trained: Dataset, measured: Dataset) -> Check:
    """Check that there are images, and that the first of them can be read."""
    for dataset in (trained, measured):
        dataset.image(dataset.ids[0])
        dataset.class_ids(dataset.ids[0])
    text = (f"{len(trained.ids)} images to learn from ({trained.split}), {len(measured.ids)} to measure on "
            f"({measured.split}), {len(trained.class_names) - 1} classes, labels from {trained.label_source}")
    return Check("Data", "ok", text)


def check_ground_truth(dataset: Dataset) -> Check:
    """Check that the measured split has masks, by its first and its last image."""
    if any(dataset.gt(image_id) is None for image_id in (dataset.ids[0], dataset.ids[-1])):
        return Check("Ground truth", "error", f"{dataset.split} has images without a mask: measure on another split")
    return Check("Ground truth", "ok", f"masks in {dataset.split}; they are used to measure, never to train")


def estimate_bytes(config: ReproduceConfig, trained: Dataset, measured: Dataset) -> float:
    """Estimate the bytes that a reproduction leaves: its checkpoints, and a byte for each 16 pixels of each map."""
    kinds = Counter(step.kind for step in plan_steps(config.methods.split(",")))
    pixels = trained.image(trained.ids[0]).size / 3
    images = len(measured.ids) * kinds["measure"] + len(trained.ids) * kinds["labels"]  # labels are cut from maps
    return RESERVE * (kinds["train"] * TRAINING_BYTES[config.backbone] + images * CLASSES_PER_IMAGE * pixels / 16)


def check_disk(root: Path, needed: float) -> Check:
    """Check that there is space below a folder, which need not be there yet."""
    folder = next(path for path in (root, *root.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    state = "error" if free < needed else "warning" if free < 3 * needed else "ok"
    return Check("Disk", state, f"about {needed / 1e9:.2f} GB needed, {free / 1e9:.1f} GB free")


def check_memory(needed: float, device: str) -> Check:
    """Check that the memory that was measured on a few steps is free now."""
    free = read_free_gpu_memory() if device.startswith("cuda") else read_free_memory()
    if free is None:
        return Check("Memory", "ok", f"{needed / 1e9:.1f} GB needed")
    text = f"{needed / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free"
    if free < needed:
        return Check("Memory", "warning", f"{text}: choose a smaller batch or crop")
    return Check("Memory", "ok", text)


def read_free_memory() -> float | None:
    """Read how many bytes of memory can be had without swapping; None where that cannot be told."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024.0 for line in lines if line.startswith("MemAvailable:")), None)


def read_free_gpu_memory() -> float | None:
    """Read how many bytes are free on the emptiest GPU; None where that cannot be told."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    answer = subprocess.run(
        [program, "--query-gpu=memory.free", "--format=csv,noheader,nounits"], capture_output=True, text=True,
        check=False)
    free = [int(line) for line in answer.stdout.split() if line.isdigit()]
    return max(free) * 2.0**20 if free else None
