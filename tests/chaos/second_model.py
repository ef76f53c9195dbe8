"""Judges sessions with published rules or rules of edition 2 by a model that is not the engine.

The oracle's fold is the engine itself, in memory. So a defect of the engine would be in both, and the fold would agree
with it. The model keeps plain objects, forgets nothing, and has timers, attempts, publications and adoptions of its own
(`tests/support/edition2`); only conditions and expressions are the engine's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import Message
from tests.chaos.evidence import Part
from tests.chaos.log_steps import step_of
from tests.chaos.ruled import PREFIXES
from tests.chaos.verdict import OracleVerdict
from tests.support.edition2.shapes import cancellation_of, command_of, final_of
from tests.support.edition2.state import Json
from tests.support.edition2.world import World
from tests.support.fold_oracle import Fold

from triggers.codec import EventDecoder
from triggers.codec.command_codec import decode_command_or_cancellation
from triggers.core.commands import RunTask
from triggers.core.events import Event
from triggers.core.view import SessionView
from triggers.errors import Undecodable
from triggers.kafka.records import headers_of
from triggers.topology import partition_of


@dataclass
class Seen:
    """The effects of a session's events: those of the model, or those that are on the topics."""

    scheduled: list[Json] = field(default_factory=list)
    cancel: list[Json] = field(default_factory=list)
    forward: list[Json] = field(default_factory=list)


def judge_by_model(part: Part, commands: Iterable[Message], expected: Fold, verdict: OracleVerdict) -> None:
    """Folds the events of the sessions in the model and compares commands, cancellations, forwards and answers."""
    world, wanted, steps = World(), defaultdict[str, Seen](Seen), list[Json]()
    for uid, event in _events(part):
        try:
            steps.append(step_of(uid, event, world))
            made = world.apply(steps[-1])
        except Exception as error:  # noqa: BLE001  # a model that cannot go on says so in the verdict
            verdict.charge(verdict.wrong, "steps of the model", [f"{uid}: {event}: {error!r}"])
            continue
        for name in ("scheduled", "cancel", "forward"):
            getattr(wanted[uid], name).extend(made.get(name, ()))
    actual = _on_topics(commands, expected)
    verdict.modelled = len(world.sessions)
    verdict.ruled = sum(session.bound is not None for session in world.sessions.values())
    for uid in {uid for uid in (*wanted, *actual) if uid.startswith(PREFIXES)}:
        for name in ("scheduled", "cancel", "forward"):
            have, want = getattr(actual[uid], name), getattr(wanted[uid], name)
            if have != want:
                verdict.charge(verdict.wrong, f"{name} by the model", [_first_difference(uid, have, want)])
    _check_answers(part, world, steps, verdict)


def _events(part: Part) -> Iterator[tuple[str, Event]]:
    """Yields the publications, with an empty UID, and the events of the model's sessions, in order."""
    decoder = EventDecoder(part.settings.max_payload_bytes, None)
    for message in part.events():
        key = message.key() or b""
        is_ours = not key or (
            key.decode(errors="replace").startswith(PREFIXES)
            and partition_of(key, part.settings.partitions) == part.partition
        )
        if not is_ours or not part.is_due(message.offset() or 0):
            continue
        try:
            headers = headers_of(message)  # type: ignore[arg-type]  # confluent-kafka's types are wider
            yield key.decode(), decoder.decode(message.value(), headers, message.offset() or 0, message.timestamp()[1])
        except Undecodable:
            continue


def _on_topics(commands: Iterable[Message], expected: Fold) -> defaultdict[str, Seen]:
    """Returns the commands and cancellations of the topic, and the forwards of the fold, which others compare."""
    seen = defaultdict[str, Seen](Seen)
    for message in commands:
        command = decode_command_or_cancellation(message.value())
        if isinstance(command, RunTask):
            seen[command.session].scheduled.append(command_of(command))
        else:
            seen[command.session].cancel.append(cancellation_of(command))
    for uid, forward in expected.forwards:
        kwargs = msgspec.json.decode(forward.kwargs)
        seen[uid].forward.append(
            {"to": forward.session, "trigger": forward.trigger, "kwargs": kwargs, "id": forward.id}
        )
    return seen


def _check_answers(part: Part, world: World, steps: Sequence[Json], verdict: OracleVerdict) -> None:
    for uid, answer in part.views.items():
        if not uid.startswith(PREFIXES) or not answer.startswith(b"{"):
            continue
        have, want = final_of(msgspec.json.decode(answer, type=SessionView)), world.final(uid)
        wrong = [f"{uid}: {name}: {_apart(have[name], want[name])}" for name in have if have[name] != want[name]]
        verdict.charge(verdict.wrong, "answers by the model", wrong)
        if wrong:  # a history that reproduces the difference
            history = [step for step in steps if step["op"] == "publish" or step["session"] == uid]
            verdict.samples[f"history of {uid}"] = [json.dumps(history)]


def _apart(have: object, want: object) -> str:
    """Describes what differs: of objects, only the members that do."""
    if isinstance(have, dict) and isinstance(want, dict):
        names = [name for name in {**have, **want} if have.get(name) != want.get(name)]
        have, want = ({name: own.get(name) for name in names} for own in (have, want))
    return f"{have}, by the model {want}"


def _first_difference(uid: str, have: list[Json], want: list[Json]) -> str:
    for place, (one, other) in enumerate(zip(have, want, strict=False)):
        if one != other:
            return f"{uid}, no. {place}: {_apart(one, other)} in {one.get('instance')}"
    return f"{uid}: {len(have)} of them, by the model {len(want)}: {(have[len(want) :] or want[len(have) :])[:1]}"
