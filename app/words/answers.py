"""Words for a threshold from points: what is chosen, how sure it is, and when to stop; no Streamlit."""

from amn_core.choosing.bounds import Bounds
from amn_core.choosing.differences import Difference

ENOUGH = 0.01
POWER = 5 / 3  # the bound falls about as answers to the power of −3/5: seen in simulations on the bundled runs
SECONDS = 2.0


def write_verdict(threshold: float, bounds: Bounds, n_answers: int) -> str:
    """Write the threshold and what it costs at most."""
    if not n_answers:
        return f"{threshold:.3f} before any answer"
    return f"{threshold:.3f} costs at most {bounds.lost * 100:.1f} points (95 %)"


def write_details(low: float, high: float, bounds: Bounds, n_answers: int, seconds: float = SECONDS) -> str:
    """Write what else is known, and how long it takes to know enough."""
    parts = [f"mIoU there {write_score(bounds)}", f"{low:.3f} to {high:.3f} within a point of the best",
             f"{bounds.share * 100:.0f} % of the pixels show an object"] if n_answers else []
    return " · ".join([*parts, write_stop(float(bounds.lost), n_answers, seconds)])


def write_score(bounds: Bounds) -> str:
    """Write the mIoU in percent with its interval, which ends at 0 and 100."""
    middle, low, high = (min(1.0, max(0.0, float(part))) for part in (bounds.miou, bounds.miou_low, bounds.miou_high))
    return f"{middle * 100:.0f} ({low * 100:.0f} to {high * 100:.0f})"


def write_difference(difference: Difference | None) -> str:
    """Write by how many points a run is above another, with its interval; a dash without answers or for itself."""
    if difference is None or difference.low == difference.high:
        return "–"
    return f"{difference.value * 100:+.0f} ({difference.low * 100:+.0f} to {difference.high * 100:+.0f})"


def write_stop(lost: float, n_answers: int, seconds: float = SECONDS) -> str:
    """Write when to stop, in points and minutes."""
    if not n_answers:
        return "a hundred answers, in under five minutes, lose about a fifth of a point on average"
    if lost <= ENOUGH:
        return "enough: at most a point is lost"
    more = max(10, round((n_answers * (lost / ENOUGH) ** POWER - n_answers) / 10) * 10)
    minutes = more * seconds / 60
    time = f"{minutes:.0f} minutes" if minutes >= 1.5 else "a minute" if minutes > 0.5 else "half a minute"
    return f"about {more} more answers, {time}, until at most a point is lost"
