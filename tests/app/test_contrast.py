"""Every text can be read: its contrast with what lies behind it, computed from the real page, is at least 4.5 to 1."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

MEASURE = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
SCREENS = ("", "curves", "activation", "images", "choose")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_a_contrast_of_at_least_four_and_a_half(open_page, group, scheme):
    page = open_page("", data=group)
    page.emulate_media(color_scheme=scheme)
    found = {}
    for screen in SCREENS:
        page.goto(f"{page.url.split('?')[0].rsplit('/', 1)[0]}/{screen}?data={group}")
        page.wait_for_selector(".threshold-track[aria-valuenow]")
        expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_have_count(1)
        found[screen] = page.evaluate(MEASURE, 4.5)
    assert not {screen: texts for screen, texts in found.items() if texts}


def test_a_pale_text_is_found(open_page, group):
    page = open_page("images", data=group)
    page.wait_for_selector(".threshold-track[aria-valuenow]")
    page.evaluate("""() => {
        const pale = Object.assign(document.createElement("p"), { textContent: "pale" });
        pale.style.cssText = "position:fixed;top:0;left:0;z-index:9;color:#999;background:#fff";
        document.body.append(pale);
    }""")
    assert ["2.85", "pale"] in [one[:2] for one in page.evaluate(MEASURE, 4.5)]


def test_data_set_stands_in_the_head_of_every_screen(open_page, group):
    page = open_page("curves", data=group)
    page.wait_for_selector(".threshold-track[aria-valuenow]")
    page.wait_for_function("""() => getComputedStyle(document.querySelector("[data-testid=stTopNav]"), "::after")
        .content.includes("Drawn scenes")""")
