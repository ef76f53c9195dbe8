"""Which instances of the sessions that a filter finds become the items of a job. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Raw

from triggers.client.dead_letters import StoredLetter
from triggers.client.letter_query import LetterQuery
from triggers.client.repair_checks import require_repairable, require_unfinished
from triggers.core.statuses import REPLAYABLE_IN_EDITION_2, RESOLVED, SKIPPABLE, Status
from triggers.core.view import InstanceView, SessionView
from triggers.errors import CallError, IdReused, WrongStatus
from triggers.jobs.records import Action, JobChange, JobCreated, JobItem
from triggers.queries import FoundSession, SessionQuery

_MAX_REASON: Final = 160
_NO_LETTER_FILTER: Final = (
    "the filter is empty, so that every dead letter would match: say which ones, for example those of a reason"
)
_EMPTY: Final = "the filter is empty, so that every session would match: say which ones, for example failed ones"


def filter_for(action: Action, query: SessionQuery) -> SessionQuery:
    """Returns the filter of a job. Replay and skip apply to failed instances.

    Raises CallError for a filter that is empty, or whose status the action cannot start from.
    """
    query.check()
    if query.is_empty:
        raise CallError(_EMPTY)
    allowed = {Action.REPLAY: REPLAYABLE_IN_EDITION_2, Action.SKIP: SKIPPABLE}.get(action)
    if allowed is not None:
        if query.status is not None and query.status not in allowed:
            raise CallError(f"status {query.status!r}: {action} needs one of {', '.join(sorted(allowed))}")
        return query if query.status is not None else msgspec.structs.replace(query, status=Status.FAILED.value)
    if action is Action.CANCEL and (query.wants_failed or query.status in RESOLVED):
        raise CallError("cancel applies to instances that are neither failed nor resolved; skip or replay failed ones")
    return query


def letter_filter_for(query: LetterQuery) -> LetterQuery:
    """Returns the filter of a job on dead letters. Raises CallError for one that is empty."""
    query.check()
    if query.is_empty:
        raise CallError(_NO_LETTER_FILTER)
    return query


def check_filter(action: Action, query: SessionQuery | LetterQuery) -> None:
    """Raises CallError for a filter with which no job can be created, before anybody is asked what matches it."""
    if isinstance(query, LetterQuery):
        letter_filter_for(query)
    else:
        filter_for(action, query)


def require_same_job(created: JobCreated, change: JobChange, query: SessionQuery | LetterQuery | None = None) -> None:
    """Raises IdReused unless a recorded job makes this change, and to what this filter finds, if one is given.

    The rate does not matter.
    """
    if query is not None:
        query = letter_filter_for(query) if isinstance(query, LetterQuery) else filter_for(change.action, query)
    if query not in {None, created.letters or created.where} or not _is_same_change(created.change, change):
        raise IdReused(
            f"a job has this id or Idempotency-Key already, and has another filter or other options: {created.job};"
            " send the request with an id of its own"
        )


def _is_same_change(recorded: JobChange, wanted: JobChange) -> bool:
    """Compares the options as JSON. A recorded job has the number of the version that was the newest one, and jobs of
    earlier releases have an empty result.
    """
    if wanted.version == 0:
        recorded = msgspec.structs.replace(recorded, version=0)
    first, second = (
        msgspec.json.decode(msgspec.json.encode(msgspec.structs.replace(each, result=Raw(each.simulated_result))))
        for each in (recorded, wanted)
    )
    return bool(first == second)


def items_of_failures(session: FoundSession, query: SessionQuery) -> list[JobItem] | None:
    """Returns the failed instances that the filter means, or None if the search result does not have all of them."""
    if session.failed > len(session.failures):
        return None
    return [
        JobItem(
            session=session.uid,
            instance=each.instance,
            created=session.created,
            reason=_shorten(f"{each.exception}: {each.message}" if each.exception else Status.FAILED.value),
        )
        for each in session.failures
        if query.admits_failure(each.task, each.exception, each.message)
    ]


def items_of_view(session: SessionView, query: SessionQuery, action: Action) -> Iterator[JobItem]:
    """Yields the instances of a session that the filter and the action mean."""
    for instance in session.instances:
        if _is_meant(instance, query) and not obstacle_of_instance(instance, action, session.edition):
            yield JobItem(
                session=session.uid,
                instance=instance.name,
                created=session.created,
                reason=_reason_of(instance),
            )


def item_of_letter(stored: StoredLetter) -> JobItem:
    """Returns a dead letter as an item."""
    return JobItem(
        session=(stored.letter.key or b"").decode(errors="replace")[:_MAX_REASON],
        partition=stored.partition,
        offset=stored.offset,
        reason=stored.letter.reason,
    )


def item_of_adoption(session: FoundSession, change: JobChange) -> JobItem | None:
    """Returns a session that adopts rules as an item, or None if it has this version."""
    rules = session.rules
    if rules is None:
        return JobItem(session=session.uid, created=session.created, reason="it has no published rules")
    if (rules.name, rules.version) == (change.rules, change.version):
        return None
    return JobItem(
        session=session.uid, created=session.created, reason=f"it has version {rules.version} of {rules.name}"
    )


def item_of_session(session: FoundSession) -> JobItem:
    """Returns a whole session as an item."""
    reason = f"{session.failed} failed" if session.failed else f"{session.unresolved} unresolved"
    return JobItem(session=session.uid, created=session.created, reason=reason)


def obstacle_of_instance(instance: InstanceView, action: Action, edition: int) -> str:
    """Returns why an action cannot be done with an instance, or empty text."""
    try:
        if action is Action.CANCEL:
            require_unfinished(instance, edition)
        else:
            require_repairable("replayed" if action is Action.REPLAY else "skipped", instance, edition)
    except WrongStatus:
        return f"it is {instance.status} already"
    return ""


def _is_meant(instance: InstanceView, query: SessionQuery) -> bool:
    if query.task not in {None, instance.task}:
        return False
    if query.status is not None and instance.status != query.status:
        return False
    exception = instance.exception
    kind, message = ("", "") if exception is None else (exception.type, exception.message)
    return query.admits_failure(instance.task, kind, message)


def _reason_of(instance: InstanceView) -> str:
    if instance.status != Status.FAILED or instance.exception is None:
        return instance.status
    return _shorten(f"{instance.exception.type}: {instance.exception.message}")


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_REASON else line[: _MAX_REASON - 1] + "…"
