"""An instance knows the spans of the fires whose kwargs it holds, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pytest
from msgspec.structs import replace

from triggers.core.commands import RunTask
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import (
    ConfigurationUpdated,
    DeletionRequested,
    Event,
    ReplayRequested,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TaskStarted,
    TimerFired,
    TriggerFired,
)
from triggers.core.joined_spans import MAX_SPANS, split_spans
from triggers.core.state.fire_spans import MAX_FIRES, MAX_TRIGGERS, FireSpans, record_span, spans_of_instance
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, header_key
from triggers.core.state.session import Session
from triggers.core.trace_context import SPAN_BYTES, TraceContext

ORDER = {"t_ship": {"after": ["paid", "packed"], "andEvery": "packed", "run": "app.ship"}}


class Sessions:
    """A session whose rows are read again before each event, as after a restart."""

    def __init__(self, configuration: Mapping[str, object]) -> None:
        self.rows = MemoryRows()
        self._plans = Plans()
        self._position = 0
        self.apply(ConfigurationUpdated(configuration=json.dumps(configuration).encode()))

    def apply(self, event: Event) -> Decision:
        session = Session("s", self.rows, self._plans)
        self._position += 1
        decision = apply(session, replace(event, position=self._position, time=self._position))
        self.rows.write(session.changes())
        return decision

    def fire(self, trigger: str, span: int = 0, *, is_sampled: bool = True) -> list[str]:
        """Fires a trigger, in a trace unless `span` is 0, and returns the spans behind each command."""
        trace = TraceContext(span_of(span), int(is_sampled)) if span else None
        return behind(self.apply(TriggerFired(trigger=trigger, trace=trace)))


def span_of(number: int) -> bytes:
    return number.to_bytes(SPAN_BYTES)


def context(number: int) -> TraceContext:
    return TraceContext(span_of(number), 1)


def numbers(spans: bytes) -> str:
    return " ".join(str(int.from_bytes(span)) for span in split_spans(spans))


def behind(decision: Decision) -> list[str]:
    return [numbers(command.spans) for command in decision.commands if isinstance(command, RunTask)]


CONFIGURATIONS: list[Mapping[str, object]] = [ORDER, {"$edition": 2, **ORDER}]


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=["edition 1", "edition 2"])
class TestJoins:
    def test_a_command_has_the_spans_of_all_events_behind_it(self, configuration: Mapping[str, object]) -> None:
        session = Sessions(configuration)

        assert session.fire("paid", 1) == []
        assert session.fire("packed", 2) == ["1 2"]

    def test_a_later_instance_has_those_of_the_kwargs_that_it_begins_with(
        self, configuration: Mapping[str, object]
    ) -> None:
        session = Sessions(configuration)
        session.fire("paid", 1)
        session.fire("packed", 2)

        assert session.fire("packed", 3) == ["1 3"]

    def test_each_of_the_instances_that_start_together_has_its_own(self, configuration: Mapping[str, object]) -> None:
        session = Sessions(configuration)
        session.fire("packed", 1)
        session.fire("packed", 2)

        assert session.fire("paid", 3) == ["1 3", "2 3"]

    def test_an_event_of_a_trace_that_is_not_sampled_has_no_span(self, configuration: Mapping[str, object]) -> None:
        session = Sessions(configuration)
        session.fire("paid", 1, is_sampled=False)

        assert session.fire("packed", 2) == ["2"]

    def test_a_fire_without_a_trace_replaces_the_span_before_it(self, configuration: Mapping[str, object]) -> None:
        session = Sessions(configuration)
        session.fire("paid", 1)
        session.fire("packed", 2)
        session.fire("paid")

        assert session.fire("packed", 3) == ["3"]

    def test_what_was_fired_before_the_first_trace_is_not_taken_for_a_later_fire(
        self, configuration: Mapping[str, object]
    ) -> None:
        session = Sessions(configuration)
        session.fire("packed")
        session.fire("packed", 2)

        assert session.fire("paid", 3) == ["3", "2 3"]

    def test_sessions_without_sampled_traces_have_the_same_rows_as_without_traces(
        self, configuration: Mapping[str, object]
    ) -> None:
        plain, traced = Sessions(configuration), Sessions(configuration)

        for trigger in ("paid", "packed", "packed"):
            plain.fire(trigger)
            traced.fire(trigger, 9, is_sampled=False)

        assert dict(plain.rows.items()) == dict(traced.rows.items())

    def test_a_replay_has_the_spans_of_its_original_and_that_of_its_request(
        self, configuration: Mapping[str, object]
    ) -> None:
        session = Sessions(configuration)
        session.fire("paid", 1)
        session.fire("packed", 2)
        session.apply(TaskFailed(instance="t_ship#0", attempt=1, exception_type="E", trace=context(3)))

        assert behind(session.apply(ReplayRequested(instance="t_ship#0", trace=context(4)))) == ["1 2 4"]

    def test_the_command_of_a_timer_has_the_spans_of_the_event_that_set_it(
        self, configuration: Mapping[str, object]
    ) -> None:
        session = Sessions(configuration)
        session.fire("paid", 1)
        session.fire("packed", 2)
        retried = session.apply(TaskRetried(instance="t_ship#0", attempt=1, cooldown_ms=1, trace=context(3)))
        (timer,) = retried.commands
        assert not isinstance(timer, RunTask)

        due = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind)

        assert behind(session.apply(due)) == ["1 2 3"]

    def test_a_deleted_session_leaves_no_spans_to_the_next_one(self, configuration: Mapping[str, object]) -> None:
        session = Sessions(configuration)
        session.fire("paid", 1)
        session.apply(DeletionRequested())
        session.apply(ConfigurationUpdated(configuration=json.dumps(configuration).encode()))
        session.fire("paid")

        assert session.fire("packed", 2) == ["2"]


def test_a_cascade_has_the_span_of_the_result() -> None:
    session = Sessions(ORDER | {"t_mail": {"after": ["t_ship", "paid"], "run": "app.mail"}})
    session.fire("paid", 1)
    session.fire("packed", 2)
    session.apply(TaskStarted(instance="t_ship#0", attempt=1, trace=context(3)))

    assert behind(session.apply(TaskFinished(instance="t_ship#0", attempt=1, trace=context(4)))) == ["1 4"]


def test_a_delay_of_edition_2_keeps_the_spans_until_it_is_over() -> None:
    session = Sessions({"$edition": 2, "t_ship": {"after": ["paid", "packed"], "delay": "10s", "run": "app.ship"}})
    session.fire("paid", 1)
    (timer,) = session.apply(TriggerFired(trigger="packed", trace=context(2))).commands
    assert not isinstance(timer, RunTask)

    due = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind, time=timer.due)
    session._position = timer.due

    assert behind(session.apply(due)) == ["1 2"]


def test_an_instance_keeps_the_latest_of_too_many_spans() -> None:
    triggers = [f"e{number}" for number in range(MAX_SPANS + 4)]
    session = Sessions({"t_all": {"after": triggers, "run": "app.all"}})

    spans = [session.fire(trigger, number) for number, trigger in enumerate(triggers, 1)]

    assert len(spans[-1][0].split()) == MAX_TRIGGERS


def noted(fires: Iterable[tuple[str, int]]) -> FireSpans:
    spans: FireSpans = {}
    for trigger, mark in fires:
        record_span(spans, trigger, mark, span_of(mark + 1), was_fired=False)
    return spans


def test_fires_that_are_forgotten_are_no_longer_behind_anything() -> None:
    spans = noted([("page", mark) for mark in range(MAX_FIRES + 3)])

    assert len(spans["page"]) == MAX_FIRES
    assert [numbers(spans_of_instance(spans, sequence, ["page"])) for sequence in range(MAX_FIRES + 3)] == [
        *[""] * 4,
        *(str(mark + 1) for mark in range(4, MAX_FIRES + 3)),
    ]


def test_a_session_notes_the_fires_of_a_limited_number_of_triggers() -> None:
    spans = noted([(f"e{number}", number) for number in range(MAX_TRIGGERS + 5)])

    assert list(spans) == [f"e{number}" for number in range(5, MAX_TRIGGERS + 5)]


def test_a_session_without_traces_has_a_header_of_the_known_fields_only() -> None:
    session = Sessions(ORDER)
    before = session.rows.get(header_key("s")) or b""
    session.fire("paid", 1)
    after = session.rows.get(header_key("s")) or b""

    assert (before[:3], after[:3]) == (b"\xdc\x00\x18", b"\xdc\x00\x19")
