"""Sessions and their published rules in the engine: when they take them, what is undone, and what folds to the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.edition2.engine_driver import EngineDriver
from tests.support.edition2.histories import CURATED, RANDOM, histories

from triggers.core.binding import pending_rules
from triggers.core.commands import BoundRules, Outcome, RunTask
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import (
    ConfigurationUpdated,
    DeletionRequested,
    Event,
    RulesPublished,
    SessionImported,
    TaskFinished,
    TriggerFired,
)
from triggers.core.plan_checks import accept_every_plan
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, header_key, session_prefix
from triggers.core.state.session import Session
from triggers.core.view import view_session
from triggers.errors import InstanceNotFound, RulesLocked, UnknownRules


class Partition:
    """One partition in memory, whose sessions are loaded anew for each event."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self.plans = Plans(accept_every_plan)
        self.position = -1

    def publish(self, name: str, configuration: dict[str, Any], version: int = 1, **fields: Any) -> None:  # JSON
        text = json.dumps(configuration).encode()
        self.apply("", RulesPublished(name=name, version=version, configuration=text, **fields))

    def apply(self, uid: str, event: Event) -> Decision:
        self.position += 1
        fields = {name: getattr(event, name) for name in event.__struct_fields__} | {"position": self.position}
        session = self.session(uid)
        decision = apply(session, type(event)(**fields))
        self.written = session.changes()
        self.rows.write(self.written)
        return decision

    def session(self, uid: str) -> Session:
        return Session(uid, self.rows, self.plans)

    def bound(self, uid: str) -> tuple[str, int]:
        taken = self.session(uid).header.published
        return ("", 0) if taken is None else (taken.name, taken.version)


def rule(*after: str, **more: object) -> dict[str, object]:
    return {"after": list(after), "run": "app.task", **more}


@pytest.fixture
def partition() -> Partition:
    return Partition()


def commands(decision: Decision) -> list[str]:
    return [command.instance for command in decision.commands if isinstance(command, RunTask)]


def test_a_sessions_very_first_event_runs_what_its_published_rules_say(partition: Partition) -> None:
    partition.publish("order", {"t_pick": rule("picked")}, match=["order-*"])

    decision = partition.apply("order-1", TriggerFired(trigger="picked"))

    assert commands(decision) == ["t_pick#0"]
    assert decision.rules == BoundRules("order", 1)
    assert partition.bound("order-1") == ("order", 1)
    assert list(partition.session("order-1").positions()) == [0, 1]
    assert partition.session("order-1").header.events == 1


def test_an_event_names_its_rules_only_if_it_is_the_first(partition: Partition) -> None:
    partition.publish("a", {"t_a": rule("x")}, is_default=True)
    partition.publish("b", {"t_b": rule("x")})

    assert commands(partition.apply("s", TriggerFired(trigger="x", rules="b"))) == ["t_b#0"]
    assert partition.apply("s", TriggerFired(trigger="x", rules="nobody's")).outcome is Outcome.APPLIED


def test_a_refused_or_stale_first_event_begins_no_session_and_takes_no_rules(partition: Partition) -> None:
    partition.publish("order", {"t_pick": rule("picked")}, is_default=True)
    rows = dict(partition.rows)

    with pytest.raises(InstanceNotFound):
        partition.apply("s", TaskFinished(instance="t_pick#0"))
    with pytest.raises(UnknownRules, match="nobody has published rules with the name 'orders'"):
        partition.apply("s", TriggerFired(trigger="picked", rules="orders"))

    assert partition.rows == rows


def test_a_version_to_adopt_waits_for_the_next_event_that_is_applied(partition: Partition) -> None:
    partition.publish("order", {"t_a": rule("x"), "t_gone": rule("z")}, is_default=True)
    partition.apply("s", TriggerFired(trigger="x"))
    partition.publish("order", {"t_a": rule("x"), "t_b": rule("y")}, version=2, existing="adopt")
    assert partition.bound("s") == ("order", 1)

    partition.apply("s", TaskFinished(instance="t_a#0", attempt=1))
    partition.publish("order", {"t_b": rule("y", "x")}, version=3, existing="adopt")
    stale = partition.apply("s", TaskFinished(instance="t_a#0", attempt=1))

    assert (stale.outcome, partition.bound("s")) == (Outcome.STALE, ("order", 2))
    decision = partition.apply("s", TriggerFired(trigger="y"))
    assert commands(decision) == ["t_b#0"]
    assert list(partition.session("s").plan.tasks) == ["t_b"]
    assert list(partition.session("s").positions()) == [0, 1, 2, 3, 5, 4, 6]


def test_publishing_writes_the_same_rows_for_any_number_of_sessions(partition: Partition) -> None:
    partition.publish("order", {"t_a": rule("x", "y")}, is_default=True)
    for number in range(200):
        partition.apply(f"s{number}", TriggerFired(trigger="x"))

    partition.publish("order", {"t_a": rule("x"), "t_b": rule("y")}, version=2, existing="adopt")

    assert len(partition.written) == 3
    assert not any(key.startswith((b"s", b"r")) for key in partition.written)
    decision = partition.apply("s7", TriggerFired(trigger="y"))
    assert decision.rules == BoundRules("order", 2)
    assert not any(key.startswith((b"c", b"g")) for key in partition.written)


def test_sessions_of_locked_rules_refuse_updates_and_adopt_the_version_that_unlocks_them(partition: Partition) -> None:
    partition.publish("order", {"t_a": rule("x")}, is_default=True, locked=True)
    partition.apply("s", TriggerFired(trigger="x"))
    update = ConfigurationUpdated(configuration=json.dumps({"t_own": rule("y")}).encode())

    with pytest.raises(RulesLocked, match="its rules 'order' \\(version 1\\) are locked"):
        partition.apply("s", update)
    assert partition.apply("s", ConfigurationUpdated(configuration=b"{}", if_absent=True)).outcome is Outcome.UNUSED
    partition.publish("order", {"t_a": rule("x")}, version=2, existing="adopt", is_default=True)
    partition.apply("s", update)

    assert list(partition.session("s").plan.tasks) == ["t_a", "t_own"]


def test_a_task_that_the_session_has_replaced_stays_when_a_version_lacks_it(partition: Partition) -> None:
    partition.publish("order", {"t_a": rule("x"), "t_b": rule("x", "z")}, is_default=True)
    partition.apply("s", ConfigurationUpdated(configuration=json.dumps({"t_a": rule("q")}).encode()))
    partition.publish("order", {"t_new": rule("n")}, version=2, existing="adopt", is_default=True)

    partition.apply("s", TriggerFired(trigger="n"))

    assert list(partition.session("s").plan.tasks) == ["t_a", "t_new"]


def test_a_session_whose_own_rules_edition_2_refuses_stays_on_its_version_and_says_why(partition: Partition) -> None:
    partition.publish("order", {"t_a": rule("x")}, is_default=True)
    partition.apply("s", ConfigurationUpdated(configuration=json.dumps({"t_own": rule("y", colour="red")}).encode()))
    partition.publish("order", {"$edition": 2, "t_a": rule("x")}, version=2, existing="adopt")

    decision = partition.apply("s", TriggerFired(trigger="y"))

    assert (commands(decision), partition.bound("s")) == (["t_own#0"], ("order", 1))
    pending = pending_rules(partition.session("s"))
    assert pending is not None
    assert pending[0].version == 2
    assert "'colour' is not a key of a task" in pending[1]
    shown = view_session(partition.session("s")).rules
    assert shown is not None
    assert shown.pending.startswith("version 2 cannot be adopted: ")


def test_a_deleted_session_begins_again_with_the_newest_rules(partition: Partition) -> None:
    partition.publish("order", {"t_a": rule("x")}, is_default=True)
    partition.apply("s", TriggerFired(trigger="x"))
    partition.publish("order", {"t_b": rule("x")}, version=2, is_default=True, existing="adopt")

    assert partition.apply("s", DeletionRequested()).outcome is Outcome.DELETED
    decision = partition.apply("s", TriggerFired(trigger="x"))

    assert commands(decision) == ["t_b#0"]
    assert partition.bound("s") == ("order", 2)
    assert list(partition.session("s").positions()) == [3, 2, 4]


def test_the_rules_of_an_imported_session_replace_the_imported_ones(partition: Partition) -> None:
    partition.publish("order", {"$edition": 2, "t_a": rule("x", "y")}, is_default=True)
    state = {
        "configuration": {"t_a": rule("x"), "t_own": rule("z")},
        "instances": [{"name": "t_a#0", "status": "unstarted", "kwargs": {"x": {"n": 1}}}],
        "latest_kwargs": {"x": {"n": 1}},
    }

    partition.apply("s", SessionImported(state=json.dumps(state).encode()))
    decision = partition.apply("s", TriggerFired(trigger="y"))

    assert commands(decision) == ["t_a#0"]
    assert list(partition.session("s").plan.tasks) == ["t_a", "t_own"]
    assert partition.session("s").plan.edition_2 is not None


@pytest.mark.parametrize(("file", "every"), [(CURATED, 1), (RANDOM, 8)])
def test_a_sessions_event_index_folds_to_its_state_with_the_rules_it_had_at_each_moment(file: str, every: int) -> None:
    folded = 0
    for history in histories(file, every):
        if any(step["op"] == "publish" for step in history["steps"]):
            driver = EngineDriver()
            for step in history["steps"]:
                driver.apply(step)
            events = {event.position: event for _, event in driver.log}
            for uid in {uid for uid, _ in driver.log if uid}:
                folded += 1
                positions = sorted(Session(uid, driver.rows, Plans(accept_every_plan)).positions())
                assert fold(uid, [events[at] for at in positions]) == state_of(uid, driver.rows), (history["id"], uid)
    assert folded >= 15


def fold(uid: str, events: list[Event]) -> dict[bytes, bytes]:
    rows = MemoryRows()
    for event in events:
        session = Session(uid, rows, Plans(accept_every_plan))
        apply(session, event)
        rows.write(session.changes())
    return state_of(uid, rows)


def state_of(uid: str, rows: MemoryRows) -> dict[bytes, bytes]:
    own = {header_key(uid): rows.get(header_key(uid)) or b""} | dict(rows.scan(session_prefix(uid)))
    return {key: row for key, row in own.items() if row}
