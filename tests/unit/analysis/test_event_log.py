"""Logs in files, and logs grouped by session."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.analysis.event_log import BadLog, GroupedLog, read_log
from triggers.analysis.input_file import BadInput, InputFile
from triggers.core.events import ConfigurationUpdated, TriggerFired
from triggers.errors import InvalidConfiguration

RULES = b'{"t_a": {"after": ["a"], "run": "app.a"}}'


def log_of(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines))
    return path


def test_lines_are_events_and_empty_ones_are_skipped(tmp_path: Path) -> None:
    path = log_of(tmp_path, '{"session": "s", "trigger": "a"}', "", '{"session": "r", "trigger": "b", "offset": 40}')

    assert list(read_log(InputFile(path))) == [
        ("s", TriggerFired(trigger="a", position=1)),
        ("r", TriggerFired(trigger="b", position=40)),
    ]


def test_a_compressed_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"session": "s", "trigger": "a"}\n'))

    assert list(read_log(InputFile(path))) == [("s", TriggerFired(trigger="a", position=1))]


def test_rules_come_before_the_first_event_of_a_session_that_has_none(tmp_path: Path) -> None:
    own = '{"session": "r", "configuration": {"t_b": {"after": ["b"], "run": "app.b"}}}'
    path = log_of(tmp_path, '{"session": "s", "trigger": "a", "time": 5}', own, '{"session": "s", "trigger": "b"}')

    events = list(read_log(InputFile(path), RULES))

    assert [session for session, _ in events] == ["s", "s", "r", "s"]
    assert events[0][1] == ConfigurationUpdated(configuration=RULES, if_absent=True, time=5, position=0)
    assert [type(event) for _, event in events[1:]] == [TriggerFired, ConfigurationUpdated, TriggerFired]


def test_wrong_rules_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration):
        next(read_log(InputFile(tmp_path / "missing"), b'{"t_a": {"after": "a"}}'))


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = log_of(tmp_path, '{"session": "s", "trigger": "a"}', '{"session": "s", "triger": "a"}')

    with pytest.raises(BadLog, match=r"events\.jsonl, line 2: .*did you mean 'trigger'"):
        list(read_log(InputFile(path)))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"session": "s", "trigger": "a"}\n' * 1000)[:-20])

    with pytest.raises(BadInput, match="events"):
        list(read_log(InputFile(path)))


@given(st.lists(st.tuples(st.sampled_from(["s", "r", "", "ü\0"]), st.integers(0, 9)), max_size=30))
def test_a_grouped_log_has_every_session_once_with_its_events_in_order(events: list[tuple[str, int]]) -> None:
    logged = [(session, TriggerFired(trigger="a", position=position)) for session, position in events]

    with GroupedLog(logged) as log:
        found = [(session, [event.position for event in group]) for session, group in log.sessions()]

    assert found == [(uid, [n for s, n in events if s == uid]) for uid in sorted({s for s, _ in events})]
