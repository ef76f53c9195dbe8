"""The questionnaire application runs on the whole stack, also when a worker is killed or Ctrl-C is pressed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from tests.support.left_processes import find_processes, make_mark
from tests.support.program import Program, environment, run
from tests.support.topic_reader import wait_until

from triggers.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]


def test_the_demo_imports_everything_exactly_as_the_rules_say(settings: Settings) -> None:
    done = run(settings, "demo", "--sessions", "40", "--broker", settings.brokers, "--json", timeout_s=300)

    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads(done.stdout)
    assert report["problems"] == []
    assert all(row["expected"] == row["found"] for row in report["table"])
    assert sum(row["expected"] for row in report["table"]) > 40
    assert report["lag"]["after"] == {"events": 0, "commands": 0}
    assert {one["status"] for one in report["session"]["instances"]} <= {"finished", "abandoned", "unstarted"}
    assert _topics(settings) == [], "the demo has removed its topics"


def test_a_worker_killed_during_the_demo_loses_and_repeats_nothing(settings: Settings) -> None:
    broker = ("--broker", settings.brokers)
    done = run(settings, "demo", "--sessions", "150", "--seed", "7", "--kill", *broker, "--json", timeout_s=380)

    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads(done.stdout)
    assert report["killed"] == 1
    assert report["problems"] == []
    assert report["repeated"] == 0
    assert report["lag"]["after"] == {"events": 0, "commands": 0}


def test_ctrl_c_during_the_demo_leaves_nothing_behind(settings: Settings, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    mark = make_mark()
    env = environment(settings, TMPDIR=str(temporary), **mark)

    with Program(tmp_path, "demo", "--broker", settings.brokers, "--keep", str(tmp_path / "kept"), env=env) as demo:
        wait_until(lambda: len(list(find_processes(mark))) > 5, "the stack is running")
        assert demo.interrupt() == 130

    wait_until(lambda: not list(find_processes(mark)), "no process is left")
    assert list(temporary.iterdir()) == []
    assert _topics(settings) == []


def _topics(settings: Settings) -> list[str]:
    topics = AdminClient({"bootstrap.servers": settings.brokers}).list_topics(timeout=30).topics
    return [name for name in topics if name.startswith(settings.namespace)]
