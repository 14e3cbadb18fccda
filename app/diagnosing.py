"""What the screen Diagnose works with: the form's values and dropped files to a job, and its result. No Streamlit."""

import io
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from amn_core.commands.diagnose import DiagnoseConfig, check_config
from amn_core.commands.import_plan import ImportConfig
from amn_core.diagnose.published import FIGURES
from amn_core.diagnose.search import parse_target
from amn_core.formats.files import read_json
from amn_core.jobs import Job, find_jobs_root, list_jobs, read_log, start_job
from amn_core.options import format_command
from app import imports

COMMAND = "diagnose"
SUFFIXES = (".npy", ".npz", ".pkl", ".pickle", ".pt", ".pth", ".png")
MOST_FILES, MOST_BYTES = 5000, 1 << 29
FIRST = re.compile(r"from \d+ of [\d,]+ images, (?:likely|nearest): [^\r\n]*")
OWN = "a number of my own"
PUBLISHED = {OWN: None} | {figure.label: figure for figure in FIGURES}


@dataclass(frozen=True)
class Dropped:
    """A dropped file: its name and content."""

    name: str
    content: bytes


def build_config(values: dict[str, Any], is_dropped: bool) -> DiagnoseConfig:
    """Build the config of a diagnosis from what was typed, checked without reading a file.

    Args:
        values: ``folder``, ``data``, ``split``, ``target``, ``precision``, ``recall``, ``at``. is_dropped: whether
            files take the place of the folder, which is then named by the job.

    Raises:
        ValueError: no whole path of a folder, an odd number, or a text that a command would take for an option.
    """
    texts = {key: str(value or "").strip() for key, value in values.items()}
    folder = Path(texts.pop("folder", "")).expanduser()
    if not is_dropped and (not folder.is_absolute() or not folder.is_dir()):
        raise ValueError("Give the whole path of a folder on this machine, from the root, or drop files.")
    for key, text in texts.items():
        if text.startswith("-"):
            raise ValueError(f"The {key} {text!r} begins with a dash: choose another.")
    is_run = not is_dropped and (folder / "run.json").is_file()
    config = DiagnoseConfig(
        paths=("files" if is_dropped else str(folder.resolve()),), at=read_threshold(texts.pop("at")),
        **(texts | ({"data": "", "split": ""} if is_run else {})))
    check_config(config)
    if config.target:
        parse_target(config.target, config.precision, config.recall)
    return config


def read_threshold(text: str) -> float | None:
    """Read a threshold; None if there is none.

    Raises:
        ValueError: no number.
    """
    try:
        return float(text) if text else None
    except ValueError:
        raise ValueError(f"My threshold is {text[:20]!r}: give a number from 0 to 1, such as 0.15.") from None


def unpack(dropped: Sequence[Dropped]) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Unpack dropped files, zips among them, to relative paths without a way out and their content.

    Raises:
        ValueError: a broken zip, too many files, or too many bytes once unpacked.
    """
    n_files = n_bytes = 0
    for one in dropped:
        for name, size, read in list_members(one):
            if PurePosixPath(name).suffix.lower() not in SUFFIXES:
                continue
            n_files, n_bytes = n_files + 1, n_bytes + size
            if n_files > MOST_FILES or n_bytes > MOST_BYTES:
                raise ValueError(f"More than {MOST_FILES:,} files or {MOST_BYTES >> 20} MB: drop some of the images, "
                                 "or name the folder.")
            yield clean_name(name), read()


def list_members(one: Dropped):
    """List what a dropped file holds: name, size, and what reads it; of a file that is no zip, itself."""
    if not one.name.lower().endswith(".zip"):
        return [(one.name, len(one.content), lambda: one.content)]
    try:
        archive = zipfile.ZipFile(io.BytesIO(one.content))
    except zipfile.BadZipFile:
        raise ValueError(f"{one.name}: a broken zip; pack it again.") from None
    members = [member for member in archive.infolist() if not member.is_dir()]
    return [(member.filename, member.file_size, lambda member=member: read_member(archive, member))
            for member in members[: MOST_FILES + 1]]


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a member of a zip, no more than it announces.

    Raises:
        ValueError: it is broken, locked, or longer than it says.
    """
    try:
        with archive.open(member) as file:
            content = file.read(member.file_size + 1)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as error:
        raise ValueError(f"The zip cannot be unpacked ({type(error).__name__}): pack it again, without a password.") \
            from None
    if len(content) != member.file_size:
        raise ValueError("The zip holds a file that is longer than it says: pack it again.")
    return content


def clean_name(name: str) -> PurePosixPath:
    """Clean the name of a file to a relative path of plain parts, two folders deep at most.

    Raises:
        ValueError: it leads out of its folder.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or any(part in ("..", "/") or ":" in part or "\0" in part for part in parts):
        raise ValueError("A name in the zip leads out of its folder: pack it again.")
    return PurePosixPath(*parts[-3:])


def start(config: DiagnoseConfig, dropped: Sequence[Dropped] = ()) -> Job:
    """Start a diagnosis as a job; what was dropped lies in its folder, and is removed with it.

    Raises:
        ValueError, OSError: nothing fits in what was dropped, or it did not start.
    """
    unpacked = list(unpack(dropped))
    if dropped and not unpacked:
        raise ValueError(f"None of the dropped files is one of {', '.join(SUFFIXES)}.")

    def build_words(path: Path) -> list[str]:
        paths = config.paths
        if unpacked:
            write_files(path / "files", unpacked)
            paths = (str((path / "files").resolve()),)
        return format_command(COMMAND, DiagnoseConfig(**(config.__dict__ | {"paths": paths, "out": str(path / "out")})))

    return start_job(find_jobs_root(), f"Diagnose {Path(config.paths[0]).name}", build_words, "cpu")


def write_files(folder: Path, unpacked: Sequence[tuple[PurePosixPath, bytes]]) -> None:
    """Write unpacked files below a folder."""
    for name, content in unpacked:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def list_diagnoses() -> list[Job]:
    """List the jobs that diagnose, the newest first."""
    return [job for job in list_jobs(find_jobs_root()) if job.words[:1] == (COMMAND,)]


def read_first(job: Job) -> str:
    """Read what a sample said, while the rest is counted; empty before that."""
    found = [match.group() for match in map(FIRST.search, read_log(job.path)) if match]
    return found[-1] if found else ""


def read_result(job: Job) -> dict[str, Any] | None:
    """Read the result of a diagnosis; None if there is none that can be read."""
    try:
        result = read_json(job.path / "out" / "result.json")
    except ValueError:
        return None
    return result if isinstance(result, dict) and "message" in result else None


def find_picture(job: Job, name: object) -> Path | None:
    """Find a picture that a result names; None if it is no plain name of a file that is there."""
    path = job.path / "out" / str(name)
    return path if Path(str(name)).name == str(name) and path.is_file() else None


def forget_files(job: Job) -> None:
    """Remove what was dropped once it has been read; pictures and result stay."""
    shutil.rmtree(job.path / "files", ignore_errors=True)


def build_import(job: Job, result: dict[str, Any]) -> ImportConfig | str:
    """Build the import that reads the files as the answer does; or say why there is none."""
    options, words = result.get("import"), list(job.words)
    if not isinstance(options, dict):
        return str(options or "there is no answer to import by")
    folder = Path(words[1])
    if not folder.is_dir():
        return "what was dropped is gone; name the folder, or import it under Data and runs"
    data = words[words.index("--data") + 1] if "--data" in words else ""
    return ImportConfig(maps=str(folder), data=data, name=f"{folder.name} as diagnosed", **options)


def start_import(config: ImportConfig) -> Job:
    """Start the import; see `app.imports.start`."""
    return imports.start(config)
