"""Activation: why one threshold costs what it costs. Histograms, gap and imbalance."""

from dataclasses import replace

import numpy as np
import streamlit as st

from app import controls, state
from app.cache import runs as cached
from app.charts import runs as charts
from app.charts.plotting import mark_live, name_axes
from app.components.claim import render_claim
from app.components.live import render_threshold
from app.components.run_table import render_run_table
from app.words import claims, tables
from app.words.definitions import DEFINITIONS

MEASURES = ("gap", "auc", "auc_other", "imbalance", "gini")
POOLED = {name: f"{DEFINITIONS[name].text} Here: pixels of all images of the class together." for name in MEASURES}
POINTS = {"image": "an image", "class": "a class"}


def render() -> None:
    """Render the screen."""
    choice = controls.render_choice(("normalisation", *MEASURES))
    if choice is None:
        return
    choice = controls.leave_out_refined(choice)
    if choice is None:
        return
    render_claim(claims.write_evenness({choice.styles[key].label: choice.summary(key) for key in choice.runs}))
    controls.render_notes(choice)
    maps = replace(choice, runs={key: run for key, run in choice.runs.items() if not run.is_masks})
    names = find_names(choice)
    if maps.runs:
        render_histograms(maps, names)
    render_threshold(choice)
    render_run_table(choice, controls.find_groups()[choice.group])
    left, right = st.columns([6, 5], gap="medium")
    with left:
        render_clouds(choice)
    with right:
        render_classes(choice, names)


def find_names(choice: controls.Choice) -> list[str]:
    """Find the object classes that count and occur in some run."""
    present: dict[str, None] = {}
    for run in choice.runs.values():
        counts = cached.select_counts(run, choice.images)
        present |= {run.class_names[c]: None for c in np.unique(counts.separation_class)}
    return [name for name in present if name in (choice.classes or present)]


def render_histograms(choice: controls.Choice, names: list[str]) -> None:
    """Render how activation is spread on the object, on background and on other classes."""
    options = ["all", *names]
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        shown = st.selectbox("Class", options, width=220, label_visibility="collapsed", **state.bind("shown", options),
                             format_func=lambda name: "All classes together" if name == "all" else name)
        is_mirrored = st.toggle("Background below the axis", **state.bind("mirror"))
    panels = [build_panel(choice, key, names if shown == "all" else [shown]) for key in choice.runs]
    thresholds = cached.load_counts(next(iter(choice.runs.values()))).thresholds
    figure = charts.draw_separation(panels, thresholds, is_mirrored=is_mirrored)
    splits = {name_axes(i)["xaxis"]: charts.describe_split(panel, thresholds) for i, panel in enumerate(panels)}
    st.plotly_chart(mark_live(figure, "threshold", splits), key="chart:separation",
                    alt=f"Activation on the object, on background and on other classes: {shown}")
    st.caption("Each outline has area 1. What lies to the right of the dashed line is called foreground: it should be "
               "all of the object and none of the rest. Where a few tall bars would flatten the others the axis is "
               "cut; the pointer tells their height.")


def build_panel(choice: controls.Choice, key: str, names: list[str]) -> charts.Separation:
    """Build the histograms of a run over some classes, with its normalisation beside its name."""
    run = choice.runs[key]
    _, bins = cached.load_class_separation(run, choice.images)
    rows = [run.class_names.index(name) for name in names if name in run.class_names]
    note = run.meta["protocol"].get("normalisation", "")
    return charts.Separation(choice.styles[key], *bins[rows].sum(axis=0), note=f" · {note}" if note else "")


def render_clouds(choice: controls.Choice) -> None:
    """Render gap against imbalance; a click opens an image, a lasso takes several to the curves."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Gap against imbalance**", width="stretch")
        points = st.segmented_control("One point is", list(POINTS), format_func=POINTS.get, required=True,
                                      label_visibility="collapsed", **state.bind("points", list(POINTS)))
    clouds = [build_cloud(choice, key, points) for key in choice.runs]
    pooled = "pooled " * (points == "class")
    key = f"chart:clouds:{points}"
    event = st.plotly_chart(
        charts.draw_clouds(clouds, f"{pooled}imbalance (CV, low is good)", f"{pooled}gap (high is good)"), key=key,
        on_select=lambda: take_point(key, points, choice), selection_mode=("points", "box", "lasso"),
        alt="Gap against imbalance, one point " + POINTS[points],
    )
    marked = sorted({str(np.ravel(point["customdata"])[0]) for point in event.selection.points})
    if points == "image" and len(marked) > 1:
        st.button(f"Curves of these {len(marked)} images", icon=":material/show_chart:", on_click=controls.take_subset,
                  args=(tuple(marked),))
    st.caption(
        "A click opens the image in Explore; the lasso above the chart marks several. Large marks: medians. The gap "
        "changes with the scale of the maps." if points == "image" else
        "A click shows the histograms of the class. Pooled: over the pixels of all images of the class together, not "
        "averaged over images. The gap changes with the scale of the maps."
    )


def build_cloud(choice: controls.Choice, key: str, points: str) -> charts.Cloud:
    """Build the points of a run, one an image or a class; those without both measures are left out."""
    run = choice.runs[key]
    if points == "image":
        source = cached.load_image_scores(run, choice.averaging, choice.classes)
        names = np.array(source.image_ids)
        is_kept = np.isin(names, choice.images or names)
    else:
        source, _ = cached.load_class_separation(run, choice.images)
        names = np.array(run.class_names)
        is_kept = np.isin(names, choice.classes or names)
    is_kept &= np.isfinite(source.gap) & np.isfinite(source.imbalance)
    return charts.Cloud(choice.styles[key], source.imbalance[is_kept], source.gap[is_kept], names[is_kept].tolist())


def take_point(key: str, points: str, choice: controls.Choice) -> None:
    """Open the image, or show the class, that was clicked."""
    selection = st.session_state[key].selection
    if len(selection.points) != 1 or selection.box or selection.lasso:
        return
    name = str(np.ravel(selection.points[0]["customdata"])[0])
    if points == "class":
        state.put("shown", name)
    else:
        controls.open_image(name, choice)


def render_classes(choice: controls.Choice, names: list[str]) -> None:
    """Render the separation of each class and run."""
    st.markdown("**By class**, pooled: pixels of all images together")
    separations, areas = {}, {}
    for key, run in choice.runs.items():
        separations[key] = cached.load_class_separation(run, choice.images)[0]
        areas[key] = tables.count_areas(cached.select_counts(run, choice.images))
    table = tables.build_class_table(separations, areas, {key: run.class_names for key, run in choice.runs.items()})
    table = table[table["class"].isin(names)]
    table["run"] = [choice.styles[key].label for key in table["run"]]
    st.dataframe(table, hide_index=True, height=430, placeholder="–", key="table:classes",
                 column_config=describe_columns())


def describe_columns() -> dict:
    """Describe the columns of the table by class."""
    numbers = {
        name: st.column_config.NumberColumn(f"{DEFINITIONS[name].name}, pooled", format="%.3f", help=POOLED[name])
        for name in MEASURES
    }
    return {"class": "Class", "run": "Run", "images": "Images", **numbers}


render()
