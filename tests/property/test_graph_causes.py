"""The causes of an instance gave it what it holds. Checked with random sessions and a model without causes."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from tests.property.scripts import TRIGGERS
from tests.property.stories import Story, fired_by, story_of

from triggers.analysis.graph.cause import By
from triggers.analysis.graph.causes import CausedInstance, causes_of


@pytest.mark.parametrize("seed", range(30))
def test_an_instance_holds_what_its_causes_gave(seed: int) -> None:
    story = story_of(Random(seed), 60, TRIGGERS)  # noqa: S311  # a repeatable script

    found = causes_of(story.core.uid, story.log)

    assert [one.name for one in found] == list(story.instances)
    for one in found:
        check(one, story)


def check(one: CausedInstance, story: Story) -> None:
    """Checks that each cause gave the kwargs that the instance holds, and that none is missing unless from a parent."""
    events = {event.position: event for event in story.log}
    caused: dict[str, Any] = {}
    for cause in one.causes:
        if cause.trigger is not None:
            trigger, kwargs = fired_by(events[cause.event.offset]) or ("", None)
            assert trigger == cause.trigger
            if not cause.unless:
                caused[trigger] = kwargs
    instance = story.instances[one.name]
    held = {trigger: json.loads(json.dumps(kwargs)) for trigger, kwargs in instance.kwargs.items()}
    assert caused.items() <= held.items()
    if all(cause.by is not By.PARENT for cause in one.causes):
        assert caused == held
