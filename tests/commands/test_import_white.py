"""Importing maps of data sets whose background is what is white in the image."""

import numpy as np
import pytest
from PIL import Image

from amn_core.commands.import_maps import run_import
from amn_core.formats.errors import FormatError
from amn_core.formats.runs import load_run
from amn_core.sweep import score_confusion
from tests.commands.conftest import IDS
from tests.commands.test_import import config, evaluate


def test_white_pixels_of_the_image_are_background(data, maps, tmp_path):
    seen = {}
    for i, image_id in enumerate(IDS):
        path = tmp_path / "data" / "images" / f"{image_id}.png"
        image = np.array(Image.open(path))
        image[: 3 + i] = 250
        image[0, 0] = (250, 239, 250)
        Image.fromarray(image).save(path)
        seen[image_id] = (image >= 240).all(axis=2)
    plain = load_run(run_import(config(data, maps, tmp_path, out=str(tmp_path / "plain"), background="none"))["run"])
    white = load_run(run_import(config(data, maps, tmp_path, background="white"))["run"])
    blank = {}
    for image_id in IDS:
        cam, ids = plain.map(image_id)
        blank[image_id] = np.where(seen[image_id], 0, cam), ids
        np.testing.assert_array_equal(white.map(image_id)[0], blank[image_id][0])
    np.testing.assert_array_equal(score_confusion(white.counts()), evaluate(data, blank))
    assert not np.array_equal(score_confusion(white.counts()), score_confusion(plain.counts()))


def test_white_background_is_refused_for_finished_masks(data, tmp_path):
    with pytest.raises(FormatError, match=r"finished masks.*leave --background white out"):
        run_import(config(data, tmp_path / "data" / "masks", tmp_path, kind="masks", background="white"))
