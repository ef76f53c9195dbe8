from __future__ import annotations

from triggers.agent.turns.overlay import Overlay
from triggers.core.state.rows import MemoryRows


def test_changes_hide_the_rows() -> None:
    overlay = Overlay(MemoryRows({b"a": b"1", b"b": b"2"}))

    overlay.write({b"b": b"3", b"c": b"4"})
    overlay.write({b"a": None})

    assert [overlay.get(key) for key in (b"a", b"b", b"c", b"d")] == [None, b"3", b"4", None]


def test_a_scan_merges_rows_and_changes_in_byte_order() -> None:
    overlay = Overlay(MemoryRows({b"p1": b"1", b"p3": b"3", b"q": b"x"}))

    overlay.write({b"p2": b"2", b"p3": None, b"r": b"y"})

    assert list(overlay.scan(b"p")) == [(b"p1", b"1"), (b"p2", b"2")]
