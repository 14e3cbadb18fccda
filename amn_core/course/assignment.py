"""What an assignment asks: its steps with their minutes and commands, and the folder in which it is worked on."""

import shlex
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from amn_core.formats.files import read_json, write_bytes, write_json
from amn_core.formats.specs import hide_root, make_whole, split_spec

NAME, TEXT = "course.json", "ASSIGNMENT.md"
KINDS = {"pets": "Oxford-IIIT Pet", "scenes": "drawn scenes"}
PETS, SCENES, LEARNT = 200, 48, 640  # images that are measured, and scenes that are learnt from
BUNDLE = "checkpoints/voc-animals"
FORMAT = "amn-course"
PROGRAM = "python -m amn_core"


@dataclass(frozen=True)
class Step:
    """One step: its name, title, planned minutes, and what is asked, in Markdown."""

    id: str
    title: str
    minutes: int
    text: str


STEPS = (
    Step("data", "Check the data", 5,
         "Read every image, label and mask before anything is made of them. Look at the contact sheet, too: what is an "
         "object, what is background, and what does the border of a mask stand for?"),
    Step("guess", "Commit a guess", 3,
         "Before there is a curve: at which threshold will CAM's mIoU peak, and how many points does one threshold for "
         "all images lose against the best threshold of each? A guess is kept as you save it."),
    Step("maps", "Make the maps", 14,
         "Activation maps of CAM and AMN for every image, and the counts of their pixels. It takes some minutes; read "
         "on while it works."),
    Step("look", "Look where one threshold fails", 10,
         "On *Explore*, sort the images by regret and open those at which CAM loses most to its one threshold. Move "
         "the threshold. What do these images have in common? Open at least three of the five that lose most."),
    Step("curves", "Read the curves", 7,
         "On *Curves*, read peak and threshold of both methods, and how many points one threshold for all costs CAM "
         "(oracle − peak). Write down what you read; it is held against your runs."),
    Step("choose", "Choose a threshold without ground truth", 8,
         "Suppose that nobody had drawn a mask. On *Choose a threshold* or by *Label a few points*, find a threshold "
         "for AMN's maps and say in a few sentences how you found it. What it costs is computed in the report."),
    Step("refine", "Refine at your threshold", 6,
         "Cut AMN's maps at your threshold and refine the masks by PAMR, which moves borders to edges of the image. "
         "Does it help, and would it have helped at a worse threshold?"),
    Step("words", "Answer three questions", 5, "In your own words, three sentences each."),
    Step("report", "Write the report", 2,
         "One HTML file with figures, numbers, your answers and the record behind them. Hand it in."),
)
QUESTIONS = {
    "fails": "What do the images have in common at which one threshold for all costs most?",
    "changes": "What does AMN change in the maps, compared with CAM: the spread within the object, the distance to the "
               "background, or both? Name the numbers that say so.",
    "threshold": "Would you publish a peak mIoU as the number of a method? What should stand beside it?",
}


@dataclass(frozen=True)
class Assignment:
    """An assignment: the data it measures on, the data it learns from (nothing with ready models), and when it began.

    `data` may name a folder of this machine; `shown` is the same without it.
    """

    folder: Path
    kind: str
    data: str
    split: str
    learnt: str
    seed: int
    made: str

    @property
    def shown(self) -> str:
        """The data set as it may be shown anywhere, and as the runs name it."""
        return hide_root(self.data)

    @property
    def runs(self) -> Path:
        """Where the runs lie."""
        return self.folder / "runs"


def new_assignment(kind: str, out: str, data: str = "", seed: int = 7) -> Assignment:
    """Write an assignment into a new folder: ``course.json`` for the app, ``ASSIGNMENT.md`` for people.

    Args:
        kind: ``pets`` or ``scenes``. data: for pets, where they lie (``pets:ROOT``); by default below the folder.
        seed: which images are drawn; a class has one.

    Raises:
        ValueError: an unknown kind, data of another kind, or a folder that holds an assignment already.
    """
    folder = Path(out).expanduser().resolve()
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: choose one of {', '.join(KINDS)}")
    if (folder / NAME).is_file():
        raise ValueError(f"{folder} holds an assignment already: choose another --out")
    if kind == "scenes":
        spec, learnt = (f"scenes:size=256,n={n},seed={seed}" for n in (SCENES, LEARNT))
        split = "val"
    else:
        spec, split, learnt = find_pets(folder, data, seed), "trainval", ""
    made = datetime.now(UTC).isoformat(timespec="seconds")
    assignment = Assignment(folder, kind, spec, split, learnt, seed, made)
    write_json(folder / NAME, {"format": FORMAT, "version": 1, **asdict(assignment)} | {"folder": ""})
    write_bytes(folder / TEXT, write_text(assignment).encode())
    return assignment


def find_pets(folder: Path, data: str, seed: int) -> str:
    """Find the spec of the pets of an assignment: two species, some images of a split."""
    given = split_spec(data or f"pets:{folder / 'pets'}")
    if given is None or given.kind != "pets":
        raise ValueError(f"data is {data!r}: name the pets as pets:ROOT")
    return make_whole(f"pets:{given.root},classes=species,n={PETS},seed={seed}")


def load_assignment(folder: str | Path) -> Assignment:
    """Load the assignment of a folder.

    Raises:
        ValueError: no ``course.json`` there, or not one of ours.
    """
    path = Path(folder).expanduser().resolve() / NAME
    stored = read_json(path)
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise ValueError(f"{path}: not an assignment; make one with {PROGRAM} course new scenes --out DIR")
    return restore_assignment(path.parent, stored)


def restore_assignment(folder: Path, stored: dict[str, Any]) -> Assignment:
    """Restore an assignment from what was stored of it; raises ValueError for what is none."""
    kinds = {"kind": str, "data": str, "split": str, "learnt": str, "seed": int, "made": str}
    wrong = [name for name, kind in kinds.items() if type(stored.get(name)) is not kind]
    if wrong or stored["kind"] not in KINDS:
        raise ValueError(f"{folder / NAME}: {wrong[0] if wrong else 'kind'} is not that of an assignment")
    return Assignment(folder, **{name: stored[name] for name in kinds})


def list_commands(assignment: Assignment) -> dict[str, list[list[str]]]:
    """List the commands of each step that has some, each as the words behind ``python -m amn_core``."""
    folder, data, split = assignment.folder, assignment.data, assignment.split
    where = ["--split", split]
    checks = [["data", "check", data, *where, "--out", str(folder / "check.json")],
              ["data", "preview", data, *where, "--out", str(folder / "sheet.png")]]
    if assignment.kind == "pets":
        checks.insert(0, ["data", "get", "pets", "--root", split_spec(data).root])
        maps = ["apply", "--bundle", BUNDLE, "--data", data, *where, "--out", str(assignment.runs)]
    else:
        maps = ["reproduce", "--data", assignment.learnt, "--measure-data", data, "--methods", "cam,amn", "--preset",
                "scenes", "--backbone", "efficientnet_lite0_small", "--out", str(assignment.runs)]
    return {"data": checks, "maps": [maps], "refine": build_refinement(assignment, None),
            "report": [["course", "report", str(folder)]]}


def build_refinement(assignment: Assignment, threshold: float | None) -> list[list[str]]:
    """Build the commands that refine AMN's masks at a threshold, and count them; without one it is left to fill in."""
    cut = "THRESHOLD" if threshold is None else f"{threshold:g}"
    out = str(assignment.runs / f"refined-{cut}")
    return [["refine", "--run", str(assignment.runs / "amn"), "--method", "pamr", "--threshold", cut, "--out", out],
            ["count", "--run", out]]


def write_command(words: list[str]) -> str:
    """Write a command for a shell."""
    return f"{PROGRAM} {shlex.join(words)}"


def write_text(assignment: Assignment) -> str:
    """Write the assignment for people, in Markdown."""
    commands = list_commands(assignment)
    lines = [f"# One threshold, many images: an assignment on {KINDS[assignment.kind]}", "",
             f"About {sum(step.minutes for step in STEPS)} minutes. Data: `{assignment.shown}`, `{assignment.split}`. "
             f"Open the app (`{PROGRAM} run`), then *Learn*, *The course*: it ticks the steps off.", ""]
    for number, step in enumerate(STEPS, 1):
        lines += [f"## {number}. {step.title} ({step.minutes} min)", "", step.text, ""]
        if step.id in commands:
            lines += ["```bash", *map(write_command, commands[step.id]), "```", ""]
        if step.id == "words":
            lines += [*(f"- {question}" for question in QUESTIONS.values()), ""]
    return "\n".join(lines)
