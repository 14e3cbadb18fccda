"""``python -m amn_core cite``: the paper that this package follows, as BibTeX."""

import argparse

PAPER = """\
@inproceedings{lee2022threshold,
  title     = {Threshold Matters in {WSSS}: Manipulating the Activation for the Robust and Accurate Segmentation Model
               Against Thresholds},
  author    = {Lee, Minhyun and Kim, Dongseob and Shim, Hyunjung},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2022},
  eprint    = {2203.16045}
}"""


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add what ``cite`` does; it has no options."""
    parser.set_defaults(handle=lambda options: print(PAPER))
