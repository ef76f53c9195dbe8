"""The JSON schema of a configuration, which editors use to complete and check rules.

It knows whatever one value, or the keys beside it, can show. What needs more (aliases that occur twice, expressions,
depth) is refused by the engine only.
"""

from __future__ import annotations

from typing import Final

from tests.docs.schema_parts import Schema, duration, integer, number, or_null, record, ref, text

from triggers.core.conditions.tree import MAX_HELD
from triggers.core.edition_2_directives import MAX_ATTEMPTS
from triggers.core.edition_2_plan import BLOCKS, EDITION, FORWARD, LIMITS, MANAGER, OUTCOMES, SESSION

_RESERVED: Final = f":({'|'.join(OUTCOMES)})$"
_SECONDS: Final[Schema] = {"type": "number", "exclusiveMinimum": 0, "maximum": 100 * 365 * 86_400}
_MOST: Final = 1_000_000


def build_schema() -> Schema:
    """Returns the schema of a configuration of edition 1 or 2."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rules of Triggers on Kafka",
        "description": 'Task name -> directives. "$edition": 2 switches on the second edition of the language.',
        "type": "object",
        "properties": {EDITION: ref("edition")},
        "if": {"required": [EDITION], "properties": {EDITION: {"const": 2}}},
        "then": ref("configuration2"),
        "else": ref("configuration1"),
        "$defs": {**_shared(), **_edition_1(), **_conditions(), **_times(), **_stopping(), **_edition_2()},
    }


def _shared() -> Schema:
    return {
        "edition": {"enum": [1, 2], "description": "Edition of the language of rules. A session that has 2 keeps it."},
        "trigger": text("Name of a trigger: fired by the application, or the name of a task that finishes."),
        "expression": {
            "type": "string",
            "minLength": 1,
            "maxLength": 4096,
            "description": "An expression in CEL (cel.dev).",
        },
        "expressions": {"type": "object", "additionalProperties": ref("expression")},
        "manager": {"type": ["string", "null"], "description": "Key of the manager whose hooks run for the session."},
        "run": text("Name of the Celery task."),
        "using": text("Key of the task runner. Default: Celery."),
        "withParams": {"type": "object", "description": "Additional kwargs; a fired value overrides them."},
    }


def _edition_1() -> Schema:
    names: Schema = {"type": "array", "items": ref("trigger")}
    limits = {
        "maxCascadeDepth": integer(1, _MOST, "Consecutive results after which a cascade ends. Default: 1,000."),
        "sessionTtl": _SECONDS | {"description": "Seconds without an event after which the session is deleted."},
        "timeouts": ref("timeouts1"),
    }
    optional = {
        "andEvery": ref("trigger", "Run again each time this trigger fires."),
        "unless": names | {"description": "Do not run if all these triggers have fired first."},
        "using": ref("using"),
        "withParams": ref("withParams"),
        "timeouts": ref("timeouts1"),
    }
    return {
        "timeouts1": _timeouts_1(),
        "limits1": record(or_null(limits), "Limits of the session."),
        "task1": {
            "type": "object",
            "title": "Task (edition 1)",
            "description": "Keys that are not listed are the application's own.",
            "properties": {
                "after": names | {"description": "All these triggers must have fired."},
                "run": ref("run"),
                **or_null(optional),
                "name": False,
            },
            "required": ["after", "run"],
        },
        "configuration1": {
            "properties": {EDITION: {"const": 1}, LIMITS: ref("limits1"), MANAGER: ref("manager")},
            "additionalProperties": ref("task1"),
        },
    }


def _timeouts_1() -> Schema:
    return record(
        or_null(
            {
                "scheduled": _SECONDS | {"description": "Seconds that an attempt may wait for a worker."},
                "running": _SECONDS | {"description": "Seconds that an attempt may run."},
                "attempts": integer(1, _MOST, "Attempts until the instance fails. Default: 3."),
            }
        ),
        "Times after which an attempt is issued again.",
    )


def _conditions() -> Schema:
    """Returns the definitions of conditions: with aliases, and without them for `unless`."""
    count: Schema = {
        "anyOf": [integer(1, MAX_HELD, "The number of events."), {"const": "all"}, ref("expression")],
        "description": 'How many events; "all", or an expression such as "on.t_split.parts". Default: 1.',
        "default": 1,
    }
    leaf: Schema = {
        "trigger": ref("trigger"),
        "as": text("Name under which the task gets the kwargs. Default: the trigger's."),
        "when": ref(
            "optionalExpression", "Only events for which this is true count. It can read kwargs, event, session and on."
        ),
        "count": count,
        "distinct": ref("optionalExpression", "Only one of the events with an equal value counts."),
        "keep": {
            "enum": ["first", "latest", None],
            "description": "Which events are kept if there are more than needed.",
        },
    }
    unnamed = {key: own for key, own in leaf.items() if key != "as"}
    short: Schema = {"trigger": leaf["trigger"], "when": leaf["when"]}
    return {
        "optionalExpression": {"anyOf": [ref("expression"), {"type": "null"}]},
        "leaf": {"anyOf": [ref("trigger"), record(leaf, "A trigger with a filter, count or alias.", "trigger")]},
        "plainLeaf": {"anyOf": [ref("trigger"), record(short, "A trigger with a filter.", "trigger")]},
        "unnamedLeaf": {"anyOf": [ref("trigger"), record(unnamed, "A trigger with a filter or count.", "trigger")]},
        "condition": _condition("condition", "leaf"),
        "unnamedCondition": _condition("unnamedCondition", "unnamedLeaf"),
    }


def _condition(name: str, leaf: str) -> Schema:
    children: Schema = {
        "type": "array",
        "items": ref(name),
        "minItems": 1,
        "description": "Conditions, at least one.",
    }
    within = ref("optionalDuration", "The events that make it true must lie within this time.")
    ways = {
        "all": "All of these conditions.",
        "any": "One of these conditions.",
        "sequence": "All of these conditions, one after another.",
    }
    combinators = [record({way: children, "within": within}, description, way) for way, description in ways.items()]
    at_least: Schema = {"type": "integer", "minimum": 1, "description": "Number of conditions that must be true."}
    counted = record(
        {"atLeast": at_least, "of": children, "within": within},
        "This number of the conditions in `of`.",
        "atLeast",
        "of",
    )
    return {
        "description": "A trigger name, a leaf, a list (all of it), or all, any, atLeast … of, sequence.",
        "anyOf": [ref(leaf), children, *combinators, counted],
    }


def _times() -> Schema:
    delay: Schema = {
        "for": ref("duration", "How long a ready instance waits."),
        "restart": {"type": "boolean", "description": "Each further event restarts the delay (debounce)."},
        "atMost": ref("optionalDuration", "Maximum delay, including all restarts."),
    }
    bounded: Schema = {"required": ["atMost"], "properties": {"atMost": {"type": ["string", "number"]}}}
    restarts: Schema = {"required": ["restart"], "properties": {"restart": {"const": True}}}
    deadline: Schema = {
        "in": ref("duration", "How long an instance may wait."),
        "then": {
            "enum": ["expire", "run"],
            "description": "Whether it expires or runs with what it holds.",
            "default": "expire",
        },
    }
    return {
        "duration": duration(),
        "optionalDuration": {"anyOf": [ref("duration"), {"type": "null"}]},
        "delay": {
            "anyOf": [
                ref("duration"),
                record(delay, "How long a ready instance waits.", "for") | {"if": bounded, "then": restarts},
            ]
        },
        "deadline": {
            "anyOf": [ref("duration"), record(deadline, "How long an instance may wait, and what happens then.", "in")]
        },
        "timeouts": record(
            or_null(
                {
                    "scheduled": ref("duration", "How long an attempt may wait for a worker."),
                    "running": ref("duration", "How long an attempt may run."),
                    "attempts": integer(1, _MOST, "Attempts until the instance fails. Default: 3."),
                }
            ),
            "Times after which an attempt is issued again.",
        ),
    }


def _stopping() -> Schema:
    leaves: Schema = {"type": "array", "items": ref("plainLeaf")}
    types: Schema = {"type": "array", "items": {"type": "string"}}
    cancel: Schema = {
        "on": leaves | {"description": "Events that cancel."},
        "terminate": {"type": "boolean", "description": "Whether running tasks are ended."},
    }
    attempts = integer(1, MAX_ATTEMPTS, "Attempts, the first one included.")
    optional: Schema = {
        "wait": ref("duration", "Wait before the second attempt. Default: 10s."),
        "backoff": number(0, _MOST, "Factor of each further wait. Default: 2."),
        "maxWait": ref("duration", "The longest wait. Default: 1h."),
        "jitter": number(0, 1, "Random part of the wait. Default: 0.1."),
        "on": types | {"description": "Types of exceptions to retry, module.Class or Class. Default: all."},
        "except": types | {"description": "Types of exceptions that are not retried."},
    }
    return {
        "cancelOn": {"anyOf": [leaves, record(cancel, "What cancels the instances.", "on")]},
        "retry": record({"attempts": attempts, **or_null(optional)}, "Attempts after a failure.", "attempts"),
    }


def _edition_2() -> Schema:
    free = text("Name of a trigger that does not end like an outcome, such as :failed.") | {
        "not": {"pattern": _RESERVED}
    }
    forward: Schema = {
        "on": ref("plainLeaf", "The events to forward."),
        "to": ref("expression", "The UID of the other session."),
        **or_null({"as": ref("free"), "with": ref("expressions", "The kwargs there. Default: those of the event.")}),
    }
    limits: Schema = {
        "maxCascadeDepth": integer(1, _MOST, "Consecutive results after which a cascade ends. Default: 1,000."),
        "sessionTtl": ref("duration", "Time without an event after which the session is deleted."),
        "timeouts": ref("timeouts"),
    }
    blocks: Schema = {
        SESSION: record(
            or_null({"finalize": ref("free", "Trigger that is fired once, when no task is unresolved.")}),
            "Triggers that the engine fires for the session.",
        ),
        FORWARD: {
            "type": "array",
            "items": record(forward, "What an event fires in another session.", "on", "to"),
            "description": "What events of this session fire in other sessions.",
        },
        LIMITS: record(or_null(limits), "Limits of the session."),
    }
    return {
        "free": free,
        "task": _task(),
        "configuration2": {
            "properties": {EDITION: {"const": 2}, **or_null(blocks), MANAGER: ref("manager")},
            "propertyNames": {
                "if": {"pattern": r"^\$"},
                "then": {"enum": list(BLOCKS)},
                "else": {"not": {"pattern": _RESERVED}},
            },
            "additionalProperties": ref("task"),
        },
    }


def _task() -> Schema:
    optional: Schema = {
        "after": _after("condition", "What must have happened."),
        "andEvery": ref("leaf", "Run again each time this trigger fires."),
        "unless": _after("unnamedCondition", "Do not run if this happens first."),
        "using": ref("using"),
        "withParams": ref("withParams"),
        "timeouts": ref("timeouts"),
        "within": ref("duration", "The events of `after` and `andEvery` must lie within this time."),
        "delay": ref("delay", "How long a ready instance waits."),
        "deadline": ref("deadline", "How long an instance may wait until it expires or runs."),
        "retry": ref("retry"),
        "cancelOn": ref("cancelOn", "Events that cancel the instances of the task."),
        "with": ref("expressions", "Parameter -> expression: the task is called with exactly these arguments."),
        "queue": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$", "description": "Queue of the commands."},
        "optional": {"type": "boolean", "description": "`finalize` does not wait for it if it has no instance."},
        "meta": {"description": "The application's own data."},
    }
    present: Schema = {"not": {"type": "null"}}
    has = [{"required": [key], "properties": {key: present}} for key in ("after", "andEvery")]
    both: Schema = dict.fromkeys(("with", "withParams"), present)
    return {
        **record({"run": ref("run"), **or_null(optional)}, "A task; its own name fires when it finishes.", "run"),
        "title": "Task (edition 2)",
        "anyOf": has,
        "not": {"required": list(both), "properties": both},
    }


def _after(name: str, description: str) -> Schema:
    return {"anyOf": [{"type": "array", "maxItems": 0}, ref(name)], "description": description}
