"""Lesson: the per-pixel classification loss and its two levels."""

import numpy as np

from app.components.lesson import Figure, Guess, Slider
from app.lessons import data, page

NAME = "per_pixel_loss"
EPSILON = 0.4  # of the paper
DOTS = 14  # of the small part, and as many of the rest of the object and of background
CONTROLS = (
    Slider("epsilon", "Label smoothing ε (the paper: 0.4)", 0.05, 0.8, 0.05, ends=("none", "much")),
    Slider("steps", "Steps of training", 0, 60, 1, ends=("none", "many")),
)


def roll_pixels(probability: np.ndarray, target: float, steps: int) -> np.ndarray:
    """Let pixels learn: each step moves the score of a pixel's class towards the target by 0.4 of what is missing.

    Args:
        probability: of each pixel's own class, in (0, 1). target: that the loss is least at.
    """
    z = np.log(probability / (1 - probability))
    for _ in range(steps):
        z = z + 0.4 * (target - 1 / (1 + np.exp(-z)))
    return 1 / (1 + np.exp(-z))


def measure_imbalance(values: np.ndarray) -> float:
    """Measure the coefficient of variation: spread divided by mean."""
    return float(np.std(values) / np.mean(values))


def choose_pixels(material: data.Material) -> dict[str, list]:
    """Choose pixels of the CAM by a rule: even quantiles of all pixels on small parts, rest of objects, background."""
    samples = data.ask_samples(material.runs["cam"])
    gt, parts, top = (np.concatenate([getattr(s, name).ravel() for s in samples]) for name in ("gt", "parts", "top"))
    quantiles = (np.arange(DOTS) + 0.5) / DOTS
    places = ((gt > 0) & (parts > 0), (gt > 0) & (parts == 0), gt == 0)
    part, body, background = (
        np.quantile(top[place] / 255, quantiles).clip(0.02, 0.98).round(4) if place.any() else np.zeros(0)
        for place in places)
    return {"object": [*part, *body], "isPart": [True] * len(part) + [False] * len(body), "background": [*background]}


def build_figure(material: data.Material) -> Figure:
    """Build the figure: pixels of real maps that the loss will move."""
    classes = len(next(iter(material.runs.values())).class_names)
    return Figure("loss", {"pixels": choose_pixels(material), "classes": classes})


def build_guess() -> Guess:
    """Build the guess: where the hottest pixels go."""
    return Guess(
        "A pixel of the small part has probability 0.95 and is right. ε is 0.4. Where will the loss have it after many "
        "steps?", 0.0, 1.0, 0.01, 1 - EPSILON,
        "It is pushed down to 1 − ε: the lowest point of the loss lies inside the scale. Move the steps to the right.",
        locks=True)


def render() -> None:
    """Render the lesson."""
    page.render_head(
        NAME,
        "AMN's loss asks of every sure object pixel the **same** probability, 1 − ε. Weak pixels are pulled up to it, "
        "hot ones pushed **down** to it: the object becomes even, and background is sent to another, low level.",
        "Drag *Steps of training* to the right: orange and blue dots meet at one level.")
    material = data.find_material("scenes", has_images=True)
    if material is None or "cam" not in material.runs or not material.runs["cam"].has_maps:
        data.render_missing()
        return
    figure = data.remember(NAME, material, lambda: build_figure(material))
    is_open = page.render_figure(figure, CONTROLS, build_guess())
    page.render_text(
        "The network learns from **seeds**: pixels of which the CAM is sure, as object or as background. Its loss, the "
        "**per-pixel classification loss** (PCL), is least where the network gives a pixel's class the probability "
        "that it should have. With **label smoothing** that target is not 1 but 1 − ε, and the other classes share ε. "
        "The curve at the left is that loss.",
        "The dots are pixels of real CAMs, at even steps from the faintest to the hottest. Each step moves them down "
        "their curve, as training would if every pixel were free; a network moves them together, and only so far. What "
        "was measured stands below. **Imbalance** is the spread of an object's activation divided by its mean.")
    page.render_answer(is_open, write_answer(material))
    page.render_way_on(NAME)


def write_answer(material: data.Material) -> str:
    """Write what became of imbalance and gap in the real runs."""
    from app.cache import runs as cached

    told = []
    for method, run in material.runs.items():
        summary = cached.load_summary(run, "union")
        told.append(f"**{material.styles[method].label}** imbalance {summary.imbalance:.2f}, gap "
                    f"{summary.gap:.2f}, AUC "
                    f"{summary.auc:.3f}")
    return (f"Measured on {material.title}: {'; '.join(told)}. (Gap: mean on the object minus mean on background. AUC: "
            "the chance that an object pixel is hotter than a background pixel; 1 is perfect.) Why not ε = 0? The "
            "seeds are partly wrong: with ε = 0 the loss never stops rewarding certainty, and the network learns the "
            "errors of its seeds by heart.")


if __name__ == "__main__":
    render()
