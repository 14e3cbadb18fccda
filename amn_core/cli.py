"""The command line: ``python -m amn_core COMMAND``.

Exit status 0 on success, 2 on a usage error, 1 on anything else; progress and errors go to standard error.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from amn_core.distributed import get_rank, is_distributed, is_loss_of_a_process, is_main, may_speak
from amn_core.failures import STOPPED, ending_on_sigterm, is_out_of_memory, take_first_line
from amn_core.jobs.commands import add_jobs_commands
from amn_core.options import add_options, read_options

INTERRUPTED = "interrupted; what is done is kept, and the same command goes on (a training with --resume)"


@dataclass(frozen=True)
class Command:
    """A command: its configuration, what runs it (``module:function``), and how its result is printed."""

    config: str
    run: str
    help: str
    show: str = ""


COMMANDS = {
    "train": Command(
        "amn_core.configs:TrainConfig", "amn_core.train.loop:train", "train CAM, AMN, IRN or segmentation"),
    "extract": Command(
        "amn_core.configs:ExtractConfig", "amn_core.extract:extract", "make the activation maps of a data set"),
    "segment": Command(
        "amn_core.segmenting:SegmentConfig", "amn_core.segmenting:segment",
        "make the masks of a data set with a segmentation network"),
    "seed": Command(
        "amn_core.configs:SeedConfig", "amn_core.seeds:make_seeds", "cut maps into sure and unsure labels"),
    "count": Command(
        "amn_core.configs:CountConfig", "amn_core.counting:count", "count a run against ground truth"),
    "compare": Command(
        "amn_core.configs:CompareConfig", "amn_core.comparing:compare", "compare runs from their counts",
        "amn_core.comparing:format_table"),
    "select": Command(
        "amn_core.selecting:SelectConfig", "amn_core.selecting:select", "choose thresholds, and say what each costs",
        "amn_core.selecting:format_table"),
    "refine": Command(
        "amn_core.refining:RefineConfig", "amn_core.refining:refine",
        "refine a run's maps by dense CRF, PAMR or IRN's random walk, as a run of its own"),
    "reproduce": Command(
        "amn_core.configs:ReproduceConfig", "amn_core.reproduce:reproduce",
        "train and compare CAM, AMN without LCM and AMN", "amn_core.comparing:format_table"),
    "estimate": Command(
        "amn_core.configs:ReproduceConfig", "amn_core.estimate:estimate",
        "measure a few steps and say how long reproduce would take", "amn_core.estimate:format_estimate"),
    "knob": Command(
        "amn_core.knob:KnobConfig", "amn_core.knob:measure_knob",
        "train on drawn scenes at several settings of their knob, and print the table", "amn_core.knob:format_knob"),
    "import": Command(
        "amn_core.importing:ImportConfig", "amn_core.importing:run_import",
        "read another method's maps or masks as a run", "amn_core.import_report:format_report"),
    "export": Command(
        "amn_core.exporting:ExportConfig", "amn_core.exporting:run_export",
        "write a run's maps, labels or tables in other formats", "amn_core.exporting:format_export"),
    "convert": Command(
        "amn_core.converting:ConvertConfig", "amn_core.converting:convert",
        "turn a checkpoint of the paper's official code into one of ours, or back",
        "amn_core.converting:format_conversion"),
    "figure": Command(
        "amn_core.figures.config:FigureConfig", "amn_core.figures.make:make_figure",
        "make a figure, a table or a report for print, or one again from its record",
        "amn_core.figures.make:format_result"),
}

BENCHMARKS = {
    "sweep": Command(
        "amn_core.bench.sweep:BenchSweepConfig", "amn_core.bench.sweep:bench_sweep",
        "counts of every threshold against an argmax for each", "amn_core.cli:format_report"),
    "scores": Command(
        "amn_core.bench.sweep:BenchScoresConfig", "amn_core.bench.sweep:bench_scores",
        "scores of a subset and bootstrap, from counts", "amn_core.cli:format_report"),
    "train": Command(
        "amn_core.bench.training:BenchTrainConfig", "amn_core.bench.training:bench_train",
        "steps of training against the plain loop of the official code", "amn_core.cli:format_report"),
    "extract": Command(
        "amn_core.bench.extraction:BenchExtractConfig", "amn_core.bench.extraction:bench_extract",
        "images to maps against the plain loop of the official code", "amn_core.cli:format_report"),
    "crf": Command(
        "amn_core.bench.crf:BenchCRFConfig", "amn_core.bench.crf:bench_crf",
        "the dense CRF against pydensecrf, if it is installed", "amn_core.cli:format_report"),
    "import": Command(
        "amn_core.bench.importing:BenchImportConfig", "amn_core.bench.importing:bench_import",
        "where the time of an import goes", "amn_core.cli:format_report"),
    "official": Command(
        "amn_core.bench.official:BenchOfficialConfig", "amn_core.bench.official:bench_official",
        "what each choice of the official inference changes", "amn_core.bench.official:format_official"),
    "maps": Command(
        "amn_core.bench.maps:BenchMapsConfig", "amn_core.bench.maps:bench_maps",
        "what the compact form of the maps costs", "amn_core.cli:format_report"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    try:
        options = build_parser().parse_args(arguments)
        with ending_on_sigterm():
            options.handle(options)
    except (ValueError, FloatingPointError) as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{error.filename or 'file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return fail(INTERRUPTED, STOPPED)
    except (RuntimeError, MemoryError) as error:
        return fail(describe_runtime_error(error))
    except Exception as error:
        if type(error).__name__ == "Stopped":
            return fail(str(error), STOPPED)
        raise
    return 0


def fail(message: str, status: int = 1) -> int:
    """Print an error and return the exit status; of several processes the first says what happened."""
    if may_speak():
        where = f"process {get_rank()}: " if is_distributed() and status != STOPPED else ""
        print(f"error: {where}{message}", file=sys.stderr, flush=True)
    return status


def describe_runtime_error(error: RuntimeError | MemoryError) -> str:
    """Word an error of torch; where memory ran out, say what helps."""
    if is_out_of_memory(error):
        text = take_first_line(error)
        return text if " with --" in text else f"out of memory: use a smaller --batch, fewer --workers ({text})"
    if is_loss_of_a_process(error):
        return ("another of the processes has died, so this one stops too; start the same command again to go on, "
                "a training with --resume")
    return str(error)


def load_name(name: str) -> Any:
    """Load ``module:attribute``; commands import what they need when they run, and nothing before."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m amn_core", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        add_command(commands, name, command)
    bench = commands.add_parser("bench", help="measure: the naive way and ours, in the same run").add_subparsers(
        dest="benchmark", required=True, metavar="BENCHMARK")
    for name, command in BENCHMARKS.items():
        add_command(bench, name, command)
    add_data_commands(commands)
    add_jobs_commands(commands)
    add_run_command(commands)
    return parser


def add_command(commands: Any, name: str, command: Command) -> None:
    """Add a command whose options are the fields of its config."""
    parser = commands.add_parser(name, help=command.help, description=command.help)
    config_class = load_name(command.config)
    add_options(parser, config_class)
    has_json = any(action.dest == "json" for action in parser._actions)
    if command.show and not has_json:
        parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handle=build_handler(command, config_class))


def build_handler(command: Command, config_class: type) -> Callable[[argparse.Namespace], None]:
    """Build the function that runs a command and prints its result."""

    def handle(options: argparse.Namespace) -> None:
        result = load_name(command.run)(read_options(options, config_class))
        if not is_main():
            return
        if getattr(options, "json", False):
            print(json.dumps(result))
        elif command.show:
            print(load_name(command.show)(result))
        elif result is not None:
            print(result)

    return handle


def format_report(report: Any, indent: str = "") -> str:
    """Format a nested report as indented lines, one value each; numbers with four digits that count."""
    lines = []
    for key, value in report.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", format_report(value, indent + "  ")]
        else:
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            lines.append(f"{indent}{key}: {text}")
    return "\n".join(line for line in lines if line.strip())


def add_data_commands(commands: Any) -> None:
    """Add ``data get``, ``data check`` and ``data preview``."""
    data = commands.add_parser("data", help="get, check or preview a data set").add_subparsers(
        dest="action", required=True, metavar="ACTION")
    get = data.add_parser("get", help="download PASCAL VOC 2012")
    get.add_argument("name", choices=("voc",))
    get.add_argument("--root", required=True, help="folder that will hold VOCdevkit")
    get.set_defaults(handle=lambda options: print(load_name("amn_core.data.download:download_voc")(options.root)))
    check = data.add_parser("check", help="read every image, label and mask, and name what is broken")
    preview = data.add_parser("preview", help="draw a contact sheet of images and masks")
    preview.add_argument("data", help="data set, such as scenes or voc:ROOT")
    preview.add_argument("--out", default="sheet.png", help="picture to write (default: sheet.png)")
    preview.add_argument("--n", type=int, default=24, help="number of images (default: 24)")
    check.add_argument("data", help="data set, such as voc:ROOT")
    for parser in (check, preview):
        parser.add_argument("--split", default="train", help="split or path of a list (default: train)")
    check.set_defaults(handle=check_data)
    preview.set_defaults(handle=preview_data)


def check_data(options: argparse.Namespace) -> None:
    """Check a data set and print what is there and what is broken."""
    from amn_core.data import describe_problems, find_problems, load_dataset

    dataset = load_dataset(options.data, options.split, skip_broken=True)
    problems = find_problems(dataset, with_masks=True)
    print(f"{len(dataset.ids)} images, {len(dataset.class_names) - 1} classes, labels from {dataset.label_source}")
    for problem in problems:
        print(problem.message)
    if problems:
        raise ValueError(describe_problems(problems, len(dataset.ids)))


def preview_data(options: argparse.Namespace) -> None:
    """Draw a contact sheet of a data set and print where it is."""
    from amn_core.data import load_dataset
    from amn_core.data.scenes import build_contact_sheet

    build_contact_sheet(load_dataset(options.data, options.split), options.n).save(options.out)
    print(options.out)


def add_run_command(commands: Any) -> None:
    """Add ``run``, which opens the app."""
    parser = commands.add_parser("run", help="open the app in a browser")
    parser.add_argument("--port", type=int, default=8501, help="port of the server (default: 8501)")
    parser.add_argument("--headless", action="store_true", help="do not open a browser")
    parser.set_defaults(handle=run_app)


def run_app(options: argparse.Namespace) -> None:
    """Start the app's server from the project's folder and wait for it."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "streamlit", "run", str(root / "app" / "main.py"),
               "--server.port", str(options.port), "--server.headless", str(options.headless).lower()]
    status = subprocess.run(command, cwd=root, env=os.environ.copy(), check=False).returncode
    if status:
        raise ValueError(f"the app's server ended with status {status}")
