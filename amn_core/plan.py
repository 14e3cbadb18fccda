"""The stages of a reproduction in order, as the command runs them and the screen Train shows them. Free of torch."""

from collections.abc import Sequence
from dataclasses import dataclass

# Every method that can be measured, in the order of the pipeline. The last three go on from AMN: its masks
# refined by a dense CRF, its maps by IRN's random walk, and a segmentation network trained on what IRN gives.
METHODS = ("cam", "amn-without-lcm", "amn", "crf", "irn", "segmentation")
TRAINED = ("cam", "amn-without-lcm", "amn", "irn", "segmentation")
NEEDS = {"crf": ("amn",), "irn": ("amn",)}


@dataclass(frozen=True)
class Step:
    """A stage: its name, its folder below that of the reproduction, and the file in it that says it is done."""

    name: str
    folder: str
    done: str


def complete_methods(asked: Sequence[str]) -> tuple[str, ...]:
    """Complete the methods to measure with those that they go on from, in the order of the pipeline."""
    wanted = {*asked, *(need for method in asked for need in NEEDS.get(method, ()))}
    return tuple(method for method in METHODS if method in wanted)


def find_trained(methods: Sequence[str]) -> tuple[str, ...]:
    """Find what has to be trained so that some methods can be measured, in order."""
    wanted = {"cam", *methods}
    if "segmentation" in wanted:
        wanted.add("irn")
    if "irn" in wanted:
        wanted.add("amn")
    return tuple(method for method in TRAINED if method in wanted)


def plan_steps(methods: Sequence[str]) -> list[Step]:
    """Plan the stages of a reproduction: every training behind what it learns from, then the measurements."""
    trained = find_trained(methods)
    before = {"irn": Step("seeds for IRN", "irn-seeds", "done"),
              "segmentation": Step("pseudo masks", "pseudo-masks", "done")}
    steps = []
    for method in trained:
        steps += [before[method]] if method in before else []
        steps.append(Step(f"train {method}", f"train/{method}", "model.pth"))
        steps += [Step("seeds", "seeds", "done")] if method == "cam" and len(trained) > 1 else []
    return steps + [Step(f"measure {method}", method, "counts.npz") for method in methods]
