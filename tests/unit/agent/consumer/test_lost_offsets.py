"""An offset that the log no longer has: the error says what is lost and how the operator can continue."""

from __future__ import annotations

from triggers.agent.consumer.lost_offsets import LostOffset


def test_the_error_for_removed_events_says_what_to_do() -> None:
    lost = LostOffset("ns.events", "ns.agents", 3, committed=17, first=20, end=50)

    assert lost.is_removed
    assert "offsets 17 to 19" in str(lost)
    assert "--group ns.agents --topic ns.events:3 --reset-offsets --to-offset 20 --execute" in str(lost)


def test_the_error_for_a_truncated_log_says_what_to_do() -> None:
    lost = LostOffset("ns.events", "ns.agents", 3, committed=17, first=0, end=12)

    assert lost.is_truncated
    assert "offsets 12 to 16" in str(lost)
    assert "--topic ns.events:3 --reset-offsets --to-offset 12 --execute" in str(lost)


def test_an_offset_within_the_log_is_not_lost() -> None:
    for committed in (5, 12):
        lost = LostOffset("ns.events", "ns.agents", 3, committed, first=5, end=12)

        assert not lost.is_removed
        assert not lost.is_truncated
