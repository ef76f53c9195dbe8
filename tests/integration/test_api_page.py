"""The curl commands of docs/http-api.md, in their order, on a real installation."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from tests.support.api_server import api_server
from tests.support.program import run, run_json
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings

pytestmark = pytest.mark.broker

PAGE = Path(__file__).parents[2] / "docs" / "http-api.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
RULES = json.dumps({"t_ship": {"after": ["orderPaid"], "run": "ship"}})
OPERATED = ["order-2", "order-3", "order-4"]
"""Sessions whose instance `t_ship#0` has failed before the page begins."""


@pytest.fixture
def url(settings: Settings, tmp_path: Path) -> Iterator[str]:
    assert run(settings, "topics", "create", "--partitions", "1").returncode == 0
    with WorkerProcess(settings, "page") as worker:
        worker.wait_ready()
        publish_events(settings, tmp_path)
        with api_server(settings, tmp_path) as (address, _):
            yield address


def publish_events(settings: Settings, folder: Path) -> None:
    """Lets `t_ship#0` fail in some sessions, and publishes a record that becomes the dead letter 0/0."""
    lines = [
        line
        for uid in OPERATED
        for line in (
            {"session": uid, "configuration": json.loads(RULES)},
            {"session": uid, "trigger": "orderPaid"},
            {"session": uid, "type": "failed", "instance": "t_ship#0", "attempt": 1, "exception_type": "ValueError"},
        )
    ]
    log = folder / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, [{"session": "order-1", "configuration": json.loads(RULES)}, *lines])))
    fired = run(settings, "fire", "--from", str(log))
    assert fired.returncode == 0, fired.stderr
    producer = Producer({"bootstrap.servers": settings.brokers})
    producer.produce(f"{settings.namespace}.events", b"no event", b"order-9")
    assert producer.flush(30) == 0
    wait_until(lambda: len(run_json(settings, "dead-letters", "list")) == 1, "the record is a dead letter")


def test_every_command_of_the_page_succeeds(settings: Settings, url: str) -> None:
    assert len(BLOCKS) >= 4

    for block in BLOCKS:
        commands = block.replace("http://127.0.0.1:6090", url).replace("curl ", "curl -sS --fail-with-body ")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"

    instances = {uid: run_json(settings, "show", uid)["instances"] for uid in OPERATED[:2]}
    assert {uid: [each["status"] for each in every] for uid, every in instances.items()} == {
        "order-2": ["replayed", "skipped"],
        "order-3": ["skipped"],
    }
    assert run(settings, "show", "order-4").returncode == 3, "it is deleted"
    assert run_json(settings, "dead-letters", "list", "--state", "redriven")[0]["actor"] == "anonymous"
    delivered = [event for event in run_json(settings, "explain", "order-1")["events"] if event["event"]["id"]]
    assert [event["outcome"] for event in delivered if event["event"]["id"] == "delivery-4711"] == [
        "unused",
        "duplicate",
    ]
