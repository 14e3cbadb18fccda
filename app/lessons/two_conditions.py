"""Lesson: imbalance and gap as a model of many images that share one threshold."""

from app.components.lesson import Figure, Guess, Slider
from app.lessons import page
from app.lessons.model import LEVEL, NOISE, SHARE, SHIFTS, THRESHOLDS, model_crowd

NAME = "two_conditions"
CONTROLS = (
    Slider("imbalance", "Imbalance: spread within an object", 0.05, 0.35, 0.01, ends=("even", "uneven")),
    Slider("gap", "Gap: object to background", 0.3, 0.8, 0.01, ends=("close", "far apart")),
    Slider("between", "Spread between images", 0.0, 0.2, 0.01, ends=("all alike", "bright and faint")),
)
START = {"imbalance": 0.2, "gap": 0.45, "between": 0.1}


def build_figure() -> Figure:
    """Build the figure: the model's constants; the browser computes the rest."""
    return Figure("conditions", {
        "shifts": list(SHIFTS), "thresholds": THRESHOLDS.tolist(), "share": SHARE, "noise": NOISE, "level": LEVEL})


def build_guess() -> Guess:
    """Build the guess: the peak with half the imbalance."""
    before, after = model_crowd(**START), model_crowd(**{**START, "imbalance": START["imbalance"] / 2})
    return Guess(
        f"The peak is {before.peak:.0f} at the start. Halve the imbalance, from 0.20 to 0.10: where is it then?",
        50, 100, 1, round(after.peak, 1), f"Halving the imbalance lifts the peak by {after.peak - before.peak:.0f} "
        "points, and more thresholds are good. Move the slider and see.", " %", locks=True)


def render() -> None:
    """Render the lesson."""
    page.render_head(
        NAME,
        "One threshold cuts the maps of **all** images. It can serve them all only if activation is **even** on each "
        "object (little imbalance) and lies **far above** that of the background (a large gap).",
        "Drag *Imbalance* to the right and watch the green band, the thresholds that give at least "
        f"{LEVEL:.0f} %, shrink. Then mend it with *Gap*.")
    is_open = page.render_figure(build_figure(), CONTROLS, build_guess())
    page.render_text(
        "Each row at the left is an image: the grey bar holds four fifths of its background pixels, the blue bar those "
        "of its object, the black mark is the threshold that is best for this image. At the right, thin lines are the "
        "IoU of single images, the thick one is their mean. **IoU**, intersection over union, divides the pixels "
        "that mask and object have in common by the pixels of either: 100 % if they are equal.",
        r"If a share π of the pixels is object, *F* and *B* are the shares of object and background pixels below a "
        r"threshold *t*:"
        "\n\n"
        r"$$\mathrm{IoU}(t) = \frac{\pi\,(1-F(t))}{\pi + (1-\pi)\,(1-B(t))}$$"
        "\n\nAn uneven object loses pixels early: the numerator falls. A small gap lets background in: the "
        "denominator grows. The model and its normal distributions are ours.")
    page.render_answer(is_open, write_answer())
    page.render_way_on(NAME)


def write_answer() -> str:
    """Write what each condition does, in the model's numbers."""
    start = model_crowd(**START)
    rows = {
        "half the imbalance": model_crowd(**{**START, "imbalance": 0.1}),
        "a gap of 0.70": model_crowd(**{**START, "gap": 0.7}),
        "twice the spread between images": model_crowd(**{**START, "between": 0.2}),
    }
    told = "; ".join(f"with {what} **{crowd.peak:.0f}** (good thresholds: {crowd.reach:.0%})"
                     for what, crowd in rows.items())
    return (f"At the start the peak is **{start.peak:.0f}** (good thresholds: {start.reach:.0%}); {told}. The "
            f"paper's two "
            "conditions lift the peak and leave more thresholds that are good. What the images differ by among "
            "themselves is the price of one threshold for all: the distance from the dashed line to the peak.")


if __name__ == "__main__":
    render()
