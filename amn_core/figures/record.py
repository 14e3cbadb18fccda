"""What a file was made from: runs with hashes, protocol, thresholds and how they were chosen, versions, command.

The record lies beside a figure as ``FILE.json`` and inside it, where the format has room for that. Inside, folders are
left out of it: a figure that is sent to review should not say who made it.
"""

import hashlib
import html
import json
import re
import shlex
from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from PIL import Image

from amn_core import __version__
from amn_core.figures.captions import Caption
from amn_core.figures.config import FigureConfig
from amn_core.figures.curves import Training
from amn_core.figures.grids import load_examples
from amn_core.figures.material import Material, Source
from amn_core.figures.picking import Picked
from amn_core.formats.consequences import NAME
from amn_core.formats.files import hash_file, read_json
from amn_core.options import format_command

FORMAT = "amn-figure"
FORMAT_VERSION = 1
PACKAGES = ("matplotlib", "numpy", "pillow")
COMMENTS = {".tex": ("% record: ", ""), ".md": ("<!-- record: ", " -->")}


def build_record(config: FigureConfig, caption: Caption, content: dict[str, Any]) -> dict[str, Any]:
    """Build the record of a figure, plain values only.

    Args:
        config: resolved. caption: of the figure. content: what `describe_material` or `describe_trainings` gives.
    """
    options = {k: v for k, v in asdict(config).items() if k not in ("name", "runs", "out", "record")}
    command = ["python", "-m", "amn_core", *format_command("figure", config)]
    return {
        "format": FORMAT, "version": FORMAT_VERSION, "figure": config.name, "file": Path(config.out).name,
        "caption": caption.text, "note": caption.note, "command": shlex.join(command), "options": options, **content,
        "versions": collect_versions(),
    }


def collect_versions() -> dict[str, str]:
    """Collect the versions that the bytes of a figure depend on."""
    versions = {"amn_core": __version__}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def describe_material(material: Material, picked: Picked | None) -> dict[str, Any]:
    """Describe the runs, images, protocol and thresholds of a figure, and the images that were picked, if any."""
    ids, protocol = material.image_ids, material.protocol
    grid = material.sources[0].counts.thresholds
    content = {
        "runs": [describe_source(source, path) for source, path in zip(
            material.sources, material.config.runs, strict=True)],
        "images": {"number": len(ids), "sha256": hash_text("\n".join(ids)), "left_out": material.left_out},
        "protocol": {"name": protocol.name, "averaging": protocol.averaging, "description": protocol.description,
                     "classes": material.classes or "all"},
        "thresholds": {"number": len(grid), "from": float(grid[0]), "to": float(grid[-1]), "chosen": material.chosen},
    }
    return content | ({"pictures": describe_pictures(material, picked)} if picked else {})


def describe_source(source: Source, path: str) -> dict[str, Any]:
    """Describe one run: where it lay, what it is, and the hashes of its counts and its checkpoint."""
    run = source.run
    checkpoint = run.meta.get("model", {}).get("sha256")
    if run.checkpoint_path and not checkpoint:
        checkpoint = hash_file(run.checkpoint_path)
    return {
        "path": path, "name": run.name, "method": run.method, "data": run.meta["data"], "split": run.meta["split"],
        "counted": run.meta.get("counts", {}),
        "counts_sha256": hash_file(run.counts_path), "checkpoint_sha256": checkpoint,
        "threshold": source.threshold, "protocol": run.meta["protocol"],
    }


def describe_pictures(material: Material, picked: Picked) -> dict[str, Any]:
    """Describe the images that were picked: the rule, and hashes of the photographs' pixels and of the maps."""
    images = [
        {"id": example.image_id, "photograph_sha256": hash_bytes(example.photo.tobytes()),
         "maps_sha256": [hash_file(source.run.map_path(example.image_id)) for source in material.sources]}
        for example in load_examples(material, picked)
    ]
    return {"rule": material.config.rule, "words": picked.words, "seed": material.config.seed, "images": images}


def describe_trainings(config: FigureConfig, trainings: list[Training]) -> dict[str, Any]:
    """Describe the trainings of a figure by the hashes of their metrics."""
    return {"runs": [
        {"path": path, "name": training.look.label, "metrics_sha256": hash_file(training.path / "metrics.jsonl"),
         "probe_peaks": list(training.peaks)}
        for path, training in zip(config.runs, trainings, strict=True)]}


def describe_results(config: FigureConfig, places: tuple[str, ...] = ()) -> dict[str, Any]:
    """Describe the results of a figure by the hashes of their files."""
    paths = places or config.runs
    content = {"runs": [{"path": path, "name": Path(path).name, "results_sha256": hash_file(Path(place) / NAME)}
                        for path, place in zip(config.runs, paths, strict=True)]}
    return content | ({"results_sha256": hash_file(Path(config.results))} if config.results else {})


def hash_text(text: str) -> str:
    """Hash a text, SHA-256 in hexadecimal."""
    return hash_bytes(text.encode())


def hash_bytes(content: bytes) -> str:
    """Hash bytes, SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def embed_record(record: dict[str, Any]) -> str:
    """Write a record as it stands inside a file: JSON in ASCII without folders of this machine, nor the file's name.

    A file that is renamed, or made under another name, has the same bytes.
    """
    bare = {key: value for key, value in hide_places(record).items() if key != "file"}
    words = shlex.split(record["command"])
    if "--out" in words:
        del words[words.index("--out"):words.index("--out") + 2]
    bare["command"] = shlex.join(map(hide_place, words))
    return json.dumps(bare, ensure_ascii=True, separators=(",", ":")).replace("--", "-\\u002d")


def hide_places(value: Any) -> Any:
    """Leave out the folders of absolute paths in a nested value."""
    if isinstance(value, dict):
        return {key: hide_places(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_places(item) for item in value]
    return hide_place(value) if isinstance(value, str) else value


def hide_place(text: str) -> str:
    """Leave out the folders of an absolute path, also behind the kind of a data set, as in ``voc:/data/VOC2012``."""
    kind, colon, rest = text.partition(":")
    if colon and rest.startswith("/"):
        return f"{kind}:{Path(rest).name}"
    return Path(text).name if text.startswith("/") and "\n" not in text else text


def comment_record(text: str, suffix: str, record: str) -> str:
    """Put a record into a table as a comment, where its format has comments."""
    if suffix not in COMMENTS:
        return text
    before, after = COMMENTS[suffix]
    return f"{text}{before}{record}{after}\n"


def load_record(path: str | Path) -> dict[str, Any]:
    """Load a record from its JSON, or from within a figure, a table or a report.

    Raises:
        ValueError: no such file, no record in it, or one that a newer version wrote.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such record; it lies beside its figure as FILE.json")
    record = read_json(path) if path.suffix == ".json" else read_embedded(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f"{path}: no record of a figure in it")
    if record.get("version", 0) > FORMAT_VERSION:
        raise ValueError(f"{path}: written by a newer version; update this package")
    return record


def read_embedded(path: Path) -> Any:
    """Read the record within a file, None if there is none that can be read."""
    try:
        return json.loads(find_embedded(path))
    except (ValueError, KeyError, OSError):
        return None


def find_embedded(path: Path) -> str:
    """Find the text of the record within a file, empty if there is none."""
    if path.suffix == ".png":
        with Image.open(path, formats=("PNG",)) as image:
            return image.text["Comment"]
    if path.suffix == ".pdf":
        found = re.search(rb"/Keywords \(((?:\\.|[^\\)])*)\)", path.read_bytes(), re.DOTALL)
        return re.sub(rb"\\(.)", rb"\1", found[1]).decode("ascii") if found else ""
    patterns = {".svg": r"<dc:description>(.*?)</dc:description>",
                ".html": r'<script type="application/json">(.*?)</script>',
                ".tex": r"^% record: (.*)$", ".md": r"^<!-- record: (.*) -->$"}
    found = re.search(patterns.get(path.suffix, "(?!)"), path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return html.unescape(found[1]) if found else ""


def restore_config(record: dict[str, Any], path: Path, out: str) -> FigureConfig:
    """Restore the config of a record.

    Args:
        path: of the record, beside which the file is written unless ``out`` says otherwise.

    Raises:
        ValueError: a record without runs, or with an option that this version does not have.
    """
    known = {field.name for field in fields(FigureConfig)}
    options = record.get("options", {})
    unknown = [name for name in options if name not in known]
    if unknown or not isinstance(record.get("runs"), list):
        raise ValueError(f"{path}: {f'has the unknown option {unknown[0]}' if unknown else 'names no runs'}")
    runs = tuple(run["path"] for run in record["runs"])
    return FigureConfig(record["figure"], runs, out or str(path.parent / record.get("file", path.name)), **options)


def compare_records(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Compare the record with that of the new file: raise if it was made from something else, note other versions.

    Raises:
        ValueError: counts, checkpoints, maps, thresholds or images are not those of the record; names what.
    """
    for key in ("images", "protocol", "thresholds", "pictures", "results_sha256"):
        if old.get(key) != hide_or_keep(new.get(key), old.get(key)):
            raise ValueError(f"{key} differ from the record's: the runs or images have changed since it was made")
    for before, now in zip(old["runs"], new["runs"], strict=True):
        changed = [key for key in before if key != "path" and before[key] != hide_or_keep(now.get(key), before[key])]
        if changed:
            raise ValueError(f"{now['path']}: {changed[0]} is not that of the record; give the runs it was made from")
    return [f"{package} is {new['versions'].get(package)} here, {number} in the record: bytes may differ"
            for package, number in old.get("versions", {}).items() if new["versions"].get(package) != number]


def hide_or_keep(new: Any, old: Any) -> Any:
    """Leave the folders out of a value if that makes it the old one, which may come from within a file."""
    plain = json.loads(json.dumps(new))
    hidden = hide_places(plain)
    return hidden if hidden == old else plain
