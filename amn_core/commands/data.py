"""``python -m amn_core data get|check|preview``: a data set before anything is made of it."""

import argparse


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add ``get``, ``check`` and ``preview`` to the parser of ``data``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    get = actions.add_parser("get", help="download PASCAL VOC 2012")
    get.add_argument("name", choices=("voc",))
    get.add_argument("--root", required=True, help="folder that will hold VOCdevkit")
    get.set_defaults(handle=get_data)
    check = actions.add_parser("check", help="read every image, label and mask, and name what is broken")
    preview = actions.add_parser("preview", help="draw a contact sheet of images and masks")
    preview.add_argument("data", help="data set, such as scenes or voc:ROOT")
    preview.add_argument("--out", default="sheet.png", help="picture to write (default: sheet.png)")
    preview.add_argument("--n", type=int, default=24, help="number of images (default: 24)")
    check.add_argument("data", help="data set, such as voc:ROOT")
    for action in (check, preview):
        action.add_argument("--split", default="train", help="split or path of a list (default: train)")
    check.set_defaults(handle=check_data)
    preview.set_defaults(handle=preview_data)


def get_data(options: argparse.Namespace) -> None:
    """Download a data set and print where it is."""
    from amn_core.data.download import download_voc

    print(download_voc(options.root))


def check_data(options: argparse.Namespace) -> None:
    """Check a data set and print what is there and what is broken."""
    from amn_core.data import describe_problems, find_problems, load_dataset

    dataset = load_dataset(options.data, options.split, skip_broken=True)
    problems = find_problems(dataset, with_masks=True)
    print(f"{len(dataset.ids)} images, {len(dataset.class_names) - 1} classes, labels from {dataset.label_source}")
    for problem in problems:
        print(problem.message)
    if problems:
        raise ValueError(describe_problems(problems, len(dataset.ids)))


def preview_data(options: argparse.Namespace) -> None:
    """Draw a contact sheet of a data set and print where it is."""
    from amn_core.data import load_dataset
    from amn_core.data.scenes.dataset import build_contact_sheet

    build_contact_sheet(load_dataset(options.data, options.split), options.n).save(options.out)
    print(options.out)
