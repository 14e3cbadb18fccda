"""Names are text: nothing in a name is Markdown, mathematics, an icon, a tag, or a formula of a spreadsheet."""

import csv
from pathlib import Path

import pytest

from amn_core.figures.report import POLICY
from amn_core.figures.styles import PAGES, build_settings
from amn_core.formats.cells import write_text_cell
from amn_core.formats.tables import save_csv
from app.words.text import clean, escape, escape_html

SIGNS = set("\\`*_{}[]()<>#|~$:!&@.\"'^+-=")
NAMES = ["![p](http://evil.example/x.png)", "[a](javascript:alert(1))", "$x^2$", "$$y$$", ":red[x]", ":material/home:",
         "<b>x</b>", "<img src=x onerror=alert(1)>", "`code`", "# head", "- item", "1. item", "> quote", "a|b", "~~x~~",
         "www.evil.example", "a@evil.example", "http://evil.example", "&amp;", "\\$x\\$", "**x**", "__x__", "***"]
FORMULAS = ["=cmd|'/c calc'!A1", "+1+2", "-rf", "@SUM(A1)", "\t=1", "\r=1", "  =1", "=HYPERLINK(\"http://evil\")"]


@pytest.mark.parametrize("name", NAMES)
def test_every_sign_of_a_name_is_escaped_and_nothing_else_is_changed(name: str) -> None:
    written, k = escape(name), 0
    for sign in name:
        assert written[k:k + 2] == f"\\{sign}" if sign in SIGNS else written[k] == sign
        k += 2 if sign in SIGNS else 1
    assert k == len(written)


@pytest.mark.parametrize("sign", ["\n", "\r", "\0", "\u202e", "\u2066", "\u200b", "\ufeff", "\x1b"])
def test_what_cannot_be_seen_is_shown(sign: str) -> None:
    assert clean(f"a{sign}b") == "a\ufffdb" and "\n" not in escape(f"a{sign}b")


def test_text_that_cannot_be_encoded_and_a_long_one_are_shown_in_part() -> None:
    assert clean("\ud800x") == "?x" and len(clean("x" * 10_000)) == 120


def test_tags_are_text_in_charts() -> None:
    assert escape_html("<a href='x'>&") == "&lt;a href='x'&gt;&amp;"


@pytest.mark.parametrize("name", FORMULAS)
def test_no_cell_begins_a_formula(name: str, tmp_path: Path) -> None:
    save_csv(tmp_path / "t.csv", [name, "x"], [[name, -0.5], ["dog", None]])
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    text = name.replace("\r", " ")
    assert rows == [[f"'{text}", "x"], [f"'{text}", "-0.5"], ["dog", ""]]
    assert write_text_cell(-1) == -1


def test_report_fetches_nothing() -> None:
    assert "default-src 'none'" in POLICY and "http" not in POLICY.replace("http-equiv", "")


def test_dollars_are_no_mathematics_in_figures() -> None:
    from matplotlib.figure import Figure

    from amn_core.figures.styles import use_page

    page = next(iter(PAGES.values()))
    assert build_settings(page)["text.parse_math"] is False
    with use_page(page):
        figure = Figure()
        figure.text(0.5, 0.5, r"$\frac{$ and $x_{$")
        figure.canvas.draw()


def test_claim_does_not_print_a_cost_below_nothing():
    from types import SimpleNamespace

    from app.words.claims import write_cost

    good, weak = (SimpleNamespace(oracle_miou=o, peak_miou=p, plateau=0.1, images=40)
                  for o, p in ((0.60, 0.50), (0.060, 0.085)))
    assert write_cost({"good": good}) == "One threshold for all 40 images costs good 10.0 points."
    text = write_cost({"good": good, "weak": weak})
    assert text.startswith("One threshold for all 40 images costs good 10.0 points. ") and "give weak less" in text
    assert "-" not in write_cost({"weak": weak})


def test_tables_offer_no_csv_of_streamlits_own(open_page):
    """It would hand on a run called ``=1+1`` as a formula; what the app writes itself does not."""
    page = open_page("data-and-runs")
    table = page.locator("[data-testid=stDataFrame]").first
    table.hover()
    page.get_by_label("Search: All runs that were found").wait_for()
    page.locator("[aria-label^='Download as CSV']").first.wait_for(state="hidden")
