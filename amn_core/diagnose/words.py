"""A diagnosis as plain data, as text for a terminal, and as Markdown to paste into a thread."""

from collections.abc import Sequence
from typing import Any

from amn_core.diagnose.curve import Fit, Pasted
from amn_core.diagnose.diagnosis import Diagnosis
from amn_core.diagnose.published import CUTS
from amn_core.diagnose.readings import CHANGES, Reading, word_ends, word_value
from amn_core.diagnose.search import SHARE, Explanation, Step, Target, are_same, build_path

UNTOLD = "one number does not tell: give --precision and --recall of the number that you compare with"


def describe(found: Diagnosis) -> dict[str, Any]:
    """Describe a diagnosis as plain data.

    Returns:
        ``reached`` (fraction of 1; None where nothing leads to the target), ``sure`` (0 to 1), ``steps`` of
        ``change``, ``from``, ``to`` and ``points`` (percentage points), ``alternatives`` of ``reached``, ``sure``,
        ``steps`` and ``same`` (whether nothing tells it from the answer on these files), ``findings`` of ``what``,
        ``evidence`` and ``remedy``; and ``yours``, ``precision``, ``recall``, ``target``, ``message``, ``protocol``,
        ``images``, ``list``, ``not_tried``.
    """
    is_masks = found.board.is_masks
    answer = found.found.answers[0] if found.path is not None else None
    return {
        "reached": find_reached(found, answer), "sure": found.found.sure if found.found else None,
        "steps": [describe_step(step, is_masks) for step in found.path or []],
        "alternatives": [describe_other(found, *other) for other in found.others],
        "findings": [{"what": f.what, "evidence": f.evidence, "remedy": f.remedy} for f in found.findings],
        "yours": to_number(found.score[0]), "precision": to_number(found.score[1]), "recall": to_number(found.score[2]),
        "target": None if found.target is None else found.target.numbers[0], "message": write_message(found),
        "protocol": describe_reading(found.base, is_masks, float(found.board.thresholds(found.base)[
            found.board.find_cut(found.base)])),
        "images": found.images, "list": found.base.images, "not_tried": list(found.allowed.untried),
    }


def to_number(value: float) -> float | None:
    """Turn a score into a number of JSON; None if it is undefined."""
    return None if value != value else float(value)


def find_reached(found: Diagnosis, answer: Explanation | None) -> float | None:
    """Find what the answer scores; without a target, what the files do."""
    if found.target is None:
        return to_number(found.score[0])
    return None if answer is None else to_number(answer.score[0])


def describe_step(step: Step, is_masks: bool) -> dict[str, Any]:
    """Describe a step as plain data; thresholds are numbers, all else is in words."""
    ends = (step.before, step.after) if step.name == "cut" else (
        word_ends(step.name, step.before, step.after, is_masks))
    return {"change": CHANGES[step.name], "from": ends[0], "to": ends[1], "points": 100 * step.points}


def describe_other(found: Diagnosis, one: Explanation, path: Sequence[Step]) -> dict[str, Any]:
    """Describe a further answer."""
    answer = found.found.answers[0]
    cost = one.cost - answer.cost
    return {"reached": to_number(one.score[0]), "sure": found.found.sure if cost < 1e-6 else None,
            "steps": [describe_step(step, found.board.is_masks) for step in path],
            "same": are_same(found.board, answer.reading, one.reading)}


def describe_reading(reading: Reading, is_masks: bool, cut: float) -> dict[str, str]:
    """Describe every choice of a reading, but those that finished masks do not have."""
    skipped = {"normalisation", "background", "cut"} if is_masks else {"unsure"}
    words = {CHANGES[name]: word_value(name, getattr(reading, name), is_masks)
             for name in CHANGES if name not in skipped}
    if not is_masks and reading.has_cut:
        words["threshold"] = f"{cut:.3g}" + (", the peak" if reading.cut is None else "")
    return words


def write_message(found: Diagnosis) -> str:
    """Write the answer in one sentence."""
    yours = f"{100 * found.score[0]:.1f}"
    if found.target is None:
        return f"{yours} on {found.images:,} images; {len(found.findings) or 'nothing'} suspicious"
    target = word_target(found.target)
    if not found.found.answers:
        nearest = f"{100 * found.found.nearest.score[0]:.1f}"
        reach = f"{100 * found.found.reachable:.1f}"
        return (f"no reading of these files gives {target}: yours is {yours}, the nearest {nearest}, and the highest "
                f"of all {reach}; the maps themselves differ, or something that is not tried here")
    if found.path is None:
        share = 1 - found.found.sure
        return (f"{UNTOLD if found.target.is_single else 'these numbers do not tell'}. Yours is {yours}; explanations "
                f"as simple as the simplest would reach {share:.0%} of all other targets too (more than {SHARE:.0%})")
    return write_path(found.path, found.score[0], found.found.answers[0].score[0], found.board.is_masks)


def word_target(target: Target) -> str:
    """Word a target: mIoU, and precision and recall where they are given."""
    named = zip(target.numbers, ("", "precision", "recall"), strict=True)
    parts = [f"{name} {100 * number:.1f}".strip() for number, name in named if number == number]
    return " with ".join([parts[0], " and ".join(parts[1:])]) if parts[1:] else parts[0]


def write_path(path: Sequence[Step], yours: float, reached: float, is_masks: bool) -> str:
    """Write a path as a sum: what was reached is yours and the points of each step."""
    if not path:
        return f"{100 * reached:.1f} is yours: nothing differs"
    parts = [f"{'+' if step.points >= 0 else '−'} {abs(100 * step.points):.1f} ({write_step(step, is_masks)})"
             for step in path]
    return f"{100 * reached:.1f} = yours {100 * yours:.1f} {' '.join(parts)}"


def write_step(step: Step, is_masks: bool) -> str:
    """Write a step: what it is now in place of what it was, and who uses such a threshold."""
    if step.name == "cut":
        used = "the peak" if step.is_peak else CUTS.get(round(float(step.after), 3))
        return f"threshold {step.after:g} in place of {step.before:g}" + (f"; {used}" if used else "")
    before, after = word_ends(step.name, step.before, step.after, is_masks)
    return f"{CHANGES[step.name]}: {after} in place of {before}"


def format_text(result: dict[str, Any]) -> str:
    """Format a diagnosis for a terminal: the answer, other explanations, what is suspicious, what was not tried."""
    lines = [result["message"]]
    if result["steps"]:
        lines.append(f"sure: {result['sure']:.0%} of other targets would not have been reached so simply")
    for other in result["alternatives"]:
        words = "; ".join(f"{step['change']} {format_value(step['to'])} ({step['points']:+.1f})"
                          for step in other["steps"])
        lines.append(f"{'  the same on these files' if other['same'] else '  or'}: {words or 'no change'}")
    for finding in result["findings"]:
        lines.append(f"suspicious: {finding['what']}: {finding['evidence']}. {finding['remedy'].capitalize()}.")
    if not result["findings"]:
        lines.append("nothing is suspicious by itself")
    lines += [f"not tried: {note}" for note in result["not_tried"]]
    protocol = "; ".join(f"{name} {value}" for name, value in result["protocol"].items())
    return "\n".join([*lines, f"yours was read so: {protocol}; {result['images']:,} images"])


def format_value(value: object) -> str:
    """Format the end of a step."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def format_markdown(result: dict[str, Any], command: str) -> str:
    """Format a diagnosis as a few lines of Markdown with protocol and command, to paste into a thread."""
    lines = [f"**{escape(result['message'])}**", ""]
    if result["steps"]:
        lines += ["| change | from | to | points |", "|---|---|---|---|"]
        lines += [f"| {step['change']} | {escape(format_value(step['from']))} | {escape(format_value(step['to']))} | "
                  f"{step['points']:+.1f} |" for step in result["steps"]]
        lines.append("")
    lines += [f"- {escape(f['what'])}: {escape(f['evidence'])}" for f in result["findings"]]
    protocol = "; ".join(f"{name}: {value}" for name, value in result["protocol"].items())
    return "\n".join([*lines, f"Mine: {escape(protocol)}; {result['images']:,} images.", "", f"`{command}`"])


def escape(text: str) -> str:
    """Escape what Markdown would take for markup in a name of a file or a list."""
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, f"\\{sign}")
    return text


def describe_fits(found: Diagnosis, pasted: Pasted, fits: Sequence[Fit]) -> dict[str, Any]:
    """Describe how a pasted curve is explained, as `describe` does; points are those at the pasted peak.

    It is as sure as few different readings agree with all of its numbers (ours).
    """
    within = [fit for fit in fits if fit.apart <= pasted.tolerance * 1.01]
    cheapest = [fit for fit in within if fit.cost <= within[0].cost + 1e-6]
    different = [fit for fit in cheapest if not are_same(found.board, cheapest[0].reading, fit.reading)]
    at = float(pasted.thresholds[pasted.miou.argmax()])
    paths = [build_path(found.board, found.base.change("cut", at), fit.reading.change("cut", at)) for fit in fits[:6]]
    rows = [{"reached": to_number(found.board.score(fit.reading.change("cut", at))[0]), "sure": None,
             "steps": [describe_step(step, found.board.is_masks) for step in path], "apart": 100 * fit.apart,
             "same": are_same(found.board, fits[0].reading, fit.reading)}
            for fit, path in zip(fits, paths, strict=False)]
    first = rows[0]
    return describe(found) | {
        "reached": first["reached"] if within else None, "sure": 1 / (1 + len(different)) if within else 0.0,
        "steps": first["steps"] if within else [], "alternatives": rows[1:] if within else rows,
        "target": float(pasted.miou.max()), "message": word_fit(found, pasted, first, bool(within))}


def word_fit(found: Diagnosis, pasted: Pasted, first: dict[str, Any], is_within: bool) -> str:
    """Word how far a pasted curve is from the nearest reading."""
    words = "; ".join(f"{step['change']}: {step['to']} in place of {step['from']}" for step in first["steps"])
    start = f"a curve of {len(pasted.miou)} numbers, highest {100 * pasted.miou.max():.1f}"
    if is_within:
        return f"{start}: {words or 'it is yours'}, to the last digit"
    return f"{start}: no reading agrees with it; the nearest is within {first['apart']:.1f} points ({words or 'yours'})"
