"""SBD's masks beside VOC's: what makes of VOC as it is downloaded the 10,582 images that the field trains on.

SBD (Hariharan et al., 2011) outlines 11,355 images of VOC. Of these and VOC's own ``train``, what is not in VOC's
``val`` is ``train_aug``. Where VOC has a mask of its own, that one is kept.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from amn_core.compute.parallel import run_chunks
from amn_core.data.lists import read_id_list
from amn_core.formats.errors import DataError
from amn_core.formats.files import write_bytes
from amn_core.formats.masks import load_label_image, save_mask

AUGMENTED = "SegmentationClassAug"


def add_masks(voc: Path, sbd: Path, workers: int = 0) -> int:
    """Write ``SegmentationClassAug`` and ``ImageSets/Segmentation/train_aug.txt`` into a VOC folder.

    Args:
        voc: the VOC2012 folder. sbd: the folder that holds ``cls`` and the lists of SBD.

    Returns:
        The number of ids in ``train_aug``.

    Raises:
        DataError: VOC's lists or SBD's files are missing.
    """
    lists = voc / "ImageSets" / "Segmentation"
    own = {name: read_id_list(lists / f"{name}.txt") for name in ("train", "val")}
    theirs = [image_id for name in ("train", "val") for image_id in read_id_list(sbd / f"{name}.txt")]
    ids = sorted({*own["train"], *theirs} - set(own["val"]))
    has_own = {path.stem for path in (voc / "SegmentationClass").glob("*.png")}
    todo = [i for i in [*ids, *own["val"]] if not (voc / AUGMENTED / f"{i}.png").is_file()]
    for _ in run_chunks(partial(convert_masks, voc, sbd, has_own), todo, "masks of SBD", workers):
        pass
    write_bytes(lists / "train_aug.txt", "".join(f"{image_id}\n" for image_id in ids).encode())
    return len(ids)


def convert_masks(voc: Path, sbd: Path, has_own: set[str], ids: Sequence[str]) -> None:
    """Write the masks of some images: VOC's own where there is one, else SBD's."""
    for image_id in ids:
        own = voc / "SegmentationClass" / f"{image_id}.png"
        mask = load_label_image(own, 21) if image_id in has_own else read_outline(sbd / "cls" / f"{image_id}.mat")
        save_mask(voc / AUGMENTED / f"{image_id}.png", mask, palette=True)


def read_outline(path: Path) -> np.ndarray:
    """Read the class mask in a file of SBD, (H, W) uint8 in 0…20.

    Raises:
        DataError: no such file, or not one of SBD's.
    """
    from scipy.io import loadmat  # needed for this alone

    try:
        return np.asarray(loadmat(str(path), squeeze_me=True)["GTcls"]["Segmentation"].item(), dtype=np.uint8)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; get SBD again with data get sbd") from None
    except Exception as error:  # whatever a broken file makes of the reader
        what = type(error).__name__
        raise DataError(f"{path}: not a mask of SBD ({what}); get SBD again with data get sbd") from None
