"""``python -m amn_core data get voc|sbd|pets``: a data set from its makers, or from a mirror of one's own."""

from dataclasses import dataclass
from pathlib import Path

from amn_core.options import option

NAMES = ("voc", "sbd", "pets")
NEEDS_VOC = "get VOC first: python -m amn_core data get voc --root"


@dataclass(frozen=True)
class GetConfig:
    """What `data get` needs."""

    name: str = option("voc", "PASCAL VOC 2012 (2 GB), SBD's masks for it (1.4 GB), or Oxford-IIIT Pet (0.8 GB)",
                       choices=NAMES, positional=True)
    root: str = option("", "folder that will hold VOCdevkit, or the pets; for sbd, that of VOC", required=True)
    url: str = option("", "mirror: address of a folder with the archives, or of the archive itself")
    md5: str = option("", "MD5 sum of the archive at the mirror, where it is another than the original")


def get(config: GetConfig) -> Path:
    """Get a data set; what is there already is left alone, and a broken download goes on.

    Returns:
        The folder of the data set, as a spec names it.

    Raises:
        ValueError: it could not be got, or is not what it should be; says what is kept and how to go on.
    """
    from amn_core.data.download import naming_disk

    root = Path(config.root).expanduser()
    with naming_disk(root):
        return {"voc": get_voc, "sbd": get_sbd, "pets": get_pets}[config.name](config, root)


def get_voc(config: GetConfig, root: Path) -> Path:
    """Get PASCAL VOC 2012."""
    from amn_core.data.download import get_archives

    found = root / "VOCdevkit" / "VOC2012"
    has_all = (found / "ImageSets" / "Segmentation" / "train.txt").is_file() and (found / "Annotations").is_dir()
    if not has_all or list(root.glob(".*.part")):
        get_archives("voc", root, config.url, config.md5)
    if not (found / "JPEGImages").is_dir():
        raise ValueError(f"{root}: the archive holds no VOCdevkit/VOC2012/JPEGImages; is it VOC's?")
    return found


def get_sbd(config: GetConfig, root: Path) -> Path:
    """Get SBD and write its masks and ``train_aug`` into the VOC folder."""
    from amn_core.data.download import get_archives
    from amn_core.data.sbd import add_masks
    from amn_core.data.voc import find_voc_folder

    voc = find_voc_folder(root)
    if not (voc / "ImageSets" / "Segmentation" / "val.txt").is_file():
        raise ValueError(f"{voc}: no lists of VOC here; {NEEDS_VOC} {root}")
    get_archives("sbd", voc.parent / "SBD", config.url, config.md5)
    add_masks(voc, voc.parent / "SBD" / "benchmark_RELEASE" / "dataset")
    return voc


def get_pets(config: GetConfig, root: Path) -> Path:
    """Get Oxford-IIIT Pet."""
    from amn_core.data.download import get_archives

    get_archives("pets", root, config.url, config.md5)
    if not (root / "images").is_dir() or not (root / "annotations").is_dir():
        raise ValueError(f"{root}: the archives hold no images and annotations; are they those of Oxford-IIIT Pet?")
    return root
