"""What came of the trainings: counts to the two curves of each run, and what they say in words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from amn_core.formats.consequences import Consequence
from amn_core.formats.counts import load_counts
from amn_core.formats.runs import load_run
from amn_core.scoring import Terms, choose_terms, score_run
from amn_core.sweep import Counts, bootstrap_runs, score_confusion
from amn_core.sweep.confusion import find_classes, nanmean, score_foreground_share, score_rates
from amn_core.sweep.refined import thin_counts
from amn_core.sweep.uncertainty import find_interval

if TYPE_CHECKING:
    from amn_core.commands.consequence import Cell

RESAMPLES = 1000
LEVEL = 0.95
POINT = 0.01


def collect_results(cells: Sequence["Cell"]) -> list[Consequence]:
    """Collect what is finished of each run."""
    return [collect_run([cell for cell in cells if cell.folder == folder])
            for folder in dict.fromkeys(cell.folder for cell in cells)]


def collect_run(cells: Sequence["Cell"]) -> Consequence:
    """Collect the masks and the finished networks of one run."""
    run, counts = cells[0].run, load_counts(cells[0].folder / "masks.npz")
    terms, whole = choose_terms(run, counts), score_run(run)
    thresholds = counts.thresholds.tolist()
    masks, low, high = draw_curve(counts, terms)
    precision, recall = score_masks(counts, terms)
    share = np.interp(thresholds, whole.thresholds, score_foreground_share(score_confusion(run.counts())))
    networks = [collect_networks([c for c in cells if c.threshold == t and c.is_done], terms) for t in thresholds]
    scores, network, network_low, network_high = ([one[i] for one in networks] for i in range(4))
    return Consequence(
        run.name, run.method, float(whole.peak_threshold), thresholds, share.tolist(), masks.tolist(), low.tolist(),
        high.tolist(), precision, recall, scores, network, network_low, network_high)


def draw_curve(counts: Counts, terms: Terms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the images again and again: mIoU at each threshold, and its interval, (T,) each."""
    drawn = bootstrap_runs([counts], terms.protocol, terms.class_list, RESAMPLES, level=LEVEL)[0]
    return (drawn.estimates["miou"], *drawn.interval("miou"))


def score_masks(counts: Counts, terms: Terms) -> tuple[list[float | None], list[float | None]]:
    """Score precision and recall of the masks at each threshold, means over the object classes."""
    kept = find_classes(counts.class_names, terms.class_list)
    rates = score_rates(score_confusion(counts))
    means = (nanmean(values[:, kept[kept > 0]]) for values in (rates.precision, rates.recall))
    return tuple([None if np.isnan(value) else float(value) for value in values] for values in means)


def collect_networks(cells: Sequence["Cell"], terms: Terms) -> tuple[dict[str, float], Any, Any, Any]:
    """Collect the networks of one threshold: mIoU by seed, their mean, and its interval; None without one."""
    if not cells:
        return {}, None, None, None
    counts = [load_run(cell.path / "run").counts() for cell in cells]
    thinned = [thin_counts(one, one.thresholds[:1]) for one in counts]  # masks have one score at every threshold
    drawn = bootstrap_runs(thinned, terms.protocol, terms.class_list, RESAMPLES, level=LEVEL)
    scores = {str(cell.seed): float(one.estimates["miou"][0]) for cell, one in zip(cells, drawn, strict=True)}
    low, high = find_interval(np.mean([one.samples["miou"][:, 0] for one in drawn], axis=0), LEVEL)
    return scores, float(np.mean(list(scores.values()))), float(low), float(high)


def list_table_rows(run: dict[str, Any]) -> list[dict[str, Any]]:
    """List the rows of a run's table, one a threshold."""
    rows = []
    for i, threshold in enumerate(run["thresholds"]):
        pair = (run["network_low"][i], run["network_high"][i])
        rows.append({
            "threshold": threshold, "share": run["shares"][i], "masks": run["masks"][i],
            "masks_interval": (run["masks_low"][i], run["masks_high"][i]), "precision": run["precision"][i],
            "recall": run["recall"][i], "network": run["network"][i],
            "network_interval": None if None in pair else pair, "seeds": len(run["networks"][i])})
    return rows


def describe_result(run: dict[str, Any]) -> str:
    """Describe in words where masks and networks are best, and how much the threshold matters to each."""
    done = [i for i, value in enumerate(run["network"]) if value is not None]
    if len(done) < 2:
        return f"{len(done)} of {len(run['thresholds'])} thresholds have a network yet."
    masks, network = ([run[key][i] for i in done] for key in ("masks", "network"))
    best, behind = (done[int(np.argmax(values))] for values in (masks, network))
    spread = [100 * (max(values) - min(values)) for values in (masks, network)]
    near = sum(value >= max(network) - POINT for value in network)
    where = "at the same threshold" if best == behind else f"the network at {run['thresholds'][behind]:.3f}"
    text = (f"The masks are best at {run['thresholds'][best]:.3f}, {where}. Over these thresholds the masks differ by "
            f"{spread[0]:.1f} points, the network by {spread[1]:.1f}; {near} of {len(done)} lie within one point of "
            "the best network.")
    return text + describe_leaning(run, best, behind)


def describe_leaning(run: dict[str, Any], best: int, behind: int) -> str:
    """Describe whether the best network's masks are more precise or more complete than the best masks."""
    if best == behind or None in (run["precision"][best], run["precision"][behind]):
        return ""
    gains = [100 * (run[key][behind] - run[key][best]) for key in ("precision", "recall")]
    return f" The best network's masks have {gains[0]:+.1f} points of precision and {gains[1]:+.1f} of recall."
