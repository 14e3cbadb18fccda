"""Whether the files of an import agree with the images that they are taken for; asked before hours of work."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amn_core.commands.import_plan import ImportConfig
from amn_core.constants import COCO_CLASSES
from amn_core.data import DataError, Dataset
from amn_core.data.agreement import describe_note, diagnose_ground_truth, is_wrong
from amn_core.formats.coco_labels import SAMPLED, find_writing
from amn_core.formats.errors import FormatError
from amn_core.formats.map_folder import MapFolder
from amn_core.formats.numbering import OLD_NAMES, Diagnosis, Sample, diagnose, load_numbered
from amn_core.formats.recognise import Recognised

LOOKED_AT = 48
# A share of files that may name a class their image lacks. Maps are made for the labels; finished masks are a
# network's, which errs now and then.
MOST_STRAYS = 0.05
MOST_MASKS = 0.5


def spread(ids: Sequence[str], most: int) -> list[str]:
    """Choose at most some of the ids, spread over all of them."""
    places = np.unique(np.linspace(0, len(ids) - 1, min(most, len(ids))).astype(int))
    return [ids[place] for place in places]


def choose_numbering(config: ImportConfig, dataset: Dataset, folder: MapFolder) -> str:
    """Choose how finished masks number their classes: as the user says, or as the labels of the images agree.

    Raises:
        DataError: most masks show classes that their images lack, or another numbering explains them better; names
            the share and the option.
    """
    if config.numbering != "auto":
        return config.numbering
    stored, problem = find_stored(config, dataset, folder)
    ids = spread([image_id for image_id in dataset.ids if image_id in folder.files], LOOKED_AT)
    n_classes = len(dataset.class_names)
    found = diagnose([build_sample(dataset, folder, image_id) for image_id in ids], n_classes, stored)
    if not config.insist and (found.cause or (problem is None and found.strays > MOST_MASKS * found.files)):
        raise FormatError(f"{config.maps}: {found.describe()}. {describe_remedy(found)}")
    if problem is not None:
        raise problem
    return stored


def describe_remedy(found: Diagnosis) -> str:
    """Describe what to pass where masks do not agree with the labels."""
    first = f"Pass --numbering {found.cause} to read them so" if found.cause else (
        "Check the class list, the data and the split")
    return f"{first}, or --insist to take them as they are"


def find_stored(config: ImportConfig, dataset: Dataset, folder: MapFolder) -> tuple[str, DataError | None]:
    """Find the numbering that finished masks seem to have: on COCO by their values, elsewhere as written.

    Returns:
        The numbering, and what speaks against each of them.
    """
    if dataset.class_names != COCO_CLASSES:
        return "stored", None
    labels = {folder.files[i][0][1]: dataset.class_ids(i) for i in dataset.ids if i in folder.files}
    try:
        found = find_writing(spread(list(labels), SAMPLED), Path(config.maps), labels, skip_broken=True)
    except DataError as error:
        return "stored", error
    return OLD_NAMES[found], None


def build_sample(dataset: Dataset, folder: MapFolder, image_id: str) -> Sample:
    """Build one mask of a sample."""
    path, present, n_classes = folder.files[image_id][0][1], dataset.class_ids(image_id), len(dataset.class_names)
    return Sample(path.name, lambda numbering: load_numbered(path, n_classes, numbering, present), present)


def check_maps(config: ImportConfig, recognised: Recognised) -> None:
    """Refuse maps of classes that their images lack, unless the user insists.

    Raises:
        FormatError: names the share of the files.
    """
    if recognised.stray <= MOST_STRAYS or config.insist:
        return
    forced = [f"--{name.replace('_', '-')} {getattr(config, name)}" for name in ("key_base", "background")
              if getattr(config, name) != "auto"]
    first = f"Leave {' and '.join(forced)} out" if forced else "Check the data, the split and the class list"
    raise FormatError(
        f"{config.maps}: classes that the image labels do not hold are in {recognised.stray:.0%} of "
        f"{recognised.samples} files of maps, read as: {recognised.describe()}. {first}, or pass --insist to take them "
        "as they are")


def check_ground_truth(config: ImportConfig, dataset: Dataset) -> None:
    """Refuse ground truth with classes that its images lack, unless the user insists.

    Raises:
        DataError: names the share of the masks, and how they can be read.
    """
    if config.insist:
        return
    found = diagnose_ground_truth(dataset, spread(dataset.ids, LOOKED_AT))
    if is_wrong(dataset, found):
        raise DataError(f"{config.data}: {found.describe('masks of ground truth')}. {describe_note(dataset, found)}, "
                        "or pass --insist to take them as they are")


def check_files(config: ImportConfig, folder: MapFolder) -> None:
    """Refuse a folder of class images with files that bear an image's name and no class, unless they may be left out.

    Raises:
        FormatError: names the first of them; or finished masks are to be given a background by white pixels.
    """
    if folder.kind == "masks" and config.background == "white":
        raise FormatError(f"{config.maps}: holds finished masks, which have a background: leave --background white out")
    if folder.strangers and not config.skip_broken:
        raise FormatError(
            f"{config.maps}: {len(folder.strangers)} files bear the name of an image and then no class, such as "
            f"{folder.strangers[0]}; rename them, or pass --skip-broken to leave them out")
