"""Does the cut move while a network learns? The best threshold, its plateau and the imbalance after each epoch."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from amn_core.sweep import Summary
from amn_core.sweep.curves import find_threshold


@dataclass(frozen=True)
class Trace:
    """What a training's probe says of the threshold after each of E epochs; 0 is the start (ours).

    Attributes:
        epochs: (E,) int, increasing. best, low, high: (E,) the best threshold, and the ends of its plateau.
        peak_miou, imbalance, gap: (E,) see `Summary`; scores are fractions of 1.
        lost: (E,) what the best threshold of that epoch would lose after the last one: points of mIoU as a fraction.
    """

    epochs: np.ndarray
    best: np.ndarray
    low: np.ndarray
    high: np.ndarray
    peak_miou: np.ndarray
    imbalance: np.ndarray
    gap: np.ndarray
    lost: np.ndarray


def trace_threshold(summaries: Mapping[int, Summary]) -> Trace:
    """Trace the threshold over a training.

    Args:
        summaries: of the same images after each epoch, by epoch; at least one.

    >>> from amn_core.sweep import CountsBuilder, summarise
    >>> def show(level):
    ...     builder = CountsBuilder(("background", "cat"), np.linspace(0, 1, 11))
    ...     _ = builder.add("a", np.array([[[level, 0.05]]]), [1], np.array([[1, 0]], dtype=np.uint8))
    ...     return summarise(builder.build())
    >>> trace = trace_threshold({0: show(0.35), 3: show(0.85)})
    >>> trace.epochs.tolist(), trace.high.round(1).tolist(), trace.lost.tolist()
    ([0, 3], [0.3, 0.8], [0.0, 0.0])
    """
    epochs = sorted(summaries)
    last, own = summaries[epochs[-1]], [summaries[epoch] for epoch in epochs]
    names = {"best": "peak_threshold", "low": "plateau_low", "high": "plateau_high"}
    names |= {name: name for name in ("peak_miou", "imbalance", "gap")}
    columns = {name: np.array([getattr(one, source) for one in own]) for name, source in names.items()}
    kept = [last.miou[find_threshold(last.thresholds, one.peak_threshold)] for one in own]
    return Trace(np.array(epochs), **columns, lost=last.peak_miou - np.array(kept))


def describe_move(trace: Trace) -> str:
    """Describe in a sentence or two how far the best threshold moved from the first trained epoch to the last.

    >>> values = {name: np.array([0.3, 0.4]) for name in ("low", "high", "peak_miou", "imbalance", "gap")}
    >>> describe_move(Trace(np.array([1, 5]), np.array([0.25, 0.4]), lost=np.array([0.021, 0]), **values))
    'The best threshold moved from 0.250 after epoch 1 to 0.400 after epoch 5; the first would lose 2.1 points now.'
    """
    trained = np.flatnonzero(trace.epochs > 0)
    if len(trained) < 2:
        return "The best threshold after one epoch alone does not say whether it moves."
    first, last = trained[0], trained[-1]
    if trace.best[first] == trace.best[last]:
        return (f"The best threshold is {trace.best[last]:.3f} after epoch {trace.epochs[last]} as after epoch "
                f"{trace.epochs[first]}.")
    return (f"The best threshold moved from {trace.best[first]:.3f} after epoch {trace.epochs[first]} to "
            f"{trace.best[last]:.3f} after epoch {trace.epochs[last]}; the first would lose "
            f"{100 * trace.lost[first]:.1f} points now.")
