"""A signal in the first moments of a command, while it is still being imported: one line and the status 130."""

import signal
import subprocess
import sys

import pytest

# Runs `python -m amn_core jobs list`, which signals itself as it asks for a module.
COMMAND = """
import os, runpy, sys

class Signaller:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            {way}

sys.modules.pop({module!r}, None)
sys.meta_path.insert(0, Signaller())
sys.argv = ["amn_core", "jobs", "list"]
runpy.run_module("amn_core", run_name="__main__", alter_sys=True)
"""
KILL = "os.kill(os.getpid(), {number})"
WAYS = {"code": KILL, "text": f"exec({KILL!r})"}  # a dataclass runs a text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("module", ["amn_core.cli", "argparse", "amn_core.compute.failures"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_it_is_imported_is_one_line_and_status_130(number: int, module: str, way: str) -> None:
    text = COMMAND.format(module=module, way=WAYS[way].format(number=int(number)))
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted\n")


def test_first_handler_is_set_before_any_module_of_python_is_loaded() -> None:
    text = "import sys; before = set(sys.modules); import amn_core.__main__; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True)
    assert set(done.stdout.split()) == {"amn_core", "amn_core.__main__"}
