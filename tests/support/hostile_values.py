"""Values and headers that cannot be decoded, or that look as if they could not."""

from __future__ import annotations

from typing import Final

from tests.support.hostile_records import Case, Sent, bad, fire, rules, text

from triggers.codec import encode_event
from triggers.core.events import TriggerFired
from triggers.kafka.own_headers import FORWARDED

AVRO: Final = encode_event(TriggerFired(trigger="go", kwargs=b'{"page": 3}', id="a1"))
HEAD: Final = AVRO[:10]


def avro_fire(kwargs: bytes) -> bytes:
    """Encodes a `TriggerFired` in Avro with any bytes as its kwargs."""
    return encode_event(TriggerFired(trigger="go", kwargs=kwargs))


CODEC: Final = [
    bad("avro that ends in the middle", AVRO[:-4], "bad avro"),
    bad("avro with nothing after its header", HEAD, "bad avro"),
    bad("avro with bytes after its end", AVRO + b"\0", "bad avro"),
    bad("two bytes of avro", b"\xc3\x01", "unknown schema"),
    bad("a wrong magic", b"\xc3\x02" + AVRO[2:], "unknown format"),
    bad("an unknown fingerprint", b"\xc3\x01" + b"\xee" * 8 + AVRO[10:], "unknown schema", "eeee"),
    bad("avro that claims a gigabyte", HEAD + b"\x80\x80\x80\x80\x08", "bad avro"),
    bad("avro that claims 2**62 bytes", HEAD + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", "bad avro"),
    bad("avro with a negative length", HEAD + b"\x01", "bad avro"),
    bad("avro with a number that never ends", HEAD + b"\xff" * 30, "bad avro"),
    bad("avro with an unknown branch", HEAD + b"\0\0\0\x7e", "bad avro"),
    bad("avro with text that is not UTF-8", HEAD + b"\x04\xff\xfe\0\0\0\x04go\x04{}", "bad avro"),
    bad("avro whose kwargs are not JSON", avro_fire(b"{oops"), "bad json"),
    bad("avro whose kwargs are a list", avro_fire(b"[1]"), "not an object"),
    bad("avro whose kwargs are not a number", avro_fire(b'{"n": NaN}'), "bad json"),
    bad("avro whose kwargs have a key twice", avro_fire(b'{"n": 1, "n": 2}'), "duplicate key"),
    bad("confluent framing without a registry", b"\0\0\0\0\x07" + AVRO[10:], "no schema registry", "REGISTRY"),
    bad("confluent framing that ends at once", b"\0\0", "no schema registry"),
    bad("a tombstone", None, "empty value"),
    bad("no bytes at all", b"", "empty value"),
    bad("a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "unknown format"),
    bad("UTF-16", "{}".encode("utf-16"), "unknown format"),
    bad("a byte order mark", b'\xef\xbb\xbf{"trigger": "go"}', "unknown format"),
    bad("gzip", b"\x1f\x8b\x08\0\0\0", "unknown format"),
    bad("a pickle", b"\x80\x04\x95cos\nsystem\n", "unknown format"),
]

JSON: Final = [
    bad("JSON that ends in the middle", b'{"trigger": "go", "kwargs": {', "bad json"),
    bad("only white space", b" \n\t ", "bad json"),
    bad("a list", b'[{"trigger": "go"}]', "unknown format"),
    bad("a list after white space", b' [{"trigger": "go"}]', "not an object"),
    bad("NaN", b'{"trigger": "go", "kwargs": {"n": NaN}}', "bad json"),
    bad("infinity", b'{"trigger": "go", "kwargs": {"n": -Infinity}}', "bad json"),
    bad("a number beyond all floats", b'{"trigger": "go", "kwargs": {"n": 1e999}}', "bad json"),
    bad("a lone surrogate", b'{"trigger": "go", "kwargs": {"n": "\\ud800"}}', "bad json"),
    bad("a lone surrogate in a name", b'{"trigger": "\\udfff"}', "bad json"),
    bad("invalid UTF-8", b'{"trigger": "go", "kwargs": {"n": "\xff"}}', "bad json"),
    bad("a control character in a string", b'{"trigger": "g\x00o"}', "bad json"),
    bad("the same key twice", b'{"trigger": "go", "trigger": "stop"}', "duplicate key", "'trigger'"),
    bad(
        "the same key twice in a nested object",
        b'{"trigger": "go", "kwargs": {"a": [{"b": 1, "b": 2}]}}',
        "duplicate key",
    ),
    bad("the same key twice, escaped", b'{"trigger": "go", "kwargs": {"a": 1, "\\u0061": 2}}', "duplicate key"),
    bad("nested 129 deep", b'{"trigger": "go", "kwargs": {"n": ' + b"[" * 127 + b"]" * 127 + b"}}", "too deep"),
    bad("nested 100,000 deep", b'{"trigger": "go", "kwargs": {"n": ' + b"[" * 100_000, "too deep"),
    bad("no trigger", b'{"kwargs": {}}', "wrong shape", "trigger"),
    bad("a trigger that is a number", b'{"trigger": 7}', "wrong shape"),
    bad("a trigger that is null", b'{"trigger": null}', "wrong shape"),
    bad("a misspelt field", b'{"trigger": "go", "kwarg": {}}', "unknown field", "'kwargs'"),
    bad("an unknown type", b'{"type": "explode", "instance": "t#0"}', "unknown event", "explode"),
    bad("a type that is a list", b'{"type": ["fire"], "trigger": "go"}', "unknown event"),
    bad("kwargs that are a list", b'{"trigger": "go", "kwargs": [1]}', "not an object"),
    bad("kwargs that are a string", b'{"trigger": "go", "kwargs": "{}"}', "not an object"),
    bad("a name of 1,025 characters", text(trigger="g" * 1025), "out of range", "1024"),
    bad("an id of 1,025 characters", text(trigger="go", id="i" * 1025), "out of range"),
    bad("an id that is a number", b'{"trigger": "go", "id": 7}', "wrong shape"),
    bad("a negative time", b'{"trigger": "go", "time": -1}', "out of range"),
    bad("a time beyond the year 9999", text(trigger="go", time=2**62), "out of range"),
    bad("a time of a hundred digits", b'{"trigger": "go", "time": ' + b"9" * 100 + b"}", "out of range"),
    bad("a time without a zone", text(trigger="go", time="2024-03-01T10:20:30"), "wrong shape", "zone"),
    bad("yesterday", text(trigger="go", time="yesterday"), "wrong shape"),
    bad("a negative attempt", text(type="finished", instance="t#0", attempt=-1), "out of range"),
    bad("an attempt of 2**63", text(type="finished", instance="t#0", attempt=2**63), "out of range"),
    bad("half an attempt", text(type="finished", instance="t#0", attempt=1.5), "wrong shape"),
    bad("a cooldown of a century", text(type="retry", instance="t#0", cooldown_ms=10**13), "out of range"),
    Case("kwargs above max_payload_bytes", [fire(x="y" * 950_000)], ["payload too large"], said="the limit is 900000"),
]

EVENT: Final = (("ce_specversion", b"1.0"), ("ce_type", b"go"), ("ce_source", b"/s"), ("ce_id", b"1"))


def cloud(name: str, reason: str, value: bytes | None = b"{}", **changed: bytes | None) -> Case:
    """Makes a case of a binary CloudEvent with changed attributes. None removes one."""
    headers = {**dict(EVENT), **{f"ce_{key}": data for key, data in changed.items() if not key.startswith("content")}}
    if content_type := changed.get("content_type"):
        headers["content-type"] = content_type
    present = [(key, data) for key, data in headers.items() if data is not None]
    return Case(name, [Sent(value=value, headers=present)], [reason])


ENVELOPE: Final = (("content-type", b"application/cloudevents+json"),)
HEADERS: Final = [
    cloud("a CloudEvent without an id", "bad cloudevent", id=None),
    cloud("a CloudEvent with an empty source", "bad cloudevent", source=b""),
    cloud("a CloudEvent of the future", "bad cloudevent", specversion=b"2.0"),
    cloud("a CloudEvent that is not UTF-8", "bad cloudevent", id=b"\xff"),
    cloud("a CloudEvent with a broken time", "bad cloudevent", time=b"noon"),
    cloud("a CloudEvent of XML", "content type", b"<go/>", content_type=b"text/xml"),
    cloud("a CloudEvent with a list", "not an object", b"[]"),
    Case("an envelope that is not JSON", [Sent(value=b"<go/>", headers=ENVELOPE)], ["bad json"]),
    Case("an empty envelope", [Sent(value=None, headers=ENVELOPE)], ["bad json"]),
    Case(
        "ten thousand headers",
        [rules(), Sent(value=text(trigger="go"), headers=[(f"h{n}", b"x") for n in range(10_000)])],
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "a header of half a megabyte",
        [rules(), Sent(value=text(trigger="go"), headers=[("h", b"x" * 500_000)])],
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "a dead letter with ten thousand headers",
        [Sent(value=b"?", headers=[(f"h{n}", b"x" * 50) for n in range(10_000)])],
        ["unknown format"],
    ),
    Case(
        "our own headers, forged",
        [rules(), Sent(value=text(trigger="go"), headers=[(FORWARDED, b"\xff"), ("triggers-redrives", b"many")])],
        statuses={"t#0": "scheduled"},
    ),
]
