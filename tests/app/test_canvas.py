"""The live canvas in a real browser: what it shows while the threshold moves, and that it is what the counts say."""

import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import expect

from amn_core.constants import DEFAULT_THRESHOLDS
from amn_core.formats.runs import load_run
from amn_core.sweep import score_images
from app.pictures.planes import MethodMap, bin_maps, pack_image

READY = ".amn[data-ready='{}']"


def open_image(open_page, group: str, image: str, **query: str):
    """Open an image in Explore and wait until it is painted."""
    page = open_page("", data=group, image=image, **query)
    page.wait_for_selector(READY.format(image))
    return page


def read_threshold(page) -> str:
    """Read the threshold that the canvas shows."""
    return page.locator(".handle.main").get_attribute("aria-valuenow")


def read_scores(page, column: str) -> list[str]:
    """Read a column of the table of scores, one text a method."""
    return page.locator(f".scores td.{column}").all_inner_texts()


def read_pixels(page, panel: int) -> str:
    """Read what a panel shows."""
    return page.locator(".panel canvas").nth(panel).evaluate("canvas => canvas.toDataURL()")


def read_query(page) -> dict[str, str]:
    """Read the choices in the URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def wait_for_query(page, name: str, value: str) -> None:
    """Wait until the URL says something."""
    page.wait_for_function(
        "([name, value]) => new URLSearchParams(location.search).get(name) === value", arg=[name, value])


def grab_handle(page) -> tuple[float, float]:
    """Put the mouse down on the threshold's handle; returns where."""
    box = page.locator(".handle.main").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    return x, y


def press(page, key: str, times: int = 1) -> None:
    """Press a key on the threshold's handle."""
    for _ in range(times):
        page.locator(".handle.main").press(key)


def settle(page) -> None:
    """Wait for two frames, after which what was asked for is painted."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_drag_changes_mask_and_number_at_once_and_the_url_on_release(open_page, group, scenes):
    page = open_image(open_page, group, scenes.ids[0], layer="mask", t="0.350")
    settle(page)
    pixels, scores = read_pixels(page, 1), read_scores(page, "now")
    x, y = grab_handle(page)
    page.mouse.move(x + 90, y, steps=12)
    settle(page)
    moved = read_threshold(page)
    assert float(moved) > 0.45
    assert read_pixels(page, 1) != pixels
    assert read_scores(page, "now") != scores
    assert read_query(page)["t"] == "0.350"
    page.mouse.up()
    wait_for_query(page, "t", moved)


def test_name_of_the_first_screen_as_an_address_leads_to_it(open_page, group, scenes):
    page = open_page("explore", data=group, image=scenes.ids[1], t="0.200")
    page.wait_for_selector(READY.format(scenes.ids[1]))
    page.wait_for_url(lambda url: urlsplit(url).path == "/" and parse_qs(urlsplit(url).query).get("t") == ["0.200"])
    assert float(read_threshold(page)) == 0.2


def test_scores_equal_the_counts_at_every_threshold_tried(open_page, group, scenes, runs):
    image = scenes.ids[1]
    page = open_image(open_page, group, image, t="0.000")
    scores = [score_images(run.counts()) for run in runs.values()]
    row = scores[0].image_ids.index(image)
    assert read_scores(page, "best") == [f"{100 * score.best_miou[row]:.1f}" for score in scores]
    assert read_scores(page, "best-at") == [f"{score.best_threshold[row]:.3f}" for score in scores]
    for _ in range(20):
        settle(page)
        at = int(np.rint(float(read_threshold(page)) * 200))
        assert read_scores(page, "now") == [f"{100 * score.miou[row, at]:.1f}" for score in scores]
        press(page, "Shift+ArrowRight")
    settle(page)
    assert read_threshold(page) == "1.000"


def test_score_of_one_class_equals_the_counts(open_page, group, scenes, runs):
    image = scenes.ids[0]
    name = scenes.class_names[int(scenes.class_ids(image)[0])]
    page = open_image(open_page, group, image, t="0.400", **{"class": name})
    settle(page)
    expected = [score_images(run.counts(), classes=[name]) for run in runs.values()]
    row = expected[0].image_ids.index(image)
    assert read_scores(page, "now") == [f"{100 * score.miou[row, 80]:.1f}" for score in expected]


def test_keys_move_threshold_and_image_and_switch_methods(open_page, group, scenes):
    page = open_image(open_page, group, scenes.ids[0], t="0.350", sort="name")
    press(page, "ArrowRight", 2)
    press(page, "Shift+ArrowLeft")
    settle(page)
    assert read_threshold(page) == "0.310"
    wait_for_query(page, "t", "0.310")
    expect(page.locator(".panel")).to_have_count(4)
    press(page, "2")
    expect(page.locator(".panel .name")).to_have_text(["Ground truth", "CAM", "AMN"])
    wait_for_query(page, "hidden", "drawn/amn-without-lcm")
    press(page, "]")
    page.wait_for_selector(READY.format(scenes.ids[1]))
    wait_for_query(page, "image", scenes.ids[1])
    assert read_threshold(page) == "0.310"
    press(page, "[")
    page.wait_for_selector(READY.format(scenes.ids[0]))


def test_values_under_the_pointer_are_those_of_the_maps(open_page, group, scenes, runs):
    image = scenes.ids[0]
    page = open_image(open_page, group, image, t="0.300")
    box = page.locator(".panel canvas").nth(1).bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.6)
    caption = page.locator(".values caption").inner_text()
    found = re.match(r"Under the pointer: (\d+), (\d+) · ground truth: (.+)", caption)
    x, y = int(found[1]), int(found[2])
    assert found[3] == scenes.class_names[scenes.gt(image)[y, x]]
    cam, class_ids = runs["cam"].map(image)
    cells = page.locator(".values tbody tr").first.locator("td").all_inner_texts()
    bins = np.searchsorted(DEFAULT_THRESHOLDS.astype(np.float32), cam[:, y, x])
    assert cells[:-1] == [f"{b / 200:.3f}" for b in bins]
    winner = scenes.class_names[class_ids[cam[:, y, x].argmax()]]
    assert cells[-1] == (winner if cam[:, y, x].max() > np.float32(0.3) else "background")


def test_link_restores_every_choice_in_a_new_tab(open_page, group, scenes):
    first = open_image(open_page, group, scenes.ids[2], t="0.350")
    first.locator("[data-layer=errors]").click()
    first.locator("button.truth").click()
    press(first, "Shift+ArrowRight")
    wait_for_query(first, "t", "0.400")
    wait_for_query(first, "truth", "0")
    second = open_page("", **read_query(first))
    second.wait_for_selector(READY.format(scenes.ids[2]))
    settle(second)
    assert read_threshold(second) == "0.400"
    expect(second.locator("[data-layer=errors]")).to_have_attribute("aria-checked", "true")
    expect(second.locator("button.truth")).to_have_attribute("aria-pressed", "false")
    assert read_pixels(second, 2) == read_pixels(first, 2)


def test_seed_layer_has_a_second_handle_that_never_passes_the_first(open_page, group, scenes):
    page = open_image(open_page, group, scenes.ids[0], t="0.300", low="0.200", layer="seed")
    low = page.locator(".handle.low")
    expect(low).to_have_attribute("aria-valuenow", "0.200")
    for _ in range(4):
        low.press("Shift+ArrowRight")
    settle(page)
    expect(low).to_have_attribute("aria-valuenow", "0.400")
    assert read_threshold(page) == "0.400"
    page.locator("[data-layer=mask]").click()
    expect(low).to_be_hidden()


def test_zoom_is_the_same_in_every_panel(open_page, group, scenes):
    page = open_image(open_page, group, scenes.ids[0])
    before = [read_pixels(page, panel) for panel in (0, 1)]
    page.locator("[data-zoom=in]").click()
    settle(page)
    expect(page.locator(".zoom")).to_have_text("150%")
    assert all(read_pixels(page, panel) != old for panel, old in enumerate(before))
    page.locator("[data-zoom=fit]").click()
    settle(page)
    assert [read_pixels(page, panel) for panel in (0, 1)] == before


def test_swipe_shows_two_methods_in_one_panel(open_page, group, scenes):
    page = open_image(open_page, group, scenes.ids[0], layer="mask")
    page.locator("button.swipe").click()
    expect(page.locator(".panel.swipe .name")).to_have_text("CAM | AMN without LCM")
    before = read_pixels(page, 1)
    page.locator(".divider").press("ArrowLeft")
    settle(page)
    expect(page.locator(".divider")).to_have_attribute("aria-valuenow", "48")
    assert read_pixels(page, 1) != before


def test_four_methods_at_500_by_375_are_repainted_while_dragging(open_page, runs_root, capsys):
    run = load_run(runs_root / "large" / "cam")
    page = open_image(open_page, f"{run.meta['data']}/{run.meta['split']}", "large")
    for layer in ("heat", "mask", "errors", "seed"):
        page.locator(f"[data-layer={layer}]").click()
        settle(page)
        x, y = grab_handle(page)
        for step in range(60):
            page.mouse.move(x + (step % 30) * 4 - 60, y)
            settle(page)
        page.mouse.up()
        names = ("data-repaints", "data-repaint-median", "data-repaint-worst")
        count, median, worst = (page.locator(".amn").get_attribute(name) for name in names)
        with capsys.disabled():
            print(f"\n{layer}: {count} repaints of 4 methods at 500×375, median {median} ms, slowest {worst} ms")
        assert int(count) > 40
    expect(page.locator(".panel")).to_have_count(5)


def test_page_asks_nobody_but_its_own_server(browser, server, group, scenes):
    context = browser.new_context()
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(urlsplit(request.url)))
    page.goto(f"{server}/?data={group}")
    page.wait_for_selector(".amn[data-ready]", timeout=90_000)
    context.close()
    assert {url.hostname for url in asked if url.scheme.startswith("http")} == {"127.0.0.1"}


def test_bins_decide_as_the_strict_comparison_does():
    values = np.concatenate([DEFAULT_THRESHOLDS, np.nextafter(DEFAULT_THRESHOLDS, 2)]).astype(np.float32)
    bins = bin_maps(values[None])[0]
    for j, threshold in enumerate(DEFAULT_THRESHOLDS.astype(np.float32)):
        assert ((bins > j) == (values > threshold)).all()


def test_packed_image_points_at_its_own_bytes():
    cam = np.zeros((2, 4, 6), np.float32)
    cam[1, :, 3:] = 0.5
    gt = np.arange(24, dtype=np.uint8).reshape(4, 6) % 2
    method = MethodMap("run", "Run", "#000000", "", cam, np.array([3, 7]))
    meta, blob = pack_image("a", np.zeros((4, 6, 3), np.uint8), gt, [method], [str(i) for i in range(21)])
    take = lambda span: blob[span[0]:span[0] + span[1]]  # noqa: E731
    assert (take(meta["gt"]) == gt.ravel()).all()
    assert (take(meta["methods"][0]["strongest"]).reshape(4, 6)[:, 3:] == 1).all()
    assert (take(meta["methods"][0]["bins"]).reshape(2, 4, 6)[1, :, 3:] == 100).all()


def test_image_without_a_class_is_packed():
    method = MethodMap("run", "Run", "#000000", "", np.zeros((0, 4, 6), np.float32), np.zeros(0, int))
    meta, _ = pack_image("a", np.zeros((4, 6, 3), np.uint8), None, [method], ["background", "a"])
    assert meta["gt"] is None and meta["methods"][0]["classIds"] == []


def test_map_of_another_size_is_refused():
    method = MethodMap("run", "Run", "#000000", "", np.zeros((1, 6, 4), np.float32), np.array([1]))
    with pytest.raises(ValueError, match="4×6 but the photograph is 6×4"):
        pack_image("a", np.zeros((4, 6, 3), np.uint8), None, [method], ["background", "a"])
