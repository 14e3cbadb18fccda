"""What the screen works with to import maps of another method: the form's values to a job, and back. No Streamlit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from amn_core.commands.import_maps import build_plan, build_reimport, open_context
from amn_core.commands.import_plan import ImportConfig
from amn_core.commands.import_report import format_report
from amn_core.formats.runs import Run, load_run
from amn_core.formats.specs import place_root
from amn_core.jobs import Job, find_jobs_root, list_jobs, load_job, start_job
from amn_core.options import format_command

COMMAND = "import"
# What a run.json calls a normalisation, and the option that makes it; others cannot be made from finished maps.
REACHABLE = {"max": "max", "min-max": "minmax"}
LONGEST_NAME = 80


def build_config(values: dict[str, Any]) -> ImportConfig:
    """Build the config of an import from what was typed, checked as far as that goes without reading a file.

    Raises:
        ValueError: no whole path of a folder, or a text that a command would take for an option.
    """
    switches = {key: value for key, value in values.items() if isinstance(value, bool)}
    texts = {key: str(value or "").strip() for key, value in values.items() if key not in switches}
    folder = Path(texts["maps"]).expanduser()
    if not texts["maps"] or not folder.is_absolute() or not folder.is_dir():
        raise ValueError("Give the whole path of a folder on this machine, from the root: the one with the files.")
    for key in ("name", "split", "data"):
        if texts[key].startswith("-"):
            raise ValueError(f"The {key} {texts[key]!r} begins with a dash: choose another.")
    name = (texts["name"] or folder.resolve().name)[:LONGEST_NAME]
    return ImportConfig(**(texts | switches | {"maps": str(folder.resolve()), "name": name}))


def describe_folder(config: ImportConfig) -> str:
    """Describe in Markdown what the files of a folder are taken for, from a sample of them.

    Raises:
        ValueError: the data or the files cannot be opened, or do not fit each other.
    """
    dataset, folder = open_context(config)
    plan = build_plan(config, dataset, folder)
    what = plan.recognised.describe() if plan.recognised else "finished masks: one point on a chart, not a curve"
    return f"**{len(folder.files)} of {len(dataset.ids)} images have a file.** {what[:1].upper()}{what[1:]}."


def start(config: ImportConfig) -> Job:
    """Start an import as a job; the run is made in the job's folder.

    Raises:
        ValueError, OSError: it did not start.
    """
    def build_words(path: Path) -> list[str]:
        return format_command(COMMAND, replace(config, out=str(path / "run")))

    return start_job(find_jobs_root(), f"Import {config.name}", build_words, "cpu")


def list_imports() -> list[Job]:
    """List the jobs that import, the newest first."""
    return [job for job in list_jobs(find_jobs_root()) if job.words[:1] == (COMMAND,)]


def reload(job: Job | None) -> Job | None:
    """Read how a job stands now; None where there is none, or none any more."""
    try:
        return load_job(job.path) if job else None
    except ValueError:
        return None


def read_report(job: Job) -> str | None:
    """Read the report of an import that is done, one fact a line; None if there is no run."""
    try:
        run = load_run(job.path / "run")
        return format_report(run.meta["import"]["report"] | {"run": str(run.path)})
    except (ValueError, KeyError):
        return None


def find_targets(run: Run, others: list[Run]) -> list[str]:
    """Find the normalisations of other runs that importing a run's maps again can reach, as run.json calls them."""
    if run.is_masks or "import" not in run.meta:
        return []
    own = run.meta["protocol"].get("normalisation")
    wanted = {other.meta["protocol"].get("normalisation") for other in others} - {own}
    return [name for name in REACHABLE if name in wanted]


def find_made(run: Run, target: str, runs: dict[str, Run]) -> str | None:
    """Find the key of a run that was imported from the same files with another normalisation, if there is one."""
    def describe(one: Run) -> tuple:
        plan = one.meta.get("import", {}).get("plan", {})
        return one.meta["data"], one.meta["split"], plan.get("maps"), plan.get("files")

    return next((key for key, one in runs.items() if one.has_counts and describe(one) == describe(run)
                 and one.meta["protocol"].get("normalisation") == target), None)


def import_again(run: Run, target: str) -> Job:
    """Start to import a run's files again, normalised as another run is.

    Raises:
        ValueError, OSError: its files are gone, or it did not start.
    """
    config = build_reimport(run, "", normalisation=REACHABLE[target], name=f"{run.name} ({target})")
    root = run.meta.get("data_root")
    return start(replace(config, data=place_root(run.meta["data"], root) if root else config.data))
