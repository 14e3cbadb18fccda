"""Two cuts on the canvas: its numbers are those of the plane, image by image, and its band follows the hand."""

import base64
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from amn_core.sweep import CountsBuilder
from amn_core.sweep.two_cuts import score_plane
from app.pictures.planes import MethodMap, pack_image
from tests.app.test_canvas import open_image, read_scores, settle, wait_for_query
from tests.sweep.reference import make_image

CANVAS = Path(__file__).resolve().parents[2] / "app" / "components" / "canvas"
NAMES = tuple(f"class {i}" for i in range(8))
PAIRS = [(140, 50), (60, 10), (90, 90), (199, 0), (0, 0), (120, 119)]
RUN = """({ scripts, meta, bytes, pairs }) => {
  const { readModel, scorePair } = new Function(`${scripts}; return { readModel, scorePair };`)();
  const blob = { getChildAt: () => ({ toArray: () => Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)) }) };
  const read = readModel({ meta, blob });
  const plain = (value) => (value === undefined || Number.isNaN(value) ? null : value);
  return pairs.map(([high, low]) => {
    const score = scorePair(read.methods[0], read, 0, high, low);
    return [plain(score.miou), plain(score.coverage), plain(score.wrong)];
  });
}"""


def score_in_browser(browser, meta: dict, blob: np.ndarray) -> np.ndarray:
    """Score pairs of cuts as the canvas does: (pairs, 3) mIoU, coverage, mIoU with unsure pixels as errors."""
    page = browser.new_page()
    try:
        scripts = "\n".join((CANVAS / name).read_text(encoding="utf-8") for name in ("model.js", "two_cuts.js"))
        sent = {"scripts": scripts, "meta": meta, "bytes": base64.b64encode(blob).decode(), "pairs": PAIRS}
        return np.array(page.evaluate(RUN, sent), dtype=float)
    finally:
        page.close()


@pytest.mark.parametrize("averaging", ["union", "present"])
@pytest.mark.parametrize("scored", [None, (0, 2, 3, 5)])
def test_numbers_of_an_image_are_those_of_its_plane(browser, averaging, scored):
    for seed in range(4):
        cam, class_ids, gt = make_image(seed, seed % 4)
        builder = CountsBuilder(NAMES)
        builder.add("one", cam, class_ids, gt)
        plane = score_plane(builder.build(), averaging, None if scored is None else list(scored))
        method = MethodMap(key="a", label="CAM", colour="#000000", dash="", cam=cam, class_ids=class_ids, scored=scored)
        image = np.zeros((*gt.shape, 3), np.uint8)
        found = score_in_browser(browser, *pack_image("one", image, gt, [method], NAMES, averaging))
        for (high, low), (miou, coverage, wrong) in zip(PAIRS, found, strict=True):
            assert coverage == pytest.approx(plane.labelled[high, low] / plane.scored)
            if plane.labelled[high, low]:
                np.testing.assert_allclose(miou, plane.miou[high, low], equal_nan=True, rtol=1e-12)
                np.testing.assert_allclose(wrong, plane.miou_unsure_wrong[high, low], equal_nan=True, rtol=1e-12)


def test_pair_of_a_code_base_sets_both_cuts_and_shows_their_band(open_page, group, scenes):
    page = open_image(open_page, group, scenes.ids[0], t="0.400", low="0.100", layer="seed")
    expect(page.locator(".threshold-low")).to_be_visible()
    before = read_scores(page, "now")
    page.locator("select.cuts").select_option(label="ToCo, VOC · 0.700, 0.250")
    wait_for_query(page, "t", "0.700")
    wait_for_query(page, "low", "0.250")
    settle(page)
    assert read_scores(page, "now") != before and len(read_scores(page, "coverage")) == len(before)
    page.locator("[data-layer=mask]").click()
    expect(page.locator(".threshold-low")).to_be_hidden()
    expect(page.locator("select.cuts")).to_be_hidden()


def test_low_cut_is_dragged_on_the_bar_and_never_passes_the_threshold(open_page, group, scenes):
    page = open_image(open_page, group, scenes.ids[0], t="0.500", low="0.100", layer="seed")
    box, track = page.locator(".threshold-low").bounding_box(), page.locator(".threshold-track").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(track["x"] + 0.3 * track["width"], y, steps=6)
    expect(page.locator(".handle.low")).to_have_attribute("aria-valuenow", "0.300")
    page.mouse.up()
    wait_for_query(page, "low", "0.300")
    expect(page.locator(".handle.main")).to_have_attribute("aria-valuenow", "0.500")
    page.locator(".handle.main").press("Home")
    expect(page.locator(".handle.low")).to_have_attribute("aria-valuenow", "0.000")
