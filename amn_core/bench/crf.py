"""Our dense CRF beside pydensecrf, in time and in labels, on the same images in the same run.

pydensecrf is the reference of the field and needs a compiler to install; without it only our own
time is reported. The labels to refine are the maps of a run, cut at a threshold; without a run they are made from the
ground truth: moved, blurred and cut too low.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from amn_core.bench.crf_cuts import SAMPLED, bench_cuts, blur_mask, choose_clock, take_time
from amn_core.constants import BACKGROUND, IGNORE_INDEX
from amn_core.data import Dataset, load_dataset
from amn_core.formats.runs import Run, load_run, resolve_spec
from amn_core.options import option
from amn_core.presets import DEVICES
from amn_core.scoring import choose_classes, score_run
from amn_core.sweep import score_miou
from amn_core.sweep.seeds import build_labels

# The two thresholds at which the seeds of AMN are cut before the CRF.
THRESHOLDS = (0.30, 0.05)
SHIFT = 15
# What must hold to say that both agree: the share of equal pixels, and the difference in mIoU.
MIN_EQUAL = 0.99
MAX_MIOU_DIFFERENCE = 0.002


@dataclass(frozen=True)
class BenchCRFConfig:
    """What `bench crf` needs: images with ground truth, and how to run."""

    run: str = option("", "run folder whose maps are cut to labels, on its own data and split; "
                      "by default labels are made from the ground truth")
    threshold: float | None = option(None, "with --run: where to cut the maps; by default where its mIoU peaks")
    data: str = option("scenes:size=320,n=20", "data set with ground truth: voc|coco|pets|folder:ROOT or scenes")
    split: str = option("train", "split or path of a list")
    images: int = option(20, "images to refine, evenly taken from the split; 0 takes all")
    label_sets: int = option(2, "label sets an image: 1, or 2 as the seeds of AMN need", choices=(1, 2))
    batch: int = option(1, "images refined together; more than 1 pays on a GPU")
    threads: int = option(1, "threads of torch on the CPU; pydensecrf has one")
    seed: int = option(0, "seed of the moved masks")
    cuts: int = option(51, "thresholds of a map that are refined together, on images of 375×500")
    cut_images: int = option(2, "images for that; 0 leaves it out")
    device: str = option("auto", "where to compute", choices=DEVICES)

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to do."""
        for name, low in (("images", 0), ("label_sets", 1), ("batch", 1), ("threads", 1), ("cuts", SAMPLED),
                          ("cut_images", 0)):
            if getattr(self, name) < low:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {low}")


@dataclass(frozen=True)
class Sample:
    """An image, its ground truth, its foreground classes, and label sets (S, H, W) to refine."""

    image: np.ndarray
    gt: np.ndarray
    class_ids: np.ndarray
    labels: np.ndarray

    @property
    def n_labels(self) -> int:
        """Count the labels, background included."""
        return len(self.class_ids) + 1


@dataclass
class Tally:
    """What one way of refining has taken, and where its labels fell; classes to average over, or None for all."""

    classes: list[int] | None = None
    seconds: float = 0.0
    confusion: np.ndarray | None = field(default=None, repr=False)

    def add(self, sample: Sample, labels: np.ndarray, n_classes: int) -> None:
        """Add the labels (S, H, W) of one image to the confusion."""
        table = np.concatenate([[BACKGROUND], sample.class_ids])
        is_scored = np.broadcast_to(sample.gt != IGNORE_INDEX, labels.shape)
        truth = np.broadcast_to(sample.gt, labels.shape)[is_scored].astype(np.int64)
        flat = np.bincount(truth * n_classes + table[labels][is_scored], minlength=n_classes**2)
        found = flat.reshape(n_classes, n_classes)
        self.confusion = found if self.confusion is None else self.confusion + found

    def miou(self) -> float:
        """Return the mIoU over the classes with a pixel, 0 … 1."""
        return float(score_miou(self.confusion, classes=self.classes))


def bench_crf(config: BenchCRFConfig, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Refine the same labels with our CRF and with pydensecrf, and compare time and labels.

    Args:
        config: which images and where to compute.
        progress: called with the images done and their number after each batch.

    Returns:
        A dict for JSON: the fields of ``config``; ``seconds`` and ``reference_seconds`` an image (of the processor, on
        one core), with building the kernels; ``ratio`` = reference_seconds / seconds, how many times faster ours is;
        ``equal_pixels`` and ``equal_pixels_min``, mean and least share over images; ``miou``,
        ``reference_miou`` and ``unrefined_miou`` against the ground truth, 0 … 1; ``agree``: at least 99 % of
        the pixels equal and mIoU within 0.2 points; ``peak_memory_mb`` on a GPU; ``many_cuts``: see
        `bench_cuts`. What needs pydensecrf is None where that is not installed, and ``note`` says so.

    With a run, mIoU is over the classes of its protocol, and each image has one label set.

    Raises:
        ValueError: if an image has no ground truth or no map, or the device is not there.
    """
    import torch

    from amn_core.compute.devices import choose_device

    device = choose_device(config.device)
    config = resolve_bench_config(config)
    dataset = load_dataset(config.data, config.split)
    ids = choose_ids(dataset.ids, config.images)
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        return run_bench(config, dataset, ids, device, progress)
    finally:
        torch.set_num_threads(threads)


def resolve_bench_config(config: BenchCRFConfig) -> BenchCRFConfig:
    """Fill in what a run says: its data, its split, and the threshold where its mIoU peaks."""
    if not config.run:
        return config
    run = load_run(config.run)
    own = BenchCRFConfig()
    threshold = score_run(run).peak_threshold if config.threshold is None else config.threshold
    return replace(
        config, data=config.data if config.data != own.data else resolve_spec(run),
        split=config.split if config.split != own.split else run.meta["split"], threshold=threshold, label_sets=1)


def run_bench(config: BenchCRFConfig, dataset: Dataset, ids: list[str], device, progress) -> dict[str, Any]:
    """Refine all images in both ways, batch by batch, so that a busy machine slows both alike."""
    reference, n_classes = find_pydensecrf(), len(dataset.class_names)
    classes = choose_classes(None, load_run(config.run)) if config.run else None
    chosen = None if classes is None else [dataset.class_names.index(name) for name in classes]
    ours, theirs, unrefined, equal = Tally(chosen), Tally(chosen), Tally(chosen), []
    rng = np.random.default_rng(config.seed)
    warm_up(device)
    done, clock = 0, choose_clock(device, config.threads)
    for samples in batches(dataset, ids, config, rng):
        seconds, found = take_time(clock, lambda samples=samples: refine_ours(samples, device))
        ours.seconds += seconds
        for sample, labels in zip(samples, found):
            ours.add(sample, labels, n_classes)
            unrefined.add(sample, sample.labels, n_classes)
            if reference is not None:
                seconds, expected = take_time(clock, lambda sample=sample: refine_reference(sample, reference))
                theirs.seconds += seconds
                theirs.add(sample, expected, n_classes)
                equal.append(float((labels == expected).mean()))
        done += len(samples)
        if progress is not None:
            progress(done, len(ids))
    result = report(config, len(ids), device, (ours, theirs, unrefined), equal)
    if not config.cut_images:
        return result
    refine = None if reference is None else partial(refine_one_reference, dcrf=reference)
    return result | {"many_cuts": bench_cuts(
        dataset, choose_ids(dataset.ids, config.cut_images), config.cuts, device, clock, refine)}


def report(config: BenchCRFConfig, n: int, device, tallies: tuple[Tally, Tally, Tally], equal: list[float]) -> dict:
    """Word the outcome as a dict for JSON: see ``bench_crf``."""
    ours, theirs, unrefined = tallies
    result = {"bench": "crf", **asdict(config), "images": n, "device": str(device)}
    result |= {"seconds": ours.seconds / n, "miou": ours.miou(), "unrefined_miou": unrefined.miou()}
    result |= {"peak_memory_mb": peak_memory(device)}
    if not equal:
        names = ("reference_seconds", "reference_miou", "ratio", "equal_pixels", "equal_pixels_min", "agree")
        note = "pydensecrf is not installed: pip install pydensecrf2 (needs a C++ compiler) to compare"
        return result | dict.fromkeys(names) | {"note": note}
    is_near = abs(ours.miou() - theirs.miou()) <= MAX_MIOU_DIFFERENCE
    return result | {
        "reference_seconds": theirs.seconds / n, "reference_miou": theirs.miou(),
        "ratio": theirs.seconds / ours.seconds, "equal_pixels": float(np.mean(equal)),
        "equal_pixels_min": min(equal), "agree": bool(np.mean(equal) >= MIN_EQUAL and is_near), "note": "",
    }


def choose_ids(ids: tuple[str, ...], images: int) -> list[str]:
    """Take ids evenly from a split, all of them for 0 or where there are not more."""
    if images == 0 or images >= len(ids):
        return list(ids)
    return [ids[i * len(ids) // images] for i in range(images)]


def batches(
    dataset: Dataset, ids: list[str], config: BenchCRFConfig, rng: np.random.Generator,
) -> Iterator[list[Sample]]:
    """Load the images batch by batch, with labels to refine."""
    run = load_run(config.run) if config.run else None
    for start in range(0, len(ids), config.batch):
        chunk = ids[start : start + config.batch]
        if run is not None:
            yield [load_cut_sample(dataset, run, one, config.threshold) for one in chunk]
        else:
            yield [load_sample(dataset, one, THRESHOLDS[: config.label_sets], rng) for one in chunk]


def load_cut_sample(dataset: Dataset, run: Run, image_id: str, threshold: float) -> Sample:
    """Load an image and the labels that its maps give at a threshold."""
    gt = dataset.gt(image_id)
    if gt is None:
        raise ValueError(f"{image_id} has no ground truth to compare with: take another split")
    cam, class_ids = run.map(image_id, gt.shape)
    return Sample(dataset.image(image_id), gt, class_ids, build_labels(cam, threshold)[None])


def load_sample(
    dataset: Dataset, image_id: str, thresholds: tuple[float, ...], rng: np.random.Generator,
) -> Sample:
    """Load an image and make labels that are wrong in the way of an activation map."""
    gt = dataset.gt(image_id)
    if gt is None:
        raise ValueError(f"{image_id} has no ground truth: the bench makes its labels from it, so take another split")
    class_ids = np.setdiff1d(gt, (BACKGROUND, IGNORE_INDEX)).astype(np.int64)
    maps = [blur_mask(gt == c, rng.integers(-SHIFT, SHIFT + 1, 2)) for c in class_ids]
    labels = [np.stack([np.full(gt.shape, t), *maps]).argmax(0) for t in thresholds]
    return Sample(dataset.image(image_id), gt, class_ids, np.stack(labels))


def refine_ours(samples: list[Sample], device) -> list[np.ndarray]:
    """Refine the label sets of a batch with our CRF."""
    from amn_core.refine import CRFFilters

    filters = CRFFilters([sample.image for sample in samples], device=device)
    return filters.refine_labels([s.labels for s in samples], [s.n_labels for s in samples])


def refine_reference(sample: Sample, dcrf: ModuleType) -> np.ndarray:
    """Refine each label set of a sample with pydensecrf."""
    return np.stack([refine_one_reference(sample.image, labels, sample.n_labels, dcrf) for labels in sample.labels])


def refine_one_reference(image: np.ndarray, labels: np.ndarray, n_labels: int, dcrf: ModuleType) -> np.ndarray:
    """Refine labels (H, W) with pydensecrf, with the parameters of IRN and AMN: CRFConfig's defaults."""
    from amn_core.refine import CRFConfig

    (height, width), crf = labels.shape, CRFConfig()
    if n_labels == 1:
        return labels
    model = dcrf.DenseCRF2D(width, height, n_labels)
    model.setUnaryEnergy(build_energy(labels, n_labels))
    model.addPairwiseGaussian(sxy=crf.gaussian_sxy, compat=crf.gaussian_compat)
    model.addPairwiseBilateral(
        sxy=crf.bilateral_sxy, srgb=crf.bilateral_srgb, compat=crf.bilateral_compat,
        rgbim=np.array(image, order="C"))  # a copy: it refuses read-only images
    return np.asarray(model.inference(crf.iterations)).reshape(-1, height, width).argmax(0)


def build_energy(labels: np.ndarray, n_labels: int, gt_prob: float = 0.7) -> np.ndarray:
    """Build the energy of each label at each pixel, (L, H·W) float32, as pydensecrf's unary_from_labels does."""
    is_own = labels.reshape(1, -1) == np.arange(n_labels)[:, None]
    return -np.log(np.where(is_own, gt_prob, (1 - gt_prob) / (n_labels - 1))).astype(np.float32)


def find_pydensecrf() -> ModuleType | None:
    """Return pydensecrf's module, or None where it is not installed."""
    try:
        from pydensecrf import densecrf
    except ImportError:
        return None
    return densecrf


def warm_up(device) -> None:
    """Run once on a small image, so that loading kernels is not timed."""
    from amn_core.refine import refine_labels

    refine_labels(np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), np.int64), 2, device=device)


def peak_memory(device) -> float | None:
    """Return the most memory that tensors took on a GPU in MB; None on the CPU."""
    import torch

    return torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None
