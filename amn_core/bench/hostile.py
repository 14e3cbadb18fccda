"""``bench hostile``: crafted and changed files through our readers, with peak memory and processor time of each.

The naive way (``np.load(…, allow_pickle=True)``) is not run on them: it would run, or fill the machine.
"""

import random
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amn_core.bench.hostile_files import FILES, build_corpus
from amn_core.constants import VOC_CLASSES
from amn_core.data.images import load_image
from amn_core.formats.counts import load_counts
from amn_core.formats.errors import DataError
from amn_core.formats.foreign import read_raw_map
from amn_core.formats.labels import load_cls_labels
from amn_core.formats.maps import load_map
from amn_core.formats.masks import load_mask
from amn_core.formats.pickles.files import load_torch_file
from amn_core.options import option

MEGABYTE = 1 << 20
PIXELS = 375 * 500
RIGHT = len(VOC_CLASSES) * PIXELS * 4  # planes × pixels of an image of VOC, in float32
MOST_MEMORY = 4 * RIGHT + 64 * MEGABYTE
READERS: dict[str, Callable[[Path], Any]] = {
    "maps": lambda path: read_raw_map(path, "auto", VOC_CLASSES, RIGHT), "torch": load_torch_file,
    "labels": lambda path: load_cls_labels(path, 20), "run map": load_map, "counts": load_counts,
    "image": load_image, "mask": load_mask,
}
SHOWN = 90


@dataclass(frozen=True)
class BenchHostileConfig:
    """What `bench hostile` needs."""

    fuzz: int = option(20_000, "changed files to read besides the crafted ones")
    seed: int = option(0, "seed of the changes; printed, so that a failure can be made again")


def bench_hostile(config: BenchHostileConfig = BenchHostileConfig()) -> dict[str, Any]:
    """Read the crafted files, then files changed at random.

    Returns:
        ``files`` (name -> ``kilobytes``, ``seconds`` of the processor, ``megabytes`` of memory at most, ``refused``
        with the first words of the message, and ``is_bound``: within four times what the maps of an image may take
        plus 64 MB, and one second plus one a megabyte), ``bound`` (how many of them), ``fuzz`` (``seed``, ``read``,
        ``refused``, ``other`` errors by their place, ``seconds``, ``megabytes`` of the worst), ``agree`` (whether all
        are bound and none raised another error).

    Raises:
        ValueError: a negative number of files.
    """
    if config.fuzz < 0:
        raise ValueError("fuzz must be 0 or more")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.png"
        files = {name: measure_file(path, kind, build()) for name, (kind, build) in FILES.items()}
        fuzz = fuzz_files(path, config)
    bound = sum(file["is_bound"] for file in files.values())
    return {"files": files, "bound": f"{bound} of {len(files)}", "fuzz": fuzz,
            "agree": bound == len(files) and not fuzz["other"]}


def measure_file(path: Path, kind: str, content: bytes) -> dict[str, Any]:
    """Read a file twice, once for its time and once for its memory."""
    path.write_bytes(content)
    began = time.process_time()
    message = read_quietly(kind, path)
    seconds = time.process_time() - began
    tracemalloc.start()
    read_quietly(kind, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    is_bound = peak <= MOST_MEMORY and seconds <= 1 + len(content) / MEGABYTE and not message.startswith("!")
    return {"kilobytes": len(content) / 1000, "seconds": seconds, "megabytes": peak / MEGABYTE,
            "refused": message[:SHOWN] or "no", "is_bound": is_bound}


def read_quietly(kind: str, path: Path) -> str:
    """Read a file; what its refusal says without the path, empty if it could be read, "!" for another error."""
    try:
        READERS[kind](path)
    except (DataError, ValueError) as error:
        is_named = str(error).startswith(str(path))
        return str(error).removeprefix(str(path)).lstrip(": ") if is_named else f"! without its name: {error}"
    except Exception as error:
        return f"! {type(error).__name__}: {error}"
    return ""


def fuzz_files(path: Path, config: BenchHostileConfig) -> dict[str, Any]:
    """Read sound files with changed, cut, repeated and exchanged bytes."""
    corpus, draw = list(build_corpus()), random.Random(config.seed)
    read, refused, other, worst, most = 0, 0, {}, 0.0, 0
    tracemalloc.start()
    for number in range(config.fuzz):
        path.write_bytes(change(corpus[number % len(corpus)], draw, corpus))
        tracemalloc.reset_peak()
        before, began = tracemalloc.get_traced_memory()[0], time.process_time()
        message = read_quietly("maps", path)
        worst = max(worst, time.process_time() - began)
        most = max(most, tracemalloc.get_traced_memory()[1] - before)
        read, refused = read + (not message), refused + bool(message)
        if message.startswith("!"):
            other[f"file {number}"] = message[:SHOWN]
    tracemalloc.stop()
    return {"seed": config.seed, "files": config.fuzz, "read": read, "refused": refused, "other": other,
            "seconds": worst, "megabytes": most / MEGABYTE}


def change(content: bytes, draw: random.Random, corpus: list[bytes]) -> bytes:
    """Change a file in one to sixteen places."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        at, way = draw.randrange(len(changed) or 1), draw.randrange(5)
        if way == 0:
            changed[at:at + 1] = bytes([draw.randrange(256)])
        elif way == 1:
            changed[at:at + draw.randrange(16)] = b""
        elif way == 2:
            changed[at:at] = changed[at:at + draw.randrange(64)]
        elif way == 3:
            other = draw.choice(corpus)
            start = draw.randrange(len(other))
            changed[at:at + draw.randrange(16)] = other[start:start + draw.randrange(64)]
        else:
            changed[at:at + 4] = draw.choice((b"\xff\xff\xff\x7f", b"\xff" * 8, bytes(4), b"\x00\x00\x00\x80"))
    return bytes(changed)


def format_hostile(report: dict[str, Any]) -> str:
    """Format the report as a table, one file a line."""
    lines = [f"{'file':<40} {'kB':>8} {'seconds':>8} {'MB':>7}  refused"]
    for name, file in report["files"].items():
        mark = "" if file["is_bound"] else "  NOT BOUND"
        lines.append(f"{name:<40} {file['kilobytes']:>8.0f} {file['seconds']:>8.3f} {file['megabytes']:>7.1f}  "
                     f"{file['refused']}{mark}")
    fuzz = report["fuzz"]
    lines.append(f"{report['bound']} within {MOST_MEMORY / MEGABYTE:.0f} MB and one second a megabyte")
    lines.append(
        f"{fuzz['files']} changed files of seed {fuzz['seed']}: {fuzz['read']} read, {fuzz['refused']} refused, "
        f"{len(fuzz['other'])} other errors; at most {fuzz['seconds']:.3f} s and {fuzz['megabytes']:.1f} MB")
    lines += [f"  {place}: {message}" for place, message in list(fuzz["other"].items())[:5]]
    return "\n".join(lines)
