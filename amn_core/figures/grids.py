"""Qualitative grids: photograph, ground truth, and for each run its maps, masks, contours and errors."""

from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from amn_core.constants import IGNORE_INDEX, VOC_PALETTE
from amn_core.data import Dataset, load_dataset
from amn_core.figures.captions import Caption
from amn_core.figures.config import LAYERS
from amn_core.figures.curves import PERCENT
from amn_core.figures.material import Material, Source, parse_numbers, write_caption
from amn_core.figures.picking import Picked, pick_images
from amn_core.figures.styles import Look, Page, build_figure, fit_columns
from amn_core.formats.runs import resolve_spec
from amn_core.sweep.curves import find_threshold

MAP_COLOURS = "viridis"      # rises in lightness, so that it survives grey print
MAP_OPACITY = 0.7
GROUND, UNSURE = (242, 243, 244), (176, 180, 184)  # light: VOC's dark reds would vanish on black
SCORED = {"mask", "contour", "errors"}
GAP = 1.5            # between cells, in points
WIDEST_HEAD = 5.4   # of a column, in letters of its type
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
    columns = [Column(layer, None, 0.0, {"photo": "image", "truth": "ground\ntruth"}[layer])
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
        yield Column(layer, number, value, f"{layer}\nat {value:.3f}")


def draw_grid(material: Material) -> tuple[Figure, Caption]:
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
            write_score(axes, example, column, material, measure_type(page, columns))
        name_row(row[0], example, page, measure_cell(page, columns))
    head_columns(panels[0], columns, material)
    add_key(figure, panels, columns, examples, material)
    return figure, caption_grid(material, columns, picked)


def measure_cell(page: Page, columns: list[Column]) -> float:
    """Measure the width of a cell in inches."""
    return (page.width - page.small / 72 * 1.3) / len(columns) - 0.03


def measure_type(page: Page, columns: list[Column]) -> float:
    """Measure the type of heads and scores in points: that of the page, or smaller where cells are narrow."""
    return min(page.small, measure_cell(page, columns) * 72 / WIDEST_HEAD)


def measure_height(page: Page, columns: list[Column], examples: list[Example], material: Material) -> float:
    """Measure the height that cells of the page's width need, with room for heads, scores, bar and key."""
    cell, size = measure_cell(page, columns), measure_type(page, columns) / 72
    pictures = sum(cell * example.photo.shape[0] / example.photo.shape[1] + 0.03 for example in examples)
    scores = 1.25 * size * len(examples) * has_scores(columns, examples)
    bar = page.small / 72 * 3.2 * any(column.layer == "map" for column in columns)
    key = list_key(columns, examples, material)
    rows = -(-len(key) // fit_columns(page.width, key)) if key else 0
    return pictures + scores + 4.3 * size + bar + rows * page.small / 72 * 1.6 + 0.05


def has_scores(columns: list[Column], examples: list[Example]) -> bool:
    """Whether a score stands under some picture."""
    return any(column.layer in SCORED for column in columns) and any(one.gt is not None for one in examples)


def write_score(axes: Axes, example: Example, column: Column, material: Material, size: float) -> None:
    """Write the mIoU of a mask under it, over the classes of the image; none without ground truth."""
    if column.layer in SCORED and example.gt is not None:
        number, place = column.source, material.image_ids.index(example.image_id)
        index = find_threshold(material.sources[number].counts.thresholds, column.threshold)
        axes.set_xlabel(f"{material.image_scores[number].miou[place, index] * PERCENT:.1f}", fontsize=size, labelpad=1)


def name_row(axes: Axes, example: Example, page: Page, cell: float) -> None:
    """Write the id of an image beside its row, in type that is no longer than the row is high."""
    text = example.image_id if len(example.image_id) <= 16 else f"{example.image_id[:7]}…{example.image_id[-7:]}"
    height = cell * example.photo.shape[0] / example.photo.shape[1] * 72
    axes.set_ylabel(text, fontsize=min(page.small * 0.72, height / (0.55 * len(text))), labelpad=1.5)


def head_columns(row: np.ndarray, columns: list[Column], material: Material) -> None:
    """Write the heads: the layer of each column, and each run over the middle of its columns, on a line."""
    size, cell = measure_type(material.page, columns), measure_cell(material.page, columns) * 72
    for axes, column in zip(row, columns, strict=True):
        lines = column.title.split("\n")
        axes.set_title("\n".join(["", "", *[""] * (2 - len(lines)), *lines]), fontsize=size, pad=2, linespacing=1.05)
    for number, source in enumerate(material.sources):
        own = [i for i, column in enumerate(columns) if column.source == number]
        if own:
            name_columns(row[own[0]], len(own), source.look, size, cell)


def name_columns(axes: Axes, n: int, look: Look, size: float, cell: float) -> None:
    """Write the name of a run over its n columns, from the first of them on; it moves no column."""
    span, height = n * (1 + GAP / cell) - GAP / cell, size * 2.45
    name = axes.annotate(look.label, (span / 2, 1), (0, height + size * 0.3), xycoords="axes fraction", ha="center",
                         textcoords="offset points", fontsize=min(size, n * cell / (0.52 * len(look.label))),
                         color=look.colour, fontweight="bold", annotation_clip=False)
    line = Line2D([0, span], [1, 1], color=look.colour, linewidth=0.6, clip_on=False,
                  transform=axes.transAxes + ScaledTranslation(0, height / 72, axes.figure.dpi_scale_trans))
    axes.add_artist(line)
    for artist in (name, line):
        artist.set_in_layout(False)


def list_key(columns: list[Column], examples: list[Example], material: Material) -> list[Patch]:
    """List the entries of the key: the classes in sight, unscored pixels, and the colours of errors."""
    layers = {column.layer for column in columns}
    shown = set()
    if "truth" in layers:
        shown |= {int(label) for one in examples if one.gt is not None for label in np.unique(one.gt)}
    for column in columns:
        if column.layer == "mask":
            shown |= {int(label) for one in examples for label in np.unique(label_cell(one, column))}
    names = material.sources[0].counts.class_names
    key = [Patch(facecolor=VOC_PALETTE[label] / 255, label=names[label]) for label in sorted(shown - {0, IGNORE_INDEX})]
    key += [Patch(facecolor=np.array(UNSURE) / 255, label="not scored")] * (IGNORE_INDEX in shown)
    return key + [Patch(facecolor=colour, label=label) for colour, label in ERRORS.values()] * ("errors" in layers)


def add_key(figure: Figure, panels: np.ndarray, columns: list[Column], examples: list[Example], material: Material
            ) -> None:
    """Put below the pictures what their colours mean: a bar for the maps, and the key."""
    page = material.page
    if any(column.layer == "map" for column in columns):
        bar = figure.colorbar(ScalarMappable(Normalize(0, 1), blend_colours()), ax=panels, location="bottom",
                              shrink=0.4, aspect=28, pad=0.012, ticks=[0, 0.5, 1])
        bar.set_label("activation", fontsize=page.small, labelpad=1)
        bar.ax.tick_params(labelsize=page.small * 0.9, length=2, pad=1)
        bar.outline.set_visible(False)
    if key := list_key(columns, examples, material):
        figure.legend(handles=key, loc="outside lower center", ncols=fit_columns(page.width, key))


def blend_colours() -> ListedColormap:
    """Blend the colours of the maps with middle grey, as the maps lie over a photograph in grey."""
    colours = matplotlib.colormaps[MAP_COLOURS](np.arange(256))[:, :3]
    return ListedColormap(MAP_OPACITY * colours + (1 - MAP_OPACITY) * 0.5)


def draw_cell(axes: Axes, example: Example, column: Column, page: Page) -> None:
    """Draw one picture of the grid."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.imshow(paint(example, column), interpolation="auto")
    if column.layer == "contour":
        draw_contours(axes, example, column, page)


def label_cell(example: Example, column: Column) -> np.ndarray:
    """Label the pixels of an image by the maps of a column at its threshold: (H, W) uint8."""
    cam, class_ids = example.maps[column.source]
    return find_labels(cam, class_ids, column.threshold) if len(cam) else np.zeros(example.photo.shape[:2], np.uint8)


def paint(example: Example, column: Column) -> np.ndarray:
    """Paint what is shown in a cell: (H, W, 3) uint8."""
    if column.layer in ("photo", "contour"):
        return example.photo
    if column.layer == "truth":
        return paint_labels(example.gt, example.photo.shape)
    if column.layer == "map":
        return paint_map(example.photo, example.maps[column.source][0])
    labels = label_cell(example, column)
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


def caption_grid(material: Material, columns: list[Column], picked: Picked) -> Caption:
    """Write the caption of a grid: what is shown, and by which rule the images were picked."""
    layers = {column.layer for column in columns}
    parts = [f"{len(picked.ids)} image{'s' * (len(picked.ids) > 1)} {picked.words}: {', '.join(picked.ids)}."]
    parts += ["Below masks: mIoU of the image (%)."] * bool(layers & SCORED)
    parts += ["Contours: white the mask, yellow dashes the ground truth."] * ("contour" in layers)
    notes = ["Maps: the strongest activation over the photograph in grey."] * ("map" in layers)
    if layers & SCORED:
        notes.append("A pixel is object if its strongest map is strictly above the threshold. mIoU of an image: over "
                     "the classes in its ground truth or mask.")
        notes.append(material.choice_note * (not material.config.masks_at))
    return write_caption(material, " ".join(parts), *notes)
