"""Figures for print: the same bytes twice and from their record, embedded fonts, honest captions and tables."""

import csv
import io
import json
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amn_core.cli import main
from amn_core.data import Dataset, load_dataset
from amn_core.figures import record as records
from amn_core.figures.config import FIGURES, PRESETS, FigureConfig, resolve_figure_config
from amn_core.figures.curves import draw_miou
from amn_core.figures.grids import draw_grid
from amn_core.figures.latex import escape, fit_table, measure_table
from amn_core.figures.make import build_output, make_figure
from amn_core.figures.material import load_material
from amn_core.figures.picking import pick_images
from amn_core.figures.styles import PAGES, build_looks, use_page
from amn_core.figures.tables import build_column, build_runs_table
from amn_core.formats.counts import save_counts
from amn_core.formats.files import write_json
from amn_core.formats.maps import save_map
from amn_core.formats.runs import load_run, save_run
from amn_core.sweep import CountsBuilder, bootstrap_runs, summarise
from amn_core.sweep.images import score_images

REPOSITORY = Path(__file__).resolve().parents[2]
SCENES = "scenes:size=64,n=6,seed=3"
QUICK = {"resamples": 20, "dpi": 60}
DRAWN = [name for name, kind in FIGURES.items()
         if ".pdf" in kind.suffixes and kind.needs in ("counts", "activation", "maps")]


def make_run(folder: Path, dataset: Dataset, method: str, name: str, blur: float, normalisation: str = "max") -> str:
    """Make a run whose maps are the ground truth with noise, the more the lower its quality."""
    draw = np.random.default_rng(len(name))
    builder = CountsBuilder(dataset.class_names)
    run = save_run(folder, {
        "name": name, "method": method, "data": dataset.spec, "split": dataset.split, "images": len(dataset.ids),
        "class_names": list(dataset.class_names), "model": {"sha256": "ab" * 32},
        "protocol": {"normalisation": normalisation, "ground_truth": "drawn", "ignore": "255 left out"}})
    for image_id in dataset.ids:
        gt, class_ids = dataset.gt(image_id), dataset.class_ids(image_id)
        noise = draw.random((len(class_ids), *gt.shape), dtype=np.float32)
        cam = (1 - blur) * (gt == class_ids[:, None, None]) + blur * noise
        save_map(run.map_path(image_id), cam[:, ::4, ::4], class_ids, gt.shape)
        builder.add(image_id, *run.map(image_id), gt)
    save_counts(run.counts_path, builder.build())
    return str(folder)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Six drawn scenes."""
    return load_dataset(SCENES, "val")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> tuple[str, ...]:
    """Two runs, the second better."""
    root = tmp_path_factory.mktemp("runs")
    return (make_run(root / "cam", dataset, "cam", "CAM", 0.7),
            make_run(root / "amn", dataset, "amn", "AMN", 0.45))


@pytest.fixture
def training(tmp_path: Path) -> str:
    """The folder of a training of forty steps."""
    folder = tmp_path / "training"
    write_json(folder / "config.json", {"method": "amn"})
    lines = [{"step": i, "steps": 40, "epoch": i / 10, "loss": 1 / i, "loss_smooth": 1.1 / i,
              "lr": 0.1, "images_per_second": 5.0, "time": 1e9 + i} for i in range(1, 41)]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return str(folder)


def build(name: str, runs: tuple[str, ...], suffix: str = ".pdf", **options):
    """Build a figure in memory."""
    return build_output(FigureConfig(name, runs, f"{name}{suffix}", **{**QUICK, **options}))


@pytest.mark.parametrize("name", DRAWN)
def test_figure_drawn_twice_gives_the_same_bytes(name, runs):
    for suffix in (".pdf", ".svg", ".png"):
        assert build(name, runs, suffix).content == build(name, runs, suffix).content, suffix


def test_training_curves_drawn_twice_give_the_same_bytes(training):
    first, second = (build("training", (training,)) for _ in range(2))
    assert first.content == second.content
    assert "40 of 40 steps" in first.caption


def test_bytes_do_not_depend_on_the_process(runs, tmp_path):
    made = []
    for seed in ("1", "2"):
        out = tmp_path / seed / "miou.pdf"
        command = [sys.executable, "-m", "amn_core", "figure", "miou", *runs, "--out", str(out), "--resamples", "20"]
        subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY, env={"PYTHONHASHSEED": seed})
        made.append(out.read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize("name", [*DRAWN, "table", "table-classes", "table-audit", "report"])
def test_record_makes_the_same_bytes(name, runs, tmp_path):
    out = tmp_path / f"{name}{FIGURES[name].suffixes[0]}"
    made = make_figure(FigureConfig(name, runs, str(out), **QUICK))
    content = out.read_bytes()
    out.unlink()
    again = make_figure(FigureConfig(record=made["record"]))
    assert (Path(again["file"]), out.read_bytes()) == (out, content)


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_figure_holds_its_own_record_without_folders(suffix, runs, tmp_path):
    out = tmp_path / f"miou{suffix}"
    make_figure(FigureConfig("miou", runs, str(out), **QUICK))
    inside = records.load_record(out)
    assert str(tmp_path).encode() not in out.read_bytes()
    assert str(Path(runs[0]).parent) not in json.dumps(inside)
    assert [run["path"] for run in inside["runs"]] == ["cam", "amn"]
    assert inside["caption"] == records.load_record(Path(f"{out}.json"))["caption"]
    command = ["figure", "--from", str(out), *runs, "--out", str(tmp_path / f"miou-again{suffix}")]
    assert main(command) == 0
    assert records.load_record(tmp_path / f"miou-again{suffix}")["runs"] == inside["runs"]


@pytest.mark.parametrize(("name", "suffix"), [("table", ".tex"), ("table", ".md"), ("report", ".html")])
def test_tables_and_report_hold_their_own_record(name, suffix, runs, tmp_path):
    out = tmp_path / f"{name}{suffix}"
    make_figure(FigureConfig(name, runs, str(out), **QUICK))
    assert records.load_record(out)["figure"] == name


def test_record_names_what_it_was_made_from(runs):
    made = build("miou", runs, seed=5).record
    assert made["runs"][0]["counts_sha256"] == records.hash_file(Path(runs[0]) / "counts.npz")
    assert made["runs"][0]["checkpoint_sha256"] == "ab" * 32
    assert made["protocol"]["averaging"] == "union"
    assert made["images"]["number"] == 6
    assert "oracle" in made["thresholds"]["chosen"]
    assert "--seed 5" in made["command"]
    assert set(made["versions"]) >= {"amn_core", "matplotlib", "numpy"}


def test_record_refuses_other_counts(runs, dataset, tmp_path):
    made = make_figure(FigureConfig("miou", runs, str(tmp_path / "miou.pdf"), **QUICK))
    other = make_run(tmp_path / "other", dataset, "amn", "AMN", 0.6)
    with pytest.raises(ValueError, match="counts_sha256 is not that of the record"):
        make_figure(FigureConfig(record=made["record"], runs=(runs[0], other)))


def find_fonts(pdf: bytes) -> list[bytes]:
    """Find the font dictionaries of a PDF."""
    return re.findall(rb"<<[^<>]*/Type /Font\b[^<>]*(?:<<[^<>]*>>[^<>]*)*>>", pdf)


@pytest.mark.parametrize("preset", PRESETS)
def test_pdf_embeds_truetype_fonts_alone(preset, runs):
    pdf = build("miou", runs, preset=preset).content
    fonts = find_fonts(pdf)
    assert fonts
    kinds = set(re.findall(rb"/Subtype /(\w+)", b" ".join(fonts)))
    assert kinds <= {b"Type0", b"CIDFontType2", b"TrueType"}
    descriptors = re.findall(rb"/FontFile2 (\d+) 0 R", pdf)
    assert descriptors
    for number in descriptors:
        found = re.search(rb"\n" + number + rb" 0 obj\n<<.*?>>\nstream\r?\n", pdf, re.DOTALL)
        assert zlib.decompress(pdf[found.end():pdf.index(b"endstream", found.end())])[:4] in (b"\0\1\0\0", b"true")


@pytest.mark.parametrize("preset", PRESETS)
def test_pdf_is_as_wide_as_its_page(preset, runs):
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", build("miou", runs, preset=preset).content)
    assert float(box[1]) == pytest.approx(PAGES[preset].width * 72, abs=0.1)


def test_svg_keeps_text_as_text_and_has_no_date(runs):
    svg = build("miou", runs, ".svg").content.decode()
    assert "mIoU (%)" in svg
    assert "<dc:date>" not in svg
    assert "STIXGeneral', 'STIX Two Text'" in svg


def test_png_has_the_resolution_asked_for(runs):
    image = Image.open(io.BytesIO(build("miou", runs, ".png", dpi=100).content))
    assert image.width == round(3.281 * 100)


def test_looks_differ_without_colour():
    looks = build_looks(["cam", "amn-without-lcm", "amn", "irn", "imported", "amn"], list("abcdef"))
    assert len({look.marker for look in looks}) == len({look.hatch for look in looks}) == len(looks)
    assert looks[0].colour == "#D55E00"


@pytest.mark.parametrize(("rule", "words"), [("largest-regret", "with the largest regret of 6"),
                                             ("median", "nearest to the median"), ("random", "seed 4")])
def test_rule_names_itself_in_the_caption(rule, words, runs):
    made = build("grid", runs, ".png", rule=rule, number=2, seed=4)
    assert words in made.caption
    assert [one["id"] for one in made.record["pictures"]["images"]] == re.findall(r"[\w-]+(?=[,.])", made.caption.split(
        ": ", 1)[1].split(". ")[0] + ".")


def test_largest_regret_picks_the_images_that_lose_most(runs):
    material = load_material(resolve_figure_config(FigureConfig("grid", runs, number=2, of="AMN")))
    source = material.sources[1]
    regret = score_images(source.counts).regret(source.threshold)
    expected = [source.counts.image_ids[i] for i in np.argsort(-regret, kind="stable")[:2]]
    assert list(pick_images(material).ids) == expected


def test_chosen_images_are_said_to_be_chosen(runs, dataset):
    made = build("grid", runs, ".png", ids=dataset.ids[1])
    assert f"1 image chosen by hand: {dataset.ids[1]}" in made.caption
    with pytest.raises(ValueError, match="'nobody' is not among the 6 images"):
        build("grid", runs, ".png", ids="nobody")


def test_best_is_bold_and_ties_are_too():
    nothing = [(np.nan, np.nan)] * 3
    assert [cell.is_best for cell in build_column([1.02, 3.04, 3.0], nothing, 1, 1)] == [False, True, True]
    assert [cell.is_best for cell in build_column([1.0, 3.0, np.nan], nothing, 1, -1)] == [True, False, False]
    assert not any(cell.is_best for cell in build_column([2.0, 2.0, 2.0], nothing, 1, 1))


def test_latex_table_has_rules_bold_and_intervals(runs):
    tex = build("table", runs, ".tex", preset="cvpr-page").content.decode()
    assert all(word in tex for word in (r"\toprule", r"\midrule", r"\bottomrule", r"\caption{"))
    material = load_material(resolve_figure_config(FigureConfig("table", runs, **QUICK)))
    peaks = [source.summary.peak_miou for source in material.sources]
    low, high = bootstrap_runs([s.counts for s in material.sources], resamples=20)[1].interval("peak_miou")
    assert peaks[1] > peaks[0]
    line, below = tex.split("\nAMN & ")[1].split("\n")[:2]
    assert line.startswith(rf"\textbf{{{peaks[1] * 100:.1f}}} & ")
    assert below.startswith(rf" & {{\scriptsize {low * 100:.1f}--{high * 100:.1f}}} & ")
    assert tex.count("&") == len(material.sources) * 2 * 9 + 9
    assert "protocol irn" in tex


def test_csv_table_holds_the_numbers_in_full(runs):
    rows = list(csv.DictReader(io.StringIO(build("table", runs, ".csv").content.decode())))
    material = load_material(resolve_figure_config(FigureConfig("table", runs)))
    assert float(rows[0]["peak mIoU (%)"]) == material.sources[0].summary.peak_miou * 100
    assert float(rows[0]["AUC low"]) <= float(rows[0]["AUC"]) <= float(rows[0]["AUC high"])


def test_runs_normalised_differently_are_not_ranked_by_scale(runs, dataset, tmp_path):
    other = make_run(tmp_path / "soft", dataset, "irn", "IRN", 0.2, "softmax")
    table = build_runs_table(load_material(resolve_figure_config(FigureConfig("table", (*runs, other), **QUICK))))
    ranked = {head: any(row[i].is_best for row in table.cells) for i, head in enumerate(table.heads[1:])}
    assert ranked["peak mIoU (%)"]
    assert not ranked["gap"] and not ranked["mean mIoU (%)"]
    assert "not ranked" in table.caption.note


@pytest.mark.parametrize("axis", ["threshold", "share"])
@pytest.mark.parametrize("has_intervals", [True, False])
def test_finished_masks_are_one_score_without_a_threshold(axis, has_intervals):
    runs = tuple(str(REPOSITORY / "checkpoints" / "voc-resnet50" / name) for name in ("amn", "crf"))
    config = FigureConfig("miou", runs, axis=axis, intervals=has_intervals, **QUICK)
    material = load_material(resolve_figure_config(config))
    with use_page(material.page):
        figure, caption = draw_miou(material)
    assert "Finished masks, which have no threshold: AMN + CRF 76.5 %." in caption.text
    assert "AMN + CRF 76.5 % at" not in caption.text
    colour, drawn = material.sources[1].look.colour, figure.axes[0].get_lines()
    heights = [height for line in drawn if line.get_color() == colour for height in np.ravel(line.get_ydata())]
    assert heights and set(np.round(heights, 1)) == {76.5}
    cells = dict(zip(build_runs_table(material).heads[1:], build_runs_table(material).cells[1], strict=True))
    assert cells["peak mIoU (%)"].text == "76.5"
    for head in ("at", "plateau", "mean mIoU (%)", "oracle mIoU (%)"):
        assert cells[head].text == "–" and cells[head].interval == ""


def test_latex_escapes_what_it_must():
    assert escape("50 % of a_b & c") == r"50 \% of a\_b \& c"


def test_thresholds_given_are_used_and_said(runs):
    made = build("classes", runs, threshold="0.2,0.4")
    assert [run["threshold"] for run in made.record["runs"]] == [0.2, 0.4]
    assert "at the given thresholds (CAM 0.200, AMN 0.400)" in made.caption


def test_images_that_not_all_runs_have_are_left_out_and_counted(runs, dataset, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(dataset.ids[:4]))
    made = build("miou", runs, images=str(listed))
    assert made.record["images"]["number"] == 4
    assert "restricted to a list" in made.note


def test_report_needs_no_network_and_shows_every_part(runs):
    page = build("report", runs, ".html").content.decode()
    assert not re.search(r"""(?:src|href)=["']https?:""", page)
    assert "Left out" not in page
    assert page.count("<figcaption>") == 10


def test_report_says_what_it_leaves_out(runs):
    page = build("report", runs[:1], ".html").content.decode()
    assert "Left out: a difference needs two runs" in page


@pytest.mark.parametrize(("change", "message"), [
    ({"name": "pie"}, "choose one of miou"), ({"out": "a.docx"}, "is written as .pdf"),
    ({"runs": ()}, "no run to draw"),
    ({"threshold": "high"}, "give numbers"), ({"threshold": "0.1,0.2,0.3"}, "3 numbers for 2 runs"),
    ({"dpi": 5}, "dpi is 5"), ({"name": "grid", "layers": "photo,sound"}, "layers has sound"),
    ({"name": "grid", "of": "nobody"}, "of is 'nobody'"), ({"classes": "unicorn"}, "unicorn"),
])


def test_wrong_option_is_named_with_what_helps(change, message, runs):
    config = replace(FigureConfig("classes", runs, "", **QUICK), **change)
    with pytest.raises(ValueError, match=message):
        build_output(config)


def test_grid_labels_agree_with_the_counts(runs, dataset):
    from amn_core.figures.grids import find_labels
    from amn_core.formats.runs import load_run

    run, threshold = load_run(runs[1]), 0.35
    counts, called = run.counts(), 0
    index = int(np.argmin(np.abs(counts.thresholds - threshold)))
    for image_id in dataset.ids:
        gt = dataset.gt(image_id)
        labels = find_labels(*run.map(image_id), float(counts.thresholds[index]))
        called += int(((labels > 0) & (gt != 255)).sum())
    assert called == int(counts.decision_bins[:, index + 1:].sum())


def test_figures_on_real_images(voc_root, tmp_path):
    dataset = load_dataset(f"voc:{voc_root}", "train")
    few = replace(dataset, ids=dataset.ids[:3])
    run = make_run(tmp_path / "real", few, "cam", "CAM", 0.5)
    made = build("grid", (run,), ".png", data=f"voc:{voc_root}", number=2, layers="photo,truth,map,mask,contour,errors")
    assert len(made.record["pictures"]["images"]) == 2
    assert Image.open(io.BytesIO(made.content)).width == int(3.281 * 60)


def test_figures_of_two_cuts_leave_out_finished_masks_and_say_so():
    bundle = REPOSITORY / "checkpoints" / "voc-resnet50"
    runs = (str(bundle / "amn"), str(bundle / "crf"))
    for name in ("two-cuts", "audit", "table-audit"):
        assert "finished masks have no cut: AMN + CRF" in build_output(FigureConfig(name, runs, **QUICK)).note
        with pytest.raises(ValueError, match="draw a run of maps"):
            build_output(FigureConfig(name, runs[1:], **QUICK))


@pytest.mark.parametrize(("name", "suffix"), [("miou", ".pdf"), ("miou", ".svg"), ("miou", ".png"), ("table", ".tex")])
def test_bytes_do_not_depend_on_the_name_of_the_file(name, suffix, runs, tmp_path):
    made = []
    for place in (tmp_path / f"one{suffix}", tmp_path / "folder" / f"another-name{suffix}"):
        make_figure(FigureConfig(name, runs, str(place), **QUICK))
        made.append(place.read_bytes())
    assert made[0] == made[1]
    moved = tmp_path / f"moved{suffix}"
    moved.write_bytes(made[0])
    again = make_figure(FigureConfig(record=str(moved), runs=runs))
    assert (again["file"], moved.read_bytes()) == (str(moved), made[0])


def test_runs_and_axes_are_renamed_and_coloured_in_figure_caption_and_record(runs):
    config = FigureConfig("miou", runs, "miou.svg", names="Ours;", colours=",teal", xlabel="cut", **QUICK)
    made = build_output(config)
    svg = made.content.decode()
    assert ">Ours<" in svg and ">AMN<" in svg and ">CAM<" not in svg
    assert ">cut<" in svg and ">threshold<" not in svg and ">mIoU (%)<" in svg
    assert "#008080" in svg and "#0072b2" not in svg.lower()
    assert "Ours " in made.caption
    assert (made.record["options"]["names"], made.record["options"]["colours"]) == ("Ours;", ",teal")
    assert "--names 'Ours;'" in made.record["command"]


@pytest.mark.parametrize(("change", "message"), [
    ({"names": "a;b;c"}, "names has 3 for 2"), ({"colours": "blurple"}, "colours has 'blurple'"),
    ({"xlabel": "a;b"}, "xlabel has 2 for 1"),
])
def test_wrong_names_are_named(change, message, runs):
    with pytest.raises(ValueError, match=message):
        build("miou", runs, **change)


def test_protocol_stands_in_the_note_alone(runs):
    for name in (*DRAWN, "table", "table-classes"):
        made = build(name, runs, FIGURES[name].suffixes[0])
        assert "protocol irn" in made.note and "protocol" not in made.caption, name
        assert made.record["note"] == made.note
        assert len(made.caption) < 520, name


def test_degenerate_images_of_any_run_are_not_picked(runs, monkeypatch):
    material = load_material(resolve_figure_config(FigureConfig("grid", runs, number=6)))
    first = material.image_ids[0]
    second = material.sources[1].counts
    monkeypatch.setattr("amn_core.figures.picking.find_degenerate", lambda counts: np.array(
        [counts is second and image_id == first for image_id in counts.image_ids]))
    for rule in ("largest-regret", "median", "random"):
        picked = pick_images(replace(material, config=replace(material.config, rule=rule)))
        assert first not in picked.ids and len(picked.ids) == 5 and "1 degenerate" in picked.words


def test_grid_has_bar_key_and_the_score_of_each_mask(runs):
    config = resolve_figure_config(FigureConfig("grid", runs, number=2, ids="", **QUICK))
    material = load_material(config)
    with use_page(material.page):
        figure, _ = draw_grid(material)
    picked = pick_images(material).ids
    scores = [float(axes.get_xlabel()) for axes in figure.axes if axes.get_xlabel().replace(".", "").isdigit()]
    expected = [100 * score_images(source.counts).miou[source.counts.image_ids.index(image_id), source.index]
                for image_id in picked for source in material.sources]
    np.testing.assert_allclose(scores, expected, atol=0.051)
    assert "activation" in [axes.get_xlabel() for axes in figure.axes]
    key = {text.get_text() for text in figure.legends[0].get_texts()}
    dataset = load_dataset(SCENES, "val")
    in_truth = {dataset.class_names[i] for image_id in picked for i in np.unique(dataset.gt(image_id)) if 0 < i < 255}
    assert in_truth <= key


def test_heads_of_a_grid_move_no_column(runs):
    config = FigureConfig("grid", runs, number=2, names="A very long name of a method that nobody shortened;B", **QUICK)
    material = load_material(resolve_figure_config(config))
    with use_page(material.page):
        figure, _ = draw_grid(material)
        figure.draw_without_rendering()
    widths = [axes.get_position().width for axes in figure.axes[:6]]
    gaps = np.diff([axes.get_position().x0 for axes in figure.axes[:6]])
    assert np.ptp(widths) < 1e-6 and np.ptp(gaps) < 1e-3


def test_combined_runs_have_columns_of_their_own_in_a_grid(tmp_path):
    out, runs = tmp_path / "both", tuple(str(REPOSITORY / "checkpoints" / "scenes" / name) for name in ("cam", "amn"))
    assert main(["combine", *runs, "--by", "or", "--out", str(out)]) == 0
    config = resolve_figure_config(FigureConfig("grid", (*runs, str(out)), number=1, layers="map,mask", **QUICK))
    material = load_material(config)
    with use_page(material.page):
        figure, _ = draw_grid(material)
    heads = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert heads == ["CAM", "AMN", "CAM OR AMN"] and len(figure.axes) == 2 * 3 + 1  # and the colour bar


def test_type_of_a_latex_table_shrinks_until_it_fits(runs):
    material = load_material(resolve_figure_config(FigureConfig("table", runs, **QUICK)))
    table = build_runs_table(material)
    narrow, wide = (fit_table(table, width) for width in (3.281, 6.875))
    assert narrow[0].heads[1:] == ("CAM", "AMN") and not narrow[1].is_wide
    assert wide[0].heads == table.heads and wide[1].is_wide
    for fitted, layout in (narrow, wide):
        assert measure_table(fitted, layout.points, layout.gap) <= (6.875 if layout.is_wide else 3.281) * 72.27
    with pytest.raises(ValueError, match="give fewer runs, shorter --names"):
        fit_table(table, 1.0)


def test_threshold_over_a_training_is_that_of_the_probe_after_each_epoch(training, dataset, runs):
    with pytest.raises(ValueError, match="train with --probe"):
        build("over-training", (training,))
    probe = Path(training) / "probe"
    write_json(probe / "probe.json", {"images": list(dataset.ids), "shown": list(dataset.ids[:1])})
    for epoch, run in enumerate((runs[0], *runs)):
        save_counts(probe / f"epoch-{epoch:03d}" / "counts.npz", load_run(run).counts())
    first, second = (build("over-training", (training,)) for _ in range(2))
    assert first.content == second.content
    peaks = [summarise(load_run(run).counts()).peak_threshold for run in runs]
    assert f"from {peaks[0]:.3f} after epoch 1 to {peaks[1]:.3f} after epoch 2" in first.caption
    assert f"On {len(dataset.ids)} fixed probe images" in first.note


def test_letters_beside_marks_that_crowd_stay_clear_of_each_other():
    from amn_core.figures.two_cuts import find_sides

    marks = np.array([[100, 100], [106, 99], [106, 92], [100, 85], [140, 100]], float)
    curves = np.stack([np.arange(0, 200, 2), 101 - np.arange(0, 200, 2) / 20], axis=-1)
    letters = marks + find_sides(marks, curves, 7.0)
    apart = np.linalg.norm(letters[:, None] - letters, axis=-1) + 100 * np.eye(len(letters))
    assert apart.min() >= 6 and np.linalg.norm(letters[:, None] - marks, axis=-1).min() >= 6
