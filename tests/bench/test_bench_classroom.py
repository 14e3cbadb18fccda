"""bench classroom lets pages look at a real server, and bench soak lets things happen to jobs and to the app."""

import os
import random
import signal
import subprocess
import sys

import pytest

from amn_core.bench.classroom import BenchClassroomConfig, bench_classroom, describe_waits, format_classroom
from amn_core.bench.soak import BenchSoakConfig, describe_memory, format_soak
from amn_core.bench.soak_events import forge, jump, kill_all, start
from amn_core.bench.soak_world import World, building, list_processes, read_words, wait_until
from amn_core.formats.files import write_json
from amn_core.jobs import list_jobs


@pytest.fixture
def world(tmp_path):
    """A world without server or viewers."""
    with building(tmp_path) as built:
        yield built


def test_viewers_move_the_threshold_and_change_images_without_a_fault():
    result = bench_classroom(BenchClassroomConfig(viewers=2, seconds=6, pause=0.5))
    assert result["errors"] == [] and result["agree"]
    assert result["visits_ms"]["number"] == 2 and result["images_ms"]["number"] >= 2
    assert result["moves_ms"]["number"] >= 2 * result["images_ms"]["number"] - 2
    assert result["memory_mb"]["most"] >= result["memory_mb"]["before"] > 10
    assert "2 viewers for 6 s" in format_classroom(result)


@pytest.mark.parametrize("odd", [{"viewers": 0}, {"seconds": 0}, {"pause": 0}, {"viewers": 201}])
def test_bench_classroom_is_bounded(odd):
    with pytest.raises(ValueError, match="1 to 200 viewers"):
        BenchClassroomConfig(**odd)


def test_waits_are_told_in_milliseconds():
    assert describe_waits([0.1, 0.3])["median"] == pytest.approx(200) and describe_waits([])["number"] == 0


@pytest.mark.parametrize("odd", [{"minutes": 0}, {"minutes": 1e6}, {"viewers": 51}])
def test_bench_soak_is_bounded(odd):
    with pytest.raises(ValueError, match="minutes"):
        BenchSoakConfig(**odd)


def test_killed_job_is_no_fault_and_a_forged_running_one_is(world):
    draw = random.Random(0)
    start(world, draw)
    assert wait_until(lambda: any("command" in job.processes for job in world.list_active()), 60)
    for event in (jump, forge, kill_all):
        event(world, draw)
    assert world.faults == [] and [job.state for job in list_jobs(world.jobs)] in (["interrupted"], ["done"])
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        assert wait_until(lambda: any("sleep(600)" in read_words(pid) for pid in list_processes(world.token)), 30)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_clock_of_every_process_jumps_and_nothing_is_left_afterwards(tmp_path):
    tell = [sys.executable, "-c", "import time; print(time.time() - time.clock_gettime(time.CLOCK_REALTIME))"]
    with building(tmp_path) as world:
        world.clock.write_text("86400")
        wrong = float(subprocess.run(tell, capture_output=True, text=True, check=True).stdout)
        assert wrong == pytest.approx(86400, abs=5)
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    assert sleeper.wait(30) == -signal.SIGKILL and "AMN_SOAK" not in os.environ
    assert not os.path.ismount(tmp_path / "small")


def test_changed_state_is_a_fault(world, monkeypatch):
    start(world, random.Random(0))
    wait_until(lambda: any("command" in job.processes for job in world.list_active()), 60)
    kill_all(world, random.Random(0))
    job = list_jobs(world.jobs)[0]
    write = World.clock.fget

    def change(self):
        write_json(job.path / "status.json", {"state": "stopped"})
        return write(self)

    monkeypatch.setattr(World, "clock", property(change))
    jump(world, random.Random(0))
    assert world.faults and job.id in world.faults[0]


def test_soak_is_told_in_words():
    memory = describe_memory([1_000_000] * 3 + [2_000_000] * 3 + [3_000_000] * 3)
    assert memory == {"first": 1.0, "second": 2.0, "last": 3.0, "most": 3.0}
    text = format_soak({
        "minutes": 1.0, "seed": 3, "room": "a tmpfs", "happened": {"kill_all": 2}, "trainings": 1, "jobs": {"done": 2},
        "pages": 4, "lost": 0, "page_s": {"median": 0.5, "most": 1.0}, "memory_mb": memory, "left": [],
        "faults": ["odd"]})
    assert "kill all 2" in text and text.endswith("  odd")
