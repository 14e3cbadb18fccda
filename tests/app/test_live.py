"""The threshold's bar in a real browser: charts and tables follow the hand, the server hears of the release alone."""

import pytest
from playwright.sync_api import expect

from amn_core.sweep import summarise


def count_messages(page) -> None:
    """Count what the page sends to the server from now on."""
    page.evaluate("""() => {
        globalThis.sentByPage = 0;
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (...rest) { globalThis.sentByPage += 1; return send.apply(this, rest); };
    }""")


def open_bar(open_page, screen: str, group: str, **query: str):
    """Open a screen with the bar, once it and its first chart stand."""
    page = open_page(screen, data=group, intervals="0", **query)
    page.wait_for_selector(".threshold-track[aria-valuenow]")
    page.wait_for_selector(".amn-overlay > *", state="attached")
    page.wait_for_timeout(1500)
    return page


def read_line(page) -> float:
    """Read where the threshold's line stands on the first chart, in pixels."""
    return float(page.locator(".amn-overlay > line").first.get_attribute("x1"))


def settle(page) -> None:
    """Wait for the next two frames."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.mark.parametrize("screen", ["curves", "activation"])
def test_sixty_moves_are_sixty_repaints_and_no_message(open_page, group, screen):
    page = open_bar(open_page, screen, group, t="0.100")
    box = page.locator(".threshold-track").bounding_box()
    y = box["y"] + 16
    page.mouse.move(box["x"] + box["width"] * 0.1, y)
    count_messages(page)
    page.mouse.down()
    settle(page)
    before, line = int(page.locator(".place").get_attribute("data-repaints")), read_line(page)
    for i in range(60):
        page.mouse.move(box["x"] + box["width"] * (0.2 + 0.01 * i), y)
        settle(page)
    assert int(page.locator(".place").get_attribute("data-repaints")) - before == 60
    assert page.evaluate("sentByPage") == 0
    assert read_line(page) > line
    expect(page.locator(".threshold-value")).to_have_text(page.locator(".place").get_attribute("data-threshold"))
    page.mouse.up()
    page.wait_for_url("**t=0.7*")
    assert page.evaluate("amnBench.percentile(0.95)") >= 0


def test_score_of_now_follows_the_hand(open_page, group, runs):
    page = open_bar(open_page, "curves", group, t="0.100")
    page.locator(".threshold-track").press("End")
    summary = summarise(runs["cam"].counts())
    now = page.locator(".runs td.now").first
    expect(now).to_have_text(f"{summary.miou[-1] * 100:.1f}")
    page.locator(".threshold-track").press("PageDown")
    expect(now).to_have_text(f"{summary.miou[-11] * 100:.1f}")
    page.wait_for_url("**t=0.950**")


def test_bar_snaps_to_a_peak_and_p_steps_through_the_peaks(open_page, group, runs):
    page = open_bar(open_page, "curves", group, t="0.900", runs="drawn/cam")
    peak = summarise(runs["cam"].counts()).peak_threshold
    box = page.locator(".threshold-track").bounding_box()
    page.mouse.click(box["x"] + box["width"] * peak + 5, box["y"] + 16)
    page.wait_for_url(f"**t={peak:.3f}**")
    page.locator(".threshold-track").press("Home")
    page.wait_for_url("**t=0.000**")
    page.mouse.click(720, 20)
    page.keyboard.press("p")
    page.wait_for_url(f"**t={peak:.3f}**")


def test_keys_count_after_a_click_anywhere_and_a_question_mark_lists_them(open_page, group):
    page = open_bar(open_page, "curves", group, t="0.300")
    page.mouse.click(900, 128)
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_url("**t=0.350**")
    page.keyboard.press("?")
    expect(page.locator(".amn-help")).to_contain_text("next peak")
    page.keyboard.press("Escape")
    expect(page.locator(".amn-help")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.locator(".amn-help")).to_have_count(1)
    page.keyboard.press("?")
    expect(page.locator(".amn-help")).to_have_count(0)


def test_run_is_switched_off_in_its_row_and_the_table_is_sorted_by_its_heads(open_page, group):
    page = open_bar(open_page, "curves", group, t="0.300")
    page.locator(".runs .toggle", has_text="AMN without LCM").click()
    page.wait_for_url("**runs=**")
    expect(page.locator(".runs [aria-checked=true]")).to_have_count(2)
    page.locator(".runs thead button", has_text="CV").click()
    expect(page.locator(".runs th[aria-sort=descending]")).to_contain_text("CV")
    first = [float(text) for text in page.locator(".runs tbody tr td:nth-child(12)").all_inner_texts()]
    assert first == sorted(first, reverse=True)  # rows and heads are written together


def test_click_on_a_curve_moves_the_bar(open_page, group):
    page = open_bar(open_page, "curves", group, t="0.300")
    plot = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    place = (plot["x"] + plot["width"] * 0.6, plot["y"] + plot["height"] * 0.5)
    page.mouse.move(*place)
    page.mouse.click(*place)
    page.wait_for_url("**t=0.6*")
    page.wait_for_function("document.querySelector('[data-testid=stApp]') && amnBench.index >= 118")
