"""Small runs to look at, the app in this process, and the app in a real browser."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image, ImageFilter

from amn_core.bench.serving import find_port
from amn_core.data import Dataset, load_dataset
from amn_core.formats.counts import save_counts
from amn_core.formats.maps import compute_map_size, save_map
from amn_core.formats.runs import Run, describe_data, save_run
from amn_core.sweep.counts import CountsBuilder

REPOSITORY = Path(__file__).resolve().parents[2]
SCENES = "scenes:size=96,n=6,seed=7"
METHODS = {"cam": ("CAM", 9.0, 1.5), "amn-without-lcm": ("AMN without LCM", 5.0, 1.0), "amn": ("AMN", 3.0, 0.8)}
PATIENCE = 60_000  # milliseconds; on a busy machine the first page takes long


def blur_mask(gt: np.ndarray, class_id: int, radius: float, power: float) -> np.ndarray:
    """Blur the mask of a class into something like an activation map, at a quarter of its size, in [0, 1]."""
    mask = Image.fromarray(((gt == class_id) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    small = mask.resize(compute_map_size(*gt.shape)[::-1], Image.Resampling.BILINEAR)
    values = (np.asarray(small, np.float32) / 255) ** np.float32(power)
    return values / max(float(values.max()), 1e-6)


def make_run(folder: Path, method: str, dataset: Dataset, name: str | None = None) -> Run:
    """Make a whole run from blurred masks: run.json, maps, and counts of the maps as they are read back."""
    title, radius, power = METHODS[method]
    data, data_root = describe_data(dataset.spec)
    run = save_run(folder, {
        "name": name or title, "method": method, "data": data, "data_root": data_root, "split": dataset.split,
        "images": len(dataset.ids), "class_names": list(dataset.class_names), "label_source": dataset.label_source,
        "protocol": {"normalisation": "max" if method == "cam" else "image-softmax", "scales": [1.0], "flip": False,
                     "ground_truth": "drawn"}, "model": {}})
    builder = CountsBuilder(dataset.class_names)
    for image_id in dataset.ids:
        gt, class_ids = dataset.gt(image_id), dataset.class_ids(image_id)
        cam = np.stack([blur_mask(gt, class_id, radius, power) for class_id in class_ids])
        save_map(run.map_path(image_id), cam, class_ids, gt.shape)
        builder.add(image_id, *run.map(image_id), gt)
    save_counts(run.counts_path, builder.build())
    return run


def make_folder_data(root: Path) -> Dataset:
    """Make a data set of one drawn picture, 500×375, with two classes."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    y, x = np.mgrid[:375, :500]
    gt = np.zeros((375, 500), np.uint8)
    gt[np.hypot(x - 180, y - 200) < 110] = 1
    gt[(x > 330) & (x < 460) & (y > 90) & (y < 300)] = 2
    image = np.stack([x % 256, y % 256, 90 + gt * 60], axis=-1).astype(np.uint8)
    Image.fromarray(image).save(root / "images" / "large.png")
    Image.fromarray(gt).save(root / "masks" / "large.png")
    (root / "classes.txt").write_text("disc\nboard\n")
    (root / "labels.csv").write_text("image,labels\nlarge,disc;board\n")
    return load_dataset(f"folder:{root}", "all")


@pytest.fixture(scope="session")
def scenes() -> Dataset:
    """Six drawn scenes."""
    return load_dataset(SCENES, "val")


@pytest.fixture(scope="session")
def runs_root(tmp_path_factory: pytest.TempPathFactory, scenes: Dataset) -> Path:
    """A folder with three methods on the scenes, and four on one picture of 500×375."""
    root = tmp_path_factory.mktemp("runs")
    for method in METHODS:
        make_run(root / "drawn" / method, method, scenes)
    large = make_folder_data(tmp_path_factory.mktemp("data") / "large")
    for method in METHODS:
        make_run(root / "large" / method, method, large)
    make_run(root / "large" / "amn-again", "amn", large, "AMN again")
    return root


@pytest.fixture(scope="session")
def runs(runs_root: Path) -> dict[str, Run]:
    """The three runs on the scenes, by method."""
    from amn_core.formats.runs import load_run

    return {method: load_run(runs_root / "drawn" / method) for method in METHODS}


@pytest.fixture(scope="session")
def group(scenes: Dataset) -> str:
    """What the URL calls the runs on the scenes."""
    return f"{scenes.spec}/val"


@pytest.fixture
def open_app(runs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Open a screen in this process: ``open_app("explore", t="0.2")``; no other runs than the fixture's are there."""
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    from app import roots

    monkeypatch.setenv("AMN_RUNS", str(runs_root))
    monkeypatch.delenv("AMN_DATA", raising=False)
    monkeypatch.setattr(roots, "REPOSITORY", tmp_path)
    monkeypatch.setattr(roots, "ADDED", tmp_path / "added.json")
    st.cache_resource.clear()

    def open_screen(screen: str, **query: str) -> AppTest:
        at = AppTest.from_file(str(REPOSITORY / "app" / "main.py"), default_timeout=120)
        for name, value in query.items():
            at.query_params[name] = value
        if screen != "explore":
            at.run()
            at.switch_page(str(REPOSITORY / "app" / (screen if "/" in screen else f"screens/{screen}")) + ".py")
        return at.run()

    return open_screen


def get_component(at, name: str) -> dict:
    """Get what a component was sent, its arrays left out."""
    found = [element.proto for element in at.get("bidi_component") if element.proto.component_name == name]
    assert len(found) == 1
    data = found[0].mixed.json or found[0].json
    return json.loads(data)


def wait_for(url: str, process: subprocess.Popen) -> None:
    """Wait until a server answers; fail if it ends first."""
    for _ in range(PATIENCE // 200):
        if process.poll() is not None:
            pytest.fail("the server ended before it answered")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the server did not answer in time")


@pytest.fixture(scope="session")
def server(runs_root: Path) -> Iterator[str]:
    """The app on a port of its own, as `streamlit run app/main.py` starts it; its address."""
    port = find_port()
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.headless", "true"]
    process = subprocess.Popen(
        [*command, "--server.port", str(port)], cwd=REPOSITORY, env={**os.environ, "AMN_RUNS": str(runs_root)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def open_page(server: str, browser) -> Iterator[Callable]:
    """Open a screen in a tab of its own: ``open_page("", t="0.2")``; errors of the page's scripts fail the test."""
    contexts, errors = [], []

    def open_tab(path: str = "", **query: str):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{server}/{path}?{urlencode(query)}")
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert not errors
