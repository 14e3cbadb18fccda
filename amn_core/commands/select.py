"""Runs to the table of selectors: what every way to choose a threshold gives, and what it costs."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.choosing.bounds import settle_index
from amn_core.choosing.budget import SIZES, Budget, build_folds, score_budget
from amn_core.choosing.moving import list_moving, place_cuts
from amn_core.choosing.placing import place_answers
from amn_core.choosing.point_budget import SIZES as POINT_SIZES
from amn_core.choosing.point_budget import score_point_budget
from amn_core.choosing.points import estimate_points
from amn_core.choosing.population import build_population
from amn_core.choosing.priors import DEFAULT
from amn_core.choosing.selection import (
    CHOOSERS,
    SCOPES,
    Choice,
    ChoiceScore,
    choose_area,
    choose_fixed,
    choose_oracle,
    choose_unseen,
    score_choices,
)
from amn_core.choosing.shares import choose_share, parse_share
from amn_core.commands.text import format_cell
from amn_core.data import DataError, load_dataset
from amn_core.formats.answers import Entry, hash_photo, load_entries
from amn_core.formats.class_thresholds import load_class_thresholds, save_class_thresholds
from amn_core.formats.run_names import name_runs
from amn_core.formats.runs import Run, load_run, resolve_spec
from amn_core.options import option
from amn_core.scoring import NO_ACTIVATION, choose_terms
from amn_core.sweep import Counts, CountsBuilder

COLUMNS = (
    ("run", "run", "s"), ("selector", "selector", "s"), ("uses", "uses", "s"), ("threshold", "threshold", ".3f"),
    ("miou", "mIoU %", "%"), ("regret", "regret", "%"), ("regret_low", "from", "%"), ("regret_high", "to", "%"),
)
# Rules that look at maps, photographs or models: with --maps, where a run has them.
NEED_MAPS = {
    "stable-pieces": "most stable number of pieces", "mebin": "MEBin", "otsu-edges": "Otsu pulled to edges",
    "crf-agrees": "agreement with its CRF", "scales-agree": "agreement of two scales",
    "classifier-keeps": "consistency with the classifier", "agrees-with": "agreement with another run"}


@dataclass(frozen=True)
class SelectConfig:
    """What `select` needs: runs with counts, and what selectors may look at."""

    runs: tuple[str, ...] = option((), "run folders with counts", positional=True)
    classes: str = option("", "class names or ids to average over, background included, or all; "
                          "by default those of each run's protocol")
    protocol: str = option("", "averaging rule: irn, seam or toco; by default each run's own, irn where it names none")
    part: str = option("all", "images to choose and score on; the labelled images come from the other half",
                       choices=("all", "even", "odd"))
    labels: str = option(",".join(map(str, SIZES)), "numbers of labelled images, separated by commas")
    points: str = option(",".join(map(str, POINT_SIZES)), "numbers of simulated answers at pixels, multiples of ten, "
                         "separated by commas")
    answers: str = option("", "file of answers at pixels, as the screen Label keeps it; several joined by commas")
    rule: str = option("", "a rule with one number: share:0.30, the share of pixels that show an object")
    thresholds: str = option("", "CSV of thresholds by class (class, threshold) to score among the rules")
    save: str = option("", "CSV to write the thresholds by class to that --rule-of gives the first run")
    rule_of: str = option("otsu", "the rule whose thresholds by class are saved: its name as in the table, without "
                          "/class")
    resamples: int = option(400, "draws of images for intervals, and of labelled images")
    seed: int = option(0, "seed of every random draw")
    histograms: str = option("counts", "where activations are looked at: counts lack the pixels whose ground truth "
                             "is 255, maps do not", choices=("counts", "maps"))
    maps: bool = option(False, "also try the selectors that look at maps, photographs and models")
    sample: int = option(40, "images that those look at")


def select(config: SelectConfig) -> list[dict[str, Any]]:
    """Choose thresholds for runs in every way there is, and score each.

    Returns:
        One dict for each run and selector, best first within a run: ``run, method, selector, title, source,
        uses`` (none, fixed, share, points:N, labels:N or oracle), ``scope`` (data set, class, image, or image and
        class), ``threshold`` (the median where there are many), ``miou, miou_low, miou_high, regret, regret_low,
        regret_high`` (fractions of 1, 95 % intervals), ``images`` and ``part``.

    Raises:
        ValueError: no run, finished masks, runs without counts, an unknown class, protocol, rule or number of labels,
            or answers none of which is about a run's images.
    """
    if not config.runs:
        raise ValueError("no run to choose a threshold for: give at least one run folder with counts")
    runs = [load_run(path) for path in config.runs]
    masks = next((run for run in runs if run.is_masks), None)
    if masks is not None:
        raise ValueError(f"{masks.path}: finished masks have no threshold to choose; leave the run out")
    refined = next((run for run in runs if run.is_refined), None)
    if refined is not None:
        raise ValueError(f"{refined.path}: {NO_ACTIVATION} Choose for the run it was made from")
    extra = choose_watching(config, runs) if config.maps else [[] for _ in runs]
    cams = [run for run in runs if run.method == "cam"]
    if config.save:
        save_by_class(config, runs[0])
    return [row | {"run": name} for name, run, choices in zip(name_runs(runs), runs, extra, strict=True)
            for row in select_run(config, run, choices, cams)]


def select_run(
    config: SelectConfig, run: Run, extra: Sequence[Choice] = (), cams: Sequence[Run] = ()
) -> list[dict[str, Any]]:
    """Choose thresholds for one run and score each, choices made elsewhere included; `cams` lend their area."""
    counts, sizes = run.counts(), parse_sizes(config.labels)
    terms = choose_terms(run, counts, classes=config.classes, averaging=config.protocol)
    averaging, classes = terms.protocol.averaging, terms.class_list
    scored = select_part(counts, config.part)
    seen = scored if config.histograms == "counts" else count_blindly(run, scored)
    cams = order_cams(run, cams)
    cam = next((c for c in (match_images(one.counts(), scored) for one in cams) if c is not None), None)
    if cam is not None and config.histograms == "maps":
        cam = next((count_blindly(one, cam) for one in cams if set(cam.image_ids) <= set(one.map_ids)), None)
    told = [choose_share(seen, parse_share(config.rule))] if config.rule else []
    if config.answers:
        told.append(choose_answered(run, counts, load_entries(*config.answers.split(",")), averaging, classes))
    if config.thresholds:
        told.append(choose_read(config.thresholds, counts))
    extra = [*extra, *told]
    rows = score_selectors(scored, run.method, averaging, classes, config.resamples, config.seed, seen, extra, cam)
    folds = build_folds(len(counts.image_ids), config.part)
    if len(counts.image_ids) > 1 and (points := parse_points(config.points)):
        rows += describe_points(score_point_budget(counts, folds, points, averaging, classes, seed=config.seed))
    if sizes:
        rows += describe_budget(score_budget(counts, folds, sizes, averaging, classes, config.resamples, config.seed))
    same, place = {"run": run.name, "method": run.method}, {"images": len(scored.image_ids), "part": config.part}
    return [same | row | place for row in sorted(rows, key=lambda row: row["regret"])]


def choose_read(path: str, counts: Counts) -> Choice:
    """Choose the thresholds by class that a CSV holds."""
    cuts = load_class_thresholds(path, counts.class_names)
    return Choice("file", "Thresholds by class, from a file", "fixed", Path(path).name, "class",
                  place_cuts(cuts, counts.thresholds))


def save_by_class(config: SelectConfig, run: Run) -> None:
    """Save the thresholds by class that a rule gives a run.

    Raises:
        ValueError: no rule of that name gives each class a threshold.
    """
    counts = run.counts()
    terms = choose_terms(run, counts, classes=config.classes, averaging=config.protocol)
    oracle = choose_oracle(counts, terms.protocol.averaging, terms.class_list)
    known = {one.selector: one for one in (*choose_all_unseen(counts), *list_moving(counts), *oracle)
             if one.scope == "class"}
    if config.rule_of not in known:
        raise ValueError(f"rule-of is {config.rule_of!r}: choose one of {', '.join(known)}")
    save_class_thresholds(config.save, run.class_names, counts.thresholds[known[config.rule_of].index])


def choose_answered(run: Run, counts: Counts, entries: Sequence[Entry], averaging: str, classes) -> Choice:
    """Choose the threshold that answers at pixels give a run.

    Raises:
        ValueError: the run has no maps, or no answer is about its images.
    """
    population = build_population(counts, averaging, classes)
    placed = place_answers(entries, run, population, hash_image=build_hasher(run))
    for image_id, why in placed.problems.items():
        print(f"{run.name}: the answers on {image_id} are left out: {why}", file=sys.stderr)
    if not placed.entries:
        raise ValueError(f"{run.path}: none of {len(entries)} answers is about its images ({run.meta['data']}, "
                         f"{run.meta['split']}); answer some on the screen Label")
    estimate = estimate_points(population, placed.answers, DEFAULT)
    index = population.ends[settle_index(estimate, np.random.default_rng(0))]
    return Choice("answers", f"{len(placed.entries)} answers at pixels", f"points:{len(placed.entries)}", "ours",
                  "data set", np.asarray(index))


def build_hasher(run: Run):
    """Build what hashes the photographs of a run; None for each where they are not on this machine."""
    try:
        dataset = load_dataset(resolve_spec(run), run.meta["split"])
    except (DataError, ValueError):
        return lambda image_id: None
    known = set(dataset.ids)
    return lambda image_id: hash_photo(dataset.image(image_id)) if image_id in known else None


def order_cams(run: Run, cams: Sequence[Run]) -> list[Run]:
    """Order CAMs by what they are worth to a run: itself, then those of its backbone, then the others."""
    backbone = run.meta.get("model", {}).get("backbone", "")
    return sorted(cams, key=lambda cam: (
        cam.path != run.path, cam.meta.get("model", {}).get("backbone", "") != backbone))


def score_selectors(
    scored: Counts, method: str, averaging: str = "union", classes=None, resamples: int = 400, seed: int = 0,
    seen: Counts | None = None, extra: Sequence[Choice] = (), cam: Counts | None = None,
) -> list[dict[str, Any]]:
    """Choose with every selector but those with labels, and describe each choice and what it gives as a row.

    Args:
        scored: counts of the images to score on. method: of the run, for the constants. seen: counts of what
            selectors without ground truth look at, `scored` by default. extra: choices made elsewhere.
        cam: of a CAM on the same images, whose area is lent; none by default.
    """
    lent = [] if cam is None else [choose_area(seen or scored, cam)]
    choices = [*choose_fixed(scored.thresholds, method), *choose_all_unseen(seen or scored),
               *list_moving(seen or scored), *lent, *extra, *choose_oracle(scored, averaging, classes)]
    scores = score_choices(scored, choices, averaging, classes, resamples, seed)
    return [describe_choice(choice, score, scored.thresholds) for choice, score in zip(choices, scores, strict=True)]


def match_images(counts: Counts, wanted: Counts) -> Counts | None:
    """Select the images of other counts; None where some are missing."""
    return counts.select(wanted.image_ids) if set(wanted.image_ids) <= set(counts.image_ids) else None


def select_part(counts: Counts, part: str) -> Counts:
    """Select the images that are scored: all, or those with even or odd index."""
    return counts if part == "all" else counts.select(build_folds(len(counts.image_ids), part)[0][1])


def choose_all_unseen(counts: Counts) -> list[Choice]:
    """Choose with every selector on histograms, at every scope."""
    return [choose_unseen(counts, name, scope) for name in CHOOSERS for scope in SCOPES]


def count_blindly(run: Run, counts: Counts) -> Counts:
    """Count the maps of the images of some counts as if all were background, so that no ground truth is near.

    Raises:
        ValueError: a map is missing.
    """
    builder = CountsBuilder(run.class_names, counts.thresholds)
    for image_id in counts.image_ids:
        cam, class_ids = run.map(image_id)
        builder.add(image_id, cam, class_ids, np.zeros(cam.shape[1:], dtype=np.uint8))
    return builder.build()


def parse_sizes(text: str) -> list[int]:
    """Parse numbers of labelled images, such as ``5,10,20``; the empty text means none.

    Raises:
        ValueError: something that is not a whole number above 0.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"labels {text!r}: expected whole numbers above 0 separated by commas, such as 5,10,20")
    return sorted({int(part) for part in parts})


def parse_points(text: str) -> list[int]:
    """Parse numbers of answers, such as ``50,100``; the empty text means none.

    Raises:
        ValueError: something that is not a multiple of ten above 0.
    """
    if any(size % 10 for size in parse_sizes(text)):
        raise ValueError(f"points {text!r}: expected multiples of ten, such as 50,100: people are asked ten at a time")
    return parse_sizes(text)


def describe_choice(choice: Choice, score: ChoiceScore, thresholds: np.ndarray) -> dict[str, Any]:
    """Describe a choice and what it gives as a row."""
    name = choice.selector if choice.scope == "data set" else f"{choice.selector}/{choice.scope.split()[0]}"
    return {
        "selector": name, "title": choice.title, "source": choice.source, "uses": choice.uses, "scope": choice.scope,
        "threshold": float(np.median(thresholds[choice.index])),
        **{key: None if np.isnan(value) else value for key, value in vars(score).items()},
    }


def describe_budget(budget: Budget) -> list[dict[str, Any]]:
    """Describe what labelled images give as rows, one for each number of them."""
    titles = [f"Best on {n} labelled image{'s' if n > 1 else ''}" for n in budget.sizes]
    return describe_sizes(budget, "best-of", titles, "labels")


def describe_points(budget: Budget) -> list[dict[str, Any]]:
    """Describe what answers at pixels give as rows, one for each number of them."""
    return describe_sizes(budget, "points", [f"{n} answers at pixels, simulated" for n in budget.sizes], "points")


def describe_sizes(budget: Budget, selector: str, titles: Sequence[str], uses: str) -> list[dict[str, Any]]:
    """Describe a budget as rows, one for each of its sizes."""
    keys = ("miou", "miou_low", "miou_high", "regret", "regret_low", "regret_high")
    return [
        {"selector": f"{selector}-{n}", "title": titles[i], "source": "ours", "uses": f"{uses}:{n}",
         "scope": "data set", "threshold": float(np.median(budget.thresholds[i]))}
        | {key: float(getattr(budget, key)[i]) for key in keys}
        for i, n in enumerate(budget.sizes.tolist())
    ]


def choose_watching(config: SelectConfig, runs: Sequence[Run]) -> list[list[Choice]]:
    """Choose for each run with the selectors that look at maps, photographs and models, where these are at hand."""
    from amn_core.choosing import watching

    watchers = [build_watcher(config, run) for run in runs]
    chosen: list[list[Choice]] = [[] for _ in runs]
    for i, watcher in enumerate(watchers):
        if watcher is not None:
            scored = select_part(runs[i].counts(), config.part)
            chosen[i] += watch_run(watcher, scored, runs)
            for j in range(i):
                if watchers[j] is not None and set(watcher.ids) & set(runs[j].map_ids):
                    mine, theirs = watching.choose_agreeing(watcher, watchers[j])
                    chosen[i].append(mine)
                    chosen[j].append(theirs)
    return chosen


def build_watcher(config: SelectConfig, run: Run):
    """Build what selectors on maps need of a run; None, said on standard error, where it has no maps."""
    from amn_core.choosing.watching import Watcher, take_sample

    counts = run.counts()
    ids = [i for i in select_part(counts, config.part).image_ids if i in set(run.map_ids)]
    if not ids:
        print(f"{run.name}: tables alone, so the rules that look at maps are left out of its ranking: "
              f"{', '.join(NEED_MAPS.values())}; extract its maps first", file=sys.stderr)
        return None
    try:
        dataset = load_dataset(resolve_spec(run), run.meta["split"])
    except (DataError, ValueError) as error:
        print(f"{run.name}: no photographs here ({error})", file=sys.stderr)
        dataset = None
    return Watcher(run, take_sample(ids, config.sample), counts.thresholds, dataset)


def watch_run(watcher, scored: Counts, runs: Sequence[Run]) -> list[Choice]:
    """Choose with every selector that looks at one run; a classifier is any CAM checkpoint among the runs."""
    from amn_core.choosing import stability, watching

    chosen = [watching.choose_components(watcher), stability.choose_mebin(watcher, scored.image_ids)]
    if watcher.dataset is None:
        return chosen
    chosen += [watching.choose_edges(watcher, scored), watching.choose_refined(watcher)]
    own = watcher.run.checkpoint_path
    judge = next((run.checkpoint_path for run in runs if run.method == "cam" and run.checkpoint_path), None)
    if own or judge:
        from amn_core.infer.extractor import load_extractor  # torch is needed for models alone
    if own:
        normalisation = watcher.run.meta["protocol"].get("normalisation", "auto")
        extractor = load_extractor(own, normalisation=normalisation)
        chosen.append(watching.choose_scales(
            watcher, *(replace(extractor, scales=(scale,), flip=False).infer_map for scale in (0.5, 1.0))))
    if judge:
        chosen.append(watching.choose_kept(watcher, load_extractor(judge).predict_labels))
    return chosen


def format_table(rows: list[dict[str, Any]]) -> str:
    """Format the rows as a text table, with what the columns mean below it."""
    cells = [[title for _, title, _ in COLUMNS]]
    cells += [[format_cell(row[key], kind) for key, _, kind in COLUMNS] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) if i < 3 else cell.rjust(width)
                       for i, (cell, width) in enumerate(zip(line, widths, strict=True))) for line in cells]
    notes = (
        "regret: points below the best single threshold on the same images, 95 % interval over images",
        "uses: none, no ground truth; fixed, a published constant; share, one number; points:N, N answers at pixels "
        "and labels:N, N labelled images of the other half; oracle, the ground truth of the same images",
        "the threshold of /class and /image is the median of many",
    )
    return "\n".join([*lines, "", *notes])
