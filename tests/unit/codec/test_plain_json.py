"""Events in plain JSON are decoded or refused with the reason."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.codec import EventDecoder, Reason
from triggers.core.events import ConfigurationUpdated, Event, ReplayRequested, TaskFinished, TaskRetried, TriggerFired
from triggers.errors import Undecodable

RECORDED = 1_700_000_000_000


def decode(value: bytes | str) -> Event:
    encoded = value.encode() if isinstance(value, str) else value
    return EventDecoder(1000).decode(encoded, None, position=7, time=RECORDED)


def refusal(value: bytes | str) -> Undecodable:
    with pytest.raises(Undecodable) as caught:
        decode(value)
    return caught.value


def test_a_trigger_and_its_kwargs_are_enough() -> None:
    event = decode('{"trigger": "pageReceived", "kwargs": {"page": 3}}')

    assert event == TriggerFired(position=7, time=RECORDED, trigger="pageReceived", kwargs=b'{"page": 3}')


def test_kwargs_stay_the_bytes_their_producer_wrote() -> None:
    kwargs = b'{ "b" : 1.0,\n"a": [1e2, "\\u00e9 \xc3\xa9", 12345678901234567890123]\t}'

    event = decode(b'{"trigger": "t", "kwargs":  ' + kwargs + b" }")

    assert isinstance(event, TriggerFired)
    assert event.kwargs == kwargs


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text() | st.just("kwargs"), children),
    max_leaves=5,
)
FIRES = st.fixed_dictionaries(
    {"trigger": st.text(max_size=20), "kwargs": st.dictionaries(st.text() | st.just("kwargs"), JSON, max_size=3)},
    optional={"id": st.none() | st.text(max_size=20), "source": st.none() | st.text(max_size=20)},
)


@given(FIRES.flatmap(lambda fire: st.permutations(list(fire.items()))).map(dict))
def test_compact_text_is_decoded_like_the_same_text_with_spaces(fire: dict[str, Any]) -> None:
    members = {name: msgspec.json.encode(member) for name, member in fire.items()}
    texts = [
        b"{" + b",".join(b'"%s":%s' % (name.encode(), member) for name, member in members.items()) + b"}",
        b"{ " + b" , ".join(b'"%s" : %s' % (name.encode(), member) for name, member in members.items()) + b" }",
    ]
    expected = TriggerFired(
        position=7,
        time=RECORDED,
        id=fire.get("id") or None,
        source=fire.get("source") or None,
        trigger=fire["trigger"],
        kwargs=members["kwargs"],
    )

    assert [EventDecoder(10**6).decode(text, None, 7, RECORDED) for text in texts] == [expected, expected]


@pytest.mark.parametrize("value", ['{"trigger": "t"}', '{"trigger": "t", "kwargs": null, "id": null, "time": null}'])
def test_null_is_the_same_as_absent(value: str) -> None:
    assert decode(value) == TriggerFired(position=7, time=RECORDED, trigger="t")


@pytest.mark.parametrize("trigger", ["", "x:y/z", "ü\u2028", "a" * 1024])
def test_odd_trigger_names_are_accepted(trigger: str) -> None:
    event = decode(json.dumps({"trigger": trigger}))

    assert isinstance(event, TriggerFired)
    assert event.trigger == trigger


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (1_500_000_000_001, 1_500_000_000_001),
        ("2024-03-01T10:20:30Z", 1_709_288_430_000),
        ("2024-03-01T11:20:30.123456+01:00", 1_709_288_430_123),
        (0, RECORDED),
    ],
)
def test_the_event_has_the_time_its_producer_gave(time: object, expected: int) -> None:
    assert decode(json.dumps({"trigger": "t", "time": time})).time == expected


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("2024-03-01T10:20:30", Reason.WRONG_SHAPE),  # no zone
        ("yesterday", Reason.WRONG_SHAPE),
        (True, Reason.WRONG_SHAPE),
        (1.5, Reason.WRONG_SHAPE),
        (-1, Reason.OUT_OF_RANGE),
        ("1969-12-31T23:59:59Z", Reason.OUT_OF_RANGE),
        (10**30, Reason.OUT_OF_RANGE),
    ],
)
def test_an_invalid_time_is_refused(time: object, reason: Reason) -> None:
    assert refusal(json.dumps({"trigger": "t", "time": time})).reason == reason


def test_an_empty_id_is_no_id() -> None:
    assert decode('{"trigger": "t", "id": ""}').id is None
    assert decode('{"trigger": "t", "id": "a1"}').id == "a1"


def test_a_configuration_alone_configures() -> None:
    event = decode('{"configuration": {"t_b": {"after": [], "run": "b"}, "t_a": {"after": [], "run": "a"}}}')

    assert isinstance(event, ConfigurationUpdated)
    assert list(json.loads(event.configuration)) == ["t_b", "t_a"]


def test_a_result_of_another_language_is_decoded() -> None:
    event = decode('{"type": "finished", "instance": "t#0", "attempt": 1, "result": {"subject": 7}}')

    assert event == TaskFinished(position=7, time=RECORDED, instance="t#0", attempt=1, result=b'{"subject": 7}')


def test_no_replacement_and_an_empty_replacement_differ() -> None:
    keep, clear = (
        '{"type": "replay", "instance": "t#0"}',
        '{"type": "replay", "instance": "t#0", "replacement_kwargs": {}}',
    )

    assert decode(keep) == ReplayRequested(position=7, time=RECORDED, instance="t#0", replacement_kwargs=None)
    assert decode(clear) == ReplayRequested(position=7, time=RECORDED, instance="t#0", replacement_kwargs=b"{}")


def test_a_retry_has_all_its_fields() -> None:
    reported = {"instance": "t#0", "attempt": 2, "metadata": {"a": 1}, "id": "x"}
    failure = {"exception_type": "app.Busy", "exception_context": {"b": 2}, "exception_info": "…", "log_level": 40}

    event = decode(json.dumps({"type": "retry", "cooldown_ms": 500} | reported | failure))

    assert isinstance(event, TaskRetried)
    assert (event.exception_type, event.cooldown_ms, event.id) == ("app.Busy", 500, "x")
    assert event.exception_context == b'{"b": 2}'


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        ('{"trigger": "t", "kwarg": {}}', Reason.UNKNOWN_FIELD, "fire has no field 'kwarg'; did you mean 'kwargs'?"),
        ('{"trigger": "t", "position": 1}', Reason.UNKNOWN_FIELD, "'position'"),
        ('{"type": "finnished", "instance": "t#0"}', Reason.UNKNOWN_EVENT, "did you mean 'finished'?"),
        ('{"type": 3, "trigger": "t"}', Reason.UNKNOWN_EVENT, "type 3"),
        ("{}", Reason.WRONG_SHAPE, "missing required field `trigger`"),
        ('{"kwargs": {}}', Reason.WRONG_SHAPE, "trigger"),
        ('{"trigger": null}', Reason.WRONG_SHAPE, "trigger"),
        ('{"trigger": 3}', Reason.WRONG_SHAPE, "trigger"),
        ('{"trigger": "t", "id": 5}', Reason.WRONG_SHAPE, "id"),
        ('{"configuration": null}', Reason.WRONG_SHAPE, "configuration"),
        ('{"type": "timer", "instance": "t#0", "attempt": null}', Reason.WRONG_SHAPE, "attempt"),
        ('{"trigger": "t", "kwargs": [1]}', Reason.NOT_AN_OBJECT, "kwargs"),
        ('{"trigger": "t", "kwargs": "{}"}', Reason.NOT_AN_OBJECT, "kwargs"),
        ('{"type": "finished", "instance": "t#0", "result": 7}', Reason.NOT_AN_OBJECT, "result"),
        ('{"type": "running", "instance": "t#0", "attempt": -1}', Reason.OUT_OF_RANGE, "attempt"),
        ('{"type": "running", "instance": "t#0", "attempt": 4294967296}', Reason.OUT_OF_RANGE, "attempt"),
        ('{"trigger": "%s"}' % ("a" * 1025), Reason.OUT_OF_RANGE, "trigger"),
        ('{"trigger": "t", "id": "%s"}' % ("a" * 1025), Reason.OUT_OF_RANGE, "id"),
        ('{"type": "clone", "instance": "%s"}' % ("a" * 1049), Reason.OUT_OF_RANGE, "instance"),
    ],
)  # fmt: skip
def test_an_event_of_the_wrong_shape_is_refused_with_the_reason(value: str, reason: Reason, detail: str) -> None:
    error = refusal(value)

    assert error.reason == reason
    assert detail in error.detail


@pytest.mark.parametrize("field", ["source", "id", "time", "type"])
def test_every_event_may_have_the_common_fields(field: str) -> None:
    decode(json.dumps({"instance": "t#0", "type": "clone"} | {field: {"type": "clone", "time": 5}.get(field, "x")}))


@pytest.mark.parametrize("value", [b" \n\t", b"[]", b'"t"', b"  [1]", b"null", b"7", b"true"])
def test_json_that_is_not_an_object_is_refused(value: bytes) -> None:
    assert refusal(value).reason in {Reason.NOT_AN_OBJECT, Reason.BAD_JSON, Reason.UNKNOWN_FORMAT}


def test_a_payload_above_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    at_limit = json.dumps({"trigger": "t", "kwargs": {"a": "x" * 991}})
    above = json.dumps({"trigger": "t", "kwargs": {"a": "x" * 992}})

    assert isinstance(decode(at_limit), TriggerFired)
    assert refusal(above).reason == Reason.TOO_LARGE
    assert "1001 bytes; the limit is 1000" in refusal(above).detail
