"""What the comparison with other systems counts, checks and summarizes, without a broker."""

from __future__ import annotations

from collections import Counter
from math import inf
from pathlib import Path

import psutil
import pytest

from benchmarks.earlier_runs import add_rounds, keep
from benchmarks.latency import summarize
from benchmarks.peers import kafka_streams, postgres, restate_server, sections
from benchmarks.peers.comparison import loop_tables
from benchmarks.peers.lots import OPEN_SESSIONS, Lot, opened_sessions, pages_of_open_sessions, whole_questionnaires
from benchmarks.peers.site import Site
from benchmarks.peers.stream_check import compare
from benchmarks.peers.stream_processors import AGENT_ALONE, EQUAL_WORK, command_of
from benchmarks.peers.streams import FEW_OPEN, MANY_OPEN
from benchmarks.peers.tally import FOLDER, Tally, TaskCounter, checksum, expected_tally, read_tally, read_tasks
from benchmarks.peers.turns import Turns
from benchmarks.peers.whole_loops import LoopRun, SteadyRun, cpu_ms_of
from benchmarks.suite import Figures
from benchmarks.summary import summarise
from benchmarks.throughput import Rate
from triggers.errors import SettingsError

RUNS_EVERY_PAGE = """
import sys
from benchmarks.peers.firing import fire_lot
from benchmarks.peers.tally import count_task

def fire(session, event, last):
    page = event["kwargs"]["responses"]["page"]
    for _ in range(TIMES):
        count_task(session, "responses", page, event["kwargs"]["at"])

fire_lot(fire, lambda: None, *sys.argv[1:])
"""


def test_tasks_of_all_processes_are_counted(tmp_path: Path) -> None:
    counter = TaskCounter(tmp_path)
    counter.add(checksum("a", "subject", 0), None)
    counter.add(checksum("a", "responses", 3), 1.0)
    (tmp_path / "tasks-1").write_bytes(next(tmp_path.glob("tasks-*")).read_bytes())
    (tmp_path / "tasks-2").write_bytes(b"")  # its process has just created it

    tally = read_tally(tmp_path)

    once = expected_tally([("a", "subject", 0), ("a", "responses", 3)])
    assert tally == once + once
    assert read_tasks(tmp_path) == 4
    assert sorted(map(len, tally.latencies.values())) == [1, 1]


def test_latencies_of_an_earlier_lot_do_not_count() -> None:
    before = Tally(latencies={"tasks-1": [1.0, 2.0]})
    after = Tally(latencies={"tasks-1": [1.0, 2.0, 3.0], "tasks-2": [4.0]})

    assert after.latencies_since(before) == [3.0, 4.0]


def test_a_tally_differs_if_a_task_runs_twice_instead_of_another() -> None:
    right = expected_tally([("a", "responses", 1), ("a", "responses", 2)])

    assert right != expected_tally([("a", "responses", 1), ("a", "responses", 1)])
    assert right == expected_tally([("a", "responses", 2), ("a", "responses", 1)])


def test_a_lot_has_every_event_of_its_questionnaires_and_the_tasks_of_the_rules() -> None:
    lot = whole_questionnaires(100, seed=1)

    by_trigger = Counter(event["trigger"] for _, event, _ in lot.events)
    last = {uid: count for uid, _, count in lot.events if count}
    assert by_trigger["firstPageReceived"] == by_trigger["questionnaireComplete"] == 100
    not_embedded = 100 - by_trigger["isEmbeddedApplication"]
    assert lot.expected.tasks == 100 + by_trigger["pageReceived"] + not_embedded
    assert last == Counter(uid for uid, _, _ in lot.events)


def test_open_sessions_get_one_task_for_each_page() -> None:
    lot = pages_of_open_sessions(100, 60)

    assert opened_sessions().expected.tasks == OPEN_SESSIONS
    assert lot.expected.tasks == len(lot.events) == 60
    assert lot.events[0][0] == lot.events[OPEN_SESSIONS][0]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Returns an installation whose caller runs the tasks itself."""
    return Site(
        folder=tmp_path,
        caller=["-c", RUNS_EVERY_PAGE.replace("TIMES", "1")],
        processes={"measuring": psutil.Process()},
        programs=[],
        env={FOLDER: str(tmp_path)},
    )


def test_a_run_ends_with_its_last_task(site: Site) -> None:
    run = site.run(pages_of_open_sessions(0, 20))
    second = site.run(pages_of_open_sessions(20, 10), rate=1000)

    assert (run.tasks, len(run.latencies)) == (20, 20)
    assert (second.tasks, len(second.latencies)) == (10, 10)
    assert run.seconds > 0
    assert set(run.cpu_s) == {"measuring", "caller"}


def test_a_task_that_runs_twice_fails_the_run(site: Site) -> None:
    site.caller = ["-c", RUNS_EVERY_PAGE.replace("TIMES", "2")]

    with pytest.raises(RuntimeError, match="40 tasks have run, expected 20"):
        site.run(pages_of_open_sessions(0, 20))


def test_a_task_of_another_page_fails_the_run(site: Site) -> None:
    right = pages_of_open_sessions(0, 20)

    with pytest.raises(RuntimeError, match="20 tasks have run, but not those of the rules"):
        site.run(Lot(right.events, pages_of_open_sessions(1, 20).expected))


def test_a_run_without_progress_fails(site: Site) -> None:
    site.caller = ["-c", RUNS_EVERY_PAGE.replace("TIMES", "0")]

    with pytest.raises(RuntimeError, match="no task has run for 0 s, after 0 of 20"):
        site.run(pages_of_open_sessions(0, 20), patience_s=0.2)


def test_a_caller_that_fails_says_why(site: Site) -> None:
    site.caller = ["-c", "raise SystemExit('no Redis')"]

    with pytest.raises(RuntimeError, match="caller ended with 1:\nno Redis"):
        site.run(pages_of_open_sessions(0, 20))


def test_commands_are_compared_with_their_kwargs() -> None:
    right = Counter([command_of("s", "t#0", "app.T", {"a": 1, "b": 2})])

    compare("a program", Counter([command_of("s", "t#0", "app.T", {"b": 2, "a": 1})]), right)
    with pytest.raises(RuntimeError, match="a program has written 1 commands of 1; 1 are wrong"):
        compare("a program", Counter([command_of("s", "t#0", "app.T", {"a": 2})]), right)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (restate_server.find_server, "npm is missing: install Node.js"),
        (kafka_streams.build_program, "java is missing: install Java 17 and Maven"),
    ],
)
def test_what_is_missing_is_named_with_what_to_install(
    prepare: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert callable(prepare)

    with pytest.raises(SettingsError, match=message):
        prepare()


def test_a_machine_without_postgres_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)

    with pytest.raises(SettingsError, match="PostgreSQL is missing: install it"):
        postgres.find_postgres()


def test_without_java_our_agent_is_measured_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    left_out: list[str] = []

    (only,) = sections.available_processors(left_out.append)

    assert only is AGENT_ALONE
    assert left_out == ["Kafka Streams: java is missing: install Java 17 and Maven (openjdk-17-jdk-headless, maven)"]


def test_a_jar_with_another_checksum_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kafka-streams-4.1.0.jar").write_bytes(b"another")

    with pytest.raises(SettingsError, match=r"the checksum of .*kafka-streams-4\.1\.0\.jar"):
        kafka_streams.check_jars(tmp_path)


def test_the_summary_compares_whole_loops_by_round() -> None:
    ours = [_loop(900, agents=0.3, celery=0.5, broker=0.4), _loop(600, agents=0.2, celery=0.4, broker=0.4)]
    figures = Figures(
        loops={"triggers": ours, "Restate": [_loop(300, server=2.0), _loop(300, server=2.0)]},
        steady={"50": {"triggers": [SteadyRun(latency=summarize([0.01] * 99), cpu_ms={"agents": 4.0}, load=1.0)]}},
    )

    summary = summarise(figures)

    assert summary["whole_loop_tasks_per_s_over_restate"] == 2.5
    assert summary["whole_loop_cpu_over_restate"] == 0.55
    assert summary["cpu_ms_per_task"] == 1.1
    assert summary["cpu_ms_per_task_celery"] == 0.45
    assert summary["task_started_p99_ms_at_50"] == 10
    assert summary["cpu_ms_per_task_at_50"] == 4
    assert "whole_loop_tasks_per_s_over_celery_by_hand" not in summary


def test_the_summary_compares_the_agent_with_kafka_streams_at_equal_work() -> None:
    few, many = ({AGENT_ALONE.name: [_rate(ours)], EQUAL_WORK.name: [_rate(10)]} for ours in (15, 30))

    summary = summarise(Figures(throughput={FEW_OPEN.name: few, MANY_OPEN.name: many}))

    assert summary["agent_cpu_over_kafka_streams"] == 1.5
    assert summary["agent_cpu_over_kafka_streams_100k"] == 3
    assert summary["agent_cpu_us_100k"] == 30


def test_the_table_of_whole_loops_has_the_cost_by_process() -> None:
    ((title, _, rows),) = loop_tables({"triggers": [_loop(900, agents=0.3, broker=0.4)]}, {})

    assert title == "Whole questionnaires, from fire to finished task"
    assert rows[0][2:5] == ("900 / 900 / 900", "0.70 / 0.70 / 0.70", "agents 0.30, broker 0.40")


def test_rounds_are_added_to_those_of_the_last_run() -> None:
    before = Figures(
        measured={"loops": "yesterday"}, loops={"triggers": [_loop(1)]}, throughput={"w": {"p": [_rate(1)]}}
    )
    now = Figures(measured={"loops": "today"}, loops={"triggers": [_loop(2)], "DBOS": [_loop(3)]})

    add_rounds(before, now)

    assert [run.tasks_per_s for run in now.loops["triggers"]] == [1, 2]
    assert len(now.loops["DBOS"]) == 1
    assert now.measured == {"loops": "yesterday; today"}
    assert now.throughput == {}


def test_sections_of_one_field_keep_each_others_figures() -> None:
    run = SteadyRun(latency=summarize([0.01] * 99), cpu_ms={}, load=1.0)
    before = Figures(measured={"steady_500": "yesterday"}, steady={"500": {"triggers": [run]}})
    now = Figures(measured={"steady_50": "today"}, steady={"50": {"triggers": [run]}})

    keep(before, now)

    assert set(now.steady) == {"50", "500"}


def test_systems_take_turns_until_the_time_is_over() -> None:
    left_out: list[str] = []

    assert list(_turns(left_out, ends_at=inf).of(["a", "b"])) == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
    assert list(_turns(left_out, ends_at=0).of(["a", "b"])) == []
    assert left_out == ["the rest of round 1 of 2: the time was over"]


def test_a_system_that_fails_is_left_out_with_its_error() -> None:
    left_out: list[str] = []

    def fail() -> int:
        raise RuntimeError("39 tasks have run, expected 40")

    turns = _turns(left_out, ends_at=inf)

    assert turns.measure("DBOS", fail) is None
    assert turns.measure("Restate", lambda: 1) == 1
    assert left_out == ["DBOS: 39 tasks have run, expected 40"]


def _turns(left_out: list[str], ends_at: float) -> Turns:
    return Turns(brokers="", rounds=2, latency_s=1, say=lambda _: None, leave_out=left_out.append, ends_at=ends_at)


def test_cpu_time_is_given_for_a_task() -> None:
    assert cpu_ms_of({"agents": 1.5}, 1000) == {"agents": 1.5}


def _loop(tasks_per_s: float, **cpu_ms: float) -> LoopRun:
    return LoopRun(tasks=1, tasks_per_s=tasks_per_s, cpu_ms=cpu_ms, load=1.0)


def _rate(cpu_us: float) -> Rate:
    return Rate(
        events_per_s=1, cpu_us_per_event=cpu_us, broker_cpu_us_per_event=1, resident_mb=1, events=1, records_out=1
    )
