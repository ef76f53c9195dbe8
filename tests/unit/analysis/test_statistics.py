"""Statistics, compared with a simpler way of counting."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pyarrow.parquet
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode
from msgspec.structs import replace
from tests.property.test_replayed_logs import random_log
from tests.support.memory_session import MemorySession

from triggers.analysis.driver import MemoryDriver
from triggers.analysis.stats.statistics import Counting, Period, Statistics
from triggers.analysis.stats.wait_times import Durations
from triggers.cli import main
from triggers.codec.event_lines import event_members
from triggers.core.events import (
    ConfigurationUpdated,
    Event,
    ReplayRequested,
    RulesPublished,
    TaskFailed,
    TaskFinished,
    TimerFired,
    TriggerFired,
)
from triggers.core.view import SessionView

EVER = Period(since=0, until=10**15, stuck_since=10**15)
RULES = {
    "t_mail": {"after": ["address", "text"], "run": "app.mail"},
    "t_card": {"after": ["wish", "text"], "run": "app.card", "unless": ["stop"]},
}


def counted(logs: dict[str, list[Event]], period: Period = EVER) -> Statistics:
    counting = Counting(period)
    for session, events in logs.items():
        counting.add(session, events)
    return counting.result()


def view_of(events: list[Event]) -> SessionView:
    driver = MemoryDriver()
    for event in events:
        driver.apply("s", event)
    return driver.view("s")


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=200), st.sampled_from([1, 50, 90, 99, 100]))
def test_a_percentile_is_right_to_within_a_percent(durations: list[int], percent: int) -> None:
    histogram = Durations()
    for duration in durations:
        histogram.add(duration)

    exact = sorted(durations)[math.ceil(len(durations) * percent / 100) - 1]

    assert histogram.percentile(percent) == pytest.approx(exact, rel=0.01, abs=1)
    assert histogram.longest == max(durations)


def test_no_durations_have_no_percentile() -> None:
    assert Durations().percentile(50) is None


def test_the_counts_of_random_sessions_agree_with_their_views() -> None:
    logs = {f"s{seed}": random_log(seed) for seed in range(12)}

    found = counted(logs)

    views = [view_of(log) for log in logs.values()]
    fires = [event.trigger for log in logs.values() for event in log if isinstance(event, TriggerFired)]
    assert (found.sessions, found.events, found.refused) == (12, sum(map(len, logs.values())), 0)
    for row in found.rules:
        mine = [i for view in views for i in view.instances if i.task == row.task]
        assert row.sessions == sum(any(task.name == row.task for task in view.tasks) for view in views)
        assert row.instances >= len(mine)
        assert row.waiting == sum(i.status == "unstarted" for i in mine)
        assert row.failed_now == sum(i.status == "failed" for i in mine)
        reasons = [each for each in found.failures if each.task == row.task]
        assert (row.failed, row.failed_now) == (sum(r.failed for r in reasons), sum(r.failed_now for r in reasons))
    for trigger in found.triggers:
        assert trigger.is_task or trigger.fires == fires.count(trigger.trigger)


def log_of(*steps: tuple[int, Event]) -> list[Event]:
    first = ConfigurationUpdated(configuration=json.dumps(RULES).encode(), time=steps[0][0])
    return [first, *(replace(event, time=time, position=n) for n, (time, event) in enumerate(steps, 1))]


def fire(trigger: str) -> Event:
    return TriggerFired(trigger=trigger)


def test_runs_waits_and_ends_are_counted_by_rule() -> None:
    ran = log_of((100, fire("address")), (400, fire("text")), (500, TaskFinished(instance="t_mail#0")))
    slow = log_of((100, fire("address")), (2100, fire("text")))
    slow.append(TaskFailed(instance="t_mail#0", exception_type="app.E", time=3000))

    mail, card = sorted(counted({"a": ran, "b": slow}).rules, key=lambda row: row.task != "t_mail")

    assert (mail.sessions, mail.instances, mail.runs, mail.finished, mail.failed) == (2, 2, 2, 1, 1)
    assert mail.wait_p50_ms == pytest.approx(300, rel=0.01)
    assert mail.wait_longest_ms == 2000
    assert (card.runs, card.instances, card.waiting) == (0, 2, 2)


def test_triggers_that_no_rule_uses_come_first_and_silent_ones_are_listed() -> None:
    rows = {row.trigger: row for row in counted({"a": log_of((1, fire("weather")), (2, fire("text")))}).triggers}

    assert next(iter(rows)) == "weather"
    assert (rows["weather"].fires, rows["weather"].unused, rows["weather"].used_by) == (1, 1, [])
    assert (rows["text"].unused, rows["text"].used_by) == (0, ["t_card", "t_mail"])
    assert rows["stop"].fires == 0


def test_stuck_sessions_are_counted_by_their_missing_triggers() -> None:
    logs = {f"s{n}": log_of((1000, fire("address"))) for n in range(7)} | {"late": log_of((5000, fire("address")))}

    (row,) = counted(logs, Period(since=0, until=10_000, stuck_since=4999)).stuck

    assert (row.task, row.missing, row.sessions, row.instances, row.oldest) == ("t_mail", ["text"], 7, 7, 1000)
    assert row.examples == ["s0", "s1", "s2", "s3", "s4"]


def failed_order(message: str, *more: Event) -> list[Event]:
    steps = [
        fire("address"),
        fire("text"),
        TaskFailed(instance="t_mail#0", exception_type="app.E", exception_message=message),
    ]
    return log_of(*((1000 * n, event) for n, event in enumerate([*steps, *more], 1)))


def test_failures_are_counted_by_reason_ever_and_now() -> None:
    replayed = (ReplayRequested(instance="t_mail#0"), TaskFinished(instance="t_mail#1"))
    logs = {
        "a": failed_order("no\n stamp", *replayed),
        "b": failed_order("no stamp"),
        "c": failed_order("no paper", *replayed),
    }

    found = counted(logs)

    assert [(row.message, row.failed, row.failed_now, row.sessions, row.example) for row in found.failures] == [
        ("no stamp", 2, 1, 2, "b"),
        ("no paper", 1, 0, 1, "c"),
    ]
    mail = next(row for row in found.rules if row.task == "t_mail")
    assert (mail.failed, mail.failed_now) == (3, 1)


def test_a_session_is_stuck_at_once_behind_a_failed_instance() -> None:
    rules = RULES | {"t_thanks": {"after": ["t_mail"], "run": "app.thanks"}}
    log = failed_order("no stamp")
    log[0] = ConfigurationUpdated(configuration=json.dumps(rules).encode(), time=1000)

    found = counted({"a": log}, Period(since=0, until=10_000, stuck_since=0))

    assert [(row.task, row.missing, row.behind, row.examples) for row in found.stuck] == [
        ("t_thanks", ["t_mail"], True, ["a"])
    ]
    assert counted({"a": failed_order("no stamp")}, Period(since=0, until=10_000, stuck_since=0)).stuck == []


def test_events_before_the_period_are_only_applied_and_later_ones_are_ignored() -> None:
    log = log_of((100, fire("address")), (400, fire("text")), (900, TaskFinished(instance="t_mail#0")))

    found = counted({"a": log}, Period(since=200, until=500, stuck_since=0))

    mail = next(row for row in found.rules if row.task == "t_mail")
    assert (found.events, mail.instances, mail.runs, mail.finished) == (1, 0, 1, 0)
    assert mail.wait_longest_ms == 300
    assert counted({"a": log}, Period(since=1000, until=2000, stuck_since=0)).sessions == 0


def test_a_table_without_rows_has_the_same_columns(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"session": "s", "trigger": "address", "time": 1000}')
    into = {"csv": tmp_path / "csv", "parquet": tmp_path / "parquet"}
    files = [text for kind, folder in into.items() for text in (f"--{kind}", str(folder))]

    for rules in ([], ["--rules", json.dumps(RULES)]):
        assert CliRunner().invoke(main, ["stats", "--from", str(log), *rules, *files]).exit_code == 0
        schema = pyarrow.parquet.read_schema(into["parquet"] / "rules.parquet")
        assert {name: str(schema.field(name).type) for name in ("task", "runs", "wait_p50_ms")} == {
            "task": "string", "runs": "int64", "wait_p50_ms": "int64"
        }  # fmt: skip
        assert (into["csv"] / "rules.csv").read_text().splitlines()[0] == ",".join(schema.names)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = [{"session": f"s{n % 5}", "trigger": "address", "time": 1000 * n} for n in range(1, 20)]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_the_command_reads_a_file_and_writes_tables(log: Path, tmp_path: Path) -> None:
    files = ["--csv", str(tmp_path / "csv"), "--parquet", str(tmp_path / "parquet")]
    options = ["--from", str(log), "--rules", json.dumps(RULES), "--stuck-after", "1s", "--json", *files]

    result = CliRunner().invoke(main, ["stats", *options])

    found = json.loads(result.stdout)
    assert (found["sessions"], found["events"], found["stuck_sessions"]) == (5, 24, 4)
    for table in ("rules", "triggers", "stuck", "published"):
        assert pyarrow.parquet.read_table(tmp_path / "parquet" / f"{table}.parquet").to_pylist() == found[table]
    with (tmp_path / "csv" / "stuck.csv").open() as file:
        assert [row["missing"] for row in csv.DictReader(file)] == ['["text"]']


def test_the_tables_have_the_versions_of_published_rules(log: Path, tmp_path: Path) -> None:
    rules = event_members(RulesPublished(name="mail", version=2, configuration=b"{}", is_default=True))
    log.write_text(f"{encode({'session': 's1'} | rules).decode()}\n{log.read_text()}")

    done = CliRunner().invoke(main, ["stats", "--from", str(log), "--csv", str(tmp_path), "--parquet", str(tmp_path)])

    assert done.exit_code == 0, done.output
    rows = [{"rules": "mail", "version": 2, "sessions": 1}]
    assert pyarrow.parquet.read_table(tmp_path / "published.parquet").to_pylist() == rows
    assert (tmp_path / "published.csv").read_text().splitlines() == ["rules,version,sessions", "mail,2,1"]


@pytest.mark.parametrize(("since", "events"), [("10s", 11), ("1970-01-01T00:00:10Z", 10), ("1970-01-01 00:00:10", 10)])
def test_a_period_is_a_time_or_a_duration_before_the_newest_event(log: Path, since: str, events: int) -> None:
    result = CliRunner().invoke(main, ["stats", "--from", str(log), "--since", since, "--json"])

    assert json.loads(result.stdout)["events"] == events


@pytest.mark.parametrize("since", ["10", "x", "2024-13-01", "-3d"])
def test_an_invalid_time_is_refused(log: Path, since: str) -> None:
    result = CliRunner().invoke(main, ["stats", "--from", str(log), f"--since={since}"])

    assert result.exit_code == 2


# -- edition 2 ---------------------------------------------------------------------------------------------------------


def test_expired_and_cancelled_instances_are_counted() -> None:
    session = MemorySession(
        {
            "$edition": 2,
            "t_match": {"after": ["bid", "ask"], "deadline": "5s", "run": "app.match"},
            "t_pack": {"after": ["bid"], "cancelOn": ["stop"], "run": "app.pack"},
        }
    )
    session.fire("bid")
    session.fire("stop")
    session.apply_at(TimerFired(instance="t_match#0", attempt=0, due=7_000, kind="deadline"), 7_000)

    rows = {row.task: row for row in counted({"s": session.log}).rules}

    assert (rows["t_match"].expired, rows["t_match"].cancelled, rows["t_match"].runs) == (1, 0, 0)
    assert (rows["t_pack"].expired, rows["t_pack"].cancelled, rows["t_pack"].runs) == (0, 1, 1)


def test_an_attempt_that_waits_for_its_retry_is_no_run_yet() -> None:
    retry = {"attempts": 3, "wait": "1s", "jitter": 0}
    session = MemorySession({"$edition": 2, "t_a": {"after": ["x"], "retry": retry, "run": "app.a"}})
    session.fire("x")
    failed = TaskFailed(instance="t_a#0", attempt=1, exception_type="app.Away")
    session.apply(failed)
    waiting = counted({"s": session.log}).rules[0].runs
    session.apply_at(TimerFired(instance="t_a#0", attempt=1, due=4_000, kind="retry"), 4_000)

    (row,) = counted({"s": session.log}).rules

    assert (waiting, row.runs, row.failed) == (1, 2, 0)


def test_an_instance_that_waits_for_its_delay_lacks_nothing() -> None:
    session = MemorySession(
        {
            "$edition": 2,
            "t_late": {"after": ["x"], "delay": "30d", "run": "app.a"},
            "t_stuck": {"after": ["x", "y"], "run": "app.b"},
        }
    )
    session.fire("x")

    found = counted({"s": session.log})

    assert [(row.task, row.missing) for row in found.stuck] == [("t_late", []), ("t_stuck", ["y"])]
    assert {row.task: row.waiting for row in found.rules} == {"t_late": 1, "t_stuck": 1}
