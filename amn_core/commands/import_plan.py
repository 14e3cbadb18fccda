"""What `import` is asked for, and what it decides before it starts."""

from dataclasses import dataclass

from amn_core.constants import METHODS
from amn_core.formats.map_folder import KINDS
from amn_core.formats.recognise import NORMALISATIONS, Recognised
from amn_core.options import option

KEPT = ("full", "quarter", "none")
UNSURE = ("background", "ignore")


@dataclass(frozen=True)
class ImportConfig:
    """What `import` needs: a folder of maps or masks, and the data they belong to."""

    maps: str = option("", "folder with one file of maps (or one mask) for each image", positional=True)
    data: str = option("", "data set: voc:ROOT, folder:ROOT, coco:ROOT or scenes[:key=value,…]", required=True)
    split: str = option("train", "split or path of a list")
    name: str = option("", "name of the run; by default that of the folder")
    out: str = option("", "run folder to write; by default runs/NAME")
    method: str = option("imported", "method to file it under", choices=METHODS)
    kind: str = option("auto", "maps, or finished masks", choices=KINDS)
    entry: str = option("auto", "entry of a dict or archive that holds the maps")
    key_base: str = option("auto", "number of the first foreground class in the files", choices=("auto", "0", "1"))
    background: str = option("auto", "whether the first plane is background", choices=("auto", "none", "first"))
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


@dataclass(frozen=True)
class ImportPlan:
    """An import with everything decided; picklable and small."""

    config: ImportConfig
    out: str
    recognised: Recognised | None
    fingerprint: str
    written_as: str = "80"  # finished masks of COCO: their numbering (amn_core.formats.coco_labels)
