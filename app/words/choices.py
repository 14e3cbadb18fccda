"""Rows of selectors to tables and words for people; no Streamlit."""

from collections.abc import Mapping, Sequence

import pandas as pd

from amn_core.choosing.budget import SIZES, Budget, find_needed
from amn_core.choosing.confident import Confident, find_widest
from amn_core.choosing.point_budget import SIZES as POINT_SIZES
from amn_core.commands.select import NEED_MAPS

# The rule without ground truth whose largest regret is the smallest on the bundled runs of photographs: two
# backbones, three methods. Others win on one backbone and lose up to 26 points on the other.
SUGGESTED = "expected-iou"
BADGES = {
    "none": "no ground truth", "fixed": "fixed beforehand", "oracle": "oracle", "labels": "labelled images",
    "share": "one number", "points": "points",
}
BADGE_COLOURS = {"none": "#1B7F4B", "fixed": "#6B7280", "oracle": "#C2570C", "labels": "#0B5FA5",
                 "share": "#7A4FA3", "points": "#0F7C8A"}
SCOPES = {"data set": "one threshold", "class": "each class", "image": "each image", "image and class": "each image"}
# The confident thresholds of the paper's code, of CAM for AMN's seeds and of AMN for refinement.
CONFIDENT = {"cam": (0.30, 0.05), "amn-without-lcm": (0.45, 0.15), "amn": (0.45, 0.15)}
REACH = 0.1
# Assumed times of a person, which the screen lets one change.
SECONDS, MINUTES = 2.0, 4.0


def name_badge(uses: str) -> str:
    """Name what a number used, as its badge says it: ``labelled images: 10``."""
    kind, _, number = uses.partition(":")
    return f"{BADGES[kind]}: {number}" if number else BADGES[kind]


def list_badges(rows: Sequence[Mapping] = ()) -> dict[str, str]:
    """List every badge by its text, with its colour, those of some rows included."""
    sized = [f"labels:{n}" for n in SIZES] + [f"points:{n}" for n in POINT_SIZES]
    uses = [kind for kind in BADGES if kind not in ("labels", "points")] + sized + [row["uses"] for row in rows]
    return {name_badge(used): BADGE_COLOURS[used.partition(":")[0]] for used in uses}


def write_badge(uses: str) -> str:
    """Write a badge as Markdown."""
    colours = {"none": "green", "fixed": "gray", "oracle": "orange", "labels": "blue",
               "share": "violet", "points": "blue"}
    return f":{colours[uses.partition(':')[0]]}-badge[{name_badge(uses)}]"


def find_suggested(rows: Sequence[Mapping]) -> Mapping:
    """Find the row of the selector without ground truth that is suggested."""
    return next(row for row in rows if row["selector"] == SUGGESTED)


def write_need_of_maps(has_maps: bool) -> str:
    """Write which rules are not in the table: those that look at maps, which a run with tables alone cannot have."""
    rules = ", ".join(NEED_MAPS.values())
    if has_maps:
        return f"Rules that look at the maps take minutes and are not in this table: {rules}. Run `select RUN --maps`."
    return f"This run has tables alone, so the rules that look at maps are left out of its ranking: {rules}."


def build_table(
    rows: Sequence[Mapping], scopes: Sequence[str], seconds: float = SECONDS, minutes: float = MINUTES
) -> pd.DataFrame:
    """Build the table of a run's selectors, scores in percent, in the order of the rows.

    Args:
        seconds: that an answer at a pixel takes. minutes: that the mask of an image takes.
    """
    return pd.DataFrame([
        {
            "selector": row["title"], "scope": SCOPES[row["scope"]], "uses": [name_badge(row["uses"])],
            "threshold": row["threshold"], "miou": row["miou"] * 100, "regret": row["regret"] * 100,
            "interval": write_interval(row), "minutes": find_minutes(row["uses"], seconds, minutes),
            "source": row["source"],
        }
        for row in rows if row["scope"] in scopes
    ])


def find_minutes(uses: str, seconds: float, minutes: float) -> float | None:
    """Find how many minutes of a person a choice takes: so long for each answer or mask; None without any."""
    kind, _, number = uses.partition(":")
    return {"points": seconds / 60, "labels": minutes}[kind] * int(number) if number else None


def write_share(low: float, high: float) -> str:
    """Write how wrong a share may be, and where the rule does not hold."""
    return (f"On these images a point is lost only where the number is below {low:.2f} or above {high:.2f} "
            f"{write_badge('oracle')}. The mean IoU weighs classes equally and the share weighs pixels: on many "
            "classes of unequal size the peak lies at a larger share than the true one, and the rule can lose several "
            "points.")


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
    cuts = {row["selector"]: row["threshold"] for row in rows}
    if "cosa-high" in cuts and cuts["cosa-high"] >= cuts["cosa-low"]:
        pairs.append(("CoSA's mixture", "none", cuts["cosa-high"], cuts["cosa-low"]))
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
