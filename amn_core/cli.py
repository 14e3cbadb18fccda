"""The command line: ``python -m amn_core COMMAND``; alone it prints every command in its group.

Exit status 0 on success, 2 on a usage error, 1 on anything else; progress and errors go to standard error.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from amn_core import __version__
from amn_core.compute.distributed import get_rank, is_distributed, is_loss_of_a_process, is_main, may_speak
from amn_core.compute.failures import STOPPED, ending_on_sigterm, is_out_of_memory, take_first_line
from amn_core.options import UsageError, add_options, read_options

BENCH = "measure: the naive way and ours, in the same run"
INTERRUPTED = "interrupted; what is done is kept, and the same command goes on (a training with --resume)"


@dataclass(frozen=True)
class Command:
    """A command: its configuration, what runs it (``module:function`` below `amn_core`), what prints its result."""

    config: str
    run: str
    help: str
    show: str = ""
    writes: str = ""  # field of the config that names the folder which one process alone may write into


COMMANDS = {
    "train": Command(
        "train.config:TrainConfig", "train.loop:train", "train CAM, AMN, IRN or segmentation", writes="out"),
    "extract": Command(
        "commands.extract:ExtractConfig", "commands.extract:extract", "make the activation maps of a data set",
        writes="out"),
    "apply": Command(
        "commands.apply:ApplyConfig", "commands.apply:apply_bundle",
        "make and count the maps of every model of a bundle", writes="out"),
    "segment": Command(
        "commands.segment:SegmentConfig", "commands.segment:segment",
        "make the masks of a data set with a segmentation network", writes="out"),
    "seed": Command(
        "commands.seed:SeedConfig", "commands.seed:make_seeds", "cut maps into sure and unsure labels", writes="out"),
    "count": Command(
        "commands.count:CountConfig", "commands.count:count", "count a run against ground truth", writes="run"),
    "compare": Command(
        "commands.compare:CompareConfig", "commands.compare:compare", "compare runs from their counts",
        "commands.compare:format_table"),
    "select": Command(
        "commands.select:SelectConfig", "commands.select:select", "choose thresholds, and say what each costs",
        "commands.select:format_table"),
    "audit": Command(
        "commands.audit:AuditConfig", "commands.audit:audit",
        "say what cuts that are handed down from code to code cost on runs", "commands.audit:format_audit"),
    "diagnose": Command(
        "commands.diagnose:DiagnoseConfig", "commands.diagnose:run_diagnose",
        "explain why a number differs from a paper's, and what is suspicious about maps or masks",
        "commands.diagnose:format_result"),
    "refine": Command(
        "commands.refine:RefineConfig", "commands.refine:refine",
        "refine a run's maps by dense CRF, PAMR or IRN's random walk, as a run of its own",
        "commands.refine:format_refined", writes="out"),
    "combine": Command(
        "commands.combine:CombineConfig", "commands.combine:combine",
        "combine two runs, or maps with masks of SAM, as a run of its own", writes="out"),
    "reproduce": Command(
        "commands.pipeline:ReproduceConfig", "commands.reproduce:reproduce",
        "train and compare CAM, AMN without LCM and AMN", "commands.compare:format_table", writes="out"),
    "estimate": Command(
        "commands.pipeline:ReproduceConfig", "commands.estimate:estimate",
        "measure a few steps and say how long reproduce would take", "commands.estimate:format_estimate"),
    "consequence": Command(
        "commands.consequence:ConsequenceConfig", "commands.consequence:consequence",
        "train a segmentation network on masks cut at several thresholds, and measure masks and networks",
        "commands.consequence:format_consequence", writes="out"),
    "knob": Command(
        "commands.knob:KnobConfig", "commands.knob:measure_knob",
        "train on drawn scenes at several settings of their knob, and print the table", "commands.knob:format_knob"),
    "unlabelled": Command(
        "commands.unlabelled:UnlabelledConfig", "commands.unlabelled:run_unlabelled",
        "score all-class scores without image labels: the plane of class cut and threshold",
        "commands.unlabelled:format_unlabelled", writes="out"),
    "import": Command(
        "commands.import_plan:ImportConfig", "commands.import_maps:run_import",
        "read another method's maps or masks as a run", "commands.import_report:format_report", writes="out"),
    "export": Command(
        "commands.export:ExportConfig", "commands.export:run_export",
        "write a run's maps, labels or tables in other formats", "commands.export:format_export"),
    "convert": Command(
        "commands.convert:ConvertConfig", "commands.convert:convert",
        "turn a checkpoint of the paper's official code into one of ours, or back",
        "commands.convert:format_conversion"),
    "figure": Command(
        "figures.config:FigureConfig", "figures.kit:make",
        "make a figure, a table or a report for print, or one again from its record",
        "figures.make:format_result"),
}

BENCHMARKS = {
    "all": Command(
        "bench.everything:BenchAllConfig", "bench.everything:bench_all",
        "every check and benchmark on one device, in one report", "cli:format_report"),
    "sweep": Command(
        "bench.sweep:BenchSweepConfig", "bench.sweep:bench_sweep",
        "counts of every threshold against an argmax for each", "cli:format_report"),
    "scores": Command(
        "bench.sweep:BenchScoresConfig", "bench.sweep:bench_scores",
        "scores of a subset and bootstrap, from counts", "cli:format_report"),
    "scale": Command(
        "bench.scale:BenchScaleConfig", "bench.scale:bench_scale",
        "compare of two runs of a large data set: time and memory", "cli:format_report"),
    "train": Command(
        "bench.training:BenchTrainConfig", "bench.training:bench_train",
        "steps of training against the plain loop of the official code", "cli:format_report"),
    "extract": Command(
        "bench.extraction:BenchExtractConfig", "bench.extraction:bench_extract",
        "images to maps against the plain loop of the official code", "cli:format_report"),
    "crf": Command(
        "bench.crf:BenchCRFConfig", "bench.crf:bench_crf",
        "the dense CRF against pydensecrf, if it is installed", "cli:format_report"),
    "import": Command(
        "bench.importing:BenchImportConfig", "bench.importing:bench_import",
        "where the time of an import goes", "cli:format_report"),
    "hostile": Command(
        "bench.hostile:BenchHostileConfig", "bench.hostile:bench_hostile",
        "crafted and changed files through the readers: peak memory and time of each", "bench.hostile:format_hostile"),
    "official": Command(
        "bench.official:BenchOfficialConfig", "bench.official:bench_official",
        "what each choice of the official inference changes", "bench.official:format_official"),
    "diagnose": Command(
        "bench.diagnose:BenchDiagnoseConfig", "bench.diagnose:bench_diagnose",
        "damaged sets by the hundred, and how many of the damages diagnose names", "bench.diagnose:format_tables"),
    "maps": Command(
        "bench.maps:BenchMapsConfig", "bench.maps:bench_maps",
        "what the compact form of the maps costs", "cli:format_report"),
    "points": Command(
        "bench.points:BenchPointsConfig", "bench.points:bench_points",
        "what a threshold from answers at single pixels costs, and whether its intervals hold",
        "bench.points:format_points"),
    "app": Command(
        "bench.page:BenchAppConfig", "bench.page:bench_app",
        "the app in a real browser: first picture, next image, drags and releases", "bench.page:format_app"),
    "screens": Command(
        "bench.screens:BenchScreensConfig", "bench.screens:bench_screens",
        "pictures of the screens for the README, on drawn scenes alone", "bench.screens:format_screens"),
    "classroom": Command(
        "bench.classroom:BenchClassroomConfig", "bench.classroom:bench_classroom",
        "many viewers of one server at once: answer times and memory", "bench.classroom:format_classroom"),
    "soak": Command(
        "bench.soak:BenchSoakConfig", "bench.soak:bench_soak",
        "app and jobs through kills, full disks, a jumping clock and reloads", "bench.soak:format_soak"),
}


# Commands with parsers of their own: the module whose `add_to` fills them in.
GROUPS = {
    "data": ("commands.data", "get, check or preview a data set"),
    "course": ("commands.course", "an assignment from data to report, and whether reports are true"),
    "jobs": ("commands.jobs", "list, show, stop or resume jobs"),
    "run": ("commands.run", "open the app in a browser"),
    "cite": ("commands.cite", "print the BibTeX entry of the paper"),
}


class LazyParser(argparse.ArgumentParser):
    """A parser whose options are added when it is first used, so that a command loads nothing of the others."""

    fill: Callable[[argparse.ArgumentParser], None] | None = None

    def fill_with(self, fill: Callable[[argparse.ArgumentParser], None]) -> None:
        """Say what adds the options; it is called at most once."""
        self.fill = fill

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[argparse.Namespace, list[str]]:
        """Add the options, then parse."""
        fill, self.fill = self.fill, None
        if fill:
            fill(self)
        return super().parse_known_args(args, namespace)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; without one, print them all."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments:
        print(load_name("commands.overview:format_overview")(list_helps()))
        return 0
    try:
        options = build_parser().parse_args(arguments)
        with ending_on_sigterm():
            options.handle(options)
    except UsageError as error:
        return fail(str(error), 2)
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
    """Load ``module:attribute`` of this package; commands import what they need when they run, and nothing before."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(f"amn_core.{module}"), attribute)


def list_helps() -> dict[str, str]:
    """List what each command does, by its name."""
    return {name: command.help for name, command in COMMANDS.items()} | {"bench": BENCH} | {
        name: text for name, (_, text) in GROUPS.items()}


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = LazyParser(prog="python -m amn_core", description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=f"amn_core {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        add_command(commands, name, command)
    bench = commands.add_parser("bench", help=BENCH).add_subparsers(
        dest="benchmark", required=True, metavar="BENCHMARK")
    for name, command in BENCHMARKS.items():
        add_command(bench, name, command)
    for name, (module, help_text) in GROUPS.items():
        commands.add_parser(name, help=help_text, description=help_text).fill_with(
            lambda parser, module=module: load_name(f"{module}:add_to")(parser))
    return parser


def add_command(commands: Any, name: str, command: Command) -> None:
    """Add a command whose options are the fields of its config, added once the command is asked for."""
    commands.add_parser(name, help=command.help, description=command.help).fill_with(
        lambda parser: fill_command(parser, command))


def fill_command(parser: argparse.ArgumentParser, command: Command) -> None:
    """Give a command's parser the options of its config, ``--json`` where it reports, and what runs it."""
    config_class = load_name(command.config)
    add_options(parser, config_class)
    has_json = any(action.dest == "json" for action in parser._actions)
    if command.show and not has_json:
        parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handle=build_handler(command, config_class))


def build_handler(command: Command, config_class: type) -> Callable[[argparse.Namespace], None]:
    """Build the function that runs a command and prints its result."""

    def handle(options: argparse.Namespace) -> None:
        config = read_options(options, config_class)
        with keep_to_one_writer(command, config):
            result = load_name(command.run)(config)
        if not is_main():
            return
        if getattr(options, "json", False):
            print(json.dumps(result, default=str))
        elif command.show:
            print(load_name(command.show)(result))
        elif result is not None:
            print(result)

    return handle


def keep_to_one_writer(command: Command, config: Any) -> AbstractContextManager:
    """Keep other commands out of the folder that a command writes into; of several processes the first holds it."""
    folder = getattr(config, command.writes, "") if command.writes else ""
    if not folder or not is_main() or getattr(config, "estimate", False):
        return nullcontext()
    from amn_core.jobs.writers import writing_into

    return writing_into(Path(folder), command.run.rpartition(":")[2].removeprefix("run_").removeprefix("make_"))


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
