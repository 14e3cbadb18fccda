"""The lessons: each opens, its figure follows its controls, and what is drawn is what the formulas say."""

import json

import numpy as np
import pytest

from app.lessons.page import LESSONS

INSTRUMENTS = {
    "what_a_cam_is": 2, "one_threshold": 1, "two_conditions": 1, "per_pixel_loss": 2, "label_conditioning": 0,
    "sandbox": 2, "train_it_yourself": 1, "reading_a_paper": 1,
}


def read_figures(at) -> list[dict]:
    """Read the figures of a page as Plotly's JSON."""
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


@pytest.mark.parametrize("name", list(LESSONS))
def test_lesson_opens_with_a_figure_and_a_hidden_answer(open_app, name: str) -> None:
    at = open_app(f"lessons/{name}")
    assert not at.exception
    assert at.header[0].value == LESSONS[name]
    assert len(at.get("plotly_chart")) >= INSTRUMENTS[name]
    assert len(at.expander) == 1 and at.expander[0].label == "Show the answer"
