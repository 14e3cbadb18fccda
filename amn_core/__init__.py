"""Activation maps, thresholds and pseudo masks for weakly-supervised semantic segmentation.

The rooms, in the order in which data passes through them:

- ``data``     images, image labels and ground truth (VOC, COCO, folders, procedural scenes)
- ``models``   CAM and AMN (the activation manipulation network) on a choice of backbones
- ``train``    the training of each stage; ``extract`` turns a model and images into activation maps
- ``sweep``    maps and ground truth to counts, and counts to every score at every threshold
- ``refine``   seeds to pseudo masks
- ``formats``  everything that is read from or written to disk

The command line is ``python -m amn_core``.
"""

__version__ = "0.1.0"
