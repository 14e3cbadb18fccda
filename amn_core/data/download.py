"""Downloading PASCAL VOC 2012 through torchvision, with progress and a checksum."""

from pathlib import Path


def download_voc(root: str) -> Path:
    """Download and unpack PASCAL VOC 2012 (2 GB); what is there already is checked and kept.

    Returns:
        The VOC2012 folder.

    Raises:
        ValueError: the download failed or its checksum is wrong; the message says what to do.
    """
    from torchvision.datasets import VOCSegmentation  # imports torch

    folder = Path(root).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    found = folder / "VOCdevkit" / "VOC2012"
    if (found / "ImageSets" / "Segmentation" / "train.txt").is_file():
        return found
    try:
        VOCSegmentation(str(folder), year="2012", image_set="train", download=True)
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"VOC 2012 could not be downloaded to {folder} ({error}): check the network and the disk, or unpack "
            "VOCtrainval_11-May-2012.tar there yourself") from None
    return found
