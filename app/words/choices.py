"""Rows of selectors to tables and words for people; no Streamlit."""

from collections.abc import Mapping, Sequence

import pandas as pd

from amn_core.choosing.budget import SIZES, Budget, find_needed
from amn_core.choosing.confident import Confident, find_widest

# The rule without ground truth that loses least at its worst on the bundled runs of photographs: two backbones, three
# methods. Others win on one backbone and lose up to 26 points on the other.
SUGGESTED = "expected-iou"
BADGES = {
    "none": "no ground truth", "fixed": "fixed beforehand", "oracle": "oracle", "labels": "labelled images",
}
BADGE_COLOURS = {"none": "#1B7F4B", "fixed": "#6B7280", "oracle": "#C2570C", "labels": "#0B5FA5"}
SCOPES = {"data set": "one threshold", "class": "each class", "image": "each image", "image and class": "each image"}
# The confident thresholds of the paper's code, of CAM for AMN's seeds and of AMN for refinement.
CONFIDENT = {"cam": (0.30, 0.05), "amn-without-lcm": (0.45, 0.15), "amn": (0.45, 0.15)}
REACH = 0.1


def name_badge(uses: str) -> str:
    """Name what a number used, as its badge says it: ``labelled images: 10``."""
    kind, _, number = uses.partition(":")
    return f"{BADGES[kind]}: {number}" if number else BADGES[kind]


def list_badges() -> dict[str, str]:
    """List every badge by its text, with its colour."""
    uses = [kind for kind in BADGES if kind != "labels"] + [f"labels:{n}" for n in SIZES]
    return {name_badge(used): BADGE_COLOURS[used.partition(":")[0]] for used in uses}


def write_badge(uses: str) -> str:
    """Write a badge as Markdown."""
    colours = {"none": "green", "fixed": "gray", "oracle": "orange", "labels": "blue"}
    return f":{colours[uses.partition(':')[0]]}-badge[{name_badge(uses)}]"


def find_suggested(rows: Sequence[Mapping]) -> Mapping:
    """Find the row of the selector without ground truth that is suggested."""
    return next(row for row in rows if row["selector"] == SUGGESTED)


def build_table(rows: Sequence[Mapping], scopes: Sequence[str]) -> pd.DataFrame:
    """Build the table of a run's selectors, scores in percent, in the order of the rows."""
    return pd.DataFrame([
        {
            "selector": row["title"], "scope": SCOPES[row["scope"]], "uses": [name_badge(row["uses"])],
            "threshold": row["threshold"], "miou": row["miou"] * 100, "regret": row["regret"] * 100,
            "interval": write_interval(row), "source": row["source"],
        }
        for row in rows if row["scope"] in scopes
    ])


def write_interval(row: Mapping) -> str:
    """Write the interval of the regret in points."""
    if row["regret_low"] is None:
        return "–"
    return f"{row['regret_low'] * 100:.1f} to {row['regret_high'] * 100:.1f}"


def write_needed(budget: Budget, tolerance: float = 0.005) -> str:
    """Write how many labelled images suffice, on average and in 97 of 100 draws."""
    mean, sure = (find_needed(budget, tolerance, is_sure) for is_sure in (False, True))
    largest = budget.sizes[-1] if len(budget.sizes) else 0
    mean, sure = (needed or f"more than {largest}" for needed in (mean, sure))
    return f"{mean} on average, {sure} to be there in 97 of 100 draws"


def list_pairs(confident: Confident, method: str, rows: Sequence[Mapping]) -> list[tuple[str, str, float, float]]:
    """List pairs of confident thresholds that a rule gives: name, what it used, foreground, background."""
    centres = [("suggested ± 0.1", "none", find_suggested(rows)["threshold"]),
               ("best ± 0.1", "oracle", next(row["threshold"] for row in rows if row["selector"] == "peak"))]
    pairs = [(name, uses, min(1.0, t + REACH), max(0.0, t - REACH)) for name, uses, t in centres]
    if method in CONFIDENT:
        pairs.append(("the paper's", "fixed", *CONFIDENT[method]))
    widest = find_widest(confident, 0.9)
    return pairs + ([("widest at 90 %", "oracle", *widest)] if widest else [])


def build_pairs(confident: Confident, pairs: Sequence[tuple[str, str, float, float]]) -> pd.DataFrame:
    """Build the table of pairs: both thresholds, precision and coverage in percent."""
    rows = []
    for name, uses, foreground, background in pairs:
        at = confident.at(foreground, background)
        rows.append({
            "rule": name, "uses": [name_badge(uses)] if uses else [],
            "foreground": at["foreground"], "background": at["background"],
            **{key: at[key] * 100 for key in ("foreground_precision", "background_precision", "precision", "coverage")},
        })
    return pd.DataFrame(rows)
