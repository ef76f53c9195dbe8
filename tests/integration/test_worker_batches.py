"""One worker turns events into state and commands on a real broker."""

from __future__ import annotations

import pytest
from tests.support.fold_oracle import assert_equals_fold
from tests.support.questionnaires import Application, interleaved, questionnaire
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.codec import decode_command
from triggers.settings import Settings

pytestmark = pytest.mark.broker


def test_events_become_state_and_each_command_is_on_its_topic_once(settings: Settings) -> None:
    names = create_topics(settings)
    application = Application(settings)
    for event in questionnaire(pages=3):
        application.fire("q-1", event)
    application.flush()

    with WorkerProcess(settings, "w0"):
        wait_until_processed(settings)

    commands = [decode_command(message.value()) for message in read_topic(settings, names.commands)]
    assert [c.id for c in commands] == [
        "q-1/t_importSubject#0/1",
        "q-1/t_importResponses#0/1",
        "q-1/t_importResponses#1/1",
        "q-1/t_importBrowserMetadata#0/1",
        "q-1/t_importResponses#2/1",
    ]
    assert_equals_fold(settings)


def test_many_interleaved_sessions_equal_the_fold_of_the_topic(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings)
    for uid, event in interleaved(sessions=300, pages=10):
        application.fire(uid, event)
    application.flush()

    with WorkerProcess(settings, "w0"):
        wait_until_processed(settings)

    assert assert_equals_fold(settings).events == 300 * 14


def test_a_session_of_five_thousand_pages_equals_the_fold_of_the_topic(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings)
    for event in questionnaire(pages=5000, late_pages=2500):
        application.fire("long", event)
    application.flush()

    with WorkerProcess(settings, "w0") as worker:
        wait_until_processed(settings)
        status, session = worker.session("long")

    assert status == 200
    assert len(session["instances"]) == 5002
    assert_equals_fold(settings)


def test_an_idle_worker_shows_no_lag_because_of_transaction_markers(settings: Settings) -> None:
    create_topics(settings)
    application = Application(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wrong = 0
        # forwarded in a transaction, unless this happens to be their partition
        application.fire("q-1", {"trigger": "pageReceived"}, partition=wrong)
        application.fire("q-2", {"trigger": "pageReceived"}, partition=wrong)
        application.fire("q-3", {"trigger": "pageReceived"}, partition=wrong)
        application.flush()

        wait_until_processed(settings)
        assert worker.metric("triggers_forwarded_events_total") >= 1
    assert_equals_fold(settings)
