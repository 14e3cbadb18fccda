"""What a threshold from answers at single pixels costs, over all bundled runs, and whether its intervals hold."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.bench.elsewhere import average_shares, find_best_share, lose_by_share, split_by_size
from amn_core.bench.plain_points import simulate_plain
from amn_core.choosing.bounds import Bounds, bound_points
from amn_core.choosing.points import find_total
from amn_core.choosing.population import Population, Truth, build_population, build_truth, draw_truth, score_truth
from amn_core.choosing.priors import Lesson, PointPrior, learn_prior
from amn_core.choosing.shares import choose_share, find_tolerance
from amn_core.choosing.trials import EXACT, HUMAN, simulate, simulate_regret
from amn_core.commands.text import format_rows
from amn_core.formats.runs import Run, find_runs
from amn_core.options import option
from amn_core.sweep import Counts, score_confusion, score_miou
from amn_core.sweep.protocols import find_protocol

BUNDLED = Path(__file__).resolve().parents[2] / "checkpoints"
CHUNK = 100
ENOUGH = 0.01
LEAST, STOP = 50, "at the stop"
REGRET = (("run", "run", "s"), ("rule", "rule", "s"), ("answers", "answers", "d"), ("mean_regret", "regret", "%"),
          ("p95_regret", "95 of 100", "%"))
COVER = (
    ("run", "run", "s"), ("answers", "answers", "s"), ("simulations", "simulations", "d"), ("looks", "mean", ".0f"),
    ("miou_covered", "mIoU in its interval", "%"), ("miou_width", "half of it", "%"),
    ("share_covered", "share in its interval", "%"), ("lost_covered", "regret within bound", "%"),
    ("lost_bound", "bound", "%"), ("mean_regret", "regret", "%"),
)


@dataclass(frozen=True)
class BenchPointsConfig:
    """What `bench points` needs; nothing, for all bundled runs."""

    runs: tuple[str, ...] = option((), "folders with runs (default: all bundled ones)", positional=True, nargs="*")
    answers: str = option("50,100,200,400", "numbers of answers, multiples of ten, separated by commas")
    people: int = option(400, "simulated people for each run and rule")
    coverage: int = option(0, "instead, measure whether intervals hold, in so many simulations with images drawn anew")
    seed: int = option(0, "seed of every random draw")


@dataclass(frozen=True)
class Case:
    """A run to simulate on: its path, its data set, its counts, tables, ground truth, and mIoU at every threshold."""

    name: str
    data: str
    counts: Counts
    population: Population
    truth: Truth
    curve: np.ndarray

    @property
    def lesson(self) -> Lesson:
        """What a prior learns from the run."""
        return Lesson(self.data, self.population, self.truth)


def bench_points(config: BenchPointsConfig) -> list[dict[str, Any]]:
    """Simulate thresholds from points on runs with counts, each with a prior learnt without its data set.

    Returns:
        One dict for each run, rule and number of answers: ``run, answers, rule, mean_regret, p95_regret`` (fractions
        of 1). Rules: ``share`` (the true share of foreground, no answer; with ``true_share``, ``peak_share`` and the
        shares ``share_low, share_high`` between which less than a point is lost), ``share elsewhere`` (that which was
        best on other data; also on the halves with smaller and larger objects), ``plain`` (the simple way),
        ``points`` (ours), and ``points, 5 % wrong`` (with mistakes, and unsure where it is hard to tell). With
        `coverage`, whether intervals hold: see `describe_coverage`.

    Raises:
        ValueError: no run with counts, fewer than two data sets, or a number of answers that is no multiple of ten.
    """
    sizes = parse_answers(config.answers)
    cases = [load_case(run, root) for root in config.runs or (str(BUNDLED),) for run in list_runs(root)]
    if not cases:
        raise ValueError(f"{', '.join(config.runs) or BUNDLED}: no run with counts of maps")
    print(f"seed {config.seed}", file=sys.stderr)
    rows = []
    for case in cases:
        print(case.name, file=sys.stderr, flush=True)
        prior = learn_prior([other.lesson for other in cases if other.data != case.data])
        rows += measure_coverage(case, prior, sizes, config) if config.coverage else [
            describe_share(case), describe_elsewhere(case, cases), *measure_regret(case, prior, sizes, config)]
    return rows


def parse_answers(text: str) -> list[int]:
    """Parse numbers of answers such as ``50,100``.

    Raises:
        ValueError: something that is not a multiple of ten above 0.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) > 0 and int(part) % 10 == 0 for part in parts):
        raise ValueError(f"answers {text!r}: expected multiples of ten separated by commas, such as 50,100")
    return sorted({int(part) for part in parts})


def list_runs(root: str) -> list[Run]:
    """List the runs below a folder that have a threshold and counts; of the six photographs nothing is concluded."""
    return [run for run in find_runs(root)
            if run.has_counts and not run.is_masks and run.meta["data"] != "photos"]


def load_case(run: Run, root: str) -> Case:
    """Load a run to simulate on. All photographs count as one data set: those bundled are all parts of VOC."""
    counts, classes = run.counts(), list(run.scored_classes) or None
    averaging = find_protocol(run.meta["protocol"].get("name", "irn")).averaging
    population = build_population(counts, averaging, classes)
    curve = score_miou(score_confusion(counts), averaging, population.kept)
    name = run.path.relative_to(root).as_posix() if run.path != Path(root) else run.path.name
    data = "scenes" if run.meta["data"].startswith("scenes") else "photographs"
    return Case(name, data, counts, population, build_truth(counts, population), curve)


def describe_share(case: Case) -> dict[str, Any]:
    """Describe what the true share of foreground alone gives: the first finding, run by run."""
    confusion = score_confusion(case.counts)
    pixels = confusion[0].sum()
    true_share = float(1 - confusion[0, 0].sum() / pixels)
    index = int(choose_share(case.counts, true_share).index)
    lost, peak = float(case.curve.max() - case.curve[index]), int(case.curve.argmax())
    low, high = find_tolerance(case.counts, case.curve, ENOUGH)
    return {"run": case.name, "answers": 0, "rule": "share", "mean_regret": lost, "p95_regret": lost,
            "true_share": true_share, "peak_share": float(1 - confusion[peak, :, 0].sum() / pixels),
            "share_low": low, "share_high": high}


def describe_elsewhere(case: Case, cases: Sequence[Case]) -> dict[str, Any]:
    """Describe what the share that was best on other data gives, on all images and on each half by size of objects."""
    others = [other for other in cases if other.data != case.data]
    share = average_shares(
        [find_best_share(other.counts, other.curve) for other in others], [other.data for other in others])
    population = case.population
    lost, small, large = (lose_by_share(counts, share, population.averaging, population.kept)
                          for counts in (case.counts, *split_by_size(case.counts)))
    return {"run": case.name, "answers": 0, "rule": "share elsewhere", "mean_regret": lost, "p95_regret": lost,
            "share": share, "regret_small": small, "regret_large": large}


def measure_regret(
    case: Case, prior: PointPrior, sizes: Sequence[int], config: BenchPointsConfig
) -> list[dict[str, Any]]:
    """Measure what both ways lose, with exact answers, and ours also with answers as people give them."""
    population, truth = draw_truth(
        case.population, case.truth, np.ones((config.people, len(case.counts.image_ids))))
    draw = lambda: np.random.default_rng(config.seed)  # noqa: E731
    found = {
        "plain": simulate_plain(population, truth, case.curve, sizes, draw()),
        "points": simulate_regret(population, truth, case.curve, prior, sizes, draw(), EXACT)[1],
        "points, 5 % wrong": simulate_regret(population, truth, case.curve, prior, sizes, draw(), HUMAN)[1],
    }
    return [
        {"run": case.name, "answers": n, "rule": rule, "mean_regret": float(values.mean()),
         "p95_regret": float(np.quantile(values, 0.95))}
        for rule, lost in found.items() for n, values in zip(sizes, lost, strict=True)]


def measure_coverage(
    case: Case, prior: PointPrior, sizes: Sequence[int], config: BenchPointsConfig
) -> list[dict[str, Any]]:
    """Measure whether intervals hold, the images drawn anew each time: after so many answers, and where one stops.

    One looks after every ten answers, from the fiftieth on, and stops when at most a point is said to be lost.
    """
    found: dict[str, list[np.ndarray]] = {}
    rng, n_images = np.random.default_rng(config.seed), len(case.counts.image_ids)
    for start in range(0, config.coverage, CHUNK):
        drawn = rng.multinomial(n_images, np.full(n_images, 1 / n_images), min(CHUNK, config.coverage - start))
        for key, held in follow(case, drawn.astype(np.float64), prior, sizes, rng):
            found.setdefault(key, []).append(held)
    order = [*map(str, sizes), STOP]
    return [describe_coverage(case.name, key, np.concatenate(found[key], axis=1)) for key in order if key in found]


def follow(
    case: Case, drawn: np.ndarray, prior: PointPrior, sizes: Sequence[int], rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """Follow people on images drawn so often (R, N): what `check_bounds` finds, after so many answers and at the stop,
    with the number of answers below it."""
    population, truth = draw_truth(case.population, case.truth, drawn)
    goes_on = np.full(len(drawn), True)
    for n, given, estimate in simulate(population, truth, prior, max(sizes), rng):
        looks = goes_on | (n in sizes)
        if n < LEAST or not looks.any():
            continue
        bounds = bound_points(estimate[looks], given[looks], rng)
        held = np.r_[check_bounds(population[looks], truth[looks], bounds), np.full((1, looks.sum()), n)]
        stops = goes_on[looks] & ((bounds.lost <= ENOUGH) | (n == max(sizes)))
        goes_on[np.flatnonzero(looks)[stops]] = False
        if stops.any():
            yield STOP, held[:, stops]
        if n in sizes:
            yield str(n), held


def check_bounds(population: Population, truth: Truth, bounds: Bounds) -> np.ndarray:
    """Check what bounds say against the ground truth: (6, R), three that hold or not, and three sizes."""
    curve = score_truth(population, truth)
    at = np.take_along_axis(curve, bounds.index[..., None], axis=-1)[..., 0]
    lost = curve.max(axis=-1) - at
    share = truth.kinds[..., (0, 2)].sum(axis=(-1, -2, -3)) + truth.bare[..., 1:].sum(axis=-1)
    share = share / find_total(population)
    return np.stack([
        (bounds.miou_low <= at) & (at <= bounds.miou_high), (bounds.share_low <= share) & (share <= bounds.share_high),
        lost <= bounds.lost, (bounds.miou_high - bounds.miou_low) / 2, bounds.lost, lost]).astype(np.float64)


def describe_coverage(run: str, answers: str, held: np.ndarray) -> dict[str, Any]:
    """Describe how often bounds held: shares of the simulations, and means, fractions of 1; `looks` is the mean number
    of answers."""
    names = ("miou_covered", "share_covered", "lost_covered", "miou_width", "lost_bound", "mean_regret", "looks")
    return {"run": run, "answers": answers, "simulations": held.shape[1],
            **dict(zip(names, held.mean(axis=1).tolist(), strict=True))}


def format_points(rows: list[dict[str, Any]]) -> str:
    """Format the rows as a text table."""
    if "miou_covered" in rows[0]:
        return "\n".join(format_rows(COVER, rows))
    shares = (("run", "run", "s"), ("true_share", "true share", ".3f"), ("peak_share", "share at the peak", ".3f"),
              ("mean_regret", "regret", "%"), ("share_low", "a point from", ".3f"), ("share_high", "to", ".3f"))
    elsewhere = (("run", "run", "s"), ("share", "share elsewhere", ".3f"), ("mean_regret", "regret", "%"),
                 ("regret_small", "small objects", "%"), ("regret_large", "large objects", "%"))
    tables = (("share", shares), ("share elsewhere", elsewhere))
    lines = [line for rule, columns in tables
             for line in (*format_rows(columns, [row for row in rows if row["rule"] == rule]), "")]
    return "\n".join([*lines, *format_rows(REGRET, [row for row in rows if row["answers"]])])
