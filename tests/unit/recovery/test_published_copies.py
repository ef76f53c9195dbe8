"""A log is cut where its versions of rules are, whatever retention has removed and a mirror has not copied yet."""

from __future__ import annotations

import pytest
from confluent_kafka import Message

from triggers.core.events import RulesPublished
from triggers.errors import CallError
from triggers.recovery.published_copies import PublishedCopy, cut_into_segments


def copy(version: int, offset: int = 0) -> PublishedCopy:
    event = RulesPublished(name="order", version=version, configuration=b"{}")
    return PublishedCopy(event, Message(offset=offset, value=b""))


ALL = [copy(version) for version in (1, 2, 3)]


def cut(
    marks: dict[int, tuple[int, int]], copies: dict[int, list[PublishedCopy]]
) -> list[tuple[dict[int, tuple[int, int]], int | None]]:
    """Returns the ranges of each segment, and the version behind it."""
    return [
        (
            {partition: (segment.starts[partition], segment.ends[partition]) for partition in segment.starts},
            None if segment.publishes is None else segment.publishes.event.version,
        )
        for segment in cut_into_segments(marks, copies, ALL)
    ]


def test_each_version_is_between_the_same_events_of_all_partitions() -> None:
    copies = {0: [copy(1, 0), copy(2, 5), copy(3, 6)], 1: [copy(1, 2), copy(2, 3), copy(3, 9)]}

    assert cut({0: (0, 10), 1: (0, 12)}, copies) == [
        ({0: (0, 0), 1: (0, 2)}, 1),
        ({0: (1, 5), 1: (3, 3)}, 2),
        ({0: (6, 6), 1: (4, 9)}, 3),
        ({0: (7, 10), 1: (10, 12)}, None),
    ]


def test_versions_that_retention_has_removed_come_before_the_first_event() -> None:
    copies = {0: [copy(3, 60)], 1: []}

    assert cut({0: (50, 70), 1: (30, 40)}, copies) == [
        ({0: (50, 50), 1: (30, 30)}, 1),
        ({0: (50, 50), 1: (30, 30)}, 2),
        ({0: (50, 60), 1: (30, 30)}, 3),
        ({0: (61, 70), 1: (30, 40)}, None),
    ]


def test_versions_that_a_mirror_has_not_copied_yet_come_after_the_last_event() -> None:
    copies = {0: [copy(1, 0), copy(2, 4)]}

    assert cut({0: (0, 8)}, copies) == [
        ({0: (0, 0)}, 1),
        ({0: (1, 4)}, 2),
        ({0: (5, 8)}, 3),
        ({0: (8, 8)}, None),
    ]


@pytest.mark.parametrize("versions", [(2, 1), (1, 3), (1, 4)])
def test_versions_in_another_order_are_refused(versions: tuple[int, int]) -> None:
    copies = {0: [copy(version, offset) for offset, version in enumerate(versions)]}

    with pytest.raises(CallError, match="is not its place in the topic of the rules"):
        cut({0: (0, 8)}, copies)
