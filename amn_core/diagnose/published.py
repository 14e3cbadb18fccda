"""Published figures with the protocol they were made under, as data: what to compare one's own number with.

Read from tables and public code of the papers, not measured here. A range is what different papers print for the
same thing.
"""

from dataclasses import dataclass

TABLE = "table of LPCAM (CVPR 2023)"


@dataclass(frozen=True)
class Published:
    """A published figure.

    Attributes:
        method, data, images, stage: what was measured, on which list.
        miou: percent, as printed; a range where papers differ.
        cut: the threshold of the method's public code, or what is known about it. source: where it is printed.
    """

    method: str
    data: str
    images: str
    stage: str
    miou: str
    cut: str
    source: str

    @property
    def key(self) -> str:
        """The name by which it is asked for.

        >>> FIGURES[0].key
        'cam-voc-train-seed'
        """
        words = (self.method, self.data, self.images, self.stage)
        return "-".join(words).lower().replace(" + ", "-").replace(" ", "-")

    @property
    def label(self) -> str:
        """How it is shown."""
        return f"{self.method}, {self.data.upper()} {self.images}, {self.stage}: {self.miou}"

    @property
    def protocol(self) -> str:
        """The protocol in one sentence: that of IRN's evaluation, which all of these use."""
        truth = "SegmentationClass" if self.data == "voc" else "annotations"
        return (f"{self.data.upper()} {self.images}, {truth}, 255 left out, mean over background and all classes; "
                f"threshold: {self.cut}")


def build_rows(method: str, seed: str, refined: str, validation: str, test: str, coco: tuple[str, str], cut: str):
    """Build the figures of one row of the table."""
    code = f"{cut} in its public code"
    return (
        Published(method, "voc", "train", "seed", seed, code, TABLE),
        Published(method, "voc", "train", "mask after IRN", refined, "of the refined maps", TABLE),
        Published(method, "voc", "val", "segmentation", validation, "none", TABLE),
        Published(method, "voc", "test", "segmentation", test, "none", TABLE),
        Published(method, "coco", "train", "seed", coco[0], "not printed", TABLE),
        Published(method, "coco", "val", "segmentation", coco[1], "none", TABLE),
    )


BEST = "the best, chosen on the ground truth"
FIGURES = (
    *build_rows("CAM", "48.3-48.8", "66.3-66.5", "63.5", "64.8", ("33.1", "42.0"), "0.15"),
    *build_rows("AMN", "62.1", "72.2", "69.5", "69.6", ("40.3", "44.7"), "0.25"),
    *build_rows("AMN + LPCAM", "65.3", "72.7", "70.1", "70.4", ("42.5", "45.5"), "0.30"),
    Published("SEAM", "voc", "train", "seed", "55.4", BEST, "SEAM (CVPR 2020)"),
    Published("AdvCAM", "voc", "train", "seed", "55.6", BEST, "AdvCAM (CVPR 2021)"),
    Published("RIB", "voc", "train", "seed", "56.5", BEST, "RIB (NeurIPS 2021)"),
)
# Thresholds that public code uses, and whose: what a path names beside a cut.
CUTS = {
    0.05: "sure background of IRN and AMN", 0.1: "SCLIP's", 0.15: "IRN's for CAM, AMN's for refinement",
    0.22: "AMN's on COCO", 0.25: "AMN's, and IRN's after its walk; ToCo's low",
    0.3: "sure foreground of IRN; LPCAM's", 0.35: "LPCAM's after IRN", 0.4: "GroupViT's on COCO", 0.43: "WeakTr's",
    0.45: "AMN's sure foreground; ToCo's on COCO", 0.5: "ToCo's; GroupViT's", 0.55: "DuPL's",
    0.65: "ToCo's high on COCO", 0.7: "ToCo's high", 0.9: "GroupViT's paper", 0.95: "GroupViT's code",
}


def find_published(key: str) -> Published:
    """Find a figure by its key.

    Raises:
        ValueError: there is none of that name; lists them.

    >>> find_published("amn-voc-train-seed").miou
    '62.1'
    """
    known = {figure.key: figure for figure in FIGURES}
    if key not in known:
        raise ValueError(f"published is {key!r}: choose one of {', '.join(known)}")
    return known[key]
