"""The contents of a session's page: the session after one of its events, and its explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Raw

from triggers.analysis.explain.event_words import words_of
from triggers.analysis.explain.explanation import EventProof
from triggers.analysis.explain.explanation_text import Paragraph, event_sentences, paragraphs, rule_sentence
from triggers.analysis.explain.proofs import explain
from triggers.analysis.time_travel import NOW, Moment, until, view_at
from triggers.analysis.times import moment as time_text
from triggers.analysis.view_changes import ChangedValue, changes_between
from triggers.console.attempts import Attempt, ExceptionText, attempts_of
from triggers.console.repair_forms import ALWAYS_CHANGED, Repair, repairs_of
from triggers.core.events import Event, RulesPublished
from triggers.core.exception_view import CONTEXT, INFO, MESSAGE, TYPE, ExceptionView
from triggers.core.view import InstanceView, SessionView
from triggers.errors import SessionNotFound

MAX_EVENTS = 300
"""Maximum number of events in the timeline, around the chosen one."""
MAX_DRAWN = 200
"""Maximum number of instances of which a picture is shown on the page. A link leads to larger pictures."""
MAX_INSTANCES = 500
MAX_IDLE = 50
"""Maximum number of events that are listed because they fired triggers that had no effect."""


class TimelineRow(NamedTuple):
    """An event of the timeline."""

    offset: int
    time: str
    id: str | None
    what: str
    sentences: list[str]
    """The effects of the event. The list is empty if the event comes after the chosen one."""
    is_chosen: bool
    is_idle: bool
    """True if it fired triggers that had no effect."""


_SHOWN_APART = frozenset({"actualKwargs", CONTEXT, INFO, MESSAGE, TYPE})


class TaskCard(NamedTuple):
    """A rule and its instances."""

    name: str
    rule: str
    paragraphs: list[Paragraph]


class InstanceRow(NamedTuple):
    """An instance, as a row of a table."""

    name: str
    status: str
    kwargs: list[tuple[str, str]]
    outcome: list[tuple[str, str]]
    exception: ExceptionText | None
    times: list[tuple[str, str]]
    repairs: list[Repair]
    """The repairs that its present status allows."""
    attempts: list[Attempt]


class SessionPage(NamedTuple):
    """The values for the template of a session's page."""

    uid: str
    offsets: list[int]
    step: int
    """The index of the chosen event in `offsets`."""
    chosen: TimelineRow
    view: SessionView
    created: str
    modified: str
    tasks: list[TaskCard]
    instances: list[InstanceRow]
    more_instances: int
    latest: list[tuple[str, str]]
    changes: list[ChangedValue]
    """The changes since the event before the chosen one, or since the requested moment."""
    timeline: list[TimelineRow]
    idle: list[TimelineRow]
    """The events up to the chosen one that fired something and changed nothing, the newest first."""
    is_latest: bool
    is_drawn: bool

    def row_at(self, offset: int) -> TimelineRow | None:
        """Return the event at an offset, if it is in the timeline."""
        return next((row for row in self.timeline if row.offset == offset), None)

    @property
    def before(self) -> int | None:
        """The offset of the event before the chosen one, or None."""
        return self.offsets[self.step - 1] if self.step else None

    @property
    def after(self) -> int | None:
        """The offset of the event after the chosen one, or None."""
        return self.offsets[self.step + 1] if self.step + 1 < len(self.offsets) else None


def session_page(uid: str, log: list[Event], moment: Moment = NOW, since: Moment | None = None) -> SessionPage:
    """Build the page for a moment. Published rules that the session began with are shown with its first event.

    Raises SessionNotFound if the session had no event at it or at `since`.
    """
    past = list(until(log, moment))
    begin = next((number for number, event in enumerate(past) if not isinstance(event, RulesPublished)), None)
    if begin is None:
        raise SessionNotFound(f"session {uid!r} had no event at that moment")
    view, proofs = view_at(uid, past), explain(uid, past)
    timeline = list(_timeline(log, proofs.events))[begin:]
    step, attempts = len(past) - 1 - begin, attempts_of(past)
    return SessionPage(
        uid=uid,
        offsets=[event.position for event in log[begin:]],
        step=step,
        chosen=timeline[step],
        view=view,
        created=time_text(view.created),
        modified=time_text(view.modified),
        tasks=[TaskCard(task.name, rule_sentence(task), list(paragraphs(task))) for task in proofs.tasks],
        instances=[_row(instance, view.edition, attempts) for instance in view.instances[-MAX_INSTANCES:]],
        more_instances=max(len(view.instances) - MAX_INSTANCES, 0),
        latest=_texts(view.latest_kwargs),
        changes=_last_changes(uid, past if step else [], view)
        if since is None
        else _changes(view_at(uid, until(log, since)), view),
        timeline=timeline[max(step - MAX_EVENTS // 2, 0) : step + MAX_EVENTS // 2],
        idle=[row for row in reversed(timeline) if row.is_idle][:MAX_IDLE],
        is_latest=len(past) == len(log),
        is_drawn=0 < len(view.instances) <= MAX_DRAWN,
    )


def _timeline(log: list[Event], proofs: list[EventProof]) -> Iterator[TimelineRow]:
    for number, event in enumerate(log):
        sentences = list(event_sentences(proofs[number])) if number < len(proofs) else []
        chosen = number == len(proofs) - 1
        idle = number < len(proofs) and _is_idle(proofs[number])
        yield TimelineRow(event.position, time_text(event.time), event.id, words_of(event), sentences, chosen, idle)


def _is_idle(proof: EventProof) -> bool:
    return bool(proof.fires) and not proof.effects


def _last_changes(uid: str, past: list[Event], view: SessionView) -> list[ChangedValue]:
    """Return what the last event changed. The first event changes everything, so none of its changes is listed."""
    return _changes(view_at(uid, past[:-1]), view) if len(past) > 1 else []


def _changes(before: SessionView, after: SessionView) -> list[ChangedValue]:
    """Return the changes except those that every event makes."""
    return [change for change in changes_between(before, after) if change.path not in ALWAYS_CHANGED]


def _row(instance: InstanceView, edition: int, attempts: Mapping[str, list[Attempt]]) -> InstanceRow:
    outcome = {name: value for name, value in instance.metadata.items() if name not in _SHOWN_APART}
    stamps = sorted(instance.timestamps.items(), key=lambda stamp: stamp[1])
    timers = sorted(instance.timers.items(), key=lambda timer: timer[1])
    return InstanceRow(
        name=instance.name,
        status=instance.status,
        kwargs=_texts(instance.kwargs),
        outcome=_texts(outcome),
        exception=None if instance.exception is None else _exception_text(instance.exception),
        times=[
            ("created", time_text(instance.created)),
            *((status, time_text(at)) for status, at in stamps),
            *((f"{kind} due", time_text(due)) for kind, due in timers),
        ],
        repairs=repairs_of(instance, edition),
        attempts=attempts.get(instance.name, []),
    )


def _exception_text(exception: ExceptionView) -> ExceptionText:
    context = bytes(exception.context).decode()
    lines = "\n".join(exception.traceback)
    return ExceptionText(exception.type, exception.message, "" if context == "{}" else context, lines)


def _texts(values: dict[str, Raw]) -> list[tuple[str, str]]:
    return [(name, msgspec.json.encode(value).decode()) for name, value in values.items()]
