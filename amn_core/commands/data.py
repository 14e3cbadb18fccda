"""``python -m amn_core data get|check|preview``: a data set before anything is made of it."""

import argparse
import io
import json
from pathlib import Path

from PIL import Image

from amn_core.commands.get import GetConfig
from amn_core.commands.get import get as get_data
from amn_core.options import add_options, read_options

SHEETS = ("PNG", "JPEG", "WEBP")


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add ``get``, ``check`` and ``preview`` to the parser of ``data``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    get = actions.add_parser("get", help="download VOC 2012, SBD's masks for it, or Oxford-IIIT Pet")
    add_options(get, GetConfig)
    get.set_defaults(handle=lambda options: print(get_data(read_options(options, GetConfig))))
    check = actions.add_parser("check", help="read every image, label and mask: what is broken, what is odd")
    preview = actions.add_parser("preview", help="draw a contact sheet of images and masks")
    preview.add_argument("data", help="data set, such as scenes or voc:ROOT")
    preview.add_argument("--out", default="sheet.png", help="picture to write (default: sheet.png)")
    preview.add_argument("--n", type=int, default=24, help="number of images (default: 24)")
    check.add_argument("data", help="data set, such as voc:ROOT")
    check.add_argument("--workers", type=int, default=0, help="processes; 0 for one a core where there is much to do")
    check.add_argument("--json", action="store_true", help="print JSON")
    check.add_argument("--out", default="", help="file to write the report to as well, as JSON")
    for action in (check, preview):
        action.add_argument("--split", default="", help="split or path of a list (default: train; of pets trainval)")
    check.set_defaults(handle=check_data)
    preview.set_defaults(handle=preview_data)


def check_data(options: argparse.Namespace) -> None:
    """Check a data set and print what is there, what is broken and what is odd.

    Raises:
        ValueError: something makes the data unusable.
    """
    from amn_core.data import choose_first_split
    from amn_core.data.check import check_dataset, format_check
    from amn_core.formats.files import write_json

    report = check_dataset(options.data, options.split or choose_first_split(options.data), options.workers)
    if options.out:
        write_json(Path(options.out), report)
    print(json.dumps(report) if options.json else format_check(report))
    if report["errors"]:
        errors = [finding["text"] for finding in report["findings"] if finding["is_error"]]
        raise ValueError(f"{options.data}: {len(errors)} kind(s) of errors: {'; '.join(errors)}")


def preview_data(options: argparse.Namespace) -> None:
    """Draw a contact sheet of a data set and print where it is."""
    from amn_core.data import choose_first_split, load_dataset
    from amn_core.data.preview import draw_contact_sheet
    from amn_core.formats.files import write_bytes

    dataset = load_dataset(options.data, options.split or choose_first_split(options.data))
    sheet, buffer = draw_contact_sheet(dataset, options.n), io.BytesIO()
    kind = Image.registered_extensions().get(Path(options.out).suffix.lower())
    if kind not in SHEETS:
        raise ValueError(f"out {options.out}: write a picture as .png, .jpg or .webp")
    sheet.save(buffer, kind)
    write_bytes(Path(options.out), buffer.getvalue())
    print(options.out)
