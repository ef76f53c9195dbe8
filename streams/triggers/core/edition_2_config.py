"""Compiles a configuration of edition 2 into a plan, in which the engine looks up tasks and their rules."""

from __future__ import annotations

import hashlib
import json

import msgspec

from triggers.core.edition_2_plan import Edition2Plan, parse_edition_2_plan
from triggers.core.edition_2_rule import Edition2Rule, TimeLimits
from triggers.core.kwargs import split_members
from triggers.core.plan import Limits, Plan, Rule, Timeouts
from triggers.errors import InvalidConfiguration

_decode_text = msgspec.json.Decoder(str).decode


def compile_edition_2(text: bytes) -> Plan:
    """Compiles a whole configuration of edition 2. Raises InvalidConfiguration."""
    try:
        rules = parse_edition_2_plan(json.loads(text))
    except RecursionError as error:
        raise InvalidConfiguration("the configuration is nested too deep") from error
    written = split_members(text)
    tasks = {name: _task_config(rules, rule, written[name]) for name, rule in rules.tasks.items()}
    return Plan(
        digest=hashlib.blake2b(text, digest_size=16).digest(),
        text=text,
        tasks=tasks,
        by_trigger={trigger: tuple(tasks[user.name] for user in users) for trigger, users in rules.by_trigger.items()},
        limits=Limits(
            max_cascade_depth=rules.limits.max_cascade_depth,
            session_ttl=rules.limits.session_ttl,
            timeouts=_timeouts(rules.limits.timeouts),
        ),
        manager=rules.manager,
        edition_2=rules,
    )


def _task_config(rules: Edition2Plan, rule: Edition2Rule, written: bytes) -> Rule:
    own, conditions = split_members(written), rule.conditions
    after = frozenset(leaf.trigger for leaf in conditions.root.leaves())
    unless = frozenset(leaf.trigger for leaf in conditions.unless.leaves()) if conditions.unless else frozenset()
    with_params = own.get("withParams", b"{}")
    named = {"run", "using", "withParams", *(("after", "andEvery", "unless") if rule.simple else ())}
    return Rule(
        name=rule.name,
        run=rule.run,
        after=tuple(sorted(after)),
        and_every=conditions.and_every.trigger if conditions.and_every else None,
        unless=tuple(sorted(unless)),
        using=rule.using,
        with_params=b"{}" if with_params == b"null" else with_params,
        timeouts=_timeouts(rules.timeouts_of(rule)),
        extra={key: value for key, value in own.items() if key not in named},
        edition_2=rule,
        after_set=after,
        unless_set=unless,
    )


def _timeouts(limits: TimeLimits) -> Timeouts:
    return Timeouts(scheduled=limits.scheduled, running=limits.running, attempts=limits.attempts)
