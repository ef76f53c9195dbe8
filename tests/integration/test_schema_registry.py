"""A worker on a real Kafka decodes events in Confluent framing, with schemas from a registry over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from msgspec import structs
from tests.support.program import run
from tests.support.questionnaires import Application
from tests.support.settled import group_lag, wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess
from tests.unit.client.http_server import Site, serving

from triggers.client.session_events import SessionEvents
from triggers.codec import DeadLetter, decode_dead_letter
from triggers.codec.avro_records import schema_versions
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

SCHEMA: dict[str, Any] = json.loads(schema_versions("trigger_event")[0])
RULES = {"t_all": {"after": ["a", "b"], "run": "app.all"}}
KNOWN, UNKNOWN = 7, 8
SETTING = "TRIGGERS_SCHEMA_REGISTRY_URL"
AWAY = (503, b"{}")


def answer(path: str) -> tuple[int, bytes]:
    """Answers as a registry with one schema."""
    if path == f"/schemas/ids/{KNOWN}":
        return 200, json.dumps({"schema": json.dumps(SCHEMA)}).encode()
    return 404, b'{"error_code": 40403, "message": "Schema not found"}'


@pytest.fixture
def registry() -> Iterator[Site]:
    with serving(answer) as site:
        yield site


@pytest.fixture
def asking(settings: Settings, registry: Site) -> Settings:
    """Settings with the registry's URL, with created topics."""
    create_topics(settings)
    return structs.replace(settings, schema_registry_url=registry.url)


def framed(name: str, schema_id: int = KNOWN, **fields: object) -> bytes:
    stream = BytesIO()
    stream.write(b"\0" + schema_id.to_bytes(4, "big"))
    schemaless_writer(stream, parse_schema(SCHEMA), {"event": (f"triggers.{name}", fields)})
    return stream.getvalue()


def fire(trigger: str, schema_id: int = KNOWN) -> bytes:
    return framed("TriggerFired", schema_id, trigger=trigger, kwargs=b'{"x": 1}')


def send(settings: Settings, *values: bytes, uid: bytes = b"s1") -> None:
    application = Application(settings)
    for value in values:
        application.send(uid, value)
    application.flush()


def configuration() -> bytes:
    return framed("ConfigurationUpdated", configuration=json.dumps(RULES).encode())


def dead_letters(settings: Settings) -> list[DeadLetter]:
    wait_until_processed(settings)
    return [decode_dead_letter(m.value()) for m in read_topic(settings, Topology(settings.namespace).dead_letters)]


def statuses(worker: WorkerProcess, uid: str = "s1") -> list[str]:
    code, session = worker.session(uid)
    assert code == 200, session
    return [instance["status"] for instance in session["instances"]]


def test_a_worker_applies_events_in_confluent_framing_and_every_reader_of_events_decodes_them(
    asking: Settings, registry: Site
) -> None:
    send(asking, configuration(), fire("a"), fire("b"))

    with WorkerProcess(asking, "w0") as worker:
        assert dead_letters(asking) == []
        assert statuses(worker) == ["scheduled"]
        explained = run(asking, "explain", "s1", TRIGGERS_SCHEMA_REGISTRY_URL=registry.url)
        exported = run(asking, "export", TRIGGERS_SCHEMA_REGISTRY_URL=registry.url)
        shown = run(asking, "show", "s1", "--at", "1", TRIGGERS_SCHEMA_REGISTRY_URL=registry.url)
    without_a_worker = SessionEvents(structs.replace(asking, read_timeout_s=0.2)).read_session("s1")

    assert "t_all#0 is scheduled, attempt 1" in explained.stdout, explained.stderr
    assert [json.loads(line).get("trigger") for line in exported.stdout.splitlines()] == [None, "a", "b"]
    assert "unstarted" in shown.stdout
    assert len(without_a_worker) == 3
    assert {path for path, _ in registry.asked} == {f"/schemas/ids/{KNOWN}"}


def test_an_unreachable_registry_delays_events_and_loses_none(asking: Settings, registry: Site) -> None:
    registry.answer = lambda _: AWAY
    send(asking, b'{"configuration": %s}' % json.dumps(RULES).encode(), fire("a"), b'{"trigger": "b"}')

    with WorkerProcess(asking, "w0") as worker:
        wait_until(lambda: worker.log_text().count(f"schema registry {registry.url}: HTTP 503") > 1, "it asks again")
        assert worker.session("s1")[0] == 404
        assert group_lag(asking) == 3
        registry.answer = answer
        assert dead_letters(asking) == []
        assert statuses(worker) == ["scheduled"]
        assert worker.terminate() == 0


def test_a_worker_that_waits_for_the_registry_stops_at_sigterm(asking: Settings, registry: Site) -> None:
    registry.answer = lambda _: AWAY
    send(asking, fire("a"))

    with WorkerProcess(asking, "w0") as worker:
        wait_until(lambda: "HTTP 503" in worker.log_text(), "it asks")
        assert worker.terminate() == 0

    assert group_lag(asking) == 1


def test_an_event_with_a_schema_that_the_registry_lacks_is_a_dead_letter_and_the_registry_is_queried_once(
    asking: Settings, registry: Site
) -> None:
    send(asking, configuration(), *[fire("a", UNKNOWN)] * 3, fire("a"), fire("b"))

    with WorkerProcess(asking, "w0") as worker:
        letters = dead_letters(asking)
        assert statuses(worker) == ["scheduled"]

    assert [letter.reason for letter in letters] == ["unknown schema"] * 3
    assert registry.url in letters[0].detail
    assert [path for path, _ in registry.asked].count(f"/schemas/ids/{UNKNOWN}") == 1


def test_without_the_setting_the_dead_letter_says_what_to_set_and_can_be_redriven_then(
    settings: Settings, asking: Settings
) -> None:
    send(settings, b'{"configuration": %s}' % json.dumps(RULES).encode(), fire("a"), fire("b"))

    with WorkerProcess(settings, "w0") as worker:
        letters = dead_letters(settings)
        assert worker.terminate() == 0
    with WorkerProcess(asking, "w0") as worker:
        worker.wait_ready()
        redriven = run(asking, "dead-letters", "redrive", "--reason", "no schema registry")
        wait_until_processed(asking)
        assert statuses(worker) == ["scheduled"]
        events = SessionEvents(asking).read_session("s1")

    assert [letter.reason for letter in letters] == ["no schema registry"] * 2
    assert "set schema_registry_url (TRIGGERS_SCHEMA_REGISTRY_URL)" in letters[0].detail
    assert redriven.stdout == "Redrove 2 records.\n"
    assert [event.position for event in events] == [0, 3, 4]


def test_a_reader_leaves_out_no_event_that_it_cannot_read(asking: Settings, registry: Site, tmp_path: Path) -> None:
    send(asking, configuration(), fire("a"))

    with WorkerProcess(asking, "w0") as worker:
        wait_until_processed(asking)
        assert statuses(worker) == ["unstarted"]
        without = run(asking, "explain", "s1")
        everything = run(asking, "stats")
        elsewhere = run(asking, "explain", "s1", TRIGGERS_SCHEMA_REGISTRY_URL=f"{registry.url}/elsewhere")
        registry.answer = lambda _: AWAY
        away = run(asking, "explain", "s1", TRIGGERS_SCHEMA_REGISTRY_URL=registry.url)
        wrong = run(asking, "worker", "--data-dir", str(tmp_path), TRIGGERS_SCHEMA_REGISTRY_URL="localhost:8081")

    assert [done.returncode for done in (without, everything, elsewhere, away, wrong)] == [2, 2, 2, 4, 2]
    assert SETTING in without.stderr
    assert SETTING in everything.stderr
    assert f"schema registry {registry.url}/elsewhere has no schema {KNOWN}" in elsewhere.stderr
    assert away.stderr == f"Error: schema registry {registry.url}: HTTP 503\n"
    assert f"{SETTING}) is 'localhost:8081', but it must be http://host:port" in wrong.stderr
