"""A search by a trigger or a task finds a session exactly if the naive model, or the loaded session, says so."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import Raw
from tests.property.naive_model import NaiveModel
from tests.property.scripts import TRIGGERS, Script
from tests.property.timed_rules import NAMES, TASKS, directives
from tests.property.timed_rules import TRIGGERS as FIRED
from tests.support.indexed_rows import IndexedRows

from triggers.core.config import validate_configuration
from triggers.core.events import ConfigurationUpdated, TaskFailed, TaskFinished, TaskStarted, TriggerFired
from triggers.core.missing import triggers_awaited
from triggers.core.state.plans import Plans
from triggers.core.state.rows import Rows
from triggers.core.state.session import Session
from triggers.errors import InvalidConfiguration, NotFound
from triggers.queries import SessionQuery
from triggers.queries.map_keys import key_finder
from triggers.queries.partition_search import PartitionSearch

ASKED = [*TRIGGERS, *(f"t_{number}" for number in range(2, 7)), "t_", "unknown"]
UID = "s-1"
ODD_NAMES = [
    "order", "orders", "rder", "order\0", "", "ö", "o\u0308", "\U0001f600", 'a"b', "a\\b", "\n", "\x7f",
    *(size * "n" for size in (1, 31, 32, 33, 200, 255, 256, 65_536)),
]  # fmt: skip

encode = msgspec.msgpack.Encoder().encode


def is_found(rows: Rows, plans: Plans, query: SessionQuery) -> bool:
    return bool(PartitionSearch(rows, plans, query, 0).find("", 10, 1000).sessions)


def model_awaits(model: NaiveModel, trigger: str) -> bool:
    for task in model.tasks.values():
        if trigger in task.after:
            instances = [instance for instance in model.instances if instance.task == task.name]
            waiting = [instance for instance in instances if instance.status == "unstarted"]
            if any(trigger not in instance.kwargs for instance in waiting):
                return True
            if not instances and trigger not in model.latest:
                return True
    return False


@pytest.mark.parametrize("seed", range(60))
def test_a_search_by_a_name_finds_a_session_as_the_model_says(seed: int) -> None:
    script = Script(Random(seed), TRIGGERS if seed % 2 else TRIGGERS[:6])  # noqa: S311  # a repeatable script
    model, rows, plans = script.pair.model, script.pair.core.rows, Plans()

    for _ in range(40):
        script.step()
        for name in ASKED:
            assert is_found(rows, plans, SessionQuery(missing=name)) == model_awaits(model, name), name
            assert is_found(rows, plans, SessionQuery(seen=name)) == (name in model.latest), name
            has_task = any(instance.task == name for instance in model.instances)
            assert is_found(rows, plans, SessionQuery(task=name)) == has_task, name


ACTIONS = st.one_of(
    st.sampled_from([*FIRED, *TASKS]).map(lambda name: TriggerFired(trigger=name)),
    *(
        st.builds(kind, instance=st.builds("{}#{}".format, st.sampled_from(TASKS), st.integers(0, 2)))
        for kind in (TaskStarted, TaskFinished, TaskFailed)
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(st.sampled_from(TASKS), directives(), min_size=1),
    st.lists(ACTIONS, max_size=15),
)
def test_a_search_for_a_missing_trigger_finds_a_session_as_its_rows_say(
    rules: dict[str, Any], events: list[Any]
) -> None:
    configuration = msgspec.json.encode({"$edition": 2, **rules})
    try:
        validate_configuration(configuration)
    except InvalidConfiguration:
        return
    partition = IndexedRows()
    partition.apply(UID, ConfigurationUpdated(configuration=configuration))
    for event in events:
        with suppress(NotFound):  # an instance that was not created
            partition.apply(UID, event)
        session = Session(UID, partition.rows, partition.plans)
        awaited = {
            name
            for rule in session.plan.tasks.values()
            for name in triggers_awaited(session, rule)
            if name in rule.after_set
        }
        assert {
            name for name in NAMES if is_found(partition.rows, partition.plans, SessionQuery(missing=name))
        } == awaited & set(NAMES)


NAME = st.one_of(st.sampled_from(ODD_NAMES), st.text(max_size=200))


@settings(max_examples=300)
@example("rder", ["order"])
@example("order", ["orders", "order\0"])
@given(NAME, st.lists(NAME, max_size=40))
def test_a_key_is_found_exactly_if_the_map_has_it(key: str, others: list[str]) -> None:
    # what looks like the key, in the values and around the keys, must not be taken for it
    likely = {f"{key}{other}": encode(key) for other in others if other} | {f"x{key}": [key, {key: 1}], "y": {key: key}}
    without = {name: value for name, value in likely.items() if name != key} | {
        other: None for other in others if other != key
    }

    assert not key_finder(key)(Raw(encode(without)))
    assert key_finder(key)(Raw(encode({**without, key: None})))
    assert key_finder(key)(Raw(encode({key: key, **without})))


def test_a_key_that_cannot_be_encoded_is_in_no_map() -> None:
    assert not key_finder("\ud800")(Raw(encode({"a": 1})))
