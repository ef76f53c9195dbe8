"""The questionnaire application runs on the whole stack, also when a worker is killed or Ctrl-C is pressed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.request import urlopen

import pytest
from confluent_kafka.admin import AdminClient
from tests.support.left_processes import find_processes, make_mark
from tests.support.program import environment, run
from tests.support.stack_program import StackProgram
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


def test_the_demo_stays_with_failed_sessions_to_look_at(settings: Settings, tmp_path: Path) -> None:
    env = environment(settings)
    with StackProgram(tmp_path, "demo", "--sessions", "3", "--broker", settings.brokers, "--stay", env=env) as demo:
        demo.wait_for("Press Ctrl-C", timeout_s=250)
        (url,) = re.findall(r"Console: (http://127\.0\.0\.1:\d+)", demo.text)
        failed = f"{url}/sessions?status=failed"
        wait_until(lambda: all(f"unreadable-{number}" in _page(failed) for number in range(3)), "three have failed")
        assert demo.interrupt() == 0

    assert _topics(settings) == []


def test_ctrl_c_during_the_demo_leaves_nothing_behind(settings: Settings, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    mark = make_mark()
    env = environment(settings, TMPDIR=str(temporary), **mark)

    with StackProgram(
        tmp_path, "demo", "--broker", settings.brokers, "--keep", str(tmp_path / "kept"), env=env
    ) as demo:
        wait_until(lambda: len(list(find_processes(mark))) > 5, "the stack is running")
        assert demo.interrupt() == 130

    wait_until(lambda: not list(find_processes(mark)), "no process is left")
    assert list(temporary.iterdir()) == []
    assert _topics(settings) == []


def _page(url: str) -> str:
    with urlopen(url, timeout=30) as answer:  # noqa: S310  # it is http
        return str(answer.read().decode())


def _topics(settings: Settings) -> list[str]:
    topics = AdminClient({"bootstrap.servers": settings.brokers}).list_topics(timeout=30).topics
    return [name for name in topics if name.startswith(settings.namespace)]
