"""What `import` is asked for, and what it decides before it starts."""

from dataclasses import dataclass

from amn_core.constants import METHODS
from amn_core.formats.map_folder import KINDS
from amn_core.formats.numbering import NUMBERINGS
from amn_core.formats.recognise import ENDS, KEY_BASES, NORMALISATIONS, Recognised
from amn_core.options import option

KEPT = ("full", "quarter", "none")
UNSURE = ("background", "ignore")


@dataclass(frozen=True)
class ImportConfig:
    """What `import` needs: a folder of maps or masks, and the data they belong to."""

    maps: str = option("", "folder with one file of maps (or one mask) for each image", positional=True)
    data: str = option("", "data set: voc|coco|pets|folder:ROOT or scenes[:key=value,…]", required=True)
    split: str = option("train", "split or path of a list")
    name: str = option("", "name of the run; by default that of the folder")
    out: str = option("", "run folder to write; by default runs/NAME")
    method: str = option("imported", "method to file it under", choices=METHODS)
    kind: str = option("auto", "maps, or finished masks", choices=KINDS)
    entry: str = option("auto", "entry of a dict or archive that holds the maps")
    key_base: str = option("auto", "number of the first foreground class in the files, or COCO's category ids",
                           choices=KEY_BASES)
    background: str = option("auto", "maps: whether the first or the last plane is background; none; or white: no "
                            "plane, white pixels of the image are background", choices=ENDS)
    numbering: str = option("auto", "how finished masks number their classes", choices=("auto", *NUMBERINGS))
    normalisation: str = option("stored", "maps as stored, divided by their maximum, or stretched to [0, 1]",
                                choices=NORMALISATIONS)
    unsure: str = option("background", "what 255 in a finished mask counts as", choices=UNSURE)
    keep: str = option("full", "maps to keep: full size without loss at the thresholds, a quarter of it, or none",
                       choices=KEPT)
    classes: str = option("", "classes to average over, background included, kept as the run's protocol; by default "
                          "those noted by an export, else all")
    protocol: str = option("", "averaging rule, kept likewise; by default that noted by an export, else irn")
    workers: int = option(0, "processes; 0 for one a core")
    skip_broken: bool = option(False, "leave out files that are broken or do not fit")
    insist: bool = option(False, "import although classes disagree with the image labels")


@dataclass(frozen=True)
class ImportPlan:
    """An import with everything decided; picklable and small."""

    config: ImportConfig
    out: str
    recognised: Recognised | None
    fingerprint: str
    numbering: str = "stored"  # of finished masks
