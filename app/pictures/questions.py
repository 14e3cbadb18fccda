"""Questions at pixels, packed for the browser: photographs as JPEG one after another, and where each lies."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from amn_core.choosing.placing import Question

JPEG_QUALITY = 88
TAKEN = ("b", "u", "o")


@dataclass(frozen=True)
class Asked:
    """A question on its way: an id, the pixel, the hash and the bytes of its photograph, and the image's classes."""

    id: str
    question: Question
    photo: str
    size: tuple[int, int]
    jpeg: bytes
    classes: tuple[str, ...]


def encode(image: np.ndarray) -> bytes:
    """Encode a photograph (H, W, 3) uint8 for the browser."""
    Image.fromarray(image).save(buffer := io.BytesIO(), "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def choose_keys(names: Sequence[str]) -> list[str]:
    """Choose a key for each class: the first of its letters that is free, else a digit."""
    keys: list[str] = []
    for name in names:
        letters = [letter for letter in name.lower() if letter.isascii() and letter.isalpha()]
        digits = [str(number) for number in range(1, 10)]
        keys.append(next((key for key in (*letters, *digits) if key not in (*TAKEN, *keys)), ""))
    return keys


def pack_questions(asked: Sequence[Asked]) -> tuple[list[dict], np.ndarray]:
    """Pack questions: a description of each for JSON, and (n,) uint8 bytes that it points into."""
    described, start = [], 0
    for one in asked:
        height, width = one.size
        described.append({
            "id": one.id, "image": one.question.image, "x": one.question.x, "y": one.question.y, "width": width,
            "height": height, "span": [start, len(one.jpeg)],
            "classes": [{"name": name, "key": key} for name, key in zip(
                one.classes, choose_keys(one.classes), strict=True)]})
        start += len(one.jpeg)
    return described, np.frombuffer(b"".join(one.jpeg for one in asked) or b"\0", np.uint8)
