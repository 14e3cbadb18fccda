"""What each number means, in one place, and whose definition it is; no Streamlit."""

from collections.abc import Iterable
from dataclasses import dataclass

PAPER = "paper"
OURS = "ours"


@dataclass(frozen=True)
class Definition:
    """A measure: its name, what it is in one or two sentences, whose it is, and whether a rescaling changes it."""

    name: str
    text: str
    source: str
    is_scale_free: bool


DEFINITIONS = {
    "normalisation": Definition(
        "Normalisation", "How activations were brought into [0, 1]. Every number marked *changes with the scale* "
        "depends on it.", OURS, False),
    "threshold": Definition(
        "Global threshold", "One number for the whole data set: a pixel is foreground where its strongest map is "
        "strictly above it; background wins ties.", PAPER, False),
    "peak_miou": Definition(
        "Peak mIoU", "The highest mIoU that any single threshold reaches on these images. The threshold was chosen "
        "on their ground truth, which a weakly supervised method does not have: an *oracle* choice.", OURS, True),
    "peak_threshold": Definition(
        "Peak at", "The lowest threshold that reaches the peak; an *oracle* choice.", OURS, False),
    "chosen_miou": Definition(
        "mIoU at the current threshold", "The score at the threshold of the slider.", OURS, False),
    "plateau": Definition(
        "Plateau", "Width of the unbroken interval of thresholds around the peak with mIoU ≥ peak − 1 point. Wide "
        "is robust.", OURS, False),
    "plateau_share": Definition(
        "Plateau in quantiles", "The same interval, measured by the share of pixels called foreground at its two "
        "ends.", OURS, True),
    "mean_miou": Definition(
        "Mean mIoU", "Mean of mIoU over all thresholds from 0 to 1.", OURS, False),
    "mean_miou_share": Definition(
        "Mean mIoU over shares", "Mean of mIoU over the share of pixels called foreground, instead of over "
        "thresholds.", OURS, True),
    "oracle_miou": Definition(
        "Per-image oracle", "mIoU of the data set when every image uses the threshold that is best for its own mIoU. "
        "A choice for each image, no bound: of a weak run with many classes it can lie below the peak. Made on the "
        "ground truth: to learn from, never a result.", OURS, True),
    "oracle_less_peak": Definition(
        "Oracle − peak", "What one threshold for all images costs beside a choice for each of them; below 0 where that "
        "choice is worse for the data set.", OURS, True),
    "regret": Definition(
        "Regret", "Points below the best. Of an image: its best mIoU − its mIoU at the global threshold. Of a "
        "choice: the peak − the mIoU at the chosen threshold.", OURS, True),
    "degenerate": Definition(
        "Degenerate image", "Its ground truth has no scored background, or no scored object: a threshold separates "
        "nothing, so that it is perfect at 0 or at 1. Counted in the scores, left out of rankings.", OURS, True),
    "gap": Definition(
        "Gap", "Mean activation of a class on its own pixels − its mean on background, averaged over pairs of image "
        "and class. That a large gap helps is the paper's claim; this measure of it is ours.", OURS, False),
    "auc": Definition(
        "AUC", "Chance that a pixel of the object has a higher activation than a pixel of background, ties half. "
        "Threshold-free.", OURS, True),
    "auc_other": Definition(
        "AUC to others", "The same between the pixels of the object and those of other classes.", OURS, True),
    "imbalance": Definition(
        "Imbalance (CV)", "Coefficient of variation (CV: standard deviation over mean) of the activation on the "
        "object: 0 where all of it is alike. That imbalance hurts is the paper's claim; this measure of it is "
        "ours. A pure scaling leaves it alone, an offset does not.", OURS, True),
    "gini": Definition(
        "Imbalance (Gini)", "Gini coefficient of the activation on the object: 0 where all of it is alike, towards 1 "
        "where few pixels have all. A pure scaling leaves it alone.", OURS, True),
    "precision": Definition(
        "Precision", "Of the pixels called a class, the share that are; mean over the chosen object classes.",
        OURS, True),
    "recall": Definition(
        "Recall", "Of the pixels of a class, the share that are called it; mean over the chosen object classes.",
        OURS, True),
    "interval": Definition(
        "Interval", "95 % bootstrap interval: the images are drawn with replacement, 400 times, and scored anew. A "
        "paired interval draws the same images for both runs. A peak is the best of many thresholds: its interval "
        "leans upward.", OURS, True),
}

AVERAGINGS = {
    "union": "Classes that occur in ground truth or prediction (IRN, WeakTr)",
    "all": "All classes, an absent one as 0 (SEAM, MCTformer)",
    "present": "Classes that occur in the ground truth (ToCo, CLIP-ES)",
}


def write_definitions(names: Iterable[str]) -> str:
    """Write definitions as Markdown, one paragraph each, marked as the paper's or ours."""
    return "\n\n".join(write_definition(DEFINITIONS[name]) for name in names)


def write_definition(definition: Definition) -> str:
    """Write one definition: name, badges, text."""
    source = ":violet-badge[the paper's]" if definition.source == PAPER else ":blue-badge[ours]"
    scale = ":green-badge[scale-free]" if definition.is_scale_free else ":gray-badge[changes with the scale]"
    return f"**{definition.name}** {source} {scale}  \n{definition.text}"
