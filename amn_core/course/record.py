"""What a report holds so that it can be computed again: what was done, what the runs are, the maps, hashes of images.

The maps stand in the file as the run folders have them, in a zip written as base64: whoever has the data counts them
again. What comes back out is taken for a stranger's: names and sizes are checked before anything is unpacked.
"""

import base64
import binascii
import hashlib
import html
import io
import json
import re
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from amn_core.data import Dataset
from amn_core.figures.record import embed_record, find_embedded
from amn_core.formats.files import write_bytes
from amn_core.formats.runs import Run, save_run

FORMAT, VERSION = "amn-course-report", 1
LARGEST = 256 * 2**20  # bytes of a report, and of its maps when they are unpacked
MOST_MAPS = 50_000
DIGITS = 16  # of the hash of an image
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
MEMBER = re.compile(rf"({NAME.pattern})/([^/\\\0]{{1,200}}\.npz)")
MAPS = re.compile(r'<script type="text/plain" id="maps">([A-Za-z0-9+/=\s]*)</script>')
# What is kept of a run.json: all that numbers, names and captions depend on.
KEPT = ("name", "method", "data", "split", "class_names", "kind", "images", "label_source", "protocol", "model",
        "refinement", "counts")
DATE = (1980, 1, 1, 0, 0, 0)


def hash_images(dataset: Dataset, ids: Sequence[str]) -> dict[str, str]:
    """Hash images with their ground truth: of files the photograph's bytes, of drawn ones the pixels."""
    paths = getattr(dataset, "image_paths", {})
    found = {}
    for image_id in ids:
        photo = paths[image_id].read_bytes() if image_id in paths else dataset.image(image_id).tobytes()
        gt = dataset.gt(image_id)
        content = photo + (b"" if gt is None else gt.tobytes())
        found[image_id] = hashlib.sha256(content).hexdigest()[:DIGITS]
    return found


def describe_runs(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Describe runs by folder and what their run.json says that numbers and captions depend on."""
    return [{"folder": run.path.name, "meta": {key: run.meta[key] for key in KEPT if key in run.meta}} for run in runs]


@lru_cache(maxsize=1)
def hash_build() -> str:
    """Hash the code that writes pages, so that a page of another build is not taken for a forged one."""
    core = Path(__file__).resolve().parents[1]
    files = [core / "scoring.py", *sorted((core / "course").glob("*.py")), *sorted((core / "figures").glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:DIGITS]


def pack_maps(runs: Sequence[Run]) -> str:
    """Pack the maps of runs as a zip in base64; the same maps give the same text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # the files are compressed already
        for run in runs:
            for image_id in run.map_ids:
                info = zipfile.ZipInfo(f"{run.path.name}/{image_id}.npz", DATE)
                archive.writestr(info, run.map_path(image_id).read_bytes())
    return base64.b64encode(buffer.getvalue()).decode()


def write_embedded(record: dict[str, Any], maps: str) -> str:
    """Write the end of a page: the record to be read, the record and the maps for the check."""
    embedded = embed_record(record)
    short = json.dumps(json.loads(embedded) | {"images": f"{len(record['images'])} hashes"}, indent=2,
                       ensure_ascii=False)
    return "\n".join([
        "<h2>Record</h2>", f"<details><summary>What was done, with what</summary><pre>{html.escape(short)}</pre>"
        "</details>", f'<script type="application/json">{html.escape(embedded, quote=False)}</script>',
        f'<script type="text/plain" id="maps">{maps}</script>'])


def read_report(path: Path) -> tuple[str, dict[str, Any], bytes]:
    """Read a report: its page, its record and its zip of maps.

    Raises:
        ValueError: too large, not a text, or without a record or maps that can be read.
    """
    if path.stat().st_size > LARGEST:
        raise ValueError(f"larger than {LARGEST >> 20} MiB")
    try:
        page = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError("not a text in UTF-8") from None
    try:
        record = json.loads(find_embedded(path))
    except (ValueError, RecursionError):
        raise ValueError("no record in it that can be read") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError("its record is not that of a course's report")
    if not isinstance(record.get("version"), int) or record["version"] > VERSION:
        raise ValueError("written by a newer version; update this package")
    packed = MAPS.search(page)
    try:
        return page, record, base64.b64decode(packed[1] if packed else "", validate=False)
    except binascii.Error:
        raise ValueError("its maps are not whole") from None


def unpack_runs(record: dict[str, Any], content: bytes, folder: Path) -> list[Run]:
    """Unpack the runs of a report into a folder, without counts.

    Raises:
        ValueError: names, sizes or descriptions that runs do not have; says which.
    """
    runs = []
    for told in record["runs"]:
        name = told["folder"]
        if not isinstance(name, str) or not NAME.fullmatch(name) or (folder / name).exists():
            raise ValueError(f"a run's folder is {str(name)[:40]!r}")
        runs.append(save_run(folder / name, {key: told["meta"][key] for key in KEPT if key in told["meta"]}))
    known = {run.path.name for run in runs}
    try:
        unpack_maps(content, known, folder)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, RuntimeError, OSError) as error:
        raise ValueError(f"its maps cannot be unpacked ({type(error).__name__})") from None
    return runs


def unpack_maps(content: bytes, known: set[str], folder: Path) -> None:
    """Unpack the maps of known runs; raises ValueError for other names and for more than a report may hold."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if len(members) > MOST_MAPS or sum(member.file_size for member in members) > LARGEST:
            raise ValueError("more maps than a report may hold")
        for member in members:
            found = MEMBER.fullmatch(member.filename)
            if found is None or found[1] not in known or member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename[:60]!r} is no map of its runs")
            write_bytes(folder / found[1] / "maps" / found[2], archive.read(member))
