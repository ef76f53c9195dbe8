"""Any bytes are read as an event, command, dead letter, configuration or capsule, or are refused properly.

These tests run a few hundred examples; `make fuzz DURATION=600` runs new ones for 600 seconds.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.console_log import log_events
from tests.support.hostile_values import CODEC, JSON

from triggers.analysis.verify.capsules import BadCapsule, Replayed, capture, decode_capsule, replay_capsule
from triggers.codec import EventDecoder, Reason, decode_command, decode_dead_letter, encode_event
from triggers.core.config import compile_plan, validate_configuration
from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, Event, TaskRetried, TriggerFired
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.errors import CallError, InvalidConfiguration, NotFound, Undecodable

BOUNDED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DECODER = EventDecoder(10_000)
SEEDS = [
    encode_event(TriggerFired(trigger="go", kwargs=b'{"page": [1, {"a": null}]}', id="a1", time=5)),
    encode_event(TaskRetried(instance="t#0", attempt=1, metadata=b'{"a": 1}', cooldown_ms=9)),
    encode_event(ConfigurationUpdated(configuration=b'{"t": {"after": ["go"], "run": "r"}}')),
    *(sent.value for case in [*CODEC, *JSON] for sent in case.sent if sent.value),
]
NAMES = st.sampled_from(
    ["after", "andEvery", "unless", "run", "withParams", "using", "timeouts", "x", "$limits", "name"]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
DIRECTIVES = st.fixed_dictionaries(
    {"after": st.lists(st.text(max_size=3), max_size=3), "run": st.text(max_size=5)},
    optional={"andEvery": ANY, "unless": ANY, "withParams": ANY, "timeouts": ANY, "using": ANY, "x": ANY},
)
CAPSULE = capture("s-done", [event for uid, event in log_events() if uid == "s-done"])
CLOUDEVENT_VALUES = [
    b"{}",
    b'{"trigger": "go"}',
    b'{"specversion": "1.0", "id": "1", "source": "/s", "type": "go", "trigger": null, "data": {"n": 1}}',
    b'{"specversion": "1.0", "id": "1", "source": "/s", "type": "go", "data_base64": "e30="}',
]
_NAMES_OF_HEADERS = ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_trigger", "ce_time", "CE_Type", "ce-type"]
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([*_NAMES_OF_HEADERS, "ce-specversion", "content-type", "Content-Type", "__value_schema_id"])
        | st.text(max_size=12),
        st.none()
        | st.sampled_from([b"1.0", b"go", b"", b"/s", b"2024-03-01T10:20:30Z", b"application/json", b"text/xml"])
        | st.sampled_from([b"application/cloudevents+json", b"Application/CloudEvents+JSON; charset=UTF-8"])
        | st.binary(max_size=8),
    ),
    max_size=10,
)
LIMITS = st.dictionaries(st.sampled_from(["maxCascadeDepth", "sessionTtl", "timeouts"]), ANY, max_size=3)


def _outcome(value: bytes, headers: list[tuple[str, bytes | None]]) -> object:
    try:
        return DECODER.decode(value, headers, 7, 5)
    except Undecodable as error:
        return str(error)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A hostile or a valid record with some bytes changed, removed or inserted."""
    value = bytearray(draw(st.sampled_from(SEEDS))[:2000])
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(value)))
        value[start : start + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(value)


@BOUNDED
@given(mutated() | st.binary(max_size=200))
def test_a_mutated_record_is_an_event_or_is_refused_with_a_reason(value: bytes) -> None:
    try:
        outcome: object = DECODER.decode(value, None, 7, 5)
    except Undecodable as error:
        outcome = error
    assert isinstance(outcome, Event) or (isinstance(outcome, Undecodable) and outcome.reason in set(Reason))


@BOUNDED
@given(st.none() | mutated() | st.sampled_from(CLOUDEVENT_VALUES), HEADERS)
def test_any_headers_are_an_event_or_are_refused_with_a_reason(
    value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    try:
        outcome: object = DECODER.decode(value, headers, 7, 5)
    except Undecodable as error:
        outcome = error
    if isinstance(outcome, Undecodable):
        assert outcome.reason in set(Reason)
        assert outcome.detail or outcome.reason == Reason.EMPTY_VALUE
    else:
        assert isinstance(outcome, Event)
        assert not isinstance(outcome, TriggerFired) or outcome.trigger


@BOUNDED
@given(st.sampled_from(CLOUDEVENT_VALUES), HEADERS)
def test_a_null_header_at_the_end_removes_the_headers_of_its_name(
    value: bytes, headers: list[tuple[str, bytes | None]]
) -> None:
    gone = {name.lower() for name, _ in headers[::2]}

    assert _outcome(value, [*headers, *((name, None) for name in gone)]) == _outcome(
        value, [(name, header) for name, header in headers if name.lower() not in gone]
    )


@BOUNDED
@given(mutated() | st.binary(max_size=200))
def test_a_mutated_command_or_dead_letter_is_read_or_refused(value: bytes) -> None:
    for decode in (decode_command, decode_dead_letter):
        with suppress(Undecodable):
            decode(value)


@BOUNDED
@given(st.dictionaries(st.text(max_size=4), DIRECTIVES | ANY, max_size=3), LIMITS | ANY)
def test_a_configuration_is_always_compiled_to_the_same_plan_or_refused(tasks: dict[str, Any], limits: object) -> None:
    text = json.dumps({**tasks, "$limits": limits}).encode()
    try:
        validate_configuration(text)
    except InvalidConfiguration:
        return
    assert compile_plan(text) == compile_plan(text)


@BOUNDED
@given(st.lists(mutated(), max_size=12))
def test_any_decoded_event_is_applied_or_refused(values: list[bytes]) -> None:
    rows = MemoryRows()
    for position, value in enumerate(values):
        session = Session("q-1", rows, Plans())
        try:
            apply(session, DECODER.decode(value, None, position, 1_000 + position))
        except (Undecodable, CallError, NotFound):
            continue
        rows.write(session.changes())


@BOUNDED
@given(st.data())
def test_a_capsule_with_any_value_replaced_by_any_other_is_replayed_or_refused(data: st.DataObject) -> None:
    capsule = parent = json.loads(CAPSULE)
    while True:
        keys = sorted(parent) if isinstance(parent, dict) else list(range(len(parent)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(parent[key], dict | list) or not parent[key] or data.draw(st.booleans()):
            break
        parent = parent[key]
    parent[key] = data.draw(ANY)

    try:
        outcome: object = replay_capsule(decode_capsule(json.dumps(capsule).encode(), "a capsule"))
    except BadCapsule as error:
        outcome = error
    assert isinstance(outcome, Replayed | BadCapsule)
