"""Names, numbers and colours that the whole project shares. Imports numpy and nothing else."""

import numpy as np

IGNORE_INDEX = 255
BACKGROUND = 0

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)

COCO_CLASSES = (
    "background", "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse",
    "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie",
    "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove",
    "skateboard", "surfboard", "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon",
    "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut",
    "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse",
    "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book",
    "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)

PET_SPECIES = ("background", "cat", "dog")

# The breeds of Oxford-IIIT Pet by their class, 1 to 37.
PET_BREEDS = (
    "background", "Abyssinian", "american bulldog", "american pit bull terrier", "basset hound", "beagle", "Bengal",
    "Birman", "Bombay", "boxer", "British Shorthair", "chihuahua", "Egyptian Mau", "english cocker spaniel",
    "english setter", "german shorthaired", "great pyrenees", "havanese", "japanese chin", "keeshond", "leonberger",
    "Maine Coon", "miniature pinscher", "newfoundland", "Persian", "pomeranian", "pug", "Ragdoll", "Russian Blue",
    "saint bernard", "samoyed", "scottish terrier", "shiba inu", "Siamese", "Sphynx", "staffordshire bull terrier",
    "wheaten terrier", "yorkshire terrier",
)

# The 91 original category ids of COCO that are in use, in the order of COCO_CLASSES[1:].
COCO_CATEGORY_IDS = tuple(
    i for i in range(1, 91) if i not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
)

# 0, 0.005, ... 1: written as i / 200 so that 0.15 is the same double everywhere.
DEFAULT_THRESHOLDS = np.arange(201) / 200
DEFAULT_THRESHOLDS.setflags(write=False)

METHODS = ("cam", "amn-without-lcm", "amn", "irn", "combined", "segmentation", "imported")
METHOD_LABELS = {
    "cam": "CAM", "amn-without-lcm": "AMN without LCM", "amn": "AMN", "irn": "IRN",
    "combined": "Combined", "segmentation": "Segmentation", "imported": "Imported",
}
# Okabe and Ito's palette (colour-blind safe); the same method has the same colour everywhere. Segmentation's violet
# is the one farthest from all others under normal and colour-blind sight that shows on white and on dark.
METHOD_COLOURS = {
    "cam": "#D55E00", "amn-without-lcm": "#CC79A7", "amn": "#0072B2", "irn": "#009E73",
    "combined": "#B8003A", "segmentation": "#8844FF", "imported": "#8A6D00",
}
EXTRA_COLOURS = ("#56B4E9", "#E69F00", "#6A3D9A", "#1B7837", "#A50026", "#4D4D4D")
METHOD_DASHES = {
    "cam": "solid", "amn-without-lcm": "dash", "amn": "solid", "irn": "dashdot",
    "combined": "longdash", "segmentation": "dot", "imported": "dot",
}


def build_voc_palette() -> np.ndarray:
    """Build the colour table of PASCAL VOC's label images.

    Returns:
        (256, 3) uint8: the bits of a label, spread over the high bits of red, green and blue in turn.
    """
    labels = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((labels >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return palette


VOC_PALETTE = build_voc_palette()
VOC_PALETTE.setflags(write=False)

# How maps are normalised behind IRN's random walk (`amn_core.refine.random_walk`), and how a run words it.
WALK_NORMALISATIONS = {"largest": "largest of the image", "mean": "weighted mean over the walk"}
