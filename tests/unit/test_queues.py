"""The names of queues, their topics and groups, and the settings that name them."""

from __future__ import annotations

import pytest

from triggers.errors import SettingsError
from triggers.kafka.topics import plan_queues, plan_topics
from triggers.settings import Settings
from triggers.topology import Topology, parse_queues, queue_title

NAMES = Topology("ns")


def test_a_queue_has_a_topic_and_a_group_of_its_own() -> None:
    assert (NAMES.commands_of("gpu"), NAMES.executors_of("gpu")) == ("ns.commands.gpu", "ns.executors.gpu")
    assert (NAMES.commands_of(None), NAMES.executors_of(None)) == (NAMES.commands, NAMES.executors)


@pytest.mark.parametrize(
    ("topic", "queue"),
    [
        ("ns.commands.gpu-1_B", "gpu-1_B"),
        ("ns.commands", None),
        ("ns.commands.a.b", None),
        ("ns.commands.", None),
        ("other.commands.gpu", None),
        ("ns.events", None),
    ],
)
def test_the_queue_of_a_topic(topic: str, queue: str | None) -> None:
    assert NAMES.queue_of(topic) == queue


@pytest.mark.parametrize(
    ("written", "queues"),
    [
        ("", (None,)),
        ("gpu", ("gpu",)),
        (" gpu , slow,gpu,", ("gpu", "slow")),
        ("@default,gpu", (None, "gpu")),
    ],
)
def test_the_queues_of_the_settings(written: str, queues: tuple[str | None, ...]) -> None:
    settings = Settings.from_env({"TRIGGERS_QUEUES": written})

    assert parse_queues(settings.queue_names) == queues


@pytest.mark.parametrize("name", ["a.b", "", "x" * 65, "@other", "a b"])
def test_a_name_that_no_queue_can_have_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="'@default' is the queue of the commands whose rules name none"):
        parse_queues([name])


def test_the_title_of_a_queue_is_what_is_written() -> None:
    assert parse_queues([queue_title(None), queue_title("gpu")]) == (None, "gpu")


def test_the_topics_of_an_installation_contain_those_of_its_queues() -> None:
    plans = {plan.name: plan for plan in plan_topics(Settings(namespace="ns", queues="@default,gpu"), 3)}

    assert plans["ns.commands.gpu"].config == plans["ns.commands"].config
    assert plans["ns.commands.gpu"].queue == "gpu"
    (own,) = plan_queues(Settings(namespace="ns"), ["slow"], None)
    assert own.config.keys() == plans["ns.commands"].config.keys() - {"retention.ms"}
