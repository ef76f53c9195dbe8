"""The engine's timers handle overdue attempts and idle and deleted sessions on a real Kafka. Nothing comes back."""

from __future__ import annotations

import pytest
from tests.support.fold_oracle import assert_equals_fold, changelog_rows
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.codec import decode_command
from triggers.core.state.rows import session_prefix
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = pytest.mark.broker

LESS_THAN_ALL_COMMANDS_TWICE_MB = 400
"""Memory of the worker with the commands, which take 230 MB. librdkafka keeps a copy of what it sends."""
RULES = {"t_page": {"after": [], "andEvery": "page", "run": "app.page"}}


def commands(settings: Settings) -> list[str]:
    return [decode_command(m.value()).id for m in read_topic(settings, Topology(settings.namespace).commands)]


def rows_of(settings: Settings, uid: str) -> list[bytes]:
    """Returns the keys of the session's rows on the changelog, except its header."""
    rows = changelog_rows(read_topic(settings, Topology(settings.namespace).changelog))
    own = rows[partition_of(uid.encode(), settings.partitions)]
    return [key for key in own if key.startswith(session_prefix(uid))]


def test_an_overdue_attempt_is_issued_again_until_it_fails(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings)
    timeouts = {"scheduled": 0.3, "running": 0.3, "attempts": 3}
    application.fire("s1", {"configuration": {"t_lost": {"after": ["go"], "run": "app.lost", "timeouts": timeouts}}})
    application.fire("s1", {"trigger": "go"})
    application.fire("s1", {"type": "running", "instance": "t_lost#0", "attempt": 1})
    application.flush()

    with WorkerProcess(settings, "w0") as worker:
        wait_until(lambda: _status(worker, "s1", "t_lost#0") == "failed", "the instance has failed")
        application.fire("s1", {"type": "finished", "instance": "t_lost#0", "attempt": 2})
        application.flush()
        wait_until_processed(settings)

        assert _status(worker, "s1", "t_lost#0") == "failed"
        assert worker.metric("triggers_timers_fired_total") == 3

    assert commands(settings) == ["s1/t_lost#0/1", "s1/t_lost#0/2", "s1/t_lost#0/3"]
    assert_equals_fold(settings)


def test_a_deleted_session_stays_deleted(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings)
    for uid, pages in (("large", 400), ("other", 3)):
        application.fire(uid, {"configuration": RULES})
        for page in range(pages):
            application.fire(uid, {"trigger": "page", "kwargs": {"page": page}})
    application.fire("large", {"type": "delete"})
    application.fire("large", {"type": "finished", "instance": "t_page#7", "attempt": 1})
    application.flush()

    with WorkerProcess(settings, "w0") as worker:
        wait_until_processed(settings)
        wait_until(lambda: rows_of(settings, "large") == [], "the rows are gone")
        wait_until_processed(settings)
        assert worker.session("large")[0] == 404
        assert worker.get("/events/large")[0] == 404
        assert [session["uid"] for session in worker.get("/sessions")[1]["sessions"]] == ["other"]
        assert len(worker.session("other")[1]["instances"]) == 3
        application.fire("large", {"configuration": RULES})
        application.fire("large", {"trigger": "page"})
        application.fire("large", {"type": "finished", "instance": "t_page#0", "attempt": 1})
        application.flush()
        wait_until_processed(settings)

        assert _status(worker, "large", "t_page#0") == "scheduled"
        worker.kill()
        worker.start()
        wait_until(lambda: worker.session("large")[0] == 200, "the second life is there after a crash")

    assert_equals_fold(settings)


def test_an_idle_session_is_deleted(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings)
    for number in range(30):
        application.fire(f"idle-{number}", {"configuration": {**RULES, "$limits": {"sessionTtl": 0.5}}})
        application.fire(f"idle-{number}", {"trigger": "page"})
    application.fire("stays", {"configuration": RULES})
    application.flush()

    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wait_until(lambda: _uids(worker) == ["stays"], "the idle ones are gone")
        wait_until_processed(settings)

    assert_equals_fold(settings)


def test_a_worker_holds_no_more_commands_at_once_than_a_few_large_events_cause(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings, compression="lz4")  # small on the wire, so that all of them are fetched at once
    joins = {"t_join": {"after": ["page", "last"], "andEvery": "page", "run": "app.join"}}
    sessions = [f"s{n}" for n in range(8)]
    for uid in sessions:
        application.fire(uid, {"configuration": joins})
        for page in range(36):
            application.fire(uid, {"trigger": "page", "kwargs": {"page": page}})
    for uid in sessions:
        application.fire(uid, {"trigger": "last", "kwargs": {"text": "x" * 800_000}})
    application.flush()

    with WorkerProcess(settings, "w0") as worker:
        wait_until_processed(settings)
        peak = worker.peak_mb()

    assert len(commands(settings)) == 8 * 36
    assert peak < LESS_THAN_ALL_COMMANDS_TWICE_MB
    assert_equals_fold(settings)


def _uids(worker: WorkerProcess) -> list[str]:
    return [session["uid"] for session in worker.get("/sessions")[1]["sessions"]]


def _status(worker: WorkerProcess, uid: str, name: str) -> str | None:
    status, session = worker.session(uid)
    found = session["instances"] if status == 200 else []
    return next((instance["status"] for instance in found if instance["name"] == name), None)
