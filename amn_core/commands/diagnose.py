"""Why is my number not the paper's: the command ``diagnose``."""

import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amn_core.diagnose.curve import Fit, Pasted, parse_curve
from amn_core.diagnose.diagnosis import (
    Diagnosis,
    answer,
    count_base,
    count_for_curve,
    count_readings,
    fit_curve,
    open_files,
)
from amn_core.diagnose.pictures import build_import, save_pictures
from amn_core.diagnose.published import FIGURES, find_published
from amn_core.diagnose.search import Target, parse_target
from amn_core.diagnose.words import describe, describe_fits, format_markdown, format_text
from amn_core.formats.files import write_bytes, write_json
from amn_core.formats.map_folder import KINDS
from amn_core.formats.runs import load_scoring
from amn_core.options import format_command, option
from amn_core.sweep.confusion import find_classes
from amn_core.sweep.protocols import parse_classes

TOLERANCE = 0.0005


@dataclass(frozen=True)
class DiagnoseConfig:
    """What `diagnose` needs: files and their data, and a number to explain."""

    paths: tuple[str, ...] = option((), "folder of maps or masks, or a run; two of them to ask why they differ",
                                    positional=True)
    data: str = option("", "data set: voc|coco|pets|folder:ROOT or scenes[:key=value,…]; a run knows its own")
    split: str = option("", "split or path of a list; a run knows its own")
    target: str = option("", "mIoU to explain, in percent as it is printed, such as 48.3, or a range")
    precision: str = option("", "mean precision of the same, in percent")
    recall: str = option("", "mean recall of the same, in percent")
    published: str = option("", "a published figure in place of a target; 'list' names them")
    at: float | None = option(None, "threshold of your own number; by default the peak of your curve")
    curve: str = option("", "file with numbers at thresholds, as a log prints them, to explain in place of a target")
    classes: str = option("", "classes to average over, background included; by default those of the run or an "
                          "export's note, else all")
    kind: str = option("auto", "maps, or finished masks", choices=KINDS)
    out: str = option("", "folder to write into: result.json, summary.md to paste, pictures of what changed most")
    workers: int = option(0, "processes; 0 for one a core")


def run_diagnose(config: DiagnoseConfig) -> dict[str, Any]:
    """Diagnose files; see `amn_core.diagnose.words.describe` for the result.

    Raises:
        ValueError: nothing to read, an odd target, or more than two paths.
    """
    if config.published == "list":
        return {"published": [{"name": f.key, "figure": f.label, "protocol": f.protocol, "source": f.source}
                              for f in FIGURES]}
    if config.curve:
        result, found = explain_curve(config), None
    else:
        found = find_diagnosis(config)
        result = describe(found) | describe_published(config)
    if config.out:
        save_result(config, result, found)
    return result


def save_result(config: DiagnoseConfig, result: dict[str, Any], found: Diagnosis | None) -> None:
    """Save a result with its summary, the pictures of each step, and the options of an import by the answer."""
    folder = Path(config.out)
    more = {} if found is None else {"pictures": save_pictures(found, folder), "import": build_import(found)}
    command = shlex.join(["python", "-m", "amn_core", *format_command("diagnose", replace(config, out="", workers=0))])
    summary = format_markdown(result, command)
    write_bytes(folder / "summary.md", summary.encode("utf-8"))
    write_json(folder / "result.json", result | more | {"summary": summary})


def find_diagnosis(config: DiagnoseConfig) -> Diagnosis:
    """Find what the matter is; what is known from a sample goes to standard error."""
    target = choose_target(config)
    opened = open_first(config)
    if target is not None:
        count_readings(opened, target, lambda text: print(text, file=sys.stderr))
    return answer(opened, target)


def open_first(config: DiagnoseConfig):
    """Open the first of the paths."""
    check_config(config)
    ask = (config.paths[0], config.data, config.split, config.kind)
    return open_files(ask, config.at, choose_classes(config, config.paths[0]), config.workers)


def check_config(config: DiagnoseConfig) -> None:
    """Refuse what cannot be meant.

    Raises:
        ValueError: says what.
    """
    if not 1 <= len(config.paths) <= 2:
        raise ValueError(f"{len(config.paths)} folders: give one, or two to ask why they differ")
    if config.at is not None and not 0 <= config.at <= 1:
        raise ValueError(f"at is {config.at}: give a threshold from 0 to 1")
    asked = [name for name in ("target", "published", "curve") if getattr(config, name)] + (
        ["a second folder"] if len(config.paths) == 2 else [])
    if len(asked) > 1:
        raise ValueError(f"{' and '.join(asked)}: give one number to explain")
    if (config.precision or config.recall) and not config.target:
        raise ValueError("precision and recall belong to a target: give --target too")


def choose_target(config: DiagnoseConfig) -> Target | None:
    """Choose the target: as given, published, or what the second folder scores with precision and recall."""
    check_config(config)
    if config.published:
        return parse_target(find_published(config.published).miou)
    if len(config.paths) == 2:
        ask = (config.paths[1], config.data, config.split, config.kind)
        other = open_files(ask, config.at, choose_classes(config, config.paths[1]), config.workers)
        count_base(other)
        return Target(tuple(other.board.score(other.base).tolist()), (TOLERANCE,) * 3)
    return parse_target(config.target, config.precision, config.recall) if config.target else None


def choose_classes(config: DiagnoseConfig, path: str) -> list[int] | None:
    """Choose the classes to average over: as given, else those of a run's protocol or of an export's note."""
    from amn_core.diagnose.sources import open_source

    source = open_source(path, config.data, config.split, config.kind)
    noted = source.run.scored_classes if source.run else load_scoring(path)["classes"]
    names = parse_classes(config.classes or ",".join(noted), source.class_names)
    return None if names is None else find_classes(source.class_names, names).tolist()


def explain_curve(config: DiagnoseConfig) -> dict[str, Any]:
    """Explain a pasted curve.

    Raises:
        ValueError: a file that cannot be read as numbers.
    """
    try:
        pasted: Pasted = parse_curve(Path(config.curve).read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise ValueError(f"{config.curve}: {error}") from None
    opened = open_first(config)
    count_for_curve(opened, pasted)
    fits: list[Fit] = fit_curve(opened, pasted)
    return describe_fits(answer(opened, None), pasted, fits)


def describe_published(config: DiagnoseConfig) -> dict[str, str]:
    """Describe the published figure that was compared with, if one was."""
    if not config.published:
        return {}
    figure = find_published(config.published)
    return {"published": figure.label, "published_protocol": figure.protocol, "source": figure.source}


def format_result(result: dict[str, Any]) -> str:
    """Format what `run_diagnose` found as text."""
    if "images" not in result:
        return "\n".join(f"{row['name']:<36}{row['figure']} ({row['source']})" for row in result["published"])
    text = format_text(result)
    if "published" in result:
        text += f"\nthe published number: {result['published_protocol']} ({result['source']})"
    return text
