"""Rules of edition 2 with every directive and with delays of seconds, and the events of sessions that have them.

The applications give a session an event every few seconds, so delays, deadlines and windows end sometimes before and
sometimes after the event that they wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from tests.chaos.questionnaire import TASKS, Fields

DESKS = 24
"""Number of sessions to which orders forward complaints."""
LONGEST_WAIT_S = 6.0
"""Maximum of all delays and deadlines."""

_WORK, _FLAKY, _FAILS, _SLOW = (f"{TASKS}.{name}" for name in ("work", "flaky", "fails", "slow"))
_SAME_ORDER = "kwargs.order == on.ordered.order"


def order_rules(version: int = 1) -> Fields:
    """Returns the rules of orders. Versions differ in their tasks, their delays and the kwargs of a task."""
    rules: Fields = {
        "$edition": 2,
        **_conditions(),
        **_times(version),
        **_ends(),
        "t_marked": {"andEvery": "marked", "withParams": {"version": version}, "run": _WORK},
        "$forward": [
            {
                "on": {"trigger": "complained", "when": "kwargs.urgency > 1"},
                "to": "'desk-' + string(kwargs.desk)",
                "as": "complaint",
                "with": {"from": "session.uid", "urgency": "kwargs.urgency"},
            }
        ],
    }
    if version % 3 == 2:
        del rules["t_ship"]
        rules["t_gift"] = {"after": ["packed"], "andEvery": "edited", "run": _WORK}
    return rules


def _conditions() -> Fields:
    return {
        "t_open": {"after": ["ordered"], "run": _WORK},
        "t_pay": {"after": [{"any": ["card", {"trigger": "transfer", "when": "kwargs.amount >= 50"}]}], "run": _WORK},
        "t_skus": {"after": [{"trigger": "row", "count": 3, "distinct": "kwargs.sku"}], "run": _WORK},
        "t_alarm": {"after": [{"trigger": "alarm", "count": 3}], "within": "2s", "run": _WORK},
        "t_ship": {"after": [{"sequence": ["packed", "labelled", "loaded"], "within": "6s"}], "run": _WORK},
        "t_collect": {"after": ["split", {"trigger": "part", "count": "on.split.parts"}], "run": _WORK},
        "t_mail": {
            "andEvery": "mailed",
            "with": {"to": "on.mailed.address", "subject": "'Re: ' + on.mailed.subject"},
            "run": _WORK,
        },
    }


def _times(version: int) -> Fields:
    return {
        "t_remind": {
            "andEvery": "ordered",
            "unless": [{"trigger": "paid", "when": _SAME_ORDER}],
            "delay": f"{1500 + 500 * (version % 3)}ms",
            "run": _WORK,
        },
        "t_batch": {
            "andEvery": {"trigger": "row", "count": 4},
            "deadline": {"in": "3s", "then": "run"},
            "run": _WORK,
        },
        "t_index": {
            "andEvery": {"trigger": "edited", "keep": "latest"},
            "delay": {"for": "1500ms", "restart": True, "atMost": "4s"},
            "run": _WORK,
        },
        "t_identify": {
            "after": [{"atLeast": 2, "of": ["passport", "licence", "bill"]}],
            "deadline": "5s",
            "run": _WORK,
        },
        "t_call": {
            "andEvery": "called",
            "retry": {"attempts": 3, "wait": "700ms", "backoff": 2, "jitter": 0.3, "on": ["OSError"]},
            "run": _FLAKY,
        },
        "t_try": {"andEvery": "tried", "retry": {"attempts": 2, "wait": "1s"}, "run": _FAILS},
    }


def _ends() -> Fields:
    return {
        "t_watch": {"andEvery": "watched", "cancelOn": {"on": ["unwatched"], "terminate": True}, "run": _SLOW},
        "t_quit": {"andEvery": "begun", "delay": "2500ms", "cancelOn": ["quit"], "run": _WORK},
        "t_unidentified": {"after": ["t_identify:expired"], "run": _WORK},
        "t_gave_up": {"andEvery": "t_try:failed", "run": _WORK},
        "t_was_quit": {"andEvery": "t_quit:cancelled", "run": _WORK},
    }


def claim_rules(version: int) -> Fields:
    """Returns the rules of claims, which are finalized, and run a task for that."""
    return {
        "$edition": 2,
        "$session": {"finalize": "claimDone"},
        "t_assess": {"after": ["claimed"], "delay": f"{500 + 250 * (version % 4)}ms", "run": _WORK},
        "t_answer": {"after": ["t_assess", "replied"], "deadline": "6s", "run": _WORK},
        "t_close": {"after": ["claimDone"], "withParams": {"version": version}, "run": _WORK},
    }


def desk_rules(version: int) -> Fields:
    """Returns the rules of desks, which get the complaints of orders on all partitions."""
    return {
        "$edition": 2,
        "t_complaint": {"andEvery": "complaint", "run": _WORK},
        "t_crowd": {
            "andEvery": {"trigger": "complaint", "count": 3 + version % 2},
            "deadline": {"in": "4s", "then": "run"},
            "run": _WORK,
        },
    }


def visit_rules(version: int) -> Fields:
    """Returns the rules of visits, which are of edition 1 at first. Nobody may change them in a session."""
    rules: Fields = {
        "t_open": {"after": ["opened"], "run": _WORK},
        "t_page": {"after": ["t_open"], "andEvery": "page", "withParams": {"version": version}, "run": _WORK},
        "t_end": {"after": ["left", "t_open"], "unless": ["stayed"], "run": _WORK},
    }
    if version % 2 == 0:
        rules["t_extra"] = {"after": ["opened"], "andEvery": "page", "run": _WORK}
    if version >= 3:
        rules |= {"$edition": 2, "t_idle": {"andEvery": "page", "delay": "1s", "cancelOn": ["left"], "run": _WORK}}
    return rules


def stray_rules(version: int) -> Fields:
    """Returns the rules of sessions that nothing matches."""
    return {"t_noted": {"after": [], "andEvery": "noted", "withParams": {"version": version}, "run": _WORK}}


Burst = list[Fields]
"""Events of a session that are published together."""


def order_session(chance: Random) -> Iterator[Burst]:
    """Yields the events of an order."""
    yield [_fire("ordered", order=0)]
    for number in range(chance.randrange(8, 25)):
        yield chance.choice(_HAPPENINGS)(chance, number)


def self_configured_session(chance: Random, limits: Fields) -> Iterator[Burst]:
    """Yields the events of an order that comes before its rules, which the application itself gives to the session."""
    events = order_session(chance)
    for _ in range(chance.randrange(1, 4)):
        yield next(events)
    yield [{"configuration": order_rules() | limits}]
    for number, burst in enumerate(events):
        yield burst
        if number == 6:
            yield [{"configuration": {"t_late": {"after": ["ordered", "edited"], "run": _WORK}}}]


def claim_session(chance: Random) -> Iterator[Burst]:
    """Yields the events of a claim, whose first event names its rules."""
    yield [_fire("claimed", sum=chance.randrange(100)) | {"rules": "claims"}]
    yield [_fire("commented", n=1)]
    if chance.random() < 0.6:
        yield [_fire("replied")]


def visit_session(chance: Random) -> Iterator[Burst]:
    """Yields the events of a visit."""
    yield [_fire("page", page=0)]
    yield [_fire("opened")]
    for page in range(1, chance.randrange(2, 9)):
        yield [_fire("page", page=page)]
    yield [_fire(chance.choice(("left", "stayed")))]


def stray_session(chance: Random) -> Iterator[Burst]:
    """Yields the events of a session that nothing matches."""
    for number in range(chance.randrange(3, 12)):
        yield [_fire("noted", n=number)]


def _fire(trigger: str, **kwargs: object) -> Fields:
    return {"trigger": trigger, "kwargs": kwargs}


Happening = Callable[[Random, int], Burst]


def _one(trigger: str) -> Happening:
    return lambda _chance, number: [_fire(trigger, n=number)]


_HAPPENINGS: tuple[Happening, ...] = (
    lambda _, number: [_fire("ordered", order=number)],
    lambda chance, number: [_fire("paid", order=chance.randrange(number + 1))],
    lambda chance, number: [_fire("row", sku=chance.randrange(4), n=number) for _ in range(chance.randrange(1, 4))],
    lambda chance, number: [_fire("alarm", n=number) for _ in range(chance.randrange(1, 4))],
    lambda chance, number: [_fire("edited", n=number) for _ in range(chance.randrange(1, 3))],
    lambda chance, _: [_fire("split", parts=chance.randrange(4))],
    lambda chance, _: [_fire("transfer", amount=chance.randrange(100))],
    lambda _, number: [_fire("mailed", address=f"a{number}@example.org", subject=f"no. {number}")],
    lambda chance, _: [_fire("mailed", subject="an address is missing")] if chance.random() < 0.2 else [],
    lambda chance, _: [_fire("complained", desk=chance.randrange(DESKS), urgency=chance.randrange(4))],
    *map(_one, ("card", "part", "part", "packed", "labelled", "loaded", "passport", "licence", "bill", "marked")),
    *map(_one, ("called", "tried", "begun", "begun", "quit", "watched", "unwatched")),
)
