"""A comparison in one HTML file: figures, tables, protocol and record; it needs no network and no script."""

import base64
import html
import json
from typing import Any

import matplotlib

from amn_core.figures.captions import Caption
from amn_core.figures.config import FIGURES, LAYERS, load_draw
from amn_core.figures.material import Material, describe_images, describe_protocol
from amn_core.figures.picking import Picked, pick_images
from amn_core.figures.record import build_record, describe_material, embed_record
from amn_core.figures.styles import render_figure, use_page
from amn_core.figures.tables import Table, write_html
from amn_core.formats.runs import resolve_spec

PARTS = ("table", "miou", "best-thresholds", "histograms", "gap-imbalance", "classes", "class-differences",
         "table-classes", "budget", "grid")
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #202124; background: #fff; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
img { width: min(100%, 44rem); } figure { margin: 0; } figcaption, small, dt { color: #5f6368; }
figcaption { font-size: .85rem; max-width: 48rem; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #dadce0; }
tr > th:first-child { text-align: left; } tbody th { font-weight: normal; } small { display: block; }
pre { overflow-x: auto; font-size: .78rem; }
"""
# Nothing is fetched and nothing runs: pictures and style are in the page itself.
POLICY = ('<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
          'style-src \'unsafe-inline\'; base-uri \'none\'; form-action \'none\'">')


def build_report(material: Material) -> tuple[bytes, dict[str, Any], str, str]:
    """Build the report of a comparison: its bytes, record, caption and note.

    A part that cannot be made from these runs (no maps, one run alone) is named with the reason why.
    """
    with use_page(material.page), matplotlib.rc_context({"svg.fonttype": "path"}):
        sections, picked = [], None
        for name in PARTS:
            section, found = build_section(material, name)
            sections.append(section)
            picked = picked or found
    caption = Caption(", ".join(s.look.label for s in material.sources), describe_images(material))
    record = build_record(material.config, caption, describe_material(material, picked))
    return write_page(material, sections, record).encode(), record, caption.text, caption.note


def build_section(material: Material, name: str) -> tuple[str, Picked | None]:
    """Build one section of the report, and the images that were picked for it, if any."""
    title, picked = FIGURES[name].title, None
    try:
        if name == "grid":
            picked = pick_images(check_pictures(material))
        drawn = load_draw(name)(material)
    except ValueError as error:
        return f"<h2>{title}</h2><p>Left out: {html.escape(str(error))}</p>", None
    if isinstance(drawn, Table):
        body, caption = f'<div class="scroll">{write_html(drawn)}</div>', drawn.caption
    else:
        figure, caption = drawn
        svg = base64.b64encode(render_figure(figure, ".svg", material.config.dpi, "", "")).decode()
        body = f'<img src="data:image/svg+xml;base64,{svg}" alt="{html.escape(title)}">'
    words = html.escape(" ".join((caption.text, caption.note)))
    return f"<h2>{title}</h2><figure>{body}<figcaption>{words}</figcaption></figure>", picked


def check_pictures(material: Material) -> Material:
    """Raise ValueError if a run has no maps, or the photographs are not on this machine."""
    for source in material.sources:
        if not source.run.has_maps:
            raise ValueError(f"{source.look.label} has no maps, only counts")
    if not material.config.data:
        resolve_spec(material.sources[0].run)
    if not any(layer in LAYERS for layer in material.config.layers.split(",")):
        raise ValueError("no layer is asked for")
    return material


def write_page(material: Material, sections: list[str], record: dict[str, Any]) -> str:
    """Write the whole page; the record stands at its end, to be read and to make the page again."""
    title = " · ".join(source.look.label for source in material.sources)
    embedded = embed_record(record)
    shown = json.dumps(json.loads(embedded), indent=2, ensure_ascii=False)
    facts = "".join(f"<p>{html.escape(text)}</p>" for text in (describe_images(material), describe_protocol(material)))
    return "\n".join([
        "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">', POLICY,
        '<meta name="viewport" content="width=device-width">', f"<title>{html.escape(title)}</title>",
        f"<style>{STYLE}</style></head><body>", f"<h1>{html.escape(title)}</h1>", facts, *sections,
        "<h2>Record</h2>", f"<pre>{html.escape(shown)}</pre>",
        f'<script type="application/json">{html.escape(embedded, quote=False)}</script>', "</body></html>", ""])
