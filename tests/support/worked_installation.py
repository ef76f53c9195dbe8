"""An installation whose workers have applied events of every kind, with some more that they have not applied yet."""

from __future__ import annotations

from typing import Any

from tests.support.questionnaires import Application, interleaved
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers import publish_rules
from triggers.client import SessionReader
from triggers.core.view import SessionView
from triggers.errors import SessionNotFound
from triggers.settings import Settings
from triggers.topology import partition_of

PICK: dict[str, Any] = {"after": [], "andEvery": "itemPicked", "run": "app.pick"}
SEND: dict[str, Any] = {"after": ["orderPacked"], "run": "app.send"}
CIRCLE: dict[str, Any] = {
    "$edition": 2,
    "t_a": {"after": ["never"], "run": "app.a"},
    "$forward": [{"on": "go", "to": "'circle'"}],
}
CUSTOMER: dict[str, Any] = {"$edition": 2, "t_note": {"after": [], "andEvery": "orderPaid", "run": "crm.note"}}
PAYER: dict[str, Any] = {
    "$edition": 2,
    "t_later": {"after": ["paid"], "run": "app.later", "delay": "1h"},
    "$forward": [{"on": "paid", "to": "kwargs.customer", "as": "orderPaid"}],
}
AGAIN: dict[str, Any] = {"t_again": {"after": [], "andEvery": "again", "run": "app.again"}}
SESSIONS = (*(f"s{n}" for n in range(12)), "order-1", "order-2", "circle", "customer", "payer", "begun-again")
REFUSED: dict[str, Any] = {"type": "skip", "instance": "t_importSubject#0"}


def work(settings: Settings) -> None:
    """Creates the topics, and lets a worker apply the events. Returns when it is stopped."""
    names = create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        application = Application(settings)
        for uid, event in interleaved(sessions=12, pages=3):
            application.fire(uid, event)
        publish_rules("order", {"t_pick": PICK}, match=["order-*"], settings=settings)
        for uid, event in _first_events():
            application.fire(uid, event)
        application.fire("s1", {"trigger": "pageReceived"}, partition=_wrong_partition("s1", settings))
        application.flush()
        wait_until(lambda: len(read_topic(settings, names.dead_letters)) == 2, "a refused event, the end of the circle")
        wait_until_processed(settings)
        _begin_again(settings, application)
        publish_rules("order", {"t_pick": PICK, "t_send": SEND}, match=["order-*"], existing="adopt", settings=settings)
        for uid, event in _last_events():
            application.fire(uid, event)
        application.flush()
        wait_until_processed(settings)
        assert worker.terminate() == 0


def fire_more(settings: Settings) -> None:
    """Fires events of every kind while no worker runs."""
    application = Application(settings)
    application.fire("payer", {"trigger": "paid", "kwargs": {"customer": "customer", "n": 2}})
    application.fire("s1", REFUSED)
    application.fire(
        "s2", {"trigger": "pageReceived", "kwargs": {"late": 1}}, partition=_wrong_partition("s2", settings)
    )
    application.fire("order-2", {"trigger": "itemPicked", "kwargs": {"n": 9}})
    application.flush()


def views(settings: Settings) -> dict[str, Any]:
    """Returns what matters of all sessions: it does not depend on offsets, nor on when their last events came."""
    reader = SessionReader(settings)
    return {uid: _facts(view) for uid in SESSIONS if (view := _read(reader, uid)) is not None}


def _read(reader: SessionReader, uid: str) -> SessionView | None:
    try:
        return reader.read(uid)
    except SessionNotFound:
        return None


def _facts(view: SessionView) -> dict[str, Any]:
    instances = {each.name: (each.status, dict(each.kwargs)) for each in view.instances}
    return {"instances": instances, "latest": dict(view.latest_kwargs), "rules": view.rules, "events": view.events}


def _first_events() -> list[tuple[str, dict[str, Any]]]:
    return [
        ("order-1", {"trigger": "itemPicked", "kwargs": {"n": 1}}),
        ("order-1", {"type": "finished", "instance": "t_pick#0", "attempt": 1}),
        ("circle", {"configuration": CIRCLE}),
        ("circle", {"trigger": "go"}),
        ("customer", {"configuration": CUSTOMER}),
        ("payer", {"configuration": PAYER}),
        ("payer", {"trigger": "paid", "kwargs": {"customer": "customer", "n": 1}}),
        ("s0", REFUSED),
        ("begun-again", {"configuration": AGAIN}),
        ("begun-again", {"trigger": "again"}),
        ("begun-again", {"type": "delete"}),
    ]


def _begin_again(settings: Settings, application: Application) -> None:
    """Begins a deleted session again and reports results, whose attempts count from the offset of the deletion."""
    application.fire("begun-again", {"configuration": AGAIN})
    for _ in range(3):
        application.fire("begun-again", {"trigger": "again"})
    application.flush()
    wait_until_processed(settings)
    instances = SessionReader(settings).read("begun-again").instances
    for instance in instances[:2]:
        result = {"type": "finished", "instance": instance.name, "attempt": instance.attempt, "result": {"ok": True}}
        application.fire("begun-again", result)
    application.fire("begun-again", {"type": "finished", "instance": "t_again#2", "attempt": 1})


def _last_events() -> list[tuple[str, dict[str, Any]]]:
    return [
        ("order-1", {"trigger": "orderPacked"}),
        ("order-2", {"trigger": "itemPicked", "kwargs": {"n": 2}}),
        ("s3", {"type": "delete"}),
    ]


def _wrong_partition(uid: str, settings: Settings) -> int:
    return (partition_of(uid.encode(), settings.partitions) + 1) % settings.partitions
