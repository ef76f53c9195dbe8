"""Capsules: files with one session, its events and the decision on each of them, which any machine can replay.

    {"capsule": 1, "session": "q-17", "masked": ["email"],
     "steps": [{"event": {"trigger": "page", "offset": 12, …}, "decision": {"outcome": "applied", …}}, …],
     "view": {…}}

The same events give the same bytes, because a capsule does not say when or where it was captured.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from hashlib import blake2b
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from triggers.analysis.driver import MemoryDriver
from triggers.analysis.input_file import InputFile
from triggers.analysis.verify.masking import mask_event
from triggers.analysis.view_changes import ChangedValue, changes_between
from triggers.codec.event_lines import decode_members, event_members
from triggers.core.commands import CancelTask, Command, ForwardTrigger, RunTask
from triggers.core.config import validate_configuration
from triggers.core.decision import Decision
from triggers.core.events import ConfigurationUpdated, Event, RulesPublished
from triggers.core.view import SessionView
from triggers.errors import CallError, NotFound, TriggersError

FORMAT = 1
SUFFIX = ".capsule.json"
_LONGEST_NAME = 200
_START = b'{"capsule":'
_json = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_LISTS = frozenset({"instances", "tasks"})


class BadCapsule(CallError):
    """The file is not a capsule, or not one that this version reads."""


class Step(Struct, forbid_unknown_fields=True):
    """An event and the decision on it."""

    event: Raw
    decision: Raw


class Capsule(Struct, forbid_unknown_fields=True):
    """A captured session."""

    capsule: int
    """The version of the format."""
    session: str
    masked: list[str]
    """The names whose values are masked."""
    steps: list[Step]
    view: dict[str, Raw]
    """The session after the last step, as `show --json` prints it."""


class Replayed(Struct, frozen=True):
    """The outcome of replaying a capsule with this version of the engine."""

    view: SessionView
    decisions: list[dict[str, object]]
    """The decision on each event, as a capsule has it."""
    differences: list[str]
    """One line for each difference from what was captured."""


def capture(session: str, events: Iterable[Event], masked: Collection[str] = ()) -> bytes:
    """Returns the capsule of a session. `events` are all its events, in order; values of `masked` names are masked.

    Raises CallError if an expression reads a masked value, so that the capsule would not show what happened.
    """
    driver, unmasked, steps = MemoryDriver(), MemoryDriver(), list[bytes]()
    for event in events:
        masked_event = mask_event(event, masked)
        decision = _decide(driver, session, masked_event)
        if masked and _course(decision) != _course(_decide(unmasked, session, event)):
            raise CallError(
                f"session {session!r:.300}, offset {event.position}: an expression reads a masked value, so that the"
                f" capsule would not show what happened; mask fewer names than {', '.join(sorted(masked))}"
            )
        steps.append(_json({"event": event_members(masked_event), "decision": decision}))
    head = _json({"capsule": FORMAT, "session": session, "masked": sorted(masked)})[:-1]
    view = _json(driver.view(session))
    return b'%s,\n"steps":[\n%s\n],\n"view":%s}\n' % (head, b",\n".join(steps), view)


def _course(decision: dict[str, object]) -> object:
    """Returns what masked values must not change in a decision."""
    return decision.get("outcome"), decision.get("changed"), decision.get("fires")


def file_name(session: str) -> str:
    """Returns a file name for the capsule, different for every session."""
    name = quote(session, safe=" ")
    if name.startswith("-"):  # otherwise a command would take the file for an option
        name = f"%2D{name[1:]}"
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{blake2b(session.encode(), digest_size=8).hexdigest()}"
    return name + SUFFIX


def is_capsule(file: InputFile) -> bool:
    """Returns whether the file is meant to be a capsule, judged by its name or its first bytes. Raises BadInput."""
    return file.name.endswith(SUFFIX) or b"".join(file.peek(100).split()).startswith(_START)


def load_capsule(file: InputFile) -> Capsule:
    """Reads and decodes the file. Raises BadCapsule and BadInput."""
    return decode_capsule(file.read(), file.name)


def decode_capsule(text: bytes, name: str) -> Capsule:
    """Decodes a capsule; `name` names it in the error. Raises BadCapsule."""
    try:
        capsule = msgspec.json.decode(text.removeprefix(BOM_UTF8), type=Capsule)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadCapsule(f"{name}: not a capsule: {error}") from error
    if capsule.capsule != FORMAT:
        raise BadCapsule(f"{name}: the capsule has format {capsule.capsule}; this version reads format {FORMAT}")
    if not capsule.steps:
        raise BadCapsule(f"{name}: the capsule has no steps; capture it again with `triggers capture SESSION`")
    return capsule


def events_of_capsule(capsule: Capsule) -> Iterator[tuple[str, Event]]:
    """Yields the session and the event of every step, in order. Raises BadCapsule if an event cannot be decoded."""
    for event, _ in _steps(capsule, None):
        yield capsule.session, event


def replay_capsule(capsule: Capsule, rules: bytes | None = None) -> Replayed:
    """Applies the capsule's events and compares decisions and view. `rules` replace every configuration in it.

    Raises BadCapsule if an event cannot be decoded, and InvalidConfiguration if the engine refuses `rules`.
    """
    driver, decisions, differences = MemoryDriver(), list[dict[str, object]](), list[str]()
    for number, (event, expected) in enumerate(_steps(capsule, rules), 1):
        decisions.append(_decide(driver, capsule.session, event))
        changes = changes_between(expected, decisions[-1])
        differences += [f"step {number} (offset {event.position}): {_text(change)}" for change in changes]
    view = driver.view(capsule.session)
    differences += [f"view: {_text(change)}" for change in changes_between(capsule.view, _known(capsule.view, view))]
    return Replayed(view, decisions, differences)


def _steps(capsule: Capsule, rules: bytes | None) -> Iterator[tuple[Event, Raw]]:
    if rules is not None:
        validate_configuration(rules)
    for number, step in enumerate(capsule.steps, 1):
        try:
            event = decode_members(bytes(step.event))
        except TriggersError as error:
            raise BadCapsule(f"capsule of {capsule.session!r}, step {number}: {error}") from error
        if rules is not None and isinstance(event, ConfigurationUpdated | RulesPublished):
            event = msgspec.structs.replace(event, configuration=rules)
        yield event, step.decision


def _decide(driver: MemoryDriver, session: str, event: Event) -> dict[str, object]:
    try:
        return decision_members(driver.apply(session, event))
    except (CallError, NotFound) as error:
        return {"refused": f"{type(error).__name__}: {error}"}


def decision_members(decision: Decision) -> dict[str, object]:
    """Returns all of the decision as JSON; payloads stay as they were written."""
    fires = [{"trigger": fire.trigger, "ready": fire.scheduled} for fire in decision.fires]
    commands = [_command(command) for command in decision.commands]
    members: dict[str, object] = {
        "outcome": decision.outcome,
        "fires": fires,
        "changed": decision.changed,
        "commands": commands,
    }
    of_edition_2: dict[str, object] = {
        "cancels": [_command(cancel) for cancel in decision.cancels],
        "forwards": [_command(forward) for forward in decision.forwards],
        "rules": decision.rules,
    }
    return members | {name: value for name, value in of_edition_2.items() if value}


def _command(command: Command | CancelTask | ForwardTrigger) -> dict[str, object]:
    fields = asdict(command) if isinstance(command, RunTask) else msgspec.structs.asdict(command)
    fields.pop("spans", None)  # the events of a capsule have no traces
    members = {name: Raw(value) if isinstance(value, bytes) else value for name, value in fields.items()}
    return {"command": type(command).__name__} | members


def _member_names(objects: Raw) -> set[str]:
    """Returns the names of all members of objects in a list; none if it is empty, or something else."""
    try:
        return {key for each in _objects(objects) for key in each}
    except msgspec.ValidationError:
        return set()


def _known(expected: Mapping[str, Raw], view: SessionView) -> dict[str, Raw]:
    """Returns the members of the view that the capsule has, too: a later version of the view may have more.

    That goes for the members of instances and tasks as well.
    """
    members = {name: value for name, value in _members(_json(view)).items() if name in expected}
    for name in _LISTS & members.keys():
        named = _member_names(expected[name])
        if not named:
            continue
        objects = [{key: each[key] for key in each if key in named} for each in _objects(members[name])]
        members[name] = Raw(_json(objects))
    return members


def _text(change: ChangedValue) -> str:
    return f"{change.path}: expected {_show(change.before)}, got {_show(change.after)}"


def _show(value: object) -> str:
    return _json(value).decode()
