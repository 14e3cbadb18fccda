"""Getting data sets from a server that breaks off, serves a wrong file, or does not know how to go on."""

import hashlib
import http.server
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from amn_core.commands.get import GetConfig, get
from amn_core.data import download, load_dataset
from amn_core.data.download import ARCHIVES, Archive
from amn_core.data.sbd import add_masks
from amn_core.formats.errors import DataError
from amn_core.formats.masks import load_label_image
from tests.data.voc_maker import IDS, make_voc


class Server(http.server.ThreadingHTTPServer):
    """A server of a few files, which breaks off as often as it is told to; it keeps what it was asked for."""

    def __init__(self, files: dict[str, bytes]):
        self.files, self.breaks, self.knows_ranges, self.asked = files, 0, True, []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """The address of the folder of the files."""
        return f"http://127.0.0.1:{self.server_address[1]}/data"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with a file or the rest of one, or with half of that."""

    def do_GET(self) -> None:
        """Answer a request."""
        content, asked = self.server.files.get(self.path.rpartition("/")[2]), self.headers.get("Range")
        self.server.asked.append(asked)
        if content is None:
            self.send_error(404)
            return
        start = int(asked[6:-1]) if asked and self.server.knows_ranges else 0
        rest = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            rest = rest[:len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *words: object) -> None:
        """Keep quiet."""


def pack(folder: Path, name: str) -> bytes:
    """Pack a folder as a tar archive under a name."""
    with tarfile.open(fileobj=(buffer := io.BytesIO()), mode="w") as archive:
        archive.add(folder, name)
    return buffer.getvalue()


@pytest.fixture
def voc_archive(tmp_path: Path) -> bytes:
    """A small VOC with annotations, of which one image is val, as its makers pack it."""
    root = make_voc(tmp_path / "made", with_xml=True)
    (root / "ImageSets/Segmentation/train.txt").write_text(f"{IDS[0]}\n")
    (root / "ImageSets/Segmentation/val.txt").write_text(f"{IDS[2]}\n")
    return pack(root, "VOCdevkit/VOC2012")


@pytest.fixture
def server(voc_archive: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of that archive, at once and without pauses."""
    monkeypatch.setattr(download, "PAUSE", 0.0)
    server = Server({"VOCtrainval_11-May-2012.tar": voc_archive})
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def ask(server: Server, root: Path, content: bytes) -> GetConfig:
    """Ask for VOC from a server whose archive has this content."""
    return GetConfig("voc", str(root), server.url, hashlib.md5(content).hexdigest())


def test_voc_is_got_unpacked_and_opens(server, tmp_path, voc_archive):
    found = get(ask(server, tmp_path / "voc", voc_archive))
    assert found == tmp_path / "voc" / "VOCdevkit" / "VOC2012"
    assert load_dataset(f"voc:{tmp_path / 'voc'}", "train").ids == (IDS[0],)
    assert not list((tmp_path / "voc").glob("*.part")) and len(server.asked) == 1
    assert get(ask(server, tmp_path / "voc", voc_archive)) == found and len(server.asked) == 1, "it is there already"


def test_a_broken_connection_goes_on_where_it_broke(server, tmp_path, voc_archive):
    server.breaks = 2
    get(ask(server, tmp_path, voc_archive))
    half = len(voc_archive) // 2
    assert server.asked == [None, f"bytes={half}-", f"bytes={half + (len(voc_archive) - half) // 2}-"]


def test_a_server_without_ranges_sends_all_of_it_again(server, tmp_path, voc_archive):
    server.breaks, server.knows_ranges = 1, False
    assert (get(ask(server, tmp_path, voc_archive)) / "JPEGImages").is_dir()


def test_what_has_come_is_kept_when_the_server_never_gets_done(server, tmp_path, voc_archive):
    server.breaks = 99
    with pytest.raises(ValueError, match=r"broke off 5 times .* MB are kept, and the same command goes on"):
        get(ask(server, tmp_path, voc_archive))
    kept = (tmp_path / ".VOCtrainval_11-May-2012.tar.part").stat().st_size
    server.breaks = 0
    get(ask(server, tmp_path, voc_archive))
    assert kept and server.asked[-1] == f"bytes={kept}-"


def test_a_wrong_sum_is_an_error_that_keeps_nothing(server, tmp_path, voc_archive):
    with pytest.raises(ValueError, match=r"its MD5 sum is .*, not 6cd6e144f989b92b3379bac3b3de84fd: the file"):
        get(GetConfig("voc", str(tmp_path), server.url))
    assert not list(tmp_path.glob("*.part")) and not (tmp_path / "VOCdevkit").exists()


def test_an_address_without_the_file_is_an_error_at_once(server, tmp_path):
    with pytest.raises(ValueError, match="the server answers 404 Not Found; is the address right"):
        get(GetConfig("voc", str(tmp_path), f"{server.url}/nothing.tar"))
    assert len(server.asked) == 1


def test_an_archive_that_would_write_elsewhere_is_refused(server, tmp_path):
    with tarfile.open(fileobj=(buffer := io.BytesIO()), mode="w") as archive:
        entry = tarfile.TarInfo("../out.txt")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"out"))
    server.files["VOCtrainval_11-May-2012.tar"] = buffer.getvalue()
    with pytest.raises(ValueError, match="not an archive that can be unpacked"):
        get(ask(server, tmp_path / "root", buffer.getvalue()))
    assert not (tmp_path / "out.txt").exists()


def test_sums_and_addresses_are_those_of_torchvision():
    from torchvision.datasets import OxfordIIITPet, SBDataset
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    voc = DATASET_YEAR_DICT["2012"]
    assert ARCHIVES["voc"] == (Archive(voc["url"], voc["md5"]),)
    assert ARCHIVES["sbd"] == (Archive(SBDataset.url, SBDataset.md5),)
    assert ARCHIVES["pets"] == tuple(Archive(*pair) for pair in OxfordIIITPet._RESOURCES)


def test_voc_as_downloaded_is_trained_on_all_that_is_annotated_and_not_val(server, tmp_path, voc_archive):
    from amn_core.commands.pipeline import ReproduceConfig, resolve_splits

    get(ask(server, tmp_path, voc_archive))
    spec = f"voc:{tmp_path}"
    assert resolve_splits(ReproduceConfig(data=spec)).train_split == "annotated"
    assert load_dataset(spec, "annotated").ids == IDS[:2]
    (tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation/train_aug.txt").write_text(f"{IDS[0]}\n")
    assert resolve_splits(ReproduceConfig(data=spec)).train_split == "train_aug"


def test_sbd_adds_its_masks_and_list_but_keeps_those_of_voc(tmp_path):
    io_ = pytest.importorskip("scipy.io")
    root = make_voc(tmp_path / "VOC2012")
    lists = root / "ImageSets/Segmentation"
    lists.joinpath("train.txt").write_text(f"{IDS[0]}\n")
    lists.joinpath("val.txt").write_text(f"{IDS[2]}\n")
    (root / "SegmentationClass" / f"{IDS[1]}.png").unlink()
    sbd = tmp_path / "SBD"
    (sbd / "cls").mkdir(parents=True)
    outline = np.zeros((21, 30), np.uint8)
    outline[3:7, 4:9] = 8
    for image_id in IDS:
        io_.savemat(sbd / "cls" / f"{image_id}.mat", {"GTcls": {"Segmentation": outline}})
    sbd.joinpath("train.txt").write_text(f"{IDS[1]}\n")
    sbd.joinpath("val.txt").write_text(f"{IDS[2]}\n{IDS[0]}\n")
    assert add_masks(root, sbd, workers=1) == 2
    assert lists.joinpath("train_aug.txt").read_text().split() == list(IDS[:2])
    data = load_dataset(f"voc:{root}", "train_aug")
    assert np.array_equal(data.gt(IDS[1]), outline)
    assert np.array_equal(data.gt(IDS[0]), load_label_image(root / "SegmentationClass" / f"{IDS[0]}.png", 21))
    shutil.rmtree(root / "SegmentationClassAug")
    (sbd / "cls" / f"{IDS[1]}.mat").write_bytes(b"broken")
    with pytest.raises(DataError, match=rf"{IDS[1]}.mat: not a mask of SBD"):
        add_masks(root, sbd, workers=1)
