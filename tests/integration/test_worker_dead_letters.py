"""A bad record becomes a dead letter with its reason, bytes and coordinates, and harms no other record."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.support.fold_oracle import assert_equals_fold
from tests.support.questionnaires import CONFIGURATION, Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.codec import DeadLetter, decode_dead_letter
from triggers.core.state.rows import HEADERS
from triggers.kafka.own_headers import FORWARDED
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = pytest.mark.broker


@pytest.fixture
def application(settings: Settings) -> Iterator[Application]:
    create_topics(settings)
    application = Application(settings)
    with WorkerProcess(settings, "w0") as worker:
        yield application
        assert worker.running
        assert worker.terminate() == 0


def dead_letters(settings: Settings) -> list[DeadLetter]:
    wait_until_processed(settings)
    return [decode_dead_letter(m.value()) for m in read_topic(settings, Topology(settings.namespace).dead_letters)]


def test_bytes_that_are_not_an_event_are_kept_with_their_coordinates(
    settings: Settings, application: Application
) -> None:
    application.fire("s1", {"trigger": "pageReceived"})
    application.send(b"s1", b"\xff garbage", headers=[("source", b"legacy")])
    application.fire("s1", {"trigger": "pageReceived"})
    application.flush()

    (letter,) = dead_letters(settings)

    assert (letter.reason, letter.key, letter.value) == ("unknown format", b"s1", b"\xff garbage")
    assert (letter.topic, letter.partition) == (f"{settings.namespace}.events", partition_of(b"s1", 4))
    assert letter.offset == 1
    assert letter.headers == [("source", b"legacy")]
    assert assert_equals_fold(settings).events == 3


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe", b"k" * 2000], ids=["none", "empty", "no-utf-8", "long"])
def test_a_record_without_a_usable_key_is_a_dead_letter(
    settings: Settings, application: Application, key: bytes | None
) -> None:
    application.send(key, b'{"trigger": "pageReceived"}', partition=0)
    application.flush()

    (letter,) = dead_letters(settings)

    assert letter.reason == "bad key"
    assert (letter.key or b"") == (key or b"")


def test_an_event_the_session_refuses_is_a_dead_letter_with_the_error(
    settings: Settings, application: Application
) -> None:
    application.fire("s1", {"configuration": CONFIGURATION})
    application.fire("s1", {"type": "replay", "instance": "t_nothing#0"})
    application.fire("s1", {"configuration": {"t_bad": {"after": "not a list"}}})
    application.fire("s1", {"trigger": "firstPageReceived"})
    application.flush()

    letters = dead_letters(settings)

    assert [letter.reason for letter in letters] == ["InstanceNotFound", "InvalidConfiguration"]
    assert "t_nothing#0" in letters[0].detail
    assert assert_equals_fold(settings).refused == {(letter.partition, letter.offset) for letter in letters}


def test_an_event_on_the_wrong_partition_is_applied_on_the_right_one(
    settings: Settings, application: Application
) -> None:
    home = partition_of(b"s1", 4)
    application.fire("s1", {"configuration": CONFIGURATION}, partition=(home + 1) % 4)
    application.flush()

    assert dead_letters(settings) == []
    fold = assert_equals_fold(settings)
    assert fold.events == 1
    assert {partition for partition, rows in fold.rows.items() if any(key.startswith(HEADERS) for key in rows)} == {
        home
    }


def test_a_forwarded_event_on_the_wrong_partition_is_a_dead_letter(
    settings: Settings, application: Application
) -> None:
    wrong = (partition_of(b"s1", 4) + 1) % 4
    application.fire("s1", {"trigger": "pageReceived"}, partition=wrong, headers=[(FORWARDED, b"2")])
    application.flush()

    (letter,) = dead_letters(settings)

    assert letter.reason == "wrong partition"
    assert letter.partition == wrong


def test_a_payload_above_the_limit_is_a_dead_letter_with_a_truncated_value(settings: Settings) -> None:
    names = Topology(settings.namespace)
    create_topics(settings, limits={names.dead_letters: 200_000})
    application = Application(settings)
    application.send(b"s1", b'{"trigger": "a", "kwargs": {"x": "%s"}}' % (b"x" * 950_000))
    application.flush()

    with WorkerProcess(settings, "w0"):
        (letter,) = dead_letters(settings)

    assert letter.reason == "payload too large"
    assert "of the value's 9500" in letter.detail
    assert letter.value is not None
    assert 150_000 < len(letter.value) < 200_000


def test_an_event_whose_command_would_be_too_large_is_not_applied_and_the_others_are(settings: Settings) -> None:
    names = Topology(settings.namespace)
    create_topics(settings, limits={names.commands: 20_000})
    application = Application(settings)
    rules = {"t_large": {"after": ["a", "b"], "run": "app.all"}, "t_small": {"after": ["c"], "run": "app.one"}}
    application.fire("s1", {"configuration": rules})
    application.fire("s1", {"trigger": "a", "kwargs": {"x": "y" * 30_000}})
    application.fire("s1", {"trigger": "b"})
    application.fire("s1", {"trigger": "c"})
    application.flush()

    with WorkerProcess(settings, "w0") as worker:
        letters = dead_letters(settings)
        status, session = worker.session("s1")

    assert [letter.reason for letter in letters] == ["decision too large"]
    assert json.loads(letters[0].value or b"")["trigger"] == "b"
    assert "a command of" in letters[0].detail
    assert status == 200
    assert {i["task"]: i["status"] for i in session["instances"]} == {"t_large": "unstarted", "t_small": "scheduled"}
    assert len(read_topic(settings, names.commands)) == 1


def test_an_event_whose_row_would_be_too_large_is_not_applied(settings: Settings) -> None:
    names = Topology(settings.namespace)
    create_topics(settings, limits={names.changelog: 20_000})
    application = Application(settings)
    application.fire("s1", {"configuration": {"t_all": {"after": ["a"], "run": "app.all"}}})
    application.fire("s1", {"trigger": "a", "kwargs": {"x": "y" * 30_000}})
    application.fire("s1", {"trigger": "a", "kwargs": {"x": "small"}})
    application.flush()

    with WorkerProcess(settings, "w0") as worker:
        (letter,) = dead_letters(settings)
        status, session = worker.session("s1")

    assert letter.reason == "decision too large"
    assert letter.offset == 1
    assert status == 200
    assert [instance["status"] for instance in session["instances"]] == ["scheduled"]
