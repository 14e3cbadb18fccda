"""``python -m amn_core`` alone: every command in its group, one line each, with an example."""

from collections.abc import Mapping

# By what one wants to do, in the order in which data runs through them.
EXAMPLES = {
    "data": {
        "data": "data check voc:VOC2012",
        "import": "import maps --data voc:VOC2012 --name Mine --out runs/mine",
        "export": "export checkpoints/scenes/amn --format masks --threshold 0.25 --out masks",
    },
    "make": {
        "train": "train cam --data scenes --out runs/train/cam",
        "extract": "extract --checkpoint checkpoints/scenes/cam/model.pth --data scenes --out runs/cam",
        "apply": "apply --bundle checkpoints/voc-animals --data voc:VOC2012 --out runs/applied",
        "segment": "segment --checkpoint runs/segmentation/model.pth --data scenes --out runs/segmented",
        "seed": "seed --run checkpoints/scenes/cam --foreground 0.3 --background 0.05 --out seeds",
        "refine": "refine --run checkpoints/scenes/cam --method crf --out runs/cam-crf",
        "combine": "combine runs/cam runs/amn --by or --out runs/both",
        "reproduce": "reproduce --data scenes --preset scenes --out runs/reproduce",
        "estimate": "estimate --data voc:VOC2012",
        "consequence": "consequence checkpoints/scenes/cam checkpoints/scenes/amn --out runs/consequence",
        "knob": "knob --values 0,0.5,1 --seeds 7,8",
        "convert": "convert res50_amn.pth --out amn.pth",
    },
    "look": {
        "count": "count --run runs/cam",
        "compare": "compare checkpoints/scenes/cam checkpoints/scenes/amn --intervals",
    },
    "judge": {
        "select": "select checkpoints/scenes/amn --part odd",
        "audit": "audit checkpoints/scenes/cam checkpoints/scenes/amn",
        "unlabelled": "unlabelled maps --data voc:VOC2012 --background none --out runs/unlabelled",
        "diagnose": "diagnose checkpoints/scenes/cam --target 39.3",
        "bench": "bench sweep",
    },
    "print": {
        "figure": "figure miou checkpoints/scenes/cam checkpoints/scenes/amn --out miou.pdf",
        "cite": "cite",
    },
    "teach": {
        "course": "course new scenes --out runs/course",
    },
    "serve": {
        "run": "run --port 8501",
        "jobs": "jobs list",
    },
}


def format_overview(helps: Mapping[str, str]) -> str:
    """Format every command in its group, with its example beneath.

    Args:
        helps: what each command does, by its name.
    """
    lines = ["python -m amn_core COMMAND [--help]"]
    for group, examples in EXAMPLES.items():
        lines += ["", group]
        for name, example in examples.items():
            lines += [f"  {name:<13}{helps[name]}", f"  {'':<13}$ python -m amn_core {example}"]
    return "\n".join(lines)
