"""Decision records name what an event did to its session."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.memory_session import MemorySession

from triggers.codec import DecisionRecord, decision_record, decode_decision, encode_decision
from triggers.core.decision import FireRecord
from triggers.core.events import Event, ReplayRequested, SkipRequested, TaskFailed, TaskRetried, TriggerFired
from triggers.errors import Undecodable

TEXT = st.text(max_size=20)
NUMBER = st.integers(0, 2**31 - 1)
DECISIONS = st.builds(
    DecisionRecord,
    session=TEXT,
    partition=NUMBER,
    offset=NUMBER,
    event_id=TEXT,
    kind=TEXT,
    instance=TEXT,
    outcome=TEXT,
    time=NUMBER,
    manager=TEXT,
    fires=st.lists(st.builds(FireRecord, TEXT, st.lists(TEXT, max_size=3).map(tuple)), max_size=3),
    changes=st.lists(st.tuples(TEXT, TEXT), max_size=3),
    replay=st.none() | TEXT,
    cascade=st.booleans(),
)


@given(DECISIONS)
def test_a_decision_survives_encoding_and_decoding(record: DecisionRecord) -> None:
    assert decode_decision(encode_decision(record)) == record


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xc3\x01short"])
def test_bytes_that_are_not_a_decision_are_refused(value: bytes | None) -> None:
    with pytest.raises(Undecodable):
        decode_decision(value)


def failing_session() -> MemorySession:
    session = MemorySession({"t_a": {"after": ["go"], "run": "app.a"}, "t_b": {"after": ["t_a"], "run": "app.b"}})
    session.fire("go")
    return session


def described(session: MemorySession, event: Event) -> DecisionRecord:
    decision = session.apply(event)
    return decision_record(session.uid, 3, session.log[-1], decision, "audit")


def test_a_fire_record_names_the_instances_that_it_scheduled() -> None:
    session = MemorySession({"t_a": {"after": ["go"], "run": "app.a"}})

    record = described(session, TriggerFired(trigger="go", id="e-1"))

    assert record == DecisionRecord(
        session="q-1",
        partition=3,
        offset=2,
        event_id="e-1",
        kind="fire",
        outcome="applied",
        time=2000,
        manager="audit",
        fires=[FireRecord("go", ("t_a#0",))],
        changes=[("t_a#0", "unstarted"), ("t_a#0", "scheduled")],
    )


@pytest.mark.parametrize("cascade", [True, False])
def test_a_skip_names_the_instance_and_whether_it_cascaded(cascade: bool) -> None:
    session = failing_session()
    session.apply(TaskFailed(instance="t_a#0", exception_type="app.Bad"))

    record = described(session, SkipRequested(instance="t_a#0", cascade=cascade))

    assert (record.kind, record.instance, record.cascade) == ("skip", "t_a#0", cascade)
    assert record.fires == ([FireRecord("t_a", ("t_b#0",))] if cascade else [])


def test_a_replay_and_a_retry_name_the_instance_and_its_replay() -> None:
    session = failing_session()
    retry = described(session, TaskRetried(instance="t_a#0", cooldown_ms=10))
    session.apply(TaskFailed(instance="t_a#1", exception_type="app.Bad"))
    replay = described(session, ReplayRequested(instance="t_a#1"))

    assert (retry.kind, retry.instance, retry.replay) == ("retry", "t_a#0", "t_a#1")
    assert (replay.kind, replay.instance, replay.replay) == ("replay", "t_a#1", "t_a#2")
