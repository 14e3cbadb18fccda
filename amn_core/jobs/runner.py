"""The process that looks after one job: waits for its device, runs the command, writes down how it ended.

``python -m amn_core.jobs.runner JOB`` goes into the background at once and tells by its exit status whether
the job is under way. It belongs to no terminal and no server, so it outlives both.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from amn_core.compute.progress import VARIABLE
from amn_core.jobs.devices import choose_devices, list_ahead, take_devices, try_lock
from amn_core.jobs.folder import PROGRESS, PROJECT, Job, load_job, read_log, write_status
from amn_core.jobs.processes import identify, send_quietly

POLL = 0.1
QUEUE_POLL = 0.3
GRACE = 120.0  # seconds from SIGTERM to SIGKILL: a checkpoint on a slow disk must fit in
LOCK_PATIENCE = 10.0  # seconds that killed processes may take to let go of their job
STOPPED = 130


class Ending:
    """Whether the runner itself was told to end, as a machine that shuts down tells everybody."""

    is_asked = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal."""
        self.is_asked = True


def main(path: Path) -> int:
    """Go into the background and look after the job there; returns once its status has been written."""
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            return 0 if pipe.read() == b"ok" else 1
    os.setsid()
    os.close(read)
    lock = take_over(path)
    leave_terminal(path)
    os.write(write, b"ok")
    os.close(write)
    look_after(path, lock)
    return 0


def wait_for_lock(path: Path) -> int | None:
    """Take a job's lock; killed processes may hold it for a moment more, until their last thread is gone."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while (lock := try_lock(path / "lock")) is None:
        if load_job(path).is_active or time.monotonic() > deadline:
            return None
        time.sleep(0.05)
    return lock


def take_over(path: Path) -> int:
    """Become the one runner of a job; returns the lock that keeps others away while the runner or its command lives.

    Raises:
        ValueError: another process looks after it already.
    """
    lock = wait_for_lock(path)
    if lock is None:
        raise ValueError(f"{path.name} is under way already")
    for old in ("cancel", PROGRESS):
        (path / old).unlink(missing_ok=True)
    attempt = load_job(path).status.get("attempt", 0) + 1
    write_status(
        path, state="queued", queued=time.time(), attempt=attempt, began=None, ended=None, exit=None, error="",
        processes={"runner": identify(os.getpid()).describe()})
    return lock


def leave_terminal(path: Path) -> None:
    """Let go of the input and output of whoever started the job; what goes wrong here is in the log."""
    with Path(os.devnull).open("rb") as null, (path / "log.txt").open("ab") as log:
        os.dup2(null.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


def look_after(path: Path, lock: int) -> None:
    """Wait for the device, run the command, write down how it ended."""
    job, ending = load_job(path), Ending()
    signal.signal(signal.SIGTERM, ending.note)
    signal.signal(signal.SIGINT, ending.note)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    devices = wait_for_devices(job, ending)
    if devices is None and is_gone(path):
        return
    if devices is None:
        write_status(path, state="interrupted" if ending.is_asked else "stopped", ended=time.time())
        return
    try:
        command = start_command(job, devices, lock)
    except OSError as error:
        write_status(path, state="failed", ended=time.time(), error=f"the command did not start: {error}")
        return
    try:
        write_status(path, state="running", began=time.time(), devices=list(devices), processes={
            "runner": identify(os.getpid()).describe(), "command": identify(command.pid).describe()})
        wait_for_command(command, path, ending)
    finally:  # where the status cannot be written, nothing may run that nobody would see
        kill_rest(command)
    if not is_gone(path):
        write_end(path, command.returncode, ending)


def wait_for_devices(job: Job, ending: Ending) -> dict[str, int] | None:
    """Wait until the job is first in the queue and its devices are free; None if it is asked to stop before."""
    names = choose_devices(job.device)
    while not (ending.is_asked or is_gone(job.path) or (job.path / "cancel").exists()):
        if not any(other.state == "queued" for other in list_ahead(job)):
            taken = take_devices(job.path.parent, names, min(job.gpus, len(names)))
            if taken is not None:
                return taken
        time.sleep(QUEUE_POLL)
    return None


def build_command(job: Job, gpus: int) -> list[str]:
    """Build the command line: by torchrun, a process for each GPU, where there are several."""
    if gpus > 1:
        return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={gpus}",
                "-m", "amn_core", *job.words]
    return [sys.executable, "-m", "amn_core", *job.words]


def start_command(job: Job, devices: dict[str, int], lock: int) -> subprocess.Popen:
    """Start the command in a group of its own; it inherits the locks, so they stay taken while it lives."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1", VARIABLE: str(job.path.resolve() / PROGRESS)}
    gpus = [name.removeprefix("cuda-") for name in devices if name.startswith("cuda-")]
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    return subprocess.Popen(
        build_command(job, len(gpus)), cwd=PROJECT, env=environment, process_group=0,
        pass_fds=(*devices.values(), lock))


def wait_for_command(command: subprocess.Popen, path: Path, ending: Ending) -> None:
    """Wait for the command to end; when asked to stop, SIGTERM lets it save first, SIGKILL follows after `GRACE`."""
    deadline = None
    while os.waitid(os.P_PID, command.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if is_gone(path):  # there is nothing left to save into, and no list would show what goes on
            send_quietly(os.killpg, command.pid, signal.SIGKILL)
        elif deadline is None and (ending.is_asked or (path / "cancel").exists()):
            send_quietly(os.kill, command.pid, signal.SIGTERM)
            deadline = time.monotonic() + GRACE
        elif deadline is not None and time.monotonic() > deadline:
            send_quietly(os.killpg, command.pid, signal.SIGKILL)
        time.sleep(POLL)


def is_gone(path: Path) -> bool:
    """Whether the folder of a job was deleted, or moved away."""
    return not (path / "job.json").exists()


def kill_rest(command: subprocess.Popen) -> None:
    """Kill whatever the command started, before its own end is taken note of: until then its id is not given out."""
    send_quietly(os.killpg, command.pid, signal.SIGKILL)
    command.wait()


def write_end(path: Path, status: int, ending: Ending) -> None:
    """Write down how the command ended; a stop that was asked for is no failure."""
    state, error = "failed", find_error(path)
    if status == 0:
        state, error = "done", ""
    elif (path / "cancel").exists():
        state, error = "stopped", ""
    elif ending.is_asked:
        state, error = "interrupted", "the machine, or somebody on it, ended the job"
    elif status < 0:
        name = signal.Signals(-status).name
        hint = "; perhaps memory ran out" if status == -signal.SIGKILL else ""
        state, error = "interrupted", f"the command was ended by the signal {name}{hint}"
    elif status == STOPPED:
        state = "interrupted"
    write_status(path, state=state, ended=time.time(), exit=status, error=error)


def find_error(path: Path) -> str:
    """Find what the command said about its end: its last error line, else the last line of all."""
    lines = read_log(path, 200)
    errors = [line for line in lines if line.startswith("error: ")]
    return errors[-1].removeprefix("error: ") if errors else (lines[-1] if lines else "")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
