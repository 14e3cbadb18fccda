"""What all charts have in common: styles of runs, traces, layout, panels; no Streamlit.

Figures are put together as plain properties and handed to Plotly once, which checks them many times faster than
one by one: a chart is drawn anew at each step of the threshold.
"""

from collections.abc import Sequence

import plotly.graph_objects as go

from app.charts.styles import RunStyle

NEUTRAL = "#808495"
PERCENT = 100.0
PANEL_TOP, PANEL_BOTTOM = 66, 58
Traces = list[dict]


def fade(colour: str, opacity: float) -> str:
    """Give a colour ``#RRGGBB`` an opacity: ``rgba(r,g,b,opacity)``."""
    red, green, blue = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def add_scatter(traces: Traces, **properties) -> None:
    """Add a trace of lines or marks."""
    traces.append({"type": "scatter", **properties})


def build_mark(style: RunStyle, size: int, opacity: float = 1.0, edge: float = 1) -> dict:
    """Build a run's symbol, with a white edge that parts it from what lies below."""
    return {"symbol": style.symbol, "size": size, "color": style.colour, "opacity": opacity,
            "line": {"color": "white", "width": edge}}


def name_axes(panel: int) -> dict[str, str]:
    """Name the axes of a panel, counted from 0 along the rows."""
    number = "" if panel == 0 else str(panel + 1)
    return {"xaxis": f"x{number}", "yaxis": f"y{number}"}


def build_figure(traces: Traces, x_title: str, y_title: str, height: int, x_axis: dict | None = None,
                 y_axis: dict | None = None, **layout) -> go.Figure:
    """Build a figure of one panel; `x_axis`, `y_axis` and `layout` are Plotly's own properties."""
    axes = {
        "xaxis": {"title": {"text": x_title}, "zeroline": False, **(x_axis or {})},
        "yaxis": {"title": {"text": y_title}, "zeroline": False, **(y_axis or {})},
    }
    return go.Figure(traces, {**build_frame(height), **axes, **layout})


def build_panels(traces: Traces, titles: Sequence[str], columns: int, x_title: str, y_title: str, row_height: int,
                 x_axis: dict | None = None, y_axis: dict | None = None, **layout) -> go.Figure:
    """Build a figure of panels with common axes, filled row by row; traces name theirs (`name_axes`)."""
    columns = max(1, min(columns, len(titles)))
    rows = max(1, -(-len(titles) // columns))
    height = rows * row_height + PANEL_TOP + PANEL_BOTTOM
    gap_x, gap_y = 0.03, 34 / (rows * row_height)
    wide, tall = (1 - gap_x * (columns - 1)) / columns, (1 - gap_y * (rows - 1)) / rows
    axes, notes = {}, []
    for i, title in enumerate(titles):
        row, column = divmod(i, columns)
        left, top = column * (wide + gap_x), 1 - row * (tall + gap_y)
        is_lowest, names = i + columns >= len(titles), name_axes(i)
        axes[names["xaxis"].replace("x", "xaxis")] = {
            "domain": [left, left + wide], "anchor": names["yaxis"], "matches": "x" if i else None, "zeroline": False,
            "showticklabels": is_lowest, **(x_axis or {}),
        }
        axes[names["yaxis"].replace("y", "yaxis")] = {
            "domain": [max(0, top - tall), top], "anchor": names["xaxis"], "matches": "y" if i else None,
            "zeroline": False, "showticklabels": column == 0, **(y_axis or {}),
        }
        notes.append(build_note(title, left + wide / 2, top, xanchor="center", yanchor="bottom"))
    notes.append(build_note(x_title, 0.5, 0, yanchor="top", yshift=-24))
    notes.append(build_note(y_title, 0, 0.5, xanchor="right", xshift=-38, textangle=-90))
    frame = {**build_frame(height), "margin": {"l": 62, "r": 16, "t": PANEL_TOP, "b": PANEL_BOTTOM}}
    return go.Figure(traces, {**frame, **axes, "annotations": notes, **layout})


def build_note(text: str, x: float, y: float, **properties) -> dict:
    """Build a text at a place of the figure, both coordinates from 0 to 1."""
    return {"text": text, "x": x, "y": y, "xref": "paper", "yref": "paper", "showarrow": False, "font": {"size": 13},
            **properties}


def build_frame(height: int) -> dict:
    """Build what all figures share: small margins, and a legend above the plot."""
    return {
        "height": height, "margin": {"l": 72, "r": 16, "t": 36, "b": 44}, "dragmode": "zoom",
        "legend": {"orientation": "h", "x": 0, "y": 1, "yref": "container", "xanchor": "left", "yanchor": "top",
                   "title": {"text": ""}, "font": {"size": 13}},
    }


def mark_live(figure: go.Figure, axis: str, splits: dict | None = None) -> go.Figure:
    """Mark a figure as one over which the browser draws the current threshold (`app.components.live`).

    Args:
        axis: ``threshold`` where x is one, for a line and rings; ``share`` for rings alone.
        splits: for each x axis the kinds of pixels as {"name", "above": share above each of the 201 thresholds}.
    """
    return figure.update_layout(meta={"axis": axis, "splits": splits or {}})


def build_rules(threshold: float | None, level: float | None = None, panels: int = 1) -> list[dict]:
    """Build the current threshold as a dashed vertical line, and a level as a thin horizontal one, in every panel."""
    rules = []
    for names in map(name_axes, range(panels)):
        x, y = names["xaxis"], names["yaxis"]
        if level is not None:
            rules.append({"x0": 0, "x1": 1, "xref": f"{x} domain", "y0": level, "y1": level, "yref": y,
                          "line": {"color": NEUTRAL, "width": 1}})
        if threshold is not None:
            rules.append({"x0": threshold, "x1": threshold, "xref": x, "y0": 0, "y1": 1, "yref": f"{y} domain",
                          "line": {"color": NEUTRAL, "width": 1.5, "dash": "dash"}})
    return [{"type": "line", **rule} for rule in rules]
