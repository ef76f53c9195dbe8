"""With TRIGGERS_LOG_FORMAT=json every process logs JSON, one object a line. Lines of a run name its command."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs
from tests.support.api_server import api_server
from tests.support.celery_process import CeleryProcess, celery_worker
from tests.support.program import Program, environment
from tests.support.questionnaires import Application
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.client import KafkaPublisher
from triggers.core.events import ConfigurationUpdated, TriggerFired
from triggers.core.trace_context import TraceContext
from triggers.settings import Settings

pytestmark = pytest.mark.broker

APP = "tests.support.celery_tasks"
RULES = {"t_bad": {"after": ["go"], "run": f"{APP}.raises"}}
TRACE = TraceContext(bytes(range(1, 25)), 1)
JSON = {"TRIGGERS_LOG_FORMAT": "json"}
_TEXT_LINE = re.compile(r"^\[?\d{4}-\d{2}-\d{2}[ T]")
"""How a line begins that a logger writes as text."""


def lines(text: str) -> list[dict[str, Any]]:
    """Returns the log lines of a process, which all are JSON. Greetings on standard output are no log lines."""
    assert not [line for line in text.splitlines() if _TEXT_LINE.match(line)], text[-3000:]
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert all({"timestamp", "level", "event"} <= line.keys() for line in found)
    return found


def fire(settings: Settings) -> None:
    """Fires what makes a task raise. The event has a trace."""
    publisher = KafkaPublisher(settings)
    publisher.publish("s1", ConfigurationUpdated(configuration=json.dumps(RULES).encode()))
    publisher.publish("s1", TriggerFired(trigger="go", trace=TRACE))


def test_the_lines_of_a_run_name_its_command_its_record_and_its_trace(settings: Settings) -> None:
    create_topics(settings)
    as_json = structs.replace(settings, log_format="json")
    with (
        WorkerProcess(as_json, "w0") as worker,
        celery_worker(settings, "--pool=prefork", "-c1", **JSON) as celery,
    ):
        fire(settings)
        bad = Application(settings)
        bad.send(b"s1", b"\xff")
        bad.flush()
        wait_until(lambda: any("attempt" in line for line in lines(celery.log.read_text())), "a line of the run")
        wait_until(lambda: "a record becomes a dead letter" in worker.log_text(), "the agent logs a dead letter")
        of_agent, of_celery = lines(worker.log_text()), lines(celery.log.read_text())

    (failed,) = [line for line in of_celery if line["level"] == "error" and "attempt" in line]
    about = {key: failed[key] for key in ("session", "instance", "attempt", "offset", "trace_id")}
    trace = TRACE.trace_id.hex()
    assert about == {"session": "s1", "instance": "t_bad#0", "attempt": 1, "offset": 0, "trace_id": trace}
    assert isinstance(failed["partition"], int)
    (letter,) = [line for line in of_agent if line["event"] == "a record becomes a dead letter"]
    assert (letter["session"], letter["level"]) == ("s1", "warning")
    assert {"topic", "partition", "offset", "reason"} <= letter.keys()
    assert {"worker starts", "assignment changed"} <= {line["event"] for line in of_agent}


def test_hooks_the_api_and_the_console_log_json(settings: Settings, tmp_path: Path) -> None:
    with_feed = structs.replace(settings, decisions=True)
    create_topics(with_feed, decisions=True)
    for name in ("api", "console"):
        (tmp_path / name).mkdir()
    hooks = CeleryProcess(with_feed, "hooks", "tests.support.hook_program", TRIGGERS_HOOK_ATTEMPTS="1", **JSON)
    hooks.notes_file.touch()
    variables = JSON | {"TRIGGERS_LOG_LEVEL": "DEBUG"}

    with (
        WorkerProcess(with_feed, "w0"),
        hooks,
        api_server(with_feed, tmp_path / "api", **variables) as (url, api),
        Program(tmp_path / "console", "console", "--port", "0", env=environment(with_feed, **variables)) as console,
    ):
        console.wait_for("Console at ")
        httpx.get(re.findall(r"http://\S+:\d+/", console.text)[0], timeout=60)
        assert httpx.post(f"{url}/v1/sessions/s1/triggers/bad", json={}, timeout=60).is_success
        wait_until(lambda: "a hook raised" in hooks.log.read_text(), f"the hook raises; see {hooks.log}")
        wait_until(lambda: '"event": "request"' in api.text, "the API logs the request")
        of_hooks, of_api = lines(hooks.log.read_text()), lines(api.text)
        lines(console.text)

    (raised,) = [line for line in of_hooks if "a hook raised" in line["event"]]
    assert raised["session"] == "s1"
    assert {"partition", "offset", "exception"} <= raised.keys()
    (request,) = [line for line in of_api if line["event"] == "request"]
    assert {"request_id", "method", "path", "status", "ms"} <= request.keys()
