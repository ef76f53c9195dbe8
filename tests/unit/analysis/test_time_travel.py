"""Past states of sessions."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.property.test_replayed_logs import random_log as made_log

from triggers.analysis.driver import MemoryDriver
from triggers.analysis.time_travel import NOW, Moment, view_at
from triggers.cli import main
from triggers.codec.event_lines import encode_line
from triggers.core.events import Event, ReplayRequested, TriggerFired
from triggers.core.view import SessionView
from triggers.errors import SessionNotFound

random_log = functools.cache(made_log)


def folded(seed: int, count: int) -> SessionView:
    driver = MemoryDriver()
    for event in random_log(seed)[:count]:
        driver.apply("s", event)
    return driver.view("s")


@given(st.integers(0, 4), st.data())
def test_a_moment_is_the_fold_of_the_events_up_to_it(seed: int, data: st.DataObject) -> None:
    log = random_log(seed)
    count = data.draw(st.integers(1, len(log)))
    last = log[count - 1]

    assert view_at("s", log, Moment(offset=last.position)) == folded(seed, count)
    assert view_at("s", log, Moment(time=last.time)) == folded(seed, count)
    assert view_at("s", log, Moment(time=last.time + 1)) == folded(seed, count)
    assert view_at("s", log, NOW) == folded(seed, len(log))


def test_an_event_with_an_earlier_time_still_comes_after_its_predecessor() -> None:
    log = [TriggerFired(trigger=f"e{n}", position=n, time=time) for n, time in enumerate((5, 9, 6))]

    assert view_at("s", log, Moment(time=7)).events == 1
    assert view_at("s", log, Moment(time=9)).events == 3


def test_a_refused_event_has_no_effect() -> None:
    log: list[Event] = [TriggerFired(trigger="a", position=1), ReplayRequested(instance="t_a#0", position=2)]

    assert view_at("s", log).events == 1


def test_a_session_is_not_found_before_its_first_event() -> None:
    with pytest.raises(SessionNotFound, match="'s' had no event at that moment"):
        view_at("s", [TriggerFired(trigger="a", position=4)], Moment(offset=3))


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join(encode_line("s", event) for event in random_log(2)))
    return str(path)


def test_show_prints_a_moment_and_a_difference(log: str) -> None:
    last = random_log(2)[9]

    at = CliRunner().invoke(main, ["show", "s", "--from", log, "--at", f"3/{last.position}", "--json"])
    diff = CliRunner().invoke(main, ["show", "s", "--from", log, "--diff", "1", "1970-01-01T00:00:10Z"])

    assert json.loads(at.stdout)["events"] == 10
    assert "  events: 1 → 10\n" in diff.stdout


def test_a_moment_and_a_difference_exclude_each_other(log: str) -> None:
    both = CliRunner().invoke(main, ["show", "s", "--from", log, "--at", "1", "--diff", "1", "2"])

    assert (both.exit_code, "--at and --diff exclude each other" in both.output) == (2, True)


@pytest.mark.parametrize("moment", ["x", "-1", "1/2/3", "2024-03-01T", "2024-13-01T10:20:30Z"])
def test_an_invalid_moment_is_refused(log: str, moment: str) -> None:
    result = CliRunner().invoke(main, ["show", "s", "--from", log, "--at", moment])

    assert result.exit_code == 2
    assert moment in result.stderr
