"""A worker crashes at an exact point, which is planted in a copy of the package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.chaos.mutations import Mutation
from tests.support.fold_oracle import assert_equals_fold
from tests.support.partition_files import assert_files_equal_fold
from tests.support.questionnaires import Application, interleaved
from tests.support.settled import wait_until_processed
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.dev import child_process
from triggers.dev.stack import environment
from triggers.settings import Settings

pytestmark = pytest.mark.broker

_LOOP = "        for partition, rows in batch.rows.items():\n"
_CRASH = "        if any(batch.rows.values()):\n            os._exit(9)\n"
COMMITTED = Mutation(
    "crash between the commit and RocksDB",
    (
        ("agent/consumer/pump.py", _LOOP, _CRASH + _LOOP),
        ("agent/consumer/pump.py", "import asyncio\n", "import asyncio\nimport os\n"),
    ),
    (),
)
RUN = "import sys; from triggers.worker.app import run_worker; from triggers.settings import Settings\n"
RUN += "sys.exit(run_worker(Settings.from_env(), 0))"


def crash(settings: Settings, package: Path, log: Path) -> int:
    """Runs the worker of the package until it ends and returns its exit code."""
    env = {**os.environ, **environment(settings), "PYTHONPATH": str(package)}
    with log.open("wb") as output:
        return child_process.start([sys.executable, "-c", RUN], output=output, env=env).wait(120)


def test_a_crash_between_the_commit_and_rocksdb_heals_from_the_changelog(settings: Settings, tmp_path: Path) -> None:
    create_topics(settings)
    application = Application(settings)
    for uid, event in interleaved(sessions=50, pages=4):
        application.fire(uid, event)
    application.flush()
    worker = WorkerProcess(settings, "w0")

    assert crash(worker.settings, COMMITTED.plant(tmp_path / "copy"), tmp_path / "crash.log") == 9

    with worker:
        wait_until_processed(settings)
        assert worker.metric("triggers_restored_rows_total") > 0
        assert_equals_fold(settings)
        assert_files_equal_fold(settings, worker)
