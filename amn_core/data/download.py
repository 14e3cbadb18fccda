"""Getting data sets: downloads that go on after a broken connection, checked by their sums, and unpacked once.

DATA/.NAME.part   what has come of an archive so far
DATA/.NAME.done   its sum, once it is unpacked; the archive is removed then
"""

import hashlib
import http.client
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from amn_core.compute.progress import Progress
from amn_core.formats.files import write_bytes

BLOCK = 1 << 20
TRIES = 5
PAUSE = 1.0  # seconds before the second try, twice as long before each further one
TIMEOUT = 30.0


@dataclass(frozen=True)
class Archive:
    """A file to get: where it is, and its MD5 sum; the same as in torchvision."""

    url: str
    md5: str

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.url.rpartition("/")[2]


ARCHIVES = {
    "voc": (Archive("https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
                    "6cd6e144f989b92b3379bac3b3de84fd"),),
    "sbd": (Archive("https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/"
                    "benchmark.tgz", "82b4d87ceb2ed10f6038a1cba92111cb"),),
    "pets": (Archive("https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
                     "5c4f3ee8e5d25df40f4fd59a7f44e54c"),
             Archive("https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
                     "95a8c909bbe2e81eed6a22bccdf3f68f")),
}


def get_archives(name: str, folder: Path, mirror: str = "", md5: str = "") -> None:
    """Get the archives of a data set and unpack them into a folder; those that are there already are left alone.

    Args:
        name: ``voc``, ``sbd`` or ``pets``.
        mirror: address of a folder that holds the archives under their own names, or of the archive itself.
        md5: sum of the archive at the mirror, where it is another than the original.

    Raises:
        ValueError: an archive could not be got, or its sum is wrong; says what is kept and how to go on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for archive in ARCHIVES[name]:
        url = choose_address(archive, mirror)
        wanted, done = md5 or archive.md5, folder / f".{archive.name}.done"
        if done.is_file() and done.read_text() == wanted:
            continue
        part = folder / f".{archive.name}.part"
        fetch(url, part)
        check_sum(part, wanted, url)
        unpack(part, folder, archive.name)
        write_bytes(done, wanted.encode())
        part.unlink()


def choose_address(archive: Archive, mirror: str) -> str:
    """Choose where an archive is got from: its own address, a mirror's folder, or a file of a mirror."""
    if not mirror:
        return archive.url
    return mirror if mirror.endswith((".tar", ".tgz", ".tar.gz")) else f"{mirror.rstrip('/')}/{archive.name}"


def fetch(url: str, part: Path) -> None:
    """Fetch a file, from where it broke off before; a broken connection is tried again a few times.

    Raises:
        ValueError: it did not come; what has come is kept.
    """
    for attempt in range(TRIES):
        try:
            if fetch_rest(url, part):
                return
            error: Exception = http.client.IncompleteRead(b"")
        except urllib.error.HTTPError as failure:
            if failure.code < 500 and failure.code != 429:
                raise ValueError(f"{url}: the server answers {failure.code} {failure.reason}; is the address right? "
                                 "Give a mirror with --url") from None
            error = failure
        except (OSError, http.client.HTTPException) as failure:
            error = failure
        if attempt + 1 < TRIES:
            time.sleep(PAUSE * 2**attempt)
    got = part.stat().st_size if part.is_file() else 0
    raise ValueError(f"{url}: broke off {TRIES} times ({type(error).__name__}); {got / 1e6:.1f} MB are kept, and the "
                     "same command goes on from there. Check the network, or give a mirror with --url") from None


def fetch_rest(url: str, part: Path) -> bool:
    """Fetch what is missing of a file; whether it is whole now.

    A server that does not know how to go on sends all of it, and the file begins anew.
    """
    got = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={got}-"} if got else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and got:  # nothing is missing
            return True
        raise
    with answer:
        is_rest = answer.status == 206
        total = (got if is_rest else 0) + int(answer.headers.get("Content-Length") or 0)
        with part.open("ab" if is_rest else "wb") as file, Progress(
                f"get {url.rpartition('/')[2]}", max(total, 1), got if is_rest else 0, unit="B") as bar:
            while block := answer.read(BLOCK):
                file.write(block)
                bar.update(len(block))
            return not total or file.tell() >= total


def check_sum(path: Path, wanted: str, url: str) -> None:
    """Check the MD5 sum of a file; a wrong one is removed, since no part of it can be trusted.

    Raises:
        ValueError: another sum.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != wanted:
        path.unlink()
        raise ValueError(f"{url}: its MD5 sum is {found}, not {wanted}: the file is broken or another one, and was "
                         "removed. Get it again, or from a mirror with --url (and its sum with --md5)")


def unpack(path: Path, folder: Path, name: str) -> None:
    """Unpack a tar archive; what lies outside the folder, links out of it and devices are refused by tarfile.

    Raises:
        ValueError: not a tar archive, or one that would write elsewhere.
    """
    with Progress(f"unpack {name}", path.stat().st_size, unit="B") as bar:
        try:
            with path.open("rb") as file, tarfile.open(fileobj=file) as archive:
                at = 0
                for member in archive:
                    archive.extract(member, folder, filter="data")
                    bar.update(file.tell() - at)
                    at = file.tell()
        except tarfile.TarError as error:
            what = type(error).__name__
            raise ValueError(f"{name}: not an archive that can be unpacked ({what}): get it again") from None


@contextmanager
def naming_disk(folder: Path) -> Iterator[None]:
    """Name the folder where the disk is full or cannot be written."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{folder}: {error.strerror or error}; make room, and the same command goes on") from None
