"""The three READMEs: commands parse, the quick ones give what is printed, and nothing that exists goes unnamed."""

import doctest
import json
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from amn_core.bench.screens import FIRST
from amn_core.bench.screens import SCREENS as SMALL_SCREENS
from amn_core.bench.serving import find_port, wait_for_server
from amn_core.cli import BENCHMARKS, COMMANDS, GROUPS, build_parser, main
from amn_core.figures.config import FIGURES
from app.lessons.page import LESSONS
from app.main import SCREENS

REPOSITORY = Path(__file__).resolve().parents[1]
TEXTS = {path: (REPOSITORY / path).read_text(encoding="utf-8")
         for path in ("README.md", "checkpoints/README.md", "amn_core/README.md")}
PROGRAM = "python -m amn_core "
# What needs only the bundle and takes seconds; all else needs a data set or hours.
IS_QUICK = re.compile(r"(compare|figure \S+)( checkpoints/\S+)+( --(part|preset|dpi|out) \S+)*")


def list_commands() -> list[str]:
    """List the commands of the blocks and of the running text; those with an ellipsis or a placeholder left out."""
    found = []
    for text in TEXTS.values():
        for block in re.findall(r"```bash\n(.*?)```", text, flags=re.S):
            found += [line[len(PROGRAM):] for line in block.splitlines() if line.startswith(PROGRAM)]
        found += re.findall(rf"`{PROGRAM}([^`…]+)`", text)
    return sorted({command for command in found if "COMMAND" not in command})


COMMANDS_SHOWN = list_commands()


def mark_command(command: str):
    """Mark a command as quick, which is run as well, or as long, which is parsed alone."""
    return pytest.param(command, id=f"{'quick' if IS_QUICK.fullmatch(command) else 'long'}: {command}")


@pytest.mark.parametrize("command", [mark_command(one) for one in COMMANDS_SHOWN])
def test_commands_of_the_readmes_parse(command):
    assert callable(build_parser().parse_args(shlex.split(command)).handle)


@pytest.mark.parametrize("command", [one for one in COMMANDS_SHOWN if IS_QUICK.fullmatch(one)])
def test_quick_commands_of_the_readmes_run(command, tmp_path, monkeypatch, capsys):
    (tmp_path / "checkpoints").symlink_to(REPOSITORY / "checkpoints")
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)) == 0
    assert capsys.readouterr().out.strip()


PRINTED = [pair for text in TEXTS.values() for pair in re.findall(
    rf"```bash\n{PROGRAM}([^\n]*)\n```\n\n```text\n(.*?)```", text, flags=re.S)]


@pytest.mark.parametrize(("command", "printed"), PRINTED, ids=[command for command, _ in PRINTED])
def test_what_the_readmes_print_is_what_the_command_above_it_prints(command, printed, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    main(shlex.split(command))
    assert capsys.readouterr().out.startswith(printed)


def test_some_numbers_of_the_readmes_are_compared():
    assert any(command.startswith("compare checkpoints/scenes") for command, _ in PRINTED)


def test_the_app_starts_as_the_readme_says_answers_and_stops():
    command = re.search(r"&& \S+python -m amn_core (run)\n", TEXTS["README.md"])[1]
    port = find_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "amn_core", *shlex.split(command), "--headless", "--port", str(port)], cwd=REPOSITORY,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_server(f"http://127.0.0.1:{port}", process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            assert answer.status == 200 and b"<html" in answer.read()
    finally:
        process.terminate()
        ended = process.wait(60)
    assert ended in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)


def test_readme_names_every_figure_once():
    row = next(line for line in TEXTS["README.md"].splitlines() if line.startswith("| print |"))
    named = re.findall(r"[a-z-]+", row.split("|")[3].split(", or")[0])
    assert sorted(named) == sorted(FIGURES)


def test_pictures_of_the_readme_are_those_of_their_command():
    shown = set(re.findall(r"\]\((app/assets/[^)]+)\)", TEXTS["README.md"]))
    assert shown == {"app/assets/explore.png"} | {f"app/assets/screens/{name}.png" for name in (FIRST, *SMALL_SCREENS)}
    paths = {path.removeprefix("screens/").replace("_", "-") for section, paths in SCREENS.items() if section != "Learn"
             for path, _ in paths}
    assert {FIRST, *SMALL_SCREENS} == paths


def test_results_of_the_scenes_are_those_of_compare(monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    main(["compare", *(f"checkpoints/scenes/{name}" for name in ("cam", "amn-without-lcm", "amn")), "--json"])
    runs = json.loads(capsys.readouterr().out)["runs"]
    section = TEXTS["checkpoints/README.md"].split("## Drawn scenes")[1]
    printed = re.findall(r"^\| (\S[^|]*) \| (\d\S*) \|.* (\S+) \|$", section, flags=re.M)[:3]
    assert printed == [(run["name"], f"{100 * run['peak_miou']:.1f}", f"{run['imbalance']:.3f}") for run in runs]


def test_examples_of_the_api_are_true(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert doctest.testfile(str(REPOSITORY / "amn_core" / "README.md"), module_relative=False).failed == 0


def test_readme_fits_a_few_screens_and_names_every_command():
    text = TEXTS["README.md"]
    assert len(text.splitlines()) < 150
    table = text[text.index("## The commands"):text.index("## In a classroom")]
    missing = [name for name in (*COMMANDS, *BENCHMARKS, *GROUPS) if not re.search(rf"(`|\b){name}\b", table)]
    assert missing == []


def test_readme_names_every_screen_and_lesson():
    text = TEXTS["README.md"]
    rows = re.findall(r"^\| ([A-Z][^|]+?) \|", text[text.index("## The screens"):text.index("\n*Learn*")], flags=re.M)
    declared = [(f"{path}.py", title) for section in SCREENS if section != "Learn" for path, title in SCREENS[section]]
    assert set(rows) <= {title for _, title in declared}
    assert {title for path, title in declared if (REPOSITORY / "app" / path).is_file()} <= set(rows)
    learn = " ".join(text[text.index("\n*Learn*"):text.index("## Bring")].split()).lower()
    assert [title for title in LESSONS.values() if title.lower() not in learn] == []


def test_links_of_the_readmes_lead_somewhere():
    for path, text in TEXTS.items():
        folder = (REPOSITORY / path).parent
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            assert (folder / link).exists(), f"{path}: {link}"
