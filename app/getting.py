"""Getting a data set from the app, and the maps of the bundled models for it, as jobs. No Streamlit."""

import os
from pathlib import Path

from amn_core.commands.apply import ApplyConfig
from amn_core.commands.get import GetConfig
from amn_core.formats.runs import Run
from amn_core.jobs import Job, find_jobs_root, list_jobs, start_job
from amn_core.options import format_command
from app import roots

GET, APPLY = ("data", "get"), ("apply",)
SIZES = {"voc": "PASCAL VOC 2012 · 2 GB", "sbd": "SBD's masks for VOC · 1.4 GB", "pets": "Oxford-IIIT Pet · 0.8 GB"}
# Where people keep VOC, looked at when no place was named.
USUAL = ("VOC2012", "data/VOC2012", "VOCdevkit/VOC2012", "data/VOCdevkit/VOC2012", "datasets/VOCdevkit/VOC2012")


def find_voc() -> Path | None:
    """Find VOC on this machine: where AMN_VOC_ROOT says, else in the usual places below the home and the project."""
    named = os.environ.get("AMN_VOC_ROOT")
    places = [Path(named)] if named else [base / place for base in (roots.REPOSITORY, Path.home()) for place in USUAL]
    return next((place for place in places if (place / "JPEGImages").is_dir()), None)


def start_get(name: str, root: str, url: str = "") -> Job:
    """Start to get a data set.

    Raises:
        ValueError: no whole path, or an address that is none.
        OSError: the job could not be written.
    """
    folder = Path(root.strip()).expanduser()
    if not root.strip() or not folder.is_absolute():
        raise ValueError("Give the whole path of a folder on this machine, from the root.")
    if url.strip() and not url.strip().startswith(("http://", "https://")):
        raise ValueError("The mirror is an address that begins with http:// or https://.")
    words = format_command("get", GetConfig(name, str(folder), url.strip()))
    return start_job(find_jobs_root(), f"Get {SIZES[name].partition(' · ')[0]}", lambda path: ["data", *words], "cpu")


def start_maps(bundle: Path, spec: str, split: str) -> Job:
    """Start to make the maps of every model of a bundle over a data set; the runs are made in the job's folder.

    Raises:
        ValueError, OSError: it did not start.
    """
    def build_words(path: Path) -> list[str]:
        return format_command("apply", ApplyConfig(bundle=str(bundle), data=spec, split=split, out=str(path / "runs")))

    return start_job(find_jobs_root(), f"Maps of {bundle.name} on {spec.partition(':')[0]}, {split}", build_words)


def list_own_jobs() -> list[Job]:
    """List the jobs that get data or make their maps, the newest first."""
    return [job for job in list_jobs(find_jobs_root()) if job.words[:2] == GET or job.words[:1] == APPLY]


def find_got(job: Job) -> tuple[str, ...]:
    """Find the specs of what a job that is done has got; none if it got nothing that can be opened.

    Pets come as two species, which models of VOC's classes know, and as breeds.
    """
    words = list(job.words)
    if job.state != "done" or job.words[:2] != GET or "--root" not in words:
        return ()
    root, name = Path(words[words.index("--root") + 1]), words[2]
    found = root / "VOCdevkit" / "VOC2012"
    if name == "pets":
        return (f"pets:{root},classes=species", f"pets:{root}") if (root / "annotations").is_dir() else ()
    return (f"voc:{found}",) if (found / "JPEGImages").is_dir() else ()


def list_bundles(runs: dict[str, Run]) -> dict[str, Path]:
    """List the bundles whose models can be applied to photographs, by name, those of VOC's classes first."""
    found = {run.path.parent.name: run for run in runs.values() if run.checkpoint_path and roots.is_bundled(run)}
    order = sorted(found, key=lambda name: (found[name].meta["data"].partition(":")[0] != "voc", name))
    return {name: found[name].path.parent for name in order}
