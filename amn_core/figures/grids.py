"""Qualitative grids: photograph, ground truth, and for each run its maps, masks, contours and errors."""

from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from amn_core.constants import IGNORE_INDEX, VOC_PALETTE
from amn_core.data import Dataset, load_dataset
from amn_core.figures.config import LAYERS
from amn_core.figures.material import Material, Source, describe_images, parse_numbers
from amn_core.figures.picking import Picked, pick_images
from amn_core.figures.styles import Page, build_figure
from amn_core.formats.runs import resolve_spec
from amn_core.sweep.curves import find_threshold

MAP_COLOURS = "viridis"      # rises in lightness, so that it survives grey print
MAP_OPACITY = 0.7
GROUND, UNSURE = (242, 243, 244), (176, 180, 184)  # light: VOC's dark reds would vanish on black
ERRORS = {"hit": ("#009E73", "right"), "extra": ("#D55E00", "background labelled object"),
          "missed": ("#F0E442", "object missed"), "wrong": ("#CC79A7", "wrong class")}


@dataclass(frozen=True)
class Example:
    """One image of a grid: photograph (H, W, 3) uint8, ground truth (H, W) uint8 or None, and maps by run."""

    image_id: str
    photo: np.ndarray
    gt: np.ndarray | None
    maps: tuple[tuple[np.ndarray, np.ndarray], ...]


@dataclass(frozen=True)
class Column:
    """One column of a grid: its layer, the number of its run (None for photograph and truth), a threshold, a title."""

    layer: str
    source: int | None
    threshold: float
    title: str


def open_photographs(material: Material) -> Dataset:
    """Open the data set with the photographs: the one that was named, else where the first run was made from.

    Raises:
        ValueError: it is not on this machine; says how to name it.
    """
    run = material.sources[0].run
    return load_dataset(material.config.data or resolve_spec(run), run.meta["split"])


def load_examples(material: Material, picked: Picked) -> list[Example]:
    """Load the photographs, ground truth and maps of the images that were picked."""
    dataset = open_photographs(material)
    missing = set(picked.ids) - set(dataset.ids)
    if missing:
        raise ValueError(f"{dataset.spec} has no image {min(missing)!r}: pass --data with the data set of the runs")
    return [load_example(material, dataset, image_id) for image_id in picked.ids]


def load_example(material: Material, dataset: Dataset, image_id: str) -> Example:
    """Load one image of a grid."""
    photo, gt = dataset.image(image_id), dataset.gt(image_id)
    maps = tuple(source.run.map(image_id, photo.shape[:2]) for source in material.sources)
    return Example(image_id, photo, gt, maps)


def find_labels(cam: np.ndarray, class_ids: np.ndarray, threshold: float) -> np.ndarray:
    """Find the labels (H, W) uint8 of maps at a threshold: strictly above wins, the first of equal classes wins."""
    if not len(cam):
        return np.zeros(cam.shape[1:], np.uint8)
    labels = np.asarray(class_ids, np.uint8)[cam.argmax(axis=0)]
    return np.where(cam.max(axis=0) > np.float32(threshold), labels, 0).astype(np.uint8)


def list_columns(material: Material) -> list[Column]:
    """List the columns: photograph and truth once, then the layers of each run, masks once a threshold.

    Raises:
        ValueError: an unknown layer, or a threshold outside the grid.
    """
    layers = [part.strip() for part in material.config.layers.split(",") if part.strip()]
    unknown = [layer for layer in layers if layer not in LAYERS]
    if unknown or not layers:
        raise ValueError(f"layers has {unknown[0] if unknown else 'nothing'}: choose from {', '.join(LAYERS)}")
    columns = [Column(layer, None, 0.0, {"photo": "image", "truth": "ground truth"}[layer])
               for layer in layers if layer in ("photo", "truth")]
    asked = parse_numbers(material.config.masks_at, "masks_at")
    for i, source in enumerate(material.sources):
        for layer in (layer for layer in layers if layer not in ("photo", "truth")):
            columns += list_layer(layer, i, source, asked)
    return columns


def list_layer(layer: str, number: int, source: Source, asked: list[float]) -> Iterator[Column]:
    """List the columns of one layer of one run."""
    if layer == "map":
        yield Column(layer, number, source.threshold, "map")
        return
    for threshold in asked or [source.threshold]:
        value = float(source.counts.thresholds[find_threshold(source.counts.thresholds, threshold)])
        name = {"mask": "mask", "contour": "contour", "errors": "errors"}[layer]
        yield Column(layer, number, value, f"{name}, {value:.3f}")


def draw_grid(material: Material) -> tuple[Figure, str]:
    """Draw a grid of images; returns its caption too, which names the rule that picked them."""
    page, columns = material.page, list_columns(material)
    picked = pick_images(material)
    examples = load_examples(material, picked)
    figure = build_figure(page, material.config.height or measure_height(page, columns, examples, material))
    figure.get_layout_engine().set(h_pad=0.012, w_pad=0.012, hspace=0, wspace=0)
    ratios = [example.photo.shape[0] / example.photo.shape[1] for example in examples]
    panels = figure.subplots(len(examples), len(columns), squeeze=False, height_ratios=ratios)
    for row, example in zip(panels, examples, strict=True):
        for axes, column in zip(row, columns, strict=True):
            draw_cell(axes, example, column, page)
        name_row(row[0], example, page, measure_cell(page, columns))
    head_columns(panels[0], columns, material)
    if any(column.layer == "errors" for column in columns):
        figure.legend(handles=[Patch(color=colour, label=label) for colour, label in ERRORS.values()],
                      loc="outside lower center", ncols=2 if page.width < 4 else 4)
    return figure, caption_grid(material, columns, picked)


def measure_cell(page: Page, columns: list[Column]) -> float:
    """Measure the width of a cell in inches."""
    return (page.width - page.small / 72 * 1.3) / len(columns) - 0.03


def measure_height(page: Page, columns: list[Column], examples: list[Example], material: Material) -> float:
    """Measure the height that cells of the page's width need, with room for the heads and a legend."""
    cell = measure_cell(page, columns)
    pictures = sum(cell * example.photo.shape[0] / example.photo.shape[1] + 0.03 for example in examples)
    heads = page.small / 72 * 2.8
    legend = page.small / 72 * 1.9 * (2 if page.width < 4 else 1) * any(c.layer == "errors" for c in columns)
    return pictures + heads + legend + 0.02


def name_row(axes: Axes, example: Example, page: Page, cell: float) -> None:
    """Write the id of an image beside its row, in type that is no longer than the row is high."""
    text = example.image_id if len(example.image_id) <= 16 else f"{example.image_id[:7]}…{example.image_id[-7:]}"
    height = cell * example.photo.shape[0] / example.photo.shape[1] * 72
    axes.set_ylabel(text, fontsize=min(page.small * 0.72, height / (0.55 * len(text))), labelpad=1.5)


def head_columns(row: np.ndarray, columns: list[Column], material: Material) -> None:
    """Write the heads: the layer of each column, and the run above the first of its columns."""
    page, seen = material.page, set()
    size = min(page.small, page.small * 0.94 * material.page.width * 72 / len(columns) / (page.small * 6.2))
    for axes, column in zip(row, columns, strict=True):
        label = "" if column.source is None or column.source in seen else material.sources[column.source].look.label
        colour = "black" if column.source is None else material.sources[column.source].look.colour
        axes.set_title(column.title, fontsize=size, pad=2)
        if label:
            seen.add(column.source)
            axes.annotate(label, (0, 1), (0, size * 1.45), xycoords="axes fraction", textcoords="offset points",
                          fontsize=size, color=colour, fontweight="bold", annotation_clip=False)


def draw_cell(axes: Axes, example: Example, column: Column, page: Page) -> None:
    """Draw one picture of the grid."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.imshow(paint(example, column), interpolation="auto")
    if column.layer == "contour":
        draw_contours(axes, example, column, page)


def paint(example: Example, column: Column) -> np.ndarray:
    """Paint what is shown in a cell: (H, W, 3) uint8."""
    if column.layer in ("photo", "contour"):
        return example.photo
    if column.layer == "truth":
        return paint_labels(example.gt, example.photo.shape)
    cam, class_ids = example.maps[column.source]
    if column.layer == "map":
        return paint_map(example.photo, cam)
    labels = find_labels(cam, class_ids, column.threshold) if len(cam) else np.zeros(example.photo.shape[:2], np.uint8)
    return paint_labels(labels, example.photo.shape) if column.layer == "mask" else paint_errors(example, labels)


def paint_labels(labels: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Paint labels (H, W) in the colours of VOC, background nearly white, 255 grey; white without ground truth."""
    if labels is None:
        return np.full(shape, 255, np.uint8)
    painted = VOC_PALETTE[labels]
    painted[labels == 0] = GROUND
    painted[labels == IGNORE_INDEX] = UNSURE
    return painted


def paint_map(photo: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """Paint the strongest activation over the photograph in grey."""
    strongest = cam.max(axis=0) if len(cam) else np.zeros(photo.shape[:2], np.float32)
    colours = matplotlib.colormaps[MAP_COLOURS](np.rint(strongest * 255).astype(np.uint8))[..., :3] * 255
    grey = photo.mean(axis=2, keepdims=True)
    return np.rint(MAP_OPACITY * colours + (1 - MAP_OPACITY) * grey).astype(np.uint8)


def paint_errors(example: Example, labels: np.ndarray) -> np.ndarray:
    """Paint where labels are right and wrong against the ground truth; 255 and right background show the photograph."""
    photo = np.repeat(example.photo.mean(axis=2, keepdims=True), 3, axis=2)
    painted = 0.55 * photo + 0.45 * 255
    if example.gt is None:
        return painted.astype(np.uint8)
    gt, is_scored = example.gt, example.gt != IGNORE_INDEX
    masks = {"hit": (labels == gt) & (gt > 0), "extra": (labels > 0) & (gt == 0), "missed": (labels == 0) & (gt > 0),
             "wrong": (labels > 0) & (gt > 0) & (labels != gt)}
    for name, mask in masks.items():
        colour = np.array([int(ERRORS[name][0][i:i + 2], 16) for i in (1, 3, 5)])
        painted[mask & is_scored] = 0.8 * colour + 0.2 * photo[mask & is_scored]
    return np.rint(painted).astype(np.uint8)


def draw_contours(axes: Axes, example: Example, column: Column, page: Page) -> None:
    """Draw the border of the mask at the threshold, white on black, and that of the ground truth, dashed."""
    cam, _ = example.maps[column.source]
    strongest = cam.max(axis=0) if len(cam) else np.zeros(example.photo.shape[:2], np.float32)
    lines = [(strongest, column.threshold, "solid", page.line)]
    if example.gt is not None:
        is_object = ((example.gt > 0) & (example.gt != IGNORE_INDEX)).astype(np.float32)
        lines.append((is_object, 0.5, (0, (2, 1.2)), page.line * 0.8))
    for field, level, dash, width in lines:
        if field.min() < level < field.max():
            axes.contour(field, levels=[level], colors="black", linewidths=width * 1.5, linestyles="solid")
            colour = "white" if dash == "solid" else "#F0E442"
            axes.contour(field, levels=[level], colors=colour, linewidths=width * 0.8, linestyles=[dash])


def caption_grid(material: Material, columns: list[Column], picked: Picked) -> str:
    """Write the caption of a grid: what is shown, and by which rule the images were picked."""
    layers = {column.layer for column in columns}
    parts = [f"{len(picked.ids)} images {picked.words}: {', '.join(picked.ids)}."]
    parts += ["Maps: the strongest activation, dark 0 to bright 1, over the photograph in grey."] * ("map" in layers)
    if layers & {"mask", "contour", "errors"}:
        own = "the heads name the thresholds" if material.config.masks_at else material.threshold_note
        parts.append(f"Masks: {own}; a pixel is object if its strongest map is strictly above. Grey: 255.")
    parts += ["Contours: white the mask, yellow dashes the ground truth."] * ("contour" in layers)
    return " ".join([*parts, describe_images(material)])
