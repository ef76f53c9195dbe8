"""An id names one operation: its repetition is recognised, and another operation with it is refused."""

from __future__ import annotations

import pytest

from triggers.client.repeated_operations import find_repeated
from triggers.core.events import (
    AdoptionRequested,
    Event,
    OperatorEvent,
    ReplayRequested,
    SkipRequested,
    TriggerFired,
)
from triggers.errors import IdReused

REPLAY = ReplayRequested(instance="t_a#0", replacement_kwargs=b'{"a": {"n": 1}}', id="k", actor="jane")
RECORDED = ReplayRequested(
    instance="t_a#0", replacement_kwargs=b'{"a":{"n":1}}', id="k", actor="john", position=7, time=5, source="api"
)
ADOPTION = AdoptionRequested(name="orders", version=3, id="k")


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([TriggerFired(trigger="a"), RECORDED], REPLAY),
        ([RECORDED, TriggerFired(trigger="a", id="k")], REPLAY),
        ([ADOPTION], ADOPTION),
        ([ADOPTION], AdoptionRequested(name="orders", version=0, id="k")),
    ],
    ids=["other spelling and actor", "the first with the id", "the same version", "the newest version"],
)
def test_the_same_request_repeats_the_event_with_its_id(events: list[Event], wanted: OperatorEvent) -> None:
    found = find_repeated(events, wanted)

    assert found is not None
    assert (found.id, type(found)) == ("k", type(wanted))


@pytest.mark.parametrize("wanted", [REPLAY, ReplayRequested(instance="t_a#0")])
def test_an_operation_whose_id_is_new_or_missing_repeats_nothing(wanted: OperatorEvent) -> None:
    events: list[Event] = [TriggerFired(trigger="a"), ReplayRequested(instance="t_a#0", id="other")]

    assert find_repeated(events, wanted) is None


@pytest.mark.parametrize(
    ("earlier", "wanted"),
    [
        (RECORDED, ReplayRequested(instance="t_a#1", replacement_kwargs=b'{"a": {"n": 1}}', id="k")),
        (RECORDED, ReplayRequested(instance="t_a#0", replacement_kwargs=b'{"a": {"n": 2}}', id="k")),
        (RECORDED, ReplayRequested(instance="t_a#0", id="k")),
        (RECORDED, SkipRequested(instance="t_a#0", id="k")),
        (TriggerFired(trigger="a", id="k", position=7), REPLAY),
        (ADOPTION, AdoptionRequested(name="orders", version=2, id="k")),
    ],
    ids=["instance", "kwargs", "no kwargs", "operation", "a fire", "version"],
)
def test_another_operation_with_the_id_is_refused(earlier: Event, wanted: OperatorEvent) -> None:
    with pytest.raises(IdReused, match="the id 'k' belongs to an earlier event"):
        find_repeated([earlier], wanted)
