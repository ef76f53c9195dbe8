"""The real Flower shows commands from Kafka beside the tasks of the app's own broker, and revokes them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import URLError
from urllib.parse import quote

import pytest
from tests.support.celery_process import APP, CeleryProcess, celery_worker
from tests.support.commands import issue_commands, make_command, wait_for_results
from tests.support.redis_server import RedisServer
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.core.events import TaskFailed, TaskFinished
from triggers.dev.ports import free_ports
from triggers.settings import Settings

pytestmark = pytest.mark.broker

ODD_SESSION = "a/b#1 über"
"""It is a part of the task id, and so of Flower's URLs."""


class Flower:
    """A Flower process, which must run until the test ends."""

    def __init__(self, process: CeleryProcess, port: int) -> None:
        self.process = process
        self._url = f"http://127.0.0.1:{port}"

    def tasks(self) -> dict[str, dict[str, Any]]:
        """Returns what Flower knows about all tasks, by their ids."""
        return dict(json.loads(self._ask("/api/tasks") or "{}"))

    def page(self, task_id: str) -> str:
        return self._ask(f"/task/{quote(task_id, safe='')}")

    def revoke(self, task_id: str) -> None:
        self._ask(f"/api/task/revoke/{quote(task_id, safe='')}?terminate=true&signal=SIGKILL", data=b"")

    def _ask(self, path: str, data: bytes | None = None) -> str:
        """Returns the answer, or an empty text while Flower does not answer."""
        assert self.process.running, self.process.log_text()[-3000:]
        try:
            with urllib.request.urlopen(self._url + path, data=data, timeout=20) as response:  # noqa: S310  # our URL
                return str(response.read().decode())
        except (URLError, TimeoutError):
            return ""


@pytest.fixture
def flower(settings: Settings, redis: RedisServer) -> Iterator[Flower]:
    (port,) = free_ports(1)
    options = (f"--port={port}", "--address=127.0.0.1", f"--broker={redis.url}")
    arguments = ("celery", "-A", APP, "flower", *options)
    variables = {"TEST_BROKER_URL": redis.url, "FLOWER_UNAUTHENTICATED_API": "true"}
    with CeleryProcess(settings, "flower", *arguments, **variables) as process:
        yield Flower(process, port)


def test_flower_shows_commands_as_it_shows_ordinary_tasks_and_revokes_them(
    settings: Settings, redis: RedisServer, flower: Flower
) -> None:
    create_topics(settings)
    echo = make_command(f"{APP}.echo", ODD_SESSION, kwargs={"page": {"n": 1}})
    slow = make_command(f"{APP}.slow", ODD_SESSION, 1, kwargs={"page": {"seconds": 600}})
    schedule = f"--schedule={settings.data_dir}/beat"

    with celery_worker(settings, "-c2", "-E", "--beat", schedule, TEST_BEAT="1", TEST_BROKER_URL=redis.url) as worker:
        wait_until(lambda: _states(flower, f"{APP}.quick") >= {"SUCCESS"}, f"an ordinary task; see {worker.log}")
        issue_commands(settings, [echo, slow])
        wait_until(lambda: flower.tasks().get(echo.id, {}).get("state") == "SUCCESS", "Flower shows that it has ended")
        wait_until(lambda: flower.tasks().get(slow.id, {}).get("state") == "STARTED", "Flower shows that it runs")
        shown, page = flower.tasks()[echo.id], flower.page(echo.id)
        flower.revoke(slow.id)
        results = wait_for_results(settings, [echo, slow], worker)
        assert worker.terminate() == 0

    assert (shown["name"], shown["kwargs"], shown["retries"]) == (f"{APP}.echo", "{'page': {'n': 1}}", 0)
    assert f"{APP}.echo" in page
    assert shown["worker"].startswith("celery@")
    assert isinstance(results[echo.id][0], TaskFinished)
    revoked = results[slow.id][0]
    assert isinstance(revoked, TaskFailed)
    assert revoked.exception_type == "celery.exceptions.TaskRevokedError"


def _states(flower: Flower, name: str) -> set[str]:
    return {task["state"] for task in flower.tasks().values() if task["name"] == name}
