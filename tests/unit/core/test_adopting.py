"""An operator lets a session adopt a version of published rules that leaves existing sessions alone."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from tests.unit.core.test_binding import Partition, fold, state_of

from triggers.core.commands import BoundRules, Outcome
from triggers.core.events import AdoptionRequested, ConfigurationUpdated, Event, RulesPublished, TriggerFired
from triggers.core.rules_in_log import RulesInLog
from triggers.core.view import view_session
from triggers.errors import CallError, InvalidConfiguration, SessionNotFound, UnknownRules

SHIP = {"t_ship": {"after": ["paid"], "run": "ship"}}
THANK = {"t_thank": {"after": ["paid"], "run": "thank"}}
PAID = TriggerFired(trigger="paid")


def adopt(version: int, name: str = "order") -> AdoptionRequested:
    return AdoptionRequested(name=name, version=version, actor="jane")


@pytest.fixture
def partition() -> Partition:
    partition = Partition()
    partition.publish("order", SHIP, match=["o*"])
    partition.apply("o1", TriggerFired(trigger="known"))
    partition.publish("order", THANK, version=2, match=["o*"])
    return partition


def tasks(partition: Partition, uid: str = "o1") -> list[str]:
    return [task.name for task in view_session(partition.session(uid)).tasks]


def test_the_session_has_the_version_at_once(partition: Partition) -> None:
    decision = partition.apply("o1", adopt(2))

    assert (decision.outcome, decision.rules) == (Outcome.APPLIED, BoundRules("order", 2))
    assert (partition.bound("o1"), tasks(partition)) == (("order", 2), ["t_thank"])


def test_it_goes_back_to_an_earlier_version_that_nothing_later_replaces(partition: Partition) -> None:
    partition.apply("o2", PAID)
    assert partition.bound("o2") == ("order", 2)

    partition.apply("o2", adopt(1))
    partition.apply("o2", PAID)

    assert (partition.bound("o2"), sorted(tasks(partition, "o2"))) == (("order", 1), ["t_ship", "t_thank"])


def test_a_session_without_published_rules_takes_them_beside_its_own(partition: Partition) -> None:
    partition.apply("x1", PAID)
    assert partition.bound("x1") == ("", 0)

    partition.apply("x1", adopt(1))

    assert (partition.bound("x1"), tasks(partition, "x1")) == (("order", 1), ["t_ship"])


def test_the_same_version_again_changes_nothing(partition: Partition) -> None:
    partition.apply("o1", adopt(2))

    decision = partition.apply("o1", adopt(2))

    assert (decision.outcome, decision.rules) == (Outcome.UNUSED, None)


@pytest.mark.parametrize(
    ("uid", "event", "error", "words"),
    [
        ("nobody", adopt(1), SessionNotFound, "'nobody' does not exist"),
        ("o1", adopt(9), UnknownRules, "version 9"),
        ("o1", adopt(1, "orders"), UnknownRules, "'orders'"),
        ("o1", adopt(2), CallError, "all sessions adopt version 3"),
    ],
)
def test_what_cannot_be_adopted_is_refused_and_changes_nothing(
    partition: Partition, uid: str, event: Event, error: type[Exception], words: str
) -> None:
    partition.publish("order", SHIP, version=3, match=["o*"], existing="adopt")
    before = dict(partition.rows)

    with pytest.raises(error, match=words):
        partition.apply(uid, event)

    assert dict(partition.rows) == before


def test_a_version_that_does_not_fit_the_rules_of_the_session_is_refused(partition: Partition) -> None:
    partition.publish("order", {"$edition": 2, "t_ship": {"after": ["paid"], "run": "ship"}}, version=3)
    own = {"t_own": {"after": ["paid"], "run": "own", "key-of-the-application": 1}}
    partition.apply("o1", ConfigurationUpdated(configuration=json.dumps(own).encode()))

    with pytest.raises(InvalidConfiguration, match="key-of-the-application"):
        partition.apply("o1", adopt(3))

    assert partition.bound("o1") == ("order", 1)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_fold_of_the_session_adopts_what_the_partition_did(version: int) -> None:
    partition, events = Partition(), list[tuple[str, Event]]()

    def apply(uid: str, event: Event) -> None:
        partition.apply(uid, event)
        events.append((uid, replace(event, position=partition.position)))

    def publish(number: int, *match: str) -> None:
        text = b'{"t_%d": {"after": ["paid"], "run": "x"}}' % number
        apply("", RulesPublished(name="order", version=number, configuration=text, match=list(match)))

    publish(1, "o*")
    publish(2)
    publish(3)
    apply("o1", PAID)
    assert partition.bound("o1") == ("", 0)
    apply("o1", adopt(version))
    apply("o1", PAID)

    by_position = {event.position: event for _, event in events}
    indexed = [by_position[at] for at in sorted(set(partition.session("o1").positions()))]
    scanned, log = list[Event](), RulesInLog()
    for uid, event in events:
        if isinstance(event, RulesPublished):
            log.publish(event)
        else:
            scanned += [*log.before(uid, event), event]
    assert partition.bound("o1") == ("order", version)
    assert fold("o1", scanned) == fold("o1", indexed) == state_of("o1", partition.rows)
