"""What a decision causes continues the trace of its event, and spans follow from the log alone."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs
from tests.support.agent_bench import NAMES, Bench
from tests.support.records import record
from tests.unit.agent.turns.test_agent import HOME, to

from triggers.codec import decode_command, decode_dead_letter, encode_event, read_trace
from triggers.core.events import Event, TaskFinished, TaskRetried, TimerFired
from triggers.core.trace_context import SPAN_BYTES, TraceContext
from triggers.kafka.records import Header, Record
from triggers.store.batch import Output
from triggers.telemetry.spans import Kind, Span

RULES = {"t_ship": {"after": ["paid", "packed"], "run": "app.ship"}}
RETRIED = TaskRetried(instance="t_ship#0", attempt=1, cooldown_ms=60_000)


def bench_of(*, exports: bool = True, rules: object = RULES) -> Bench:
    bench = Bench(exports=exports)
    bench.commit(record(json.dumps({"configuration": rules}).encode()))
    return bench


def trace_of(number: int, *, is_sampled: bool = True, state: bytes = b"") -> TraceContext:
    return TraceContext(bytes([number]) * SPAN_BYTES, int(is_sampled), state)


def headers_of(trace: TraceContext) -> list[Header]:
    parent = f"00-{trace.trace_id.hex()}-{trace.span_id.hex()}-{trace.flags:02x}"
    return [("traceparent", parent.encode()), ("tracestate", trace.state)]


def fired(trigger: str, offset: int, trace: TraceContext | None = None) -> Record:
    value = json.dumps({"trigger": trigger}).encode()
    return record(value, offset=offset, headers=None if trace is None else headers_of(trace))


def event_record(event: Event, offset: int, trace: TraceContext | None = None, *, time: int = 1_000) -> Record:
    headers = None if trace is None else headers_of(trace)
    return record(encode_event(event), offset=offset, headers=headers, time=time)


def context_of(output: Output) -> TraceContext | None:
    return read_trace(output.headers or [])


def tree(spans: Sequence[Span]) -> list[tuple[str, str]]:
    """The name of each span with that of its parent."""
    names = {span.trace.span: span.name for span in spans}
    return [(span.name, names.get(span.parent.span, "remote") if span.parent else "none") for span in spans]


async def test_without_an_exporter_a_command_has_the_context_of_its_event() -> None:
    bench = bench_of(exports=False)
    trace = trace_of(7, state=b"vendor=1")

    batch = bench.commit(fired("paid", 1), fired("packed", 2, trace))

    (command,) = to(NAMES.commands, batch)
    assert context_of(command) == trace
    assert batch.spans == []


async def test_a_record_without_a_trace_causes_records_without_headers() -> None:
    for exports in (True, False):
        batch = bench_of(exports=exports).commit(fired("paid", 1), fired("packed", 2))

        assert [output.headers for output in batch.outputs] == [None]
        assert batch.spans == []


async def test_a_context_that_is_not_sampled_makes_no_span_and_is_passed_on() -> None:
    bench, trace = bench_of(), trace_of(7, is_sampled=False)

    batch = bench.commit(fired("paid", 1, trace_of(6)), fired("packed", 2, trace))

    (command,) = to(NAMES.commands, batch)
    assert context_of(command) == trace
    assert tree(batch.spans) == [("decide paid", "remote")]


async def test_a_join_is_below_its_last_event_and_linked_to_the_others() -> None:
    bench, first, last = bench_of(), trace_of(6), trace_of(7, state=b"vendor=1")
    bench.commit(fired("paid", 1, first))

    batch = bench.commit(fired("packed", 2, last))

    decision, issue = batch.spans
    (command,) = to(NAMES.commands, batch)
    assert tree(batch.spans) == [("decide packed", "remote"), ("issue app.ship", "decide packed")]
    assert (decision.kind, issue.kind) == (Kind.CONSUMER, Kind.PRODUCER)
    assert (decision.parent, decision.is_parent_remote) == (last, True)
    assert issue.links == [first.span]
    assert context_of(command) == issue.trace
    assert (issue.trace.trace_id, issue.trace.flags, issue.trace.state) == (last.trace_id, 1, b"vendor=1")
    assert issue.attributes["triggers.instance"] == decode_command(command.value).instance == "t_ship#0"
    assert {name: decision.attributes[name] for name in ("triggers.session", "triggers.outcome")} == {
        "triggers.session": "s1",
        "triggers.outcome": "applied",
    }
    assert decision.attributes["messaging.kafka.offset"] == 2
    assert decision.attributes["messaging.destination.partition.id"] == str(HOME)


async def test_the_same_log_gives_the_same_headers_and_the_same_ids() -> None:
    records = [fired("paid", 1, trace_of(6)), fired("packed", 2, trace_of(7))]

    first, second = bench_of().commit(*records), bench_of().commit(*records)

    assert first.outputs == second.outputs
    assert [span.trace for span in first.spans] == [span.trace for span in second.spans]


async def test_a_batch_that_is_decided_again_after_an_abort_causes_the_same_records() -> None:
    bench = bench_of()
    records = [fired("paid", 1, trace_of(6)), fired("packed", 2, trace_of(7))]
    aborted = bench.decide(*records)
    bench.agent.forget()

    batch = bench.commit(*records)

    assert batch.outputs == aborted.outputs
    assert [span.trace for span in batch.spans] == [span.trace for span in aborted.spans]
    assert bench.spans.exported == []


async def test_spans_are_exported_when_the_pump_says_that_the_batch_is_committed() -> None:
    bench = bench_of()
    batch = bench.commit(fired("paid", 1, trace_of(6)))

    bench.agent.export_spans(batch)

    assert bench.spans.exported == batch.spans != []


async def test_a_timer_begins_a_trace_with_links_to_what_it_goes_back_to() -> None:
    bench = bench_of()
    bench.commit(fired("paid", 1, trace_of(6)), fired("packed", 2, trace_of(7)))
    bench.commit(event_record(RETRIED, 3, trace_of(8)))
    due = TimerFired(instance="t_ship#1", attempt=1, due=61_000)

    batch = bench.commit(event_record(due, 4, time=due.due))

    (command,) = to(NAMES.commands, batch)
    decision, issue = batch.spans
    assert tree(batch.spans) == [("decide timer", "none"), ("issue app.ship", "decide timer")]
    assert issue.links == [trace_of(number).span for number in (6, 7, 8)]
    assert decision.trace.trace_id not in {trace_of(number).trace_id for number in (6, 7, 8)}
    assert context_of(command) == issue.trace


async def test_without_an_exporter_the_command_of_a_timer_continues_what_set_the_timer() -> None:
    bench = bench_of(exports=False)
    bench.commit(fired("paid", 1, trace_of(6)), fired("packed", 2, trace_of(7)))
    bench.commit(event_record(RETRIED, 3, trace_of(8)))

    batch = bench.commit(event_record(TimerFired(instance="t_ship#1", attempt=1, due=61_000), 4, time=61_000))

    (command,) = to(NAMES.commands, batch)
    assert context_of(command) == trace_of(8)


async def test_the_events_of_a_batch_have_spans_of_their_own_in_several_partitions() -> None:
    bench = bench_of()
    other = record(b'{"trigger": "x"}', b"s4", offset=9, headers=headers_of(trace_of(9)))
    assert other.partition() != HOME

    batch = bench.commit(fired("paid", 1, trace_of(6)), other)

    assert [span.attributes["messaging.destination.partition.id"] for span in batch.spans] == [
        str(HOME),
        str(other.partition()),
    ]
    assert [span.name for span in batch.spans] == ["decide paid", "decide x"]


async def test_a_refused_event_has_a_span_with_the_error_and_its_dead_letter_the_context() -> None:
    bench = bench_of()

    with capture_logs() as lines:
        batch = bench.commit(event_record(TaskFinished(instance="t_none#0", attempt=1), 1, trace_of(6)))

    assert [line["trace_id"] for line in lines] == [trace_of(6).trace_id.hex()]
    (span,) = batch.spans
    (letter,) = to(NAMES.dead_letters, batch)
    assert "t_none#0" in span.error
    assert read_trace(decode_dead_letter(letter.value).headers) == trace_of(6)


async def test_an_event_that_is_too_large_to_apply_has_no_span_of_records_that_do_not_exist() -> None:
    bench = Bench(exports=True, largest_command=150)
    bench.commit(record(json.dumps({"configuration": {"t": {"after": ["a"], "run": "app.t"}}}).encode()))
    large = json.dumps({"trigger": "a", "kwargs": {"text": "x" * 200}}).encode()

    batch = bench.commit(record(large, offset=1, headers=headers_of(trace_of(6))))

    assert to(NAMES.commands, batch) == []
    assert batch.spans == []


async def test_a_forwarded_trigger_continues_the_trace_in_the_other_session() -> None:
    rules = {"$edition": 2, "t": {"after": ["never"], "run": "a"}, "$forward": [{"on": "go", "to": "'other'"}]}
    bench = bench_of(rules=rules)

    batch = bench.commit(fired("go", 1, trace_of(6)))

    (forward,) = to(NAMES.events, batch)
    assert tree(batch.spans) == [("decide go", "remote"), ("forward go", "decide go")]
    assert context_of(forward) == batch.spans[1].trace


async def test_a_misplaced_record_keeps_its_context_on_the_way_to_its_partition() -> None:
    bench = bench_of()
    wrong = record(b'{"trigger": "paid"}', partition=(HOME + 1) % 4, headers=headers_of(trace_of(6)))

    (forwarded,) = to(NAMES.events, bench.commit(wrong))

    assert context_of(forwarded) == trace_of(6)


async def test_a_cancellation_and_the_failure_of_an_unknown_queue_continue_the_trace() -> None:
    task = {"run": "app.a", "cancelOn": {"on": ["stop"], "terminate": True}}
    rules = {"$edition": 2, "t_a": task | {"after": ["go"]}, "t_b": {"after": ["go"], "run": "app.b", "queue": "gpu"}}
    bench = bench_of(rules=rules)

    started, stopped = bench.commit(fired("go", 1, trace_of(6))), bench.commit(fired("stop", 2, trace_of(7)))

    (failure,) = to(NAMES.events, started)
    (cancellation,) = to(NAMES.commands, stopped)
    assert context_of(failure) == started.spans[-1].trace
    assert context_of(cancellation) == stopped.spans[0].trace
    assert stopped.spans[0].attributes["triggers.cancelled"] == "t_a#0"


@pytest.mark.parametrize("exports", [True, False])
async def test_headers_that_are_not_valid_change_nothing(exports: bool) -> None:
    bench = bench_of(exports=exports)
    headers: list[Header] = [("traceparent", b"\xff"), ("tracestate", b"\xff")]
    paid, packed = (
        record(json.dumps({"trigger": trigger}).encode(), offset=offset, headers=headers)
        for offset, trigger in ((1, "paid"), (2, "packed"))
    )

    batch = bench.commit(paid, packed)

    assert [output.headers for output in to(NAMES.commands, batch)] == [None]
