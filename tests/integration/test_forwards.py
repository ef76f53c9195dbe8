"""Sessions fire triggers in one another through the stream, once each, and not endlessly."""

from __future__ import annotations

import pytest
from tests.support.fold_oracle import assert_equals_fold
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.client.session_events import SessionEvents
from triggers.client.session_reader import SessionReader
from triggers.codec import decode_command, decode_dead_letter
from triggers.settings import Settings

pytestmark = pytest.mark.broker


def test_an_order_fires_in_its_customer_s_session_and_circles_end(settings: Settings) -> None:
    names = create_topics(settings)
    application = Application(settings)
    task = {"after": [], "andEvery": "orderPaid", "run": "crm.note", "with": {"amount": "on.orderPaid.amount"}}
    forward = {"on": "paid", "to": "kwargs.customer", "as": "orderPaid", "with": {"amount": "kwargs.amount"}}
    application.fire("customer-7", {"configuration": {"$edition": 2, "t_note": task}})
    for uid, other in (("a", "b"), ("b", "a")):
        circle = {
            "$edition": 2,
            "t_a": {"after": ["never"], "run": "app.a"},
            "$forward": [{"on": "go", "to": f"'{other}'"}],
        }
        application.fire(uid, {"configuration": circle})
    order = {"$edition": 2, "t_a": {"after": ["never"], "run": "app.a"}, "$forward": [forward]}

    with WorkerProcess(settings, "w0"):
        application.flush()
        wait_until_processed(settings)
        application.fire("order-1", {"configuration": order})
        application.fire("order-1", {"trigger": "paid", "kwargs": {"customer": "customer-7", "amount": 30}})
        application.fire("a", {"trigger": "go"})
        application.flush()
        wait_until(lambda: len(read_topic(settings, names.dead_letters)) == 1, "the circle has ended")
        wait_until(lambda: len(read_topic(settings, names.commands)) == 1, "the customer's task is commanded")
        wait_until_processed(settings)
        events = {uid: SessionReader(settings).read(uid).events for uid in ("a", "b")}

    (command,) = (decode_command(message.value()) for message in read_topic(settings, names.commands))
    assert (command.session, command.kwargs) == ("customer-7", b'{"amount":30}')
    assert events == {"a": 6, "b": 5}, "the rules, one trigger from outside, and eight forwards"
    logs = SessionEvents(settings).scan_partitions(["a", "b"])
    assert {uid: len(log) for uid, log in logs.items()} == events, "the event behind the dead letter was applied"
    (letter,) = (decode_dead_letter(message.value()) for message in read_topic(settings, names.dead_letters))
    assert letter.reason == "forwarded too often"
    assert_equals_fold(settings)
