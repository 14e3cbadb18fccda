"""A figure from its config, or again from its record: draw, describe, render, write."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from amn_core.figures.captions import Caption
from amn_core.figures.config import FIGURES, FigureConfig, load_draw, resolve_figure_config
from amn_core.figures.consequence import draw_consequence, load_results
from amn_core.figures.curves import load_trainings
from amn_core.figures.latex import write_table
from amn_core.figures.material import Source, load_material
from amn_core.figures.picking import pick_images
from amn_core.figures.record import (
    build_record,
    comment_record,
    compare_records,
    describe_material,
    describe_results,
    describe_trainings,
    embed_record,
    load_record,
    restore_config,
)
from amn_core.figures.report import build_report
from amn_core.figures.styles import choose_page, rename_axes, render_figure, use_page
from amn_core.figures.tables import Table
from amn_core.formats.files import write_bytes, write_json
from amn_core.scoring import NO_ACTIVATION


@dataclass(frozen=True)
class Output:
    """What was made: the bytes of the file, its record, and its caption."""

    content: bytes
    record: dict[str, Any]
    caption: str
    note: str = ""


def make_figure(config: FigureConfig) -> dict[str, str]:
    """Make a figure, a table or a report and write it with its record beside it: the command `figure`.

    Returns:
        ``file``, ``record``, ``caption`` and ``note``, the protocol to print as a footnote.

    Raises:
        ValueError: something about the options, the runs or the record is wrong; says what helps.
    """
    config, output = remake(config) if config.record else (resolve_figure_config(config), build_output(config))
    path = Path(config.out)
    write_bytes(path, output.content)
    beside = path.with_name(f"{path.name}.json")
    if not config.record:
        write_json(beside, output.record)
    return {"file": str(path), "record": config.record or str(beside), "caption": output.caption,
            "note": output.note}


def build_output(config: FigureConfig, places: tuple[str, ...] = ()) -> Output:
    """Build a file in memory; the same config and runs give the same bytes.

    Args:
        places: folders to read the runs from where they lie elsewhere than the config, and so the record, says.
    """
    config = resolve_figure_config(config)
    if FIGURES[config.name].needs == "metrics":
        return build_training(config, places)
    if FIGURES[config.name].needs == "results":
        return build_consequence(config, places)
    material = load_material(config, places)
    if FIGURES[config.name].needs == "activation":
        refuse_refined(material.sources)
    if config.name == "report":
        return Output(*build_report(material))
    draw = load_draw(config.name)
    with use_page(material.page):
        drawn = draw(material)
        picked = pick_images(material) if config.name == "grid" else None
        content = describe_material(material, picked)
        return finish_table(config, drawn, content) if isinstance(drawn, Table) else finish(config, *drawn, content)


def finish(config: FigureConfig, figure: Figure, caption: Caption, content: dict[str, Any]) -> Output:
    """Name the axes of a figure as asked, and render it with its record."""
    rename_axes(figure, config.xlabel, config.ylabel)
    record, suffix = build_record(config, caption, content), Path(config.out).suffix.lower()
    rendered = render_figure(figure, suffix, config.dpi, caption.text, embed_record(record))
    return Output(rendered, record, caption.text, caption.note)


def finish_table(config: FigureConfig, table: Table, content: dict[str, Any]) -> Output:
    """Write a table with its record."""
    record, suffix = build_record(config, table.caption, content), Path(config.out).suffix.lower()
    text = write_table(table, suffix, config.name, choose_page(config.preset, config.width).width)
    return Output(comment_record(text, suffix, embed_record(record)).encode(), record, table.caption.text,
                  table.caption.note)


def refuse_refined(sources: Sequence[Source]) -> None:
    """Raise ValueError for a figure of activation if a run is one of refined masks, which have none."""
    for source in sources:
        if source.run.is_refined:
            raise ValueError(f"{source.run.path}: {NO_ACTIVATION} Draw the run it was made from")


def build_training(config: FigureConfig, places: tuple[str, ...]) -> Output:
    """Build the figure of trainings, which has metrics instead of counts behind it."""
    trainings = load_trainings(config, places)
    with use_page(choose_page(config.preset, config.width)):
        return finish(config, *load_draw(config.name)(config, trainings), describe_trainings(config, trainings))


def build_consequence(config: FigureConfig, places: tuple[str, ...]) -> Output:
    """Build the figure of masks and the networks behind them, which has their results instead of counts behind it."""
    results = load_results(config, places)
    with use_page(choose_page(config.preset, config.width)):
        return finish(config, *draw_consequence(config, results), describe_results(config, places))


def remake(config: FigureConfig) -> tuple[FigureConfig, Output]:
    """Make a file again from its record, or from the record within a file.

    The runs may be given again if they lie elsewhere now. What they hold is held against the record.

    Raises:
        ValueError: the record cannot be read, or the runs are not those it was made from.
    """
    path = Path(config.record)
    record = load_record(path)
    restored = resolve_figure_config(restore_config(record, path, config.out))
    runs = (config.name, *config.runs) if config.name else config.runs  # after --from no name is due, only runs
    if runs and len(runs) != len(restored.runs):
        raise ValueError(f"the record has {len(restored.runs)} runs: give all of them in its order, or none")
    if config.data:
        restored = replace(restored, data=config.data)
    output = build_output(restored, runs)
    for note in compare_records(record, output.record):
        print(note, file=sys.stderr)
    return restored, output


def format_result(result: dict[str, str]) -> str:
    """Format what was made: the files, the caption to print with them, and the note for a footnote."""
    return "\n\n".join(part for part in (f"{result['file']}\n{result['record']}", result["caption"], result["note"])
                       if part)
