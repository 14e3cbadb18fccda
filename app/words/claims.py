"""The sentence above a screen, computed from what is shown; no Streamlit."""

from collections.abc import Mapping

import numpy as np

from amn_core.sweep.scores import Summary

SAMPLES = "photos"  # a data set to look at, of which no sentence draws a conclusion
MANY = 3  # more runs than that are named by the first and the last of an order


def write_cost(summaries: Mapping[str, Summary], data: str = "") -> str:
    """Write what one threshold for all images costs each run: its oracle less its peak, in points.

    Args:
        summaries: by the run's name; finished masks, which have no threshold, are passed over.
        data: the data set and split, as the screens name a group of runs.
    """
    costs = {name: (one.oracle_miou - one.peak_miou) * 100 for name, one in summaries.items()
             if np.isfinite(one.plateau)}
    costs = {name: cost for name, cost in costs.items() if np.isfinite(cost)}
    if not costs:
        return "Finished masks: there is no threshold to choose, and none to lose by."
    images = max(one.images for one in summaries.values())
    if data.partition("/")[0] == SAMPLES:
        return f"{images} photographs to look at, too few to judge a method by: drag the threshold and watch the masks."
    lost = {name: cost for name, cost in costs.items() if cost >= 0}
    parts = [f"One threshold for all {images} images costs {join_values(lost, ' points')}."] if lost else []
    if len(lost) < len(costs):
        names = [name for name in costs if name not in lost]
        parts.append(f"A threshold for each image, best for its own mIoU, would give {' and '.join(names)} less than "
                     "one for all.")
    return " ".join(parts)


def write_evenness(summaries: Mapping[str, Summary]) -> str:
    """Write whose activation is the most even on its objects, and whose separates object from background best."""
    imbalance = {name: one.imbalance for name, one in summaries.items() if np.isfinite(one.imbalance)}
    auc = {name: one.auc for name, one in summaries.items() if np.isfinite(one.auc)}
    if not imbalance or not auc:
        return "No activation to compare: the runs shown are finished masks."
    if len(imbalance) == 1:
        name = next(iter(imbalance))
        return f"On its objects {name} varies by {imbalance[name]:.2f} of its mean; an object pixel beats a " \
               f"background pixel in {auc[name]:.0%} of pairs."
    even, best = min(imbalance, key=imbalance.get), max(auc, key=auc.get)
    return (f"{even} is the most even on its objects (CV {imbalance[even]:.2f}, {describe_rest(imbalance, even)}); "
            f"{best} ranks object above background most often (AUC {auc[best]:.3f}).")


def describe_rest(values: Mapping[str, float], best: str) -> str:
    """Describe what the others have beside the best."""
    rest = [value for name, value in values.items() if name != best]
    return f"others {min(rest):.2f}" if min(rest) == max(rest) else f"others {min(rest):.2f} to {max(rest):.2f}"


def write_losses(name: str, threshold: float, regret: np.ndarray) -> str:
    """Write what images lose to a threshold: half of them, and the worst one; `regret` (N,) fractions of 1."""
    known = regret[np.isfinite(regret)] * 100
    if not len(known):
        return f"{name} is finished masks: a threshold costs no image anything."
    if len(known) == 1:
        return f"At {threshold:.3f} the regret of {name} on the image is {known[0]:.1f} points."
    return (f"At {threshold:.3f} the regret of {name} is above {np.median(known):.1f} points on half of the "
            f"{len(known)} images, and {known.max():.1f} at the worst.")


def join_values(values: Mapping[str, float], unit: str) -> str:
    """Join names and values as a sentence does; of many, the smallest and the largest."""
    if len(values) > MANY:
        low, high = min(values, key=values.get), max(values, key=values.get)
        return f"between {values[low]:.1f} ({low}) and {values[high]:.1f}{unit} ({high})"
    texts = [f"{name} {value:.1f}" for name, value in values.items()]
    texts[0] += unit if abs(next(iter(values.values()))) != 1 else " point"
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
