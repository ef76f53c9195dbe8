"""Compiles a configuration of edition 2 into a plan, in which the engine looks up tasks and their rules."""

from __future__ import annotations

import hashlib
import json

import msgspec

from triggers.core.edition_2_plan import Edition2Plan, parse_edition_2_plan
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.kwargs import split_members
from triggers.core.plan import Plan, Rule
from triggers.errors import InvalidConfiguration

_decode_text = msgspec.json.Decoder(str).decode


def compile_edition_2(text: bytes) -> Plan:
    """Compiles a whole configuration of edition 2. Raises InvalidConfiguration."""
    try:
        rules = parse_edition_2_plan(json.loads(text))
    except RecursionError as error:
        raise InvalidConfiguration("the configuration is nested too deep") from error
    written = split_members(text)
    tasks = {name: _rule(rules, rule, written[name]) for name, rule in rules.tasks.items()}
    return Plan(
        digest=hashlib.blake2b(text, digest_size=16).digest(),
        text=text,
        tasks=tasks,
        by_trigger={trigger: tuple(tasks[user.name] for user in users) for trigger, users in rules.by_trigger.items()},
        limits=rules.limits,
        manager=rules.manager,
        edition_2=rules,
    )


def _rule(rules: Edition2Plan, rule: Edition2Rule, written: bytes) -> Rule:
    directives, conditions = split_members(written), rule.conditions
    after = frozenset(leaf.trigger for leaf in conditions.root.leaves())
    unless = frozenset(leaf.trigger for leaf in conditions.unless.leaves()) if conditions.unless else frozenset()
    with_params = directives.get("withParams", b"{}")
    named = {"run", "using", "withParams", *(("after", "andEvery", "unless") if rule.simple else ())}
    return Rule(
        name=rule.name,
        run=rule.run,
        after=tuple(sorted(after)),
        and_every=conditions.and_every.trigger if conditions.and_every else None,
        unless=tuple(sorted(unless)),
        using=rule.using,
        with_params=b"{}" if with_params == b"null" else with_params,
        timeouts=rules.timeouts_of(rule),
        extra={key: value for key, value in directives.items() if key not in named},
        edition_2=rule,
        after_set=after,
        unless_set=unless,
    )
