"""Lesson: the same maps under several protocols, and what to ask of a table."""

import numpy as np

from amn_core.formats.runs import Run
from app.cache import runs as cached
from app.components.lesson import Figure, Guess, Slider, Switch
from app.lessons import data, page

NAME = "reading_a_paper"
CHOICES = {"same": "on the scored images", "other": "on other images", "fixed": "fixed beforehand"}
RULES = {"union": "absent classes left out", "all": "absent classes count 0", "present": "only classes in the truth"}
SIZES = (10, 20, 50, 100, 200, 459)
FIXED = {"cam": 0.15}  # of the official code; the other methods have 0.25
METHODS = ("cam", "amn")


def order_images(ids: list[str]) -> list[str]:
    """Order images as if at random, the same every time, so that the first few are a fair sample."""
    return [ids[i] for i in np.random.default_rng(0).permutation(len(ids))]


def score_protocol(run: Run, choice: str, rule: str, size: int) -> float:
    """Score a run under a protocol, percent.

    Args:
        choice: where the threshold is chosen. rule: what an absent class counts. size: images that are scored; as many
            others are there to choose the threshold on.
    """
    ids = order_images(sorted(cached.load_counts(run).image_ids))
    size = min(size, len(ids) // 2)
    scored, other = tuple(sorted(ids[:size])), tuple(sorted(ids[size : 2 * size]))
    threshold = FIXED.get(run.method, 0.25)
    if choice != "fixed":
        threshold = cached.load_summary(run, rule, images=scored if choice == "same" else other).peak_threshold
    return cached.load_summary(run, rule, images=scored, threshold=threshold).chosen_miou * 100


def build_figure(material: data.Material) -> Figure:
    """Build the figure: every run's score on every size under every protocol."""
    methods = [method for method in METHODS if method in material.runs]
    images = len(cached.load_counts(material.runs[methods[0]]).image_ids)
    sizes = [size for size in SIZES if size <= images // 2] or [images // 2]
    scores = [[[score_protocol(material.runs[method], choice, rule, size) for choice in CHOICES for rule in RULES]
               for method in methods] for size in sizes]
    rows = [f"{choice} · {rule}" for choice in CHOICES.values() for rule in RULES.values()]
    runs = [{"label": material.styles[m].label, "colour": material.styles[m].colour} for m in methods]
    return Figure("protocols", {"rows": rows, "rules": list(RULES), "runs": runs, "sizes": sizes, "scores": scores})


def build_controls(figure: Figure) -> tuple[Slider | Switch, ...]:
    """Build the controls: the protocol that is marked, and how many images are scored."""
    sizes = figure.content["sizes"]
    return (Switch("choice", "The threshold is chosen", tuple(CHOICES.values())),
            Switch("rule", "A class that the images lack", ("is left out", "counts 0", "only if in the truth")),
            Slider("sample", "Images that are scored", 0, max(1, len(sizes) - 1), 1,
                   names=tuple(str(size) for size in sizes) if len(sizes) > 1 else (str(sizes[0]),) * 2))


def measure_range(figure: Figure, at: int, run: int) -> float:
    """Measure how far the scores of a run lie apart over the protocols, points."""
    scores = figure.content["scores"][at][run]
    return float(max(scores) - min(scores))


def build_guess(figure: Figure) -> Guess:
    """Build the guess: how far one CAM's numbers lie apart."""
    size = figure.content["sizes"][0]
    return Guess(
        f"The same CAM, the same {size} images. How many points lie between the lowest and the highest score that the "
        "nine protocols give it?", 0, 60, 1, round(measure_range(figure, 0, 0)),
        "No map was changed. Move the images to the right: what absent classes count stops mattering, who chose the "
        "threshold does not.", " points", locks=True)


def render() -> None:
    """Render the lesson."""
    page.render_head(
        NAME,
        "A table says *seed mIoU 62.1*. The **same maps** score very differently by who chose the threshold, what an "
        "absent class counts, and which images are scored: by the **protocol**. Compare numbers of one protocol only.",
        "Drag *Images* from few to many, and go through the choices: the marked row is yours.")
    material = data.find_material("voc")
    if material is None or "cam" not in material.runs:
        data.render_missing()
        return
    figure = data.remember(NAME, material, lambda: build_figure(material))
    is_open = page.render_figure(figure, build_controls(figure), build_guess(figure))
    page.render_text(
        "A **seed** is a mask cut from a map before any refinement; **mIoU** is the IoU (lesson 2) averaged over the "
        "classes. Ask a table: who chose the **threshold**, and on which true masks? A weakly supervised method has "
        "none. *Fixed beforehand* is 0.15 for CAM and 0.25 for AMN, as in the official code, for maps of another "
        "network.",
        "Ask also: what does a class count that no scored image has? What happens to pixels marked **255**, which "
        "means *not scored*? Is it the seed, the refined mask, or the output of a segmentation network that learnt "
        "from the masks? On which split of the images? And is there an interval? With few images, chance moves a "
        "score by several points.")
    page.render_answer(is_open, write_answer(figure, material))
    page.render_way_on(NAME)


def write_answer(figure: Figure, material: data.Material) -> str:
    """Write how far the scores lie apart on few images and on many."""
    sizes, last = figure.content["sizes"], len(figure.content["sizes"]) - 1
    told = [f"**{run['label']}** {measure_range(figure, 0, k):.1f} points apart on {sizes[0]} images, "
            f"{measure_range(figure, last, k):.1f} on {sizes[last]}" for k, run in enumerate(figure.content["runs"])]
    return (f"{'; '.join(told)} ({material.title} in all, half of them kept for choosing). Two papers that "
            f"print 48.3 and "
            "49.1 for the same CAM may have done nothing different but this.")


if __name__ == "__main__":
    render()
