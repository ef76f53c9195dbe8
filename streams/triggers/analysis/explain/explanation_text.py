"""An explanation in sentences that can be read aloud."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import NamedTuple

from triggers.analysis.explain.edition_2_words import (
    held_lines,
    missing_lines,
    timer_words,
    unless_words,
    verdict_words,
    without_events,
)
from triggers.analysis.explain.event_words import cause_words, failure_words, ref_words, where
from triggers.analysis.explain.explanation import (
    Does,
    Effect,
    EventProof,
    EventRef,
    Explanation,
    HeldTrigger,
    Idle,
    InstanceProof,
    Missing,
    Outlook,
    Reason,
    TaskProof,
)
from triggers.analysis.times import moment
from triggers.core.commands import Outcome

_WHY = {
    Reason.UNUSED: "no rule uses it",
    Reason.HAS_IT: "every waiting instance already has it, and the first kwargs stay",
    Reason.STARTED: "it has already started ({statuses}), and this trigger does not make it run again",
    Reason.ABANDONED: "it is already abandoned",
    Reason.TOO_LATE: "no instance waits any more ({statuses}), so the trigger is too late to abandon one",
    Reason.DUPLICATE: "an event with the id {detail} was already applied",
    Reason.HAS_RESULT: "the result is stale: the attempt already has a result ({detail})",
    Reason.SUPERSEDED: "the result is stale: another attempt is current ({detail})",
    Reason.NOT_ISSUED: "the result is stale: no command was issued for the instance ({detail})",
    Reason.RUNNING: "the start of the attempt was already reported ({detail})",
    Reason.NO_TIMER: "nothing waits for this timer any more ({detail})",
    Reason.GONE: "the session is deleted",
    Reason.CONFIGURED: "these are default rules, and the session already has rules",
    Reason.HAS_RULES: "the session already has this version of the rules",
    Reason.WITHDRAWN: "the result is stale: cancelOn withdrew the attempt ({detail})",
    Reason.NOT_ACCEPTED: "none of its leaves accepts the event",
    Reason.NOT_TAKEN: "no instance takes it ({detail})",
    Reason.REFUSED: "the session refused the event, so it became a dead letter ({detail})",
}
_DOES = {
    Does.CONFIGURED: "the session now has these rules",
    Does.BOUND: "the session takes published rules",
    Does.CREATED: "{names} is created",
    Does.TOOK: "{names} takes it and keeps waiting",
    Does.COUNTED: "{names} counts it towards unless and keeps waiting",
    Does.BECAME: "{names} becomes {status}",
    Does.ISSUED: "the command of {names} is issued",
    Does.COOLS: "the command of {names} is delayed by a cooldown",
    Does.WATCHED: "{names} becomes overdue unless its status changes",
    Does.DELETED: "the session is deleted, with all its instances",
    Does.METADATA: "{names} gets new metadata",
    Does.TIMER: "a timer of {names} is set",
    Does.WITHDREW: "the command of {names} is withdrawn",
    Does.FORWARDED: "$forward fires a trigger",
}
_DO = {
    Does.CREATED: "{names} are created",
    Does.TOOK: "{names} take it and keep waiting",
    Does.COUNTED: "{names} count it towards unless and keep waiting",
    Does.BECAME: "{names} become {status}",
    Does.ISSUED: "the commands of {names} are issued",
    Does.COOLS: "the commands of {names} are delayed by a cooldown",
    Does.WATCHED: "{names} become overdue unless their status changes",
    Does.METADATA: "{names} get new metadata",
}
"""The same for several instances."""
_END = {
    Outlook.RUNS_AT_NEXT: "Nothing is missing: it runs as soon as one of its triggers fires again.",
    Outlook.ABANDONED_AT_NEXT: "Its unless is satisfied: it is abandoned as soon as one of its triggers fires.",
    Outlook.NEVER: "It waits for no trigger, so nothing will start it.",
    Outlook.DELAYED: "It is ready and waits for its delay.",
}


class Paragraph(NamedTuple):
    """The text about an instance, or about several consecutive ones that are alike."""

    subject: str
    example: str | None
    """The instance whose triggers are listed, if there are several."""
    fired: list[str]
    """The triggers of `after` that it has."""
    missing: list[str]
    unless_fired: list[str]
    unless: str | None
    """How much of `unless` has fired, or None if the rule has no `unless` or it no longer matters."""
    end: str
    """Its outlook in words, or no text."""
    timers: list[str]
    """The effects of its timers in words, in edition 2."""


def explanation_lines(explanation: Explanation) -> Iterator[str]:
    """Yields the lines of the whole text: first the tasks, then the events."""
    yield f"Session {explanation.session}"
    if explanation.rules is not None:
        pending = f" ({explanation.rules.pending})" if explanation.rules.pending else ""
        yield f"Published rules: {explanation.rules.name}, version {explanation.rules.version}{pending}"
    for task in explanation.tasks:
        yield ""
        yield rule_sentence(task)
        for paragraph in paragraphs(task):
            yield from (f"  {line}" for line in _lines(paragraph))
    yield ""
    yield "What each event did, in order (times are UTC):"
    for proof in explanation.events:
        yield f"  {where(proof.event)}: {proof.event.what}"
        yield from (f"      {sentence}" for sentence in event_sentences(proof))


def rule_sentence(task: TaskProof) -> str:
    """Returns the rule as a sentence."""
    if task.sentence:
        return task.sentence
    every = f", and every time {task.and_every} fires" if task.and_every else ""
    unless = f", unless {_and(task.unless)} fired first" if task.unless else ""
    return f"{task.name} runs {task.run} after {_and(task.after) or 'nothing'}{every}{unless}."


def paragraphs(task: TaskProof) -> Iterator[Paragraph]:
    """Yields a paragraph for each group of like instances, in creation order."""
    for _, alike in groupby(task.instances, key=_likeness):
        yield _paragraph(task, list(alike))


def event_sentences(proof: EventProof) -> Iterator[str]:
    """Yields what an event did, or why it had no effect."""
    yield from (_effect(effect) for effect in _together(proof.effects))
    if proof.outcome is Outcome.STOPPED:
        yield "the cascade is stopped here, because it is deeper than maxCascadeDepth"
    yield from (words for words in map(verdict_words, proof.leaves) if words)
    yield from (f"no effect{_for(idle)}: {_idle(idle)}" for idle in proof.idle)
    if not proof.effects and not proof.idle:
        yield "nothing changes"


def _lines(paragraph: Paragraph) -> Iterator[str]:
    yield paragraph.subject
    if paragraph.example:
        yield f"  For example {paragraph.example}:"
    yield from (f"  + {fired}" for fired in paragraph.fired)
    yield from (f"  - {missing}" for missing in paragraph.missing)
    yield from (f"  + unless: {fired}" for fired in paragraph.unless_fired)
    if paragraph.unless:
        yield f"  - unless: {paragraph.unless}"
    yield from (f"  {timer}" for timer in paragraph.timers)
    if paragraph.end:
        yield f"  {paragraph.end}"


def _likeness(proof: InstanceProof) -> tuple[object, ...]:
    """Returns what instances must have in common to share a paragraph."""
    missing, unless_missing = tuple(each.trigger for each in proof.missing), tuple(proof.unless_missing)
    conditions = without_events(proof.condition), without_events(proof.unless_condition)
    state = proof.status, proof.outlook, proof.attempt, proof.due is None, tuple(proof.timers), proof.why
    return state, missing, unless_missing, conditions


def _paragraph(task: TaskProof, alike: list[InstanceProof]) -> Paragraph:
    first = alike[0]
    waits = first.outlook is not Outlook.STARTED
    has_more = len(alike) > 1 and (first.satisfied or first.unless_fired)
    return Paragraph(
        subject=_subject(task, alike),
        example=first.name if has_more else None,
        fired=held_lines(first.condition) if first.condition else _had(task, first),
        missing=_missing_of(first) if waits else [],
        unless_fired=held_lines(first.unless_condition)
        if first.unless_condition
        else [_held(held) for held in first.unless_fired],
        unless=_unless(task, first) if task.unless and waits else None,
        end=_end(first),
        timers=[timer_words(timer) for timer in first.timers],
    )


def _had(task: TaskProof, proof: InstanceProof) -> list[str]:
    if task.sentence:
        return [_held(held) if held.by else f"{held.trigger}, from a replay or from memory" for held in proof.satisfied]
    return [_held(held) for held in proof.satisfied]


def _missing_of(proof: InstanceProof) -> list[str]:
    if proof.condition is not None:
        return list(missing_lines(proof.condition))
    return [_missing(missing) for missing in proof.missing]


def _unless(task: TaskProof, proof: InstanceProof) -> str:
    if proof.unless_condition is not None:
        return unless_words(proof.unless_condition)
    count = f"{len(proof.unless_fired)} of {len(task.unless)} fired"
    return f"{count}; missing: {_and(proof.unless_missing) or 'none'}"


def _subject(task: TaskProof, alike: list[InstanceProof]) -> str:
    first, last = alike[0], alike[-1]
    if first.name is None:
        return f"{task.name} has no instance yet; one is created when one of its triggers fires."
    names = first.name if first is last else f"{first.name} to {last.name} ({len(alike)} instances)"
    verb = "is" if first is last else "are"
    if first.due is not None and not first.timers:
        return f"{names} {verb} scheduled; a cooldown delays attempt {first.attempt} until {moment(first.due)}."
    attempt = f", attempt {first.attempt}" if first.attempt else ""
    state = first.status if first.outlook in {Outlook.STARTED, Outlook.DELAYED} else "waiting"
    since = f" (since {moment(first.since)}{_by(first.last)})" if first is last else ""
    why = f": {first.why}" if first.why else ""
    return f"{names} {verb} {state}{attempt}{since}{why}."


def _held(held: HeldTrigger) -> str:
    if held.by is None:
        return f"{held.trigger}, supplied by a replay"
    return (
        ref_words(held.by) if held.by.what == f"{held.trigger} fired" else f"{held.trigger}, when {ref_words(held.by)}"
    )


def _missing(missing: Missing) -> str:
    causes = "; ".join(cause_words(missing.trigger, cause) for cause in missing.causes)
    return f"{missing.trigger} is missing: {causes}" if causes else f"{missing.trigger} is missing"


def _end(proof: InstanceProof) -> str:
    missing = _and([missing.trigger for missing in proof.missing])
    if proof.condition is not None and proof.outlook is Outlook.RUNS:
        return "It is ready as soon as what is missing has come."
    if proof.outlook is Outlook.RUNS:
        return f"When {missing} fires, it runs." if len(proof.missing) == 1 else f"When {missing} have fired, it runs."
    if proof.outlook is Outlook.ABANDONED:
        return f"It cannot run: {missing} would complete its unless and abandon it."
    if proof.status == "failed":
        return f"{failure_words(proof)}An operator must replay or skip it."
    return _END.get(proof.outlook, "")


def _for(idle: Idle) -> str:
    return f" on {idle.task}" if idle.task else ""


def _together(effects: Iterable[Effect]) -> Iterator[Effect]:
    """Keeps one effect for all rules that a configuration brings, because its event already names them."""
    for does, group in groupby(effects, key=lambda effect: effect.does):
        yield from islice(group, 1 if does is Does.CONFIGURED else None)


def _effect(effect: Effect) -> str:
    names = ", ".join(_row(effect.task, *row) for row in effect.numbers)
    detail = f" ({effect.detail})" if effect.detail else ""
    several = len(effect.numbers) > 1 or any(first != last for first, last in effect.numbers)
    words = (_DOES | _DO if several else _DOES)[effect.does]
    return words.format(names=names, status=effect.status) + detail


def _idle(idle: Idle) -> str:
    statuses = ", ".join(f"{count} {status}" for status, count in idle.statuses.items())
    why = _WHY[idle.reason].format(statuses=statuses, detail=idle.detail)
    return why if idle.by is None else f"{why}; see {ref_words(idle.by)}"


def _by(ref: EventRef | None) -> str:
    return "" if ref is None else f", offset {ref.offset}"


def _row(task: str, first: int, last: int) -> str:
    return f"{task}#{first}" if first == last else f"{task}#{first} to #{last}"


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
