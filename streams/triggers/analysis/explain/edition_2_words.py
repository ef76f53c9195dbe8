"""Rules of edition 2, their conditions and their timers as sentences."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from triggers.analysis.explain.condition_proofs import leaves_of, missing_leaves, without_causes
from triggers.analysis.explain.event_words import cause_words, ref_words
from triggers.analysis.explain.explanation import ConditionProof, LeafReaction, LeafVerdict, TimerProof
from triggers.analysis.times import duration_words, moment
from triggers.core.conditions.tree import Kind, Leaf, Node
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.expressions.program import Expression
from triggers.core.plan import Rule
from triggers.core.statuses import SCHEDULED
from triggers.core.timer_kinds import TimerKind


def sentence_of(rule: Edition2Rule) -> str:
    """Returns the whole rule as a sentence."""
    conditions = rule.conditions
    children = [child for child in conditions.root.children if child is not conditions.and_every]
    after = f"after {_joined(conditions.root.kind, children, conditions.root.need) or 'nothing'}"
    if conditions.and_every is not None:
        every = f"every time {node_words(conditions.and_every)} fires"
        after = f"{after}, and {every}" if children else every
    within = f", within {duration_words(conditions.root.within)}" if conditions.root.within else ""
    unless = f", unless {node_words(conditions.unless)}" if conditions.unless and _has_leaf(conditions.unless) else ""
    extras = "".join(f"; {extra}" for extra in _extras(rule))
    return f"{rule.name} runs {rule.run} {after}{within}{unless}{extras}."


def _has_leaf(node: Node) -> bool:
    return next(node.leaves(), None) is not None


def _extras(rule: Edition2Rule) -> Iterator[str]:
    if (delay := rule.delay) is not None:
        again = " (again with each event that it takes)" if delay.restart else ""
        yield f"it is delayed by {duration_words(delay.wait)}{again}"
    if (deadline := rule.deadline) is not None:
        then = "runs with what it has" if deadline.runs else "expires"
        yield f"after {duration_words(deadline.wait)} of waiting it {then}"
    if rule.cancel_on is not None:
        yield f"{' or '.join(node_words(leaf) for leaf in rule.cancel_on.leaves)} cancels it"
    if rule.retry is not None:
        yield f"it has up to {rule.retry.attempts} attempts"


def node_words(node: Node) -> str:
    """Returns a condition in words."""
    if isinstance(node, Leaf):
        return _leaf_words(node)
    words = _joined(node.kind, node.children, node.need)
    inner = f"({words})" if len(node.children) > 1 else words
    return f"{inner} within {duration_words(node.within)}" if node.within else inner


def _joined(kind: Kind, children: tuple[Node, ...] | list[Node], need: int) -> str:
    parts = [node_words(child) for child in children]
    match kind:
        case Kind.ALL:
            return " and ".join(parts)
        case Kind.ANY:
            return " or ".join(parts)
        case Kind.AT_LEAST:
            return f"{need} of {', '.join(parts)}"
        case Kind.SEQUENCE:
            return ", then ".join(parts)


def _leaf_words(leaf: Leaf) -> str:
    count = "all " if leaf.count is None else ""
    if isinstance(leaf.count, Expression):
        count = f"[{leaf.count.text}] x "
    elif isinstance(leaf.count, int) and leaf.count != 1:
        count = f"{leaf.count} x "
    when = f" where {leaf.when.text}" if leaf.when is not None else ""
    distinct = f" distinct by {leaf.distinct.text}" if leaf.distinct is not None else ""
    return f"{count}{leaf.trigger}{distinct}{when}"


def timer_proof(rule: Rule, kind: str, due: int, attempt: int, past: int) -> TimerProof:
    """Explains a timer of an instance under its present rule. Attempts up to `past` are those of a deleted session."""
    return TimerProof(kind=kind, due=due, then=_then(rule, kind, attempt, past))


def _then(rule: Rule, kind: str, attempt: int, past: int) -> str:
    match kind:
        case TimerKind.DELAY:
            return "it runs, even if its after is not true any more by then"
        case TimerKind.RETRY:
            return f"attempt {attempt + 1} is issued"
        case TimerKind.COOLDOWN:
            return "its command is issued"
        case TimerKind.DEADLINE:
            deadline = None if rule.edition_2 is None else rule.edition_2.deadline
            if deadline is None:
                return "nothing happens, because its rule has no deadline any more"
            return "it runs with what it holds by then" if deadline.runs else "it expires"
        case _:
            return _overdue(rule, kind, attempt, past)


def _overdue(rule: Rule, status: str, attempt: int, past: int) -> str:
    limits, retry = rule.timeouts, None if rule.edition_2 is None else rule.edition_2.retry
    if not (limits.scheduled if status == SCHEDULED else limits.running):
        return "nothing happens, because its rule has no such timeout any more"
    attempts = limits.attempts if retry is None else retry.attempts
    if attempt - past < attempts:
        return f"attempt {attempt + 1} is issued, because attempt {attempt} is overdue"
    return f"it fails, because the last attempt of {attempts} is overdue"


def timer_words(timer: TimerProof) -> str:
    """Returns a timer as a sentence."""
    return f"At {moment(timer.due)} ({timer.kind}), {timer.then}."


def held_lines(proof: ConditionProof | None) -> list[str]:
    """Returns what an instance holds, a line for each leaf."""
    return [] if proof is None else [_held(leaf) for leaf in leaves_of(proof) if leaf.have or leaf.need == 0]


def _held(proof: ConditionProof) -> str:
    if not proof.have:
        return f"{_named(proof)}: none is needed"
    events = ", ".join(ref_words(ref) for ref in proof.by[-3:]) or "given when its status was set, or by an import"
    more = f"{proof.have} events, the newest: " if proof.have > 1 else ""
    return f"{_named(proof)}: {more}{events}"


def unless_words(proof: ConditionProof) -> str:
    """Says how much of `unless` is true, and what is missing of it."""
    names = dict.fromkeys(_named(leaf) for leaf in missing_leaves(proof))
    need = f"{proof.have} of {proof.need}" if proof.kind != "leaf" else f"{int(proof.is_true)} of 1"
    return f"{need} true; missing: {', '.join(names) or 'none'}"


def without_events(proof: ConditionProof | None) -> ConditionProof | None:
    """Returns a condition without what differs between instances that wait alike."""
    return None if proof is None else without_causes(proof)


def missing_lines(proof: ConditionProof, depth: int = 0) -> Iterator[str]:
    """Yields what is missing of a condition that is not true, with its alternatives indented below."""
    if proof.is_true:
        return
    pad = "  " * depth
    if proof.kind == "leaf":
        yield pad + _missing_leaf(proof)
        return
    heading = _heading(proof)
    if heading:
        yield pad + heading
    for child in proof.children:
        yield from missing_lines(child, depth + 1 if heading else depth)


def _heading(proof: ConditionProof) -> str:
    lacking = (proof.need or 0) - proof.have
    window = "" if not proof.within else f" within {duration_words(proof.within)}"
    until = "" if proof.until is None else f"; what it holds counts until {moment(proof.until)}"
    match proof.kind:
        case "any" | "atLeast" if len(proof.children) - proof.have > lacking:
            return f"{lacking} of these{window}{until}:"
        case "sequence":
            return f"these, in this order{window}{until}:"
        case _:
            return f"all of these{window}{until}:" if window else ""


def _missing_leaf(proof: ConditionProof) -> str:
    count = "a number that is not known yet" if proof.need is None else str(proof.need)
    progress = f" ({proof.have} of {count})" if proof.need != 1 else ""
    aside = f"; {proof.candidates} came of which it is not true" if proof.candidates else ""
    failures = "".join(f"; it cannot be evaluated: {failure}" for failure in proof.failures)
    causes = "; ".join(cause_words(proof.trigger, cause) for cause in proof.causes)
    return f"{_named(proof)} is missing{progress}{aside}{failures}{f': {causes}' if causes else ''}"


def _named(proof: ConditionProof) -> str:
    alias = f" (as {proof.alias})" if proof.alias != proof.trigger else ""
    distinct = f" distinct by {proof.distinct}" if proof.distinct is not None else ""
    return f"{proof.trigger}{alias}{distinct}" + (f" where {proof.when}" if proof.when is not None else "")


def verdict_words(verdict: LeafVerdict) -> str:
    """Says what a leaf made of an event, or nothing if it is a plain leaf that accepts everything."""
    if verdict.when is None and verdict.verdict is LeafReaction.ACCEPTED:
        return ""
    values = ", ".join(f"{name} = {_value(value)}" for name, value in verdict.values.items())
    leaf = f"{verdict.directive} of {verdict.task}"
    seen = f" with {values}" if values else ""
    match verdict.verdict:
        case LeafReaction.ACCEPTED:
            return f"{leaf} accepts {verdict.trigger}: {verdict.when} is true{seen}"
        case LeafReaction.REFUSED:
            return f"{leaf} refuses {verdict.trigger}: {verdict.when} is false{seen}"
        case LeafReaction.FAILED:
            return f"{leaf} refuses {verdict.trigger}, because this cannot be evaluated: {verdict.why}{seen}"
        case LeafReaction.CANDIDATE:
            return f"{leaf} asks each instance whether {verdict.when}{seen}{_takers(verdict)}"


def _takers(verdict: LeafVerdict) -> str:
    if verdict.directive == "cancelOn":
        return ""
    rows = [str(first) if first == last else f"{first} to {last}" for first, last in verdict.numbers]
    return f": it is true for {verdict.task}#{', #'.join(rows)}" if rows else ": no waiting instance holds it"


def _value(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 200 else f"{text[:200]}…"
