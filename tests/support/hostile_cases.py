"""The table of `test_hostile_input`: what must become of records that no well-meaning producer sends."""

from __future__ import annotations

from typing import Final

from tests.support.hostile_records import ELSEWHERE, Case, Json, Sent, bad, does, fire, many, raw, rules, text
from tests.support.hostile_values import CODEC, HEADERS, JSON

from triggers.codec import encode_event
from triggers.core.events import TaskFinished
from triggers.kafka.own_headers import FORWARDED

KEYS: Final = [
    Case("no key", [Sent(value=text(trigger="go"), key=None, partition=0)], ["bad key"], said="missing"),
    Case("an empty key", [Sent(value=text(trigger="go"), key=b"", partition=0)], ["bad key"], said="empty"),
    Case("a key that is not UTF-8", [Sent(value=text(trigger="go"), key=b"\xff\xfe")], ["bad key"]),
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
    """Makes a case with a configuration that is refused."""
    return Case(name, [does(configuration=configuration)], ["InvalidConfiguration"], said=said)


CONFIGURATIONS: Final = [
    refused("after is a string", {"t": {"after": "go", "run": "r"}}, "'after' must be a list"),
    refused("after has a number", {"t": {"after": [7], "run": "r"}}, "'after'"),
    refused("no run", {"t": {"after": ["go"]}}, "'run' is missing"),
    refused("run is a list", {"t": {"after": ["go"], "run": ["r"]}}, "'run' must be"),
    refused("a task that is a list", {"t": ["after", "go"]}, "its directives"),
    refused("withParams is a list", {"t": {"after": [], "run": "r", "withParams": [1]}}, "'withParams'"),
    refused("a limit that is misspelt", {"$limits": {"maxCascade": 3}}, "maxCascadeDepth"),
    refused("a time to live of zero", {"$limits": {"sessionTtl": 0}}, "> 0"),
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
        "names with line ends everywhere",
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
    Case("a result for a session that does not exist", [does(type="finished", instance="t#0")], [NOTHING], said="t#0"),
    Case(
        "a result in Avro for a session that does not exist",
        [raw(encode_event(TaskFinished(instance="t#0", attempt=1)))],
        [NOTHING],
    ),
    Case(
        "a result for an instance that does not exist",
        [rules(), does(type="finished", instance="t#7")],
        [NOTHING],
        statuses={},
    ),
    *[
        Case(f"a result for {name!r}", [rules(), fire(), does(type="finished", instance=name)], [NOTHING])
        for name in ("t", "#", "t#", "t#-1", "t#00", "t#\u0661", "t#" + "9" * 30, "t#0#0", "t#1e3", "#0")
    ],
    Case(
        "a result for an attempt that does not exist",
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
        "a replay of a running instance",
        [rules(), fire(), does(type="replay", instance="t#0")],
        ["WrongStatus"],
        statuses={"t#0": "scheduled"},
    ),
    Case(
        "a replay with kwargs that are not an object",
        [does(type="replay", instance="t#0", replacement_kwargs=[1])],
        ["not an object"],
    ),
    Case("a skip of an instance that does not exist", [does(type="skip", instance="t#0")], [NOTHING]),
    Case("a clone of an instance that does not exist", [does(type="clone", instance="t#0")], [NOTHING]),
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
    Case("a timer of an instance that does not exist", [does(type="timer", instance="t#0", attempt=1)], [NOTHING]),
    Case(
        "a status that is a poem",
        [rules(), fire(), does(type="status", instance="t#0", status="roses\nare\u202ered")],
        statuses={"t#0": "roses\nare\u202ered"},
    ),
    Case("a deletion of a session that does not exist", [does(type="delete")], outcomes={"deleted": 1}),
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


SIZES: Final = [
    Case(
        "a session of ten megabytes",
        [rules(after=["x11", "never"]), *many(12, lambda n: fire(f"x{n}", x="y" * 880_000))],
        statuses={"t#0": "unstarted"},
    ),
    Case(
        "a command of five megabytes",
        [rules(after=[f"x{n}" for n in range(6)]), *many(6, lambda n: fire(f"x{n}", x="y" * 880_000))],
        ["decision too large"],
        statuses={"t#0": "unstarted"},
        said="a command of",
    ),
    Case(
        "a configuration that grows to five megabytes",
        many(5, lambda n: does(configuration={f"t{n}": {"after": ["x"], "run": "r", "own": "y" * 880_000}})),
        ["decision too large"],
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
        ["decision too large"],
        statuses={f"t#{n}": "unstarted" for n in range(2_000)},
        said="one event would cause more than 32 MiB of commands",
    ),
]

CASES: Final = [*CODEC, *JSON, *HEADERS, *KEYS, *TIMES, *CONFIGURATIONS, *RESULTS, *SIZES]
