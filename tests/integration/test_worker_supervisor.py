"""A supervisor restarts workers that are killed, and workers end with their supervisor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.support.fake_clock import fake_clock, follow_clock
from tests.support.questionnaires import Application, interleaved
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.settings import Settings

pytestmark = pytest.mark.broker

SCRIPT = """
import sys, msgspec
from pathlib import Path
from triggers.settings import Settings
from triggers.worker.supervisor import run_workers

if __name__ == "__main__":
    settings = Settings.from_env({}, **msgspec.json.decode(sys.argv[1]))
    sys.exit(run_workers(settings, 2))
"""


class Supervised:
    """A process with a supervisor of two workers."""

    def __init__(self, settings: Settings, folder: Path, **variables: str) -> None:
        self.log = folder / "supervisor.log"
        script = folder / "supervise.py"
        script.write_text(SCRIPT)
        given = msgspec.to_builtins(settings, enc_hook=str)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | variables
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(script), json.dumps(given)], stdout=log, stderr=log, env=environment
            )

    def started(self) -> list[int]:
        """Returns the process ids of all workers so far, in the order of their start."""
        lines = [line for line in self.log.read_text().splitlines() if "worker started" in line]
        return [int(line.split("pid=")[1].split()[0]) for line in lines]


@pytest.fixture
def supervised(settings: Settings, tmp_path: Path) -> Iterator[Supervised]:
    create_topics(settings)
    supervised = Supervised(settings, tmp_path)
    wait_until(lambda: len(supervised.started()) == 2, "both workers run")
    yield supervised
    supervised.process.kill()
    supervised.process.wait()
    wait_until(lambda: not any(alive(pid) for pid in supervised.started()), "all workers have ended")


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text()


def test_a_killed_worker_is_started_again(settings: Settings, supervised: Supervised) -> None:
    os.kill(supervised.started()[0], signal.SIGKILL)

    wait_until(lambda: len(supervised.started()) == 3, "the worker is started again")
    application = Application(settings)
    for uid, event in interleaved(sessions=20, pages=2):
        application.fire(uid, event)
    application.flush()
    wait_until_processed(settings)
    assert "killed by signal 9" in supervised.log.read_text()


def test_a_supervisor_that_is_stopped_leaves_no_worker_behind(supervised: Supervised) -> None:
    supervised.process.terminate()

    assert supervised.process.wait(120) == 0
    assert not any(alive(pid) for pid in supervised.started())


def test_workers_end_when_their_supervisor_is_killed(supervised: Supervised) -> None:
    supervised.process.kill()

    wait_until(lambda: not any(alive(pid) for pid in supervised.started()), "the workers have ended")


def test_a_supervisor_ends_when_a_restart_would_not_help(settings: Settings, tmp_path: Path) -> None:
    create_topics(settings, changelog_partitions=2)
    supervised = Supervised(settings, tmp_path)

    assert supervised.process.wait(120) == 78
    assert "a restart would not help" in supervised.log.read_text()


def test_a_worker_whose_clock_is_set_back_starts_again(settings: Settings, tmp_path: Path) -> None:
    """Otherwise its Kafka clients would wait for the hour by which the clock was set back."""
    create_topics(settings)
    library, clock = fake_clock(), tmp_path / "clock"
    if library is None:
        pytest.skip("libfaketime has no wheel for this platform")
    clock.write_text("+3600")
    supervised = Supervised(settings, tmp_path, **follow_clock(library, clock))
    try:
        wait_until(lambda: supervised.log.read_text().count("worker starts") == 2, "both workers run")

        clock.write_text("+0")

        wait_until(lambda: len(supervised.started()) == 4, "both workers are started again")
        assert "the clock was set back by 3600 s" in supervised.log.read_text()
    finally:
        supervised.process.kill()
        supervised.process.wait()
        wait_until(lambda: not any(alive(pid) for pid in supervised.started()), "all workers have ended")
