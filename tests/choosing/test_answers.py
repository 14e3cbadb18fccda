"""Answers that are kept: nothing is lost, and they mean the same pixel on every run."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from amn_core.bench.points import BUNDLED
from amn_core.choosing import placing
from amn_core.choosing.asking import find_chances
from amn_core.choosing.bounds import bound_points
from amn_core.choosing.placing import discount, draw_question, find_places, mark_run, place_answers, see_maps
from amn_core.choosing.points import GROUND, OTHER, OWN, UNSURE, estimate_points
from amn_core.choosing.population import build_population
from amn_core.choosing.priors import DEFAULT
from amn_core.commands.select import SelectConfig, select
from amn_core.data import load_dataset
from amn_core.formats.answers import append_entries, append_undo, build_entry, hash_photo, load_entries, merge_entries
from amn_core.formats.runs import load_run
from amn_core.sweep import score_confusion, score_miou

SCENES = BUNDLED / "scenes"


def make_entry(image="a", **changes):
    fields = {"data": "scenes", "split": "val", "image": image, "photo": "0", "x": 0.5, "y": 0.25, "kind": "background"}
    return build_entry(**fields | changes)


def test_answers_survive_two_writers_and_a_line_that_was_cut_short(tmp_path):
    path = tmp_path / "answers.jsonl"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: append_entries(path, make_entry(f"image-{i}")), range(60)))
    assert len(load_entries(path)) == 60
    path.write_bytes(path.read_bytes()[:-20])
    append_entries(path, make_entry("after"))
    assert len(load_entries(path)) == 60 and "after" in {entry.image for entry in load_entries(path)}


def test_answers_can_be_taken_back_and_merged_once(tmp_path):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    first, second = make_entry("first"), make_entry("second", kind="object", name="cat", who="Ada")
    append_entries(one, first, second)
    append_undo(one, first.id)
    assert load_entries(one) == [second]
    append_entries(two, first, make_entry("third"))
    assert merge_entries(one, load_entries(two)) == 1 and merge_entries(one, load_entries(two)) == 0
    assert {entry.image for entry in load_entries(one)} == {"second", "third"}


def test_answers_that_are_none_are_refused_by_name_and_line(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text("image,answer\n")
    with pytest.raises(ValueError, match=r"answers.jsonl: line 1 is not an answer"):
        load_entries(path)
    path.write_text(json.dumps({"id": "1", "kind": "perhaps"}) + "\n")
    with pytest.raises(ValueError, match="line 1"):
        load_entries(path)
    for wrong in ({"x": 1.0}, {"kind": "perhaps"}, {"weight": 0.0}):
        with pytest.raises(ValueError, match="answer"):
            make_entry(**wrong)


@pytest.fixture(scope="module")
def asked():
    """A bundled run with maps, its population, and forty right answers at pixels that it asked for."""
    run = load_run(SCENES / "cam")
    dataset, counts, rng = load_dataset(run.meta["data"], run.meta["split"]), run.counts(), np.random.default_rng(0)
    population, entries = build_population(counts), []
    for _ in range(40):
        question = draw_question(counts, population, find_chances(population, None, 0), run.map, rng)
        gt = dataset.gt(question.image)
        value = int(gt[int(question.y * gt.shape[0]), int(question.x * gt.shape[1])])
        kind = {0: "background", 255: "unsure"}.get(value, "object")
        name = run.class_names[value] if kind == "object" else ""
        entries.append(make_entry(
            question.image, data=run.meta["data"], split=run.meta["split"], kind=kind, name=name, x=question.x,
            y=question.y, weight=question.weight, run=mark_run(run), photo=hash_photo(dataset.image(question.image))))
    return run, population, entries


def test_answers_placed_on_a_run_are_what_its_maps_and_the_truth_say(asked):
    run, population, entries = asked
    placed = place_answers(entries, run, population)
    assert len(placed.entries) == len(entries) and not placed.problems
    for i, entry in enumerate(placed.entries):
        cam, class_ids = run.map(entry.image)
        rows, levels = find_places(cam, class_ids, population)
        at = int(entry.y * rows.shape[0]), int(entry.x * rows.shape[1])
        assert (placed.answers.rows[i], placed.answers.levels[i]) == (rows[at], levels[at])
        strongest = run.class_names[population.classes[rows[at]]]
        right = {"background": GROUND, "unsure": UNSURE}.get(entry.kind, OWN if entry.name == strongest else OTHER)
        assert placed.answers.kinds[i] == right


def test_weights_of_questions_add_up_to_the_data_set(asked):
    run, population, entries = asked
    answers = place_answers(entries, run, population).answers
    assert answers.weights.mean() == pytest.approx(population.pixels.sum() + population.bare, rel=0.5)
    assert (answers.counts > 0.5).all()


def test_answers_hold_for_another_run_and_for_maps_of_another_size(asked):
    run, _, entries = asked
    other = load_run(SCENES / "amn")
    population = build_population(other.counts())
    placed = place_answers(entries, other, population)
    assert len(placed.entries) == len(entries)
    small = place_answers(entries, run, build_population(run.counts()), lambda i: run.map(i, (80, 80)))
    whole = place_answers(entries, run, build_population(run.counts()))
    assert (small.answers.kinds == whole.answers.kinds).mean() > 0.9
    estimate = estimate_points(population, placed.answers, DEFAULT)
    bounds = bound_points(estimate, placed.answers, np.random.default_rng(0), draws=20)
    assert bounds.miou_low < bounds.miou < bounds.miou_high


def test_a_changed_photograph_voids_its_answers_by_name(asked):
    run, population, entries = asked
    placed = place_answers(entries, run, population, hash_image=lambda i: "1" if i == entries[0].image else None)
    assert set(placed.problems) == {entries[0].image} and "changed" in placed.problems[entries[0].image]
    assert entries[0].image not in {entry.image for entry in placed.entries}


def test_many_answers_in_one_image_count_for_less():
    assert (discount(np.arange(50), 400) == 1).all()
    crowded = discount(np.r_[np.zeros(50, int), np.arange(1, 11)], 400)
    assert crowded[:50].sum() < 8 and (crowded[50:] == 1).all()


def test_maps_alone_give_the_population(asked, monkeypatch):
    run, population, _ = asked
    blind = build_population(see_maps(run, run.counts().thresholds))
    np.testing.assert_allclose(blind.pixels, population.pixels)
    assert placing.see_maps(run, [0.0, 0.5, 1.0]).n_classes == len(run.class_names)


def test_select_takes_answers_and_a_share(asked, tmp_path):
    run, _, entries = asked
    append_entries(tmp_path / "answers.jsonl", *entries)
    rows = select(SelectConfig((str(run.path),), labels="", points="10", resamples=0, rule="share:0.30",
                               answers=str(tmp_path / "answers.jsonl")))
    by_name = {row["selector"]: row for row in rows}
    assert by_name["answers"]["uses"] == "points:40" and by_name["share"]["uses"] == "share"
    assert by_name["points-10"]["uses"] == "points:10"
    curve = score_miou(score_confusion(run.counts()))
    at = np.abs(run.counts().thresholds - by_name["answers"]["threshold"]).argmin()
    assert by_name["answers"]["miou"] == pytest.approx(curve[at]) and by_name["answers"]["regret"] < 0.03


def test_select_says_when_no_answer_is_about_a_run(asked, tmp_path):
    append_entries(tmp_path / "answers.jsonl", make_entry("elsewhere", data="voc:elsewhere"))
    with pytest.raises(ValueError, match="none of 1 answers is about its images"):
        select(SelectConfig((str(SCENES / "cam"),), labels="", points="", resamples=0,
                            answers=str(tmp_path / "answers.jsonl")))
    with pytest.raises(ValueError, match="multiples of ten"):
        select(SelectConfig((str(SCENES / "cam"),), labels="", points="15", resamples=0))
