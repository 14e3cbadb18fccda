"""Your photo: odd files, proposed labels, the canvas, and what is saved."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from amn_core.data import DataError
from amn_core.formats.checkpoints import save_checkpoint
from amn_core.formats.runs import load_run, save_run
from amn_core.models import build_model
from amn_core.sweep.count import count_image
from app.cache import own
from app.pictures import photos
from tests.app.conftest import get_component

METHODS = {"cam": "max", "amn-without-lcm": "image-softmax", "amn": "image-softmax"}


def draw_picture(width: int = 80, height: int = 60) -> Image.Image:
    """Draw a small picture with a left and a right side."""
    picture = Image.new("RGB", (width, height), (40, 90, 160))
    ImageDraw.Draw(picture).rectangle((0, 0, width // 2, height), fill=(220, 180, 40))
    return picture


def encode(picture: Image.Image, form: str, **options) -> bytes:
    """Encode a picture."""
    picture.save(buffer := io.BytesIO(), form, **options)
    return buffer.getvalue()


def build_turned() -> bytes:
    """A JPEG whose header says that it lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(draw_picture(), "JPEG", exif=exif)


def build_boast() -> bytes:
    """A PNG of 80×60 whose header says 60000×60000, with the checksum to match."""
    content = bytearray(encode(draw_picture(), "PNG"))
    content[16:24] = struct.pack(">II", 60000, 60000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


GOOD_FILES = {
    "turned.jpg": (build_turned, (80, 60)),  # height and width once it stands upright
    "alpha.png": (lambda: encode(draw_picture().convert("RGBA"), "PNG"), (60, 80)),
    "grey.png": (lambda: encode(draw_picture().convert("L"), "PNG"), (60, 80)),
    "palette.png": (lambda: encode(draw_picture().convert("P"), "PNG"), (60, 80)),
    "cmyk.jpg": (lambda: encode(draw_picture().convert("CMYK"), "JPEG"), (60, 80)),
    "deep.png": (lambda: encode(Image.fromarray(np.full((60, 80), 30000, np.uint16)), "PNG"), (60, 80)),
    "large.jpg": (lambda: encode(draw_picture(3000, 1500), "JPEG"), (512, 1024)),
}
BAD_FILES = {
    "empty.jpg": (lambda: b"", "not an image"),
    "text.png": (lambda: b"hello, world" * 50, "not an image"),
    "cut.jpg": (lambda: encode(draw_picture(400, 300), "JPEG")[:900], "broken image"),
    "tiny.png": (lambda: encode(draw_picture(8, 8), "PNG"), "too small"),
    "thread.png": (lambda: encode(draw_picture(4000, 40), "PNG"), "too narrow"),
    "boast.png": (build_boast, "more than 50 megapixels"),
    "heavy.bmp": (lambda: b"BM" + bytes(photos.MAX_BYTES), "more than 20 MB"),
}


ODD_FILES = {  # width and height of the picture, or what the one message says
    "turned.jpg": (build_turned, (60, 80)),
    "alpha.png": (GOOD_FILES["alpha.png"][0], (80, 60)),
    "grey.png": (GOOD_FILES["grey.png"][0], (80, 60)),
    "deep.png": (GOOD_FILES["deep.png"][0], (80, 60)),
    "cmyk.jpg": (GOOD_FILES["cmyk.jpg"][0], (80, 60)),
    "a gif, really.png": (lambda: encode(draw_picture().convert("P"), "GIF"), "use JPEG, PNG, WebP, BMP or TIFF"),
    "dot.png": (lambda: encode(draw_picture(1, 1), "PNG"), "too small"),
    "cut.jpg": BAD_FILES["cut.jpg"],
    "text.png": BAD_FILES["text.png"],
    "boast.png": BAD_FILES["boast.png"],
}


@pytest.fixture(scope="module")
def models_root(tmp_path_factory, scenes) -> Path:
    """A bundle of three methods with random weights, for the classes of the scenes."""
    root = tmp_path_factory.mktemp("models") / "tiny"
    names = list(scenes.class_names)
    torch.manual_seed(0)
    for method, normalisation in METHODS.items():
        arguments = {"name": method, "backbone": "efficientnet_lite0", "n_classes": len(names), "backbone_options": {}}
        save_run(root / method, {
            "name": method, "method": method, "data": scenes.spec, "data_root": "", "split": "val", "images": 6,
            "class_names": names, "protocol": {"normalisation": normalisation, "scales": [1.0], "flip": False}})
        meta = {"model": arguments, "class_names": names, "config": {}, "step": 0, "metrics": {}}
        save_checkpoint(root / method / "model.pth", build_model(**arguments), meta, half=True)
    return root.parent


@pytest.fixture
def open_photo_screen(open_app, models_root, monkeypatch):
    """Open the screen with the three models."""
    monkeypatch.setenv("AMN_RUNS", str(models_root))
    return lambda **query: open_app("photo", **query)


def get_meta(at) -> dict:
    """Get what the canvas was sent."""
    return get_component(at, "amn_canvas")["meta"]


@pytest.mark.parametrize("name", GOOD_FILES)
def test_odd_files_are_opened_upright_and_in_rgb(name):
    build, size = GOOD_FILES[name]
    photo = photos.open_photo(build(), name)
    assert photo.image.shape == (*size, 3) and photo.image.dtype == np.uint8


@pytest.mark.parametrize("name", BAD_FILES)
def test_unusable_files_give_one_sentence_that_names_them(name):
    build, message = BAD_FILES[name]
    with pytest.raises(DataError, match=message) as caught:
        photos.open_photo(build(), name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_photograph_is_marked_by_every_method_at_once(open_photo_screen, scenes):
    at = open_photo_screen()
    assert not at.exception and "Drop your own photograph on the left" in at.markdown[0].value
    assert get_meta(at)["width"] == 451, "a photograph that comes along is looked at until there is one of one's own"
    at.file_uploader[0].upload("mine.png", encode(draw_picture(), "PNG")).run()
    assert not at.exception and not at.error
    meta = get_meta(at)
    assert [method["label"] for method in meta["methods"]] == ["CAM", "AMN without LCM", "AMN"]
    assert meta["gt"] is None and (meta["width"], meta["height"]) == (80, 60)
    proposed = at.get("pills")[0].value
    assert meta["methods"][0]["classIds"] == sorted(proposed)
    at.get("pills")[0].set_value([2, 5]).run()
    assert not at.exception
    assert [method["classIds"] for method in get_meta(at)["methods"]] == [[2, 5]] * 3


def test_broken_upload_is_said_and_nothing_else_breaks(open_photo_screen):
    at = open_photo_screen()
    at.file_uploader[0].upload("cut.jpg", BAD_FILES["cut.jpg"][0]()).run()
    assert not at.exception and len(at.error) == 1 and "cut\\.jpg" in at.error[0].value  # text, not Markdown


def upload(page, name: str, content: bytes) -> None:
    """Drop a file on the page and wait for a painted picture or a message."""
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content})
    page.wait_for_selector(".amn[data-ready='Your photo'], [data-testid=stAlert], [data-testid=stException]")


def wait_for_shape(picture, shape: float) -> None:
    """Wait until a canvas is so many times as wide as high: it may still be that of the photograph before."""
    for _ in range(100):
        width, height = picture.evaluate("canvas => [canvas.width, canvas.height]")
        if width / height == pytest.approx(shape, rel=0.02):
            return
        picture.page.wait_for_timeout(100)
    pytest.fail(f"the canvas is {width}×{height}, not {shape:.2f} times as wide as high")


def test_odd_files_give_a_picture_or_one_message_on_the_real_page(open_page):
    page = open_page("photo", bundle="scenes")
    for name, (build, expected) in ODD_FILES.items():
        page.get_by_text("Drop your own photograph on the left").wait_for()
        upload(page, name, build())
        messages = page.locator("[data-testid=stAlert]")
        pictures = page.locator(".panel canvas")
        if isinstance(expected, str):
            expect(messages).to_have_count(1)
            expect(messages).to_contain_text(name)
            expect(messages).to_contain_text(expected)
            pictures.first.wait_for(state="detached")
        else:
            expect(messages).to_have_count(0)
            expect(pictures).to_have_count(4)
            wait_for_shape(pictures.first, expected[0] / expected[1])
        expect(page.locator("[data-testid=stException]")).to_have_count(0)
        page.locator("[data-testid=stFileUploader] [data-testid$=DeleteBtn]").click()
    page.get_by_text("Drop your own photograph on the left").wait_for()


def test_without_models_the_screen_says_how_to_make_them(open_app):
    at = open_app("photo")
    assert not at.exception and at.header[0].value == "No models yet"


def test_viewers_photograph_stays_in_the_page_within_limits(open_photo_screen, monkeypatch):
    monkeypatch.setenv("AMN_CLASSROOM", "1")
    at = open_photo_screen()
    at.file_uploader[0].upload("mine.png", encode(draw_picture(900, 600), "PNG")).run()
    assert not at.exception and not at.error
    meta = get_meta(at)
    assert (meta["width"], meta["height"]) == (own.LONGEST, 341) and "photo-result" not in at.session_state
    assert at.session_state[own.SESSION]
    at.get("pills")[0].set_value(list(range(1, own.MOST_CLASSES + 2))).run()
    assert not at.exception and "at most 4 classes" in at.info[0].value


def test_class_names_make_no_paths_in_a_download():
    assert photos.name_file("../../etc/passwd") == "etc-passwd" and photos.name_file("...") == "class"


def test_map_is_inferred_where_a_run_has_a_model_and_no_maps(open_app, models_root, scenes, monkeypatch):
    monkeypatch.setenv("AMN_RUNS", str(models_root))
    at = open_app("explore", image=scenes.ids[0], data=f"{scenes.spec}/val")
    assert not at.exception and not at.error
    assert get_meta(at)["methods"][0]["classIds"] == scenes.class_ids(scenes.ids[0]).tolist()


def test_proposed_classes_are_those_above_one_half_or_the_likeliest():
    assert photos.propose_classes(np.array([0.1, 0.7, 0.5, 0.9])) == [2, 4]
    assert photos.propose_classes(np.array([0.1, 0.3, 0.2])) == [2]


def test_models_without_a_classifier_are_left_out(models_root):
    runs = {path.name: load_run(path) for path in sorted((models_root / "tiny").iterdir())}
    assert list(photos.find_models(runs)["tiny"]) == ["cam", "amn-without-lcm", "amn"]
    assert photos.find_models({"amn": runs["amn"]}) == {}


def test_saved_mask_decides_as_the_counts_do():
    random = np.random.default_rng(0)
    cam = (random.integers(0, 41, (2, 30, 20)) / 40).astype(np.float32)
    gt = random.integers(0, 4, (30, 20)).astype(np.uint8)
    thresholds = np.array([0.25, 0.5])
    counts = count_image(cam, np.array([1, 3]), gt, thresholds, 4)
    for j, threshold in enumerate(thresholds):
        labels = photos.decide(cam, np.array([1, 3]), threshold)
        for class_id in (1, 3):
            rows = counts.decision_class == class_id
            assert counts.decision_bins[rows, j + 1:].sum() == (labels == class_id).sum()


def test_saved_files_hold_what_was_seen():
    cam = np.linspace(0, 1, 24, dtype=np.float32).reshape(1, 4, 6)
    names = ("background", "a", "sea lion")
    with np.load(io.BytesIO(photos.build_npz(cam, [2], names))) as stored:
        assert (stored["cam"] == cam).all() and stored["class_names"].tolist() == ["sea lion"]
    with zipfile.ZipFile(io.BytesIO(photos.build_map_images(cam, [2], names))) as archive:
        assert archive.namelist() == ["sea-lion.png"]
        grey = np.asarray(Image.open(io.BytesIO(archive.read("sea-lion.png"))))
    assert np.abs(grey / 65535 - cam[0]).max() < 1e-5
    labels = photos.decide(cam, [2], 0.5)
    assert (np.asarray(Image.open(io.BytesIO(photos.build_mask_image(labels)))) == labels).all()
    image = np.full((4, 6, 3), 200, np.uint8)
    overlay = np.asarray(Image.open(io.BytesIO(photos.build_overlay(image, labels, 3, 0.5))))
    assert (overlay[labels == 0] == 200).all() and (overlay[labels == 2] != 200).any()
