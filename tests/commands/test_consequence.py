"""Masks cut at several thresholds and the networks behind them, on tiny scenes, by the command as a user types it."""

import json
from pathlib import Path

import numpy as np
import pytest

from amn_core.cli import main
from amn_core.commands import consequence as consequence_command
from amn_core.commands.consequence import (
    ConsequenceConfig,
    choose_thresholds,
    order_thresholds,
    plan_cells,
    resolve_config,
)
from amn_core.commands.consequence_results import describe_result
from amn_core.data import load_dataset
from amn_core.figures.config import FigureConfig
from amn_core.figures.make import build_output, make_figure
from amn_core.formats.consequences import load_consequences
from amn_core.formats.errors import FormatError
from amn_core.formats.masks import load_mask
from amn_core.formats.runs import load_run
from amn_core.refine import refine_labels
from amn_core.scoring import score_run
from amn_core.sweep.seeds import build_labels

BUNDLE = Path(__file__).resolve().parents[2] / "checkpoints" / "scenes"
SPEC = "scenes:size=64,n=3,seed=7"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the bundled CAM on three tiny scenes, with its checkpoint in the folder as a bundle has it."""
    folder = tmp_path_factory.mktemp("run") / "cam"
    folder.mkdir()
    (folder / "model.pth").write_bytes((BUNDLE / "cam" / "model.pth").read_bytes())
    assert main(["extract", "--checkpoint", str(folder / "model.pth"), "--data", SPEC, "--split", "val", "--out",
                 str(folder), "--scales", "1", "--device", "cpu"]) == 0
    assert main(["count", "--run", str(folder)]) == 0
    return folder


def run_consequence(run, out, *more):
    return main(["consequence", str(run), "--out", str(out), "--learn", "4", "--thresholds", "3", "--seeds", "0",
                 "--epochs", "1", "--batch", "2", "--crop", "48", "--weights", "none", "--device", "cpu", *more])


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    """The folder of a whole tiny consequence."""
    out = tmp_path_factory.mktemp("made") / "out"
    assert run_consequence(run, out) == 0
    return out


def test_masks_and_networks_are_measured_at_each_threshold(run, made):
    [one] = load_consequences(made)
    opened = load_run(run)
    thresholds, peak = choose_thresholds(opened, 3)
    assert one.thresholds == thresholds and one.peak == peak and peak in thresholds
    assert one.name == "CAM" and [list(scores) for scores in one.networks] == [["0"]] * len(thresholds)
    assert all(0 <= low <= high <= 1 for low, high in zip(one.network_low, one.network_high))
    assert all(low <= value <= high for low, value, high in zip(one.masks_low, one.masks, one.masks_high))
    for threshold, network in zip(thresholds, one.network):
        network_run = load_run(made / "1-cam" / f"{threshold:.3f}-0" / "run")
        assert network_run.is_masks and score_run(network_run).peak_miou == pytest.approx(network)
        assert network_run.meta["split"] == "val"


def test_masks_to_learn_from_are_the_refined_cuts_of_other_images(run, made):
    maps, learned = load_run(made / "1-cam" / "maps"), load_dataset("scenes:size=64,n=4,seed=7", "train")
    assert maps.map_ids == tuple(learned.ids) and maps.meta["split"] == "train"
    [one] = load_consequences(made)
    for threshold in one.thresholds:
        for image_id in learned.ids:
            mask = load_mask(made / "1-cam" / "masks" / f"{threshold:.3f}" / f"{image_id}.png")
            cam, class_ids = maps.map(image_id)
            labels = refine_labels(learned.image(image_id), build_labels(cam, threshold), len(class_ids) + 1)
            assert (mask == np.concatenate([[0], class_ids])[labels]).mean() > 0.999


def test_every_training_has_the_same_number_of_steps(made):
    steps = [json.loads(path.read_text().splitlines()[-1])["step"] for path in made.glob("1-cam/*/train/metrics.jsonl")]
    assert len(steps) >= 2 and len(set(steps)) == 1


def test_finished_trainings_are_kept_at_once_and_not_made_again(run, made, tmp_path, monkeypatch, capsys):
    trained, train_cell = [], consequence_command.train_cell

    def stop(config, cell, dataset):
        if len(trained) == 1:
            raise KeyboardInterrupt
        trained.append(cell.threshold)
        train_cell(config, cell, dataset)

    monkeypatch.setattr(consequence_command, "train_cell", stop)
    assert run_consequence(run, tmp_path / "out") != 0
    [partial] = load_consequences(tmp_path / "out")
    assert sum(value is not None for value in partial.network) == 1 and trained == [partial.peak]
    assert len((tmp_path / "out" / "consequence.csv").read_text().splitlines()) == 2
    monkeypatch.setattr(consequence_command, "train_cell", train_cell)
    assert run_consequence(run, tmp_path / "out") == 0
    assert load_consequences(tmp_path / "out") == load_consequences(made)
    capsys.readouterr()
    assert run_consequence(run, tmp_path / "out", "--json") == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["network"] == load_consequences(made)[0].network
    assert run_consequence(run, tmp_path / "out", "--no-crf") == 1
    assert "was made with crf=True, not False" in capsys.readouterr().err


def test_estimate_times_what_is_left_and_trains_nothing(run, tmp_path, capsys):
    assert run_consequence(run, tmp_path / "out", "--estimate") == 0
    text = capsys.readouterr().out
    assert "masks of CAM" in text and "trainings" in text and "all on cpu" in text
    assert not (tmp_path / "out" / "1-cam").exists()


def test_thresholds_are_even_in_the_share_of_foreground_with_the_peak_among_them():
    run = load_run(BUNDLE / "cam")
    thresholds, peak = choose_thresholds(run, 7)
    summary = score_run(run)
    share = summary.foreground_share[[round(t * 200) for t in thresholds]] / summary.foreground_share[round(peak * 200)]
    assert len(thresholds) == 7 and peak == summary.peak_threshold in thresholds
    np.testing.assert_allclose(share[::-1], [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2], atol=0.06)


def test_trainings_are_ordered_seed_by_seed_with_the_peak_first(tmp_path):
    runs = (str(BUNDLE / "cam"), str(BUNDLE / "amn"))
    config = resolve_config(ConsequenceConfig(runs, str(tmp_path)))
    cells = plan_cells(config, [load_run(path) for path in runs])
    assert len(cells) == 28 and [cell.seed for cell in cells] == [0] * 14 + [1] * 14
    assert [cell.run.name for cell in cells[:14]] == ["CAM"] * 7 + ["AMN"] * 7
    assert cells[0].threshold == score_run(load_run(runs[0])).peak_threshold
    assert sorted(order_thresholds([0.1, 0.2, 0.3], 0.2)) == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(("more", "message"), [
    (("--seeds", "a"), "seeds is 'a'"), (("--thresholds", "1"), "thresholds is 1"), (("--learn", "0"), "learn is 0")])
def test_wrong_options_are_refused(run, tmp_path, capsys, more, message):
    assert run_consequence(run, tmp_path / "out", *more) == 1
    assert message in capsys.readouterr().err


def test_run_without_checkpoint_is_refused(run, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.json").write_bytes((run / "run.json").read_bytes())
    assert run_consequence(other, tmp_path / "out") == 1
    assert "lacks a checkpoint and counts" in capsys.readouterr().err


def test_run_of_a_reproduction_and_one_of_tables_alone_give_what_a_whole_run_gives(run, made, tmp_path):
    """The checkpoint may lie where it was trained, and maps of the measured images are made where there are none."""
    bare = tmp_path / "job" / "cam"
    (tmp_path / "job" / "train" / "cam").mkdir(parents=True)
    bare.mkdir()
    for name in ("run.json", "counts.npz"):
        (bare / name).write_bytes((run / name).read_bytes())
    model = tmp_path / "job" / "train" / "cam" / "model.pth"
    model.write_bytes((run / "model.pth").read_bytes())
    assert load_run(bare).checkpoint_path == model
    assert run_consequence(bare, tmp_path / "out") == 0
    assert load_consequences(tmp_path / "out") == load_consequences(made)


def test_checkpoint_of_another_training_is_not_taken_for_the_runs_own(run, tmp_path):
    bare = tmp_path / "cam"
    (tmp_path / "train" / "cam").mkdir(parents=True)
    bare.mkdir()
    (bare / "run.json").write_bytes((run / "run.json").read_bytes())
    (tmp_path / "train" / "cam" / "model.pth").write_bytes(b"of another training")
    assert load_run(bare).checkpoint_path is None


def test_result_says_where_both_are_best_and_how_flat_the_network_is():
    run = {"thresholds": [0.1, 0.2, 0.3], "masks": [0.5, 0.6, 0.4], "network": [0.40, 0.42, 0.425],
           "precision": [0.5, 0.6, 0.8], "recall": [0.9, 0.8, 0.6]}
    text = describe_result(run)
    assert "masks are best at 0.200, the network at 0.300" in text
    assert "differ by 20.0 points, the network by 2.5; 2 of 3 lie within one point" in text
    assert "+20.0 points of precision and -20.0 of recall" in text
    assert "1 of 3 thresholds" in describe_result(run | {"network": [0.4, None, None]})


def test_figure_of_results_is_drawn_again_from_its_record(made, tmp_path):
    out = tmp_path / "consequence.svg"
    drawn = make_figure(FigureConfig("consequence", (str(made),), str(out)))
    assert "CAM: masks" in drawn["caption"] and "95 % bootstrap" in drawn["note"]
    content = out.read_bytes()
    out.unlink()
    make_figure(FigureConfig(record=drawn["record"]))
    assert out.read_bytes() == content


def test_figure_is_drawn_from_a_table_of_the_users_own(tmp_path):
    table = tmp_path / "own.csv"
    table.write_text("threshold,miou_masks,miou_network,seed\n0.3,50,40,0\n0.3,50,44,1\n0.2,55,45,0\n0.2,55,45,1\n")
    output = build_output(FigureConfig("consequence", (), "own.svg", results=str(table)))
    assert "masks 55.0 % at 0.200, network 45.0 % at 0.200" in output.caption and "best seed" in output.note
    [one] = load_consequences(table)
    assert one.thresholds == [0.2, 0.3] and one.network == pytest.approx([0.45, 0.42])
    assert (one.network_low[1], one.network_high[1]) == pytest.approx((0.40, 0.44))


@pytest.mark.parametrize(("text", "message"), [
    ("threshold,miou_masks\n0.1,50\n", "lacks miou_network"), ("", "lacks threshold"),
    ("threshold,miou_masks,miou_network\n0.1,x,3\n", "line 2")])
def test_table_that_lacks_something_is_refused(tmp_path, text, message):
    table = tmp_path / "own.csv"
    table.write_text(text)
    with pytest.raises(FormatError, match=message):
        load_consequences(table)


def test_folder_without_results_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"no consequence\.json"):
        load_consequences(tmp_path)
    with pytest.raises(ValueError, match="only the figure consequence"):
        build_output(FigureConfig("miou", ("a",), "a.svg", results="x.csv"))
