"""Records that no well-meaning producer sends, and what must become of each: the table of `test_hostile_input`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from triggers.codec import encode_event
from triggers.core.events import TaskFinished, TriggerFired
from triggers.processing.routing import FORWARDED

Json = Mapping[str, object]
Headers = Sequence[tuple[str, bytes]]

OWN: Final = b"own"
"""Stands for a session of the case's own."""
ELSEWHERE: Final = -2
"""Stands for a partition that is not the key's."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One record."""

    value: bytes | None
    key: bytes | None = OWN
    headers: Headers = ()
    partition: int = -1
    time: int = 0
    """Timestamp in milliseconds; 0: now."""


@dataclass(frozen=True)
class Case:
    """Records of one attack; `letters`: reasons of the dead letters they become, in order."""

    name: str
    sent: Sequence[Sent]
    letters: Sequence[str] = ()
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Outcomes that only this table's attacks have, and how often."""
    statuses: Mapping[str, str] | None = None
    """Instances of the case's own session afterwards; None: there is nothing to see."""
    said: str = ""
    """Part of the last dead letter's detail."""


def text(**members: object) -> bytes:
    """An event in plain JSON."""
    return json.dumps(members).encode()


def raw(value: bytes | None) -> Sent:
    """A value in the case's own session."""
    return Sent(value=value)


def does(**members: object) -> Sent:
    """An event in the case's own session."""
    return Sent(value=text(**members))


def fire(trigger: str = "go", **kwargs: object) -> Sent:
    """A trigger fires in the case's own session."""
    return does(trigger=trigger, kwargs=kwargs)


def rules(**directives: object) -> Sent:
    """The case's session gets one task `t`."""
    return does(configuration={"t": {"after": ["go"], "run": "app.t", **directives}})


def bad(name: str, value: bytes | None, reason: str, said: str = "") -> Case:
    """A single record that is refused."""
    return Case(name, [raw(value)], [reason], said=said)


AVRO: Final = encode_event(TriggerFired(trigger="go", kwargs=b'{"page": 3}', id="a1"))
HEAD: Final = AVRO[:10]


def avro_fire(kwargs: bytes) -> bytes:
    """A fire in Avro with any bytes as its kwargs."""
    return encode_event(TriggerFired(trigger="go", kwargs=kwargs))


CODEC: Final = [
    bad("avro that ends in the middle", AVRO[:-4], "bad avro"),
    bad("avro with nothing behind its head", HEAD, "bad avro"),
    bad("avro with bytes behind its end", AVRO + b"\0", "bad avro"),
    bad("two bytes of avro", b"\xc3\x01", "unknown schema"),
    bad("a wrong magic", b"\xc3\x02" + AVRO[2:], "unknown format"),
    bad("an unknown fingerprint", b"\xc3\x01" + b"\xee" * 8 + AVRO[10:], "unknown schema", "eeee"),
    bad("avro that claims a gigabyte", HEAD + b"\x80\x80\x80\x80\x08", "bad avro"),
    bad("avro that claims 2**62 bytes", HEAD + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", "bad avro"),
    bad("avro with a negative length", HEAD + b"\x01", "bad avro"),
    bad("avro with a number that never ends", HEAD + b"\xff" * 30, "bad avro"),
    bad("avro with an unknown branch", HEAD + b"\0\0\0\x7e", "bad avro"),
    bad("avro with text that is no UTF-8", HEAD + b"\x04\xff\xfe\0\0\0\x04go\x04{}", "bad avro"),
    bad("avro whose kwargs are no JSON", avro_fire(b"{oops"), "bad json"),
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
    bad("a list behind white space", b' [{"trigger": "go"}]', "not an object"),
    bad("NaN", b'{"trigger": "go", "kwargs": {"n": NaN}}', "bad json"),
    bad("infinity", b'{"trigger": "go", "kwargs": {"n": -Infinity}}', "bad json"),
    bad("a number beyond all floats", b'{"trigger": "go", "kwargs": {"n": 1e999}}', "bad json"),
    bad("a lone surrogate", b'{"trigger": "go", "kwargs": {"n": "\\ud800"}}', "bad json"),
    bad("a lone surrogate in a name", b'{"trigger": "\\udfff"}', "bad json"),
    bad("invalid UTF-8", b'{"trigger": "go", "kwargs": {"n": "\xff"}}', "bad json"),
    bad("a control character in a text", b'{"trigger": "g\x00o"}', "bad json"),
    bad("the same key twice", b'{"trigger": "go", "trigger": "stop"}', "duplicate key", "'trigger'"),
    bad("the same key twice far down", b'{"trigger": "go", "kwargs": {"a": [{"b": 1, "b": 2}]}}', "duplicate key"),
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
    bad("kwargs that are a text", b'{"trigger": "go", "kwargs": "{}"}', "not an object"),
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
    """A binary CloudEvent with changed attributes; None takes one away."""
    headers = {**dict(EVENT), **{f"ce_{key}": mark for key, mark in changed.items() if not key.startswith("content")}}
    if content_type := changed.get("content_type"):
        headers["content-type"] = content_type
    kept = [(key, mark) for key, mark in headers.items() if mark is not None]
    return Case(name, [Sent(value=value, headers=kept)], [reason])


ENVELOPE: Final = (("content-type", b"application/cloudevents+json"),)
HEADERS: Final = [
    cloud("a CloudEvent without an id", "bad cloudevent", id=None),
    cloud("a CloudEvent with an empty source", "bad cloudevent", source=b""),
    cloud("a CloudEvent of the future", "bad cloudevent", specversion=b"2.0"),
    cloud("a CloudEvent that is no UTF-8", "bad cloudevent", id=b"\xff"),
    cloud("a CloudEvent with a broken time", "bad cloudevent", time=b"noon"),
    cloud("a CloudEvent of XML", "content type", b"<go/>", content_type=b"text/xml"),
    cloud("a CloudEvent with a list", "not an object", b"[]"),
    Case("an envelope that is no JSON", [Sent(value=b"<go/>", headers=ENVELOPE)], ["bad json"]),
    Case("an envelope of nothing", [Sent(value=None, headers=ENVELOPE)], ["bad json"]),
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

KEYS: Final = [
    Case("no key", [Sent(value=text(trigger="go"), key=None, partition=0)], ["bad key"], said="missing"),
    Case("an empty key", [Sent(value=text(trigger="go"), key=b"", partition=0)], ["bad key"], said="empty"),
    Case("a key that is no UTF-8", [Sent(value=text(trigger="go"), key=b"\xff\xfe")], ["bad key"]),
    Case("a key of 1,025 bytes", [Sent(value=text(trigger="go"), key=b"k" * 1025)], ["bad key"], said="1024"),
    Case("a key of half a megabyte", [Sent(value=text(trigger="go"), key=b"k" * 500_000)], ["bad key"]),
    Case("a key like a path", [Sent(value=text(trigger="go"), key=b"../../etc/passwd\0\n?#%")]),
    Case(
        "the wrong partition",
        [rules(), Sent(value=text(trigger="go"), partition=ELSEWHERE)],
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "the wrong partition twice",
        [Sent(value=text(trigger="go"), partition=ELSEWHERE, headers=[(FORWARDED, b"1")])],
        ["wrong partition"],
    ),
]

TIMES: Final = [
    Case(
        "a record of 1970",
        [Sent(value=rules(timeouts={"running": 60}).value, time=1), Sent(value=text(trigger="go"), time=1)],
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "an event of 1970",
        [rules(timeouts={"scheduled": 3600}), does(trigger="go", time=1)],
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "an event of 2300",
        [rules(timeouts={"scheduled": 3600}), does(trigger="go", time="2300-01-01T00:00:00Z")],
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "a cooldown of 24 days",
        [rules(), fire(), does(type="retry", instance="t#0", cooldown_ms=2**31 - 1)],
        statuses={"t#0": "replayed", "t#1": "scheduled"},
    ),
]


def refused(name: str, configuration: Json, said: str) -> Case:
    """A configuration that is refused."""
    return Case(name, [does(configuration=configuration)], ["InvalidConfiguration"], said=said)


CONFIGURATIONS: Final = [
    refused("after is a text", {"t": {"after": "go", "run": "r"}}, "'after' must be a list"),
    refused("after has a number", {"t": {"after": [7], "run": "r"}}, "'after'"),
    refused("no run", {"t": {"after": ["go"]}}, "'run' is missing"),
    refused("run is a list", {"t": {"after": ["go"], "run": ["r"]}}, "'run' must be"),
    refused("a task that is a list", {"t": ["after", "go"]}, "its directives"),
    refused("withParams is a list", {"t": {"after": [], "run": "r", "withParams": [1]}}, "'withParams'"),
    refused("a limit that is misspelt", {"$limits": {"maxCascade": 3}}, "maxCascadeDepth"),
    refused("a time to live of nothing", {"$limits": {"sessionTtl": 0}}, "> 0"),
    refused("endless timeouts", {"t": {"after": [], "run": "r", "timeouts": {"running": 1e30}}}, "<="),
    bad("the same task twice", b'{"configuration": {"t": {}, "t": {}}}', "duplicate key"),
    Case(
        "unknown directives are the application's own",
        [rules(afterr=["x"], __class__="os.system"), fire()],
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "ten thousand rules",
        [does(configuration={f"t{n}": {"after": ["go", f"x{n}"], "run": "r"} for n in range(10_000)}), fire("x7")],
        statuses={"t7#0": "unstarted"},
    ),
    Case(
        "ten thousand triggers of one rule",
        [rules(after=[f"x{n}" for n in range(10_000)]), fire("x9999")],
        statuses={"t#0": "unstarted"},
    ),
    Case(
        "a Celery task's name with line ends",
        [rules(run="app.t\n\r\0 -c 'rm -rf /'"), fire()],
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "names of everything with line ends",
        [does(configuration={"t\n#7": {"after": ["g\no"], "run": "r"}}), fire("g\no")],
        statuses={"t\n#7#0": "scheduled"},
    ),
    Case(
        "an endless cascade",
        [
            does(configuration={"t": {"after": [], "andEvery": "t", "run": "r"}, "$limits": {"maxCascadeDepth": 1}}),
            fire("t"),
            does(type="finished", instance="t#0"),
            does(type="finished", instance="t#1"),
        ],
        outcomes={"stopped": 1},
        statuses={"t#0": "finished", "t#1": "finished", "t#2": "failed"},
    ),
]

NOTHING: Final = "InstanceNotFound"
RESULTS: Final = [
    Case("a result for a session that is not there", [does(type="finished", instance="t#0")], [NOTHING], said="t#0"),
    Case(
        "a result in Avro for one that is not there",
        [raw(encode_event(TaskFinished(instance="t#0", attempt=1)))],
        [NOTHING],
    ),
    Case(
        "a result for an instance that is not there",
        [rules(), does(type="finished", instance="t#7")],
        [NOTHING],
        statuses={},
    ),
    *[
        Case(f"a result for {name!r}", [rules(), fire(), does(type="finished", instance=name)], [NOTHING])
        for name in ("t", "#", "t#", "t#-1", "t#00", "t#\u0661", "t#" + "9" * 30, "t#0#0", "t#1e3", "#0")
    ],
    Case(
        "a result for an attempt that is not there",
        [rules(), fire(), does(type="finished", instance="t#0", attempt=2)],
        outcomes={"stale": 1},
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "a result twice",
        [rules(), fire(), *[does(type="finished", instance="t#0", attempt=1)] * 2],
        outcomes={"stale": 1},
        statuses={"t#0": "finished"},
    ),
    Case(
        "the same event id twice",
        [rules(), *[does(trigger="go", id="once")] * 2],
        outcomes={"duplicate": 1},
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "a replay of a replayed instance",
        [
            rules(),
            fire(),
            does(type="failed", instance="t#0", exception_type="E"),
            *[does(type="replay", instance="t#0")] * 2,
        ],
        ["WrongStatus"],
        statuses={"t#0": "replayed", "t#1": "scheduled"},
    ),
    Case(
        "a replay of what runs",
        [rules(), fire(), does(type="replay", instance="t#0")],
        ["WrongStatus"],
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "a replay with kwargs that are no kwargs",
        [does(type="replay", instance="t#0", replacement_kwargs=[1])],
        ["not an object"],
    ),
    Case("a skip of what is not there", [does(type="skip", instance="t#0")], [NOTHING]),
    Case("a clone of what is not there", [does(type="clone", instance="t#0")], [NOTHING]),
    Case(
        "a forged timer",
        [rules(), fire(), does(type="timer", instance="t#0", attempt=1, due=5)],
        outcomes={"stale": 1},
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "a forged timer of the session",
        [rules(), fire(), does(type="timer", instance="", attempt=0, due=5)],
        outcomes={"stale": 1},
        statuses={"t#0": "scheduled"},
    ),
    Case("a timer of what is not there", [does(type="timer", instance="t#0", attempt=1)], [NOTHING]),
    Case(
        "a status that is a poem",
        [rules(), fire(), does(type="status", instance="t#0", status="roses\nare\u202ered")],
        statuses={"t#0": "roses\nare\u202ered"},
    ),
    Case("the deletion of what is not there", [does(type="delete")], outcomes={"deleted": 1}),
    Case(
        "a result after the deletion",
        [rules(), fire(), does(type="delete"), does(type="finished", instance="t#0", attempt=1)],
        outcomes={"deleted": 1, "stale": 1},
    ),
    Case(
        "a replay after the deletion",
        [does(type="delete"), does(type="replay", instance="t#0")],
        [NOTHING],
        {"deleted": 1},
    ),
]


def many(number: int, make: Callable[[int], Sent]) -> list[Sent]:
    """So many records."""
    return [make(n) for n in range(number)]


SIZES: Final = [
    Case(
        "a session of ten megabytes",
        [rules(after=["x11", "never"]), *many(12, lambda n: fire(f"x{n}", x="y" * 880_000))],
        statuses={"t#0": "unstarted"},
    ),
    Case(
        "a command of five megabytes",
        [rules(after=[f"x{n}" for n in range(6)]), *many(6, lambda n: fire(f"x{n}", x="y" * 880_000))],
        ["result too large"],
        statuses={"t#0": "unstarted"},
        said="a command of",
    ),
    Case(
        "a configuration that grows to five megabytes",
        many(5, lambda n: does(configuration={f"t{n}": {"after": ["x"], "run": "r", "own": "y" * 880_000}})),
        ["result too large"],
        statuses={},
        said="a row of",
    ),
    Case(
        "ten thousand instances that start at once",
        [rules(after=["go"], andEvery="page"), *many(10_000, lambda _: fire("page")), fire()],
        statuses={f"t#{n}": "scheduled" for n in range(10_000)},
    ),
    Case(
        "commands of a gigabyte from one event",
        [rules(after=["go"], andEvery="page"), *many(2_000, lambda _: fire("page")), fire(x="y" * 500_000)],
        ["result too large"],
        statuses={f"t#{n}": "unstarted" for n in range(2_000)},
        said="one event would cause more than 32 MiB of commands",
    ),
]

CASES: Final = [*CODEC, *JSON, *HEADERS, *KEYS, *TIMES, *CONFIGURATIONS, *RESULTS, *SIZES]
