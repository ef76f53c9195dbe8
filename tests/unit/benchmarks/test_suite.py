"""A run of the benchmark, its summary and its tables, without a broker."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.__main__ import Document, write
from benchmarks.contenders import AGENT, FAUST, FEW, MANY, PASSTHROUGH
from benchmarks.earlier_runs import keep
from benchmarks.latency import PARTITIONS, latency_name, summarize
from benchmarks.micro_level import Steps
from benchmarks.plan import QUICK
from benchmarks.publishing import ADOPTING, BEFORE, Publication
from benchmarks.report import report
from benchmarks.soak import Soak
from benchmarks.suite import PUBLISHING, SECTIONS, Figures, Suite
from benchmarks.summary import TARGETS, summarise
from benchmarks.throughput import Rate
from benchmarks.worker_costs import Recovery

PASSED, OURS, SLOW = (
    Rate(events_per_s=speed, cpu_us_per_event=cpu, broker_cpu_us_per_event=1, resident_mb=1, events=1, records_out=1)
    for speed, cpu in ((100.0, 2.0), (80.0, 8.0), (2.0, 400.0))
)


def test_the_summary_has_the_ratios_of_what_was_measured() -> None:
    runs = {PASSTHROUGH.name: [PASSED], FAUST.name: [SLOW], AGENT.name: [OURS]}
    figures = Figures(
        throughput={FEW.name: runs, MANY.name: runs},
        latency={latency_name("command visible", PARTITIONS[0], celery=False): [summarize([0.01] * 99)]},
    )

    summary = summarise(figures)

    assert summary["ratio_to_passthrough"] == 0.8
    assert summary["cpu_ratio_to_passthrough"] == 0.25
    assert summary["ratio_to_stock_faust"] == 40
    assert summary["visible_p50_ms"] == 10
    assert "ratio_to_old_framework_5_pages" not in summary


def test_the_cost_of_a_long_session_is_compared_with_a_short_one() -> None:
    names = ["session_from_its_rows[5]", "session_from_its_rows[500]", "session_from_its_rows[5000]"]
    names += ["rules_that_ignore_the_event[0]", "rules_that_ignore_the_event[200]"]
    names += ["stored_sessions[10000]", "stored_sessions[1000000]"]
    figures = Figures(steps={name: Steps(1, number + 1, 9) for number, name in enumerate(names)})

    assert summarise(figures)["cost_500_over_5_pages"] == 2
    assert summarise(figures)["cost_5000_over_5_pages"] == 3


def test_memory_of_a_small_run_is_not_held_against_the_target_for_a_million_sessions() -> None:
    small = Recovery(
        sessions=20_000,
        partitions=8,
        rows=300_000,
        seconds=1,
        rows_per_s=300_000,
        cpu_us_per_row=3,
        resident_mb=300,
        disk_mb=40,
    )
    large = msgspec.structs.replace(small, sessions=1_000_000, partitions=64)

    assert "resident_mb" not in summarise(Figures(recovery=[small]))
    assert summarise(Figures(recovery=[large]))["resident_mb"] == 300


def test_a_soak_compares_its_last_third_with_the_second() -> None:
    run = Soak(seconds=1800, events=1, sessions=1, resident_mb=[100.0] * 20 + [200.0] * 20 + [210.0] * 20)
    short = msgspec.structs.replace(run, seconds=60)

    assert summarise(Figures(soak=[run]))["soak_growth"] == 1.05
    assert "soak_growth" not in summarise(Figures(soak=[short]))
    assert "| 1,800 | 1 | 1 | 100 | 100 | 200 | 200 | 210 | 210 |" in report(Figures(soak=[run]), {})


def test_the_longest_stall_of_a_killed_agent_is_held_against_the_target() -> None:
    figures = Figures(stall_s=[6.1, 6.6])

    assert summarise(figures)["killed_agent_stall_s"] == 6.6
    assert "stall of a killed agent, s" in report(figures, {})


def test_every_target_names_a_figure_once() -> None:
    assert len({target.figure for target in TARGETS}) == len(TARGETS)


def test_a_run_writes_its_figures_and_its_tables(tmp_path: Path) -> None:
    figures = Figures(
        throughput={MANY.name: {PASSTHROUGH.name: [PASSED], AGENT.name: [OURS]}}, left_out=["Quix: no net"]
    )

    write(figures, tmp_path / "results")

    found = msgspec.json.decode((tmp_path / "results" / "latest.json").read_bytes(), type=Document)
    text = (tmp_path / "results" / "latest.md").read_text()
    assert found.summary["ratio_to_passthrough"] == 0.8
    assert found.throughput == figures.throughput
    assert "| ≥ 0.6 of the pass-through, 100,000 sessions in flight | 0.8 | met |" in text
    assert "Left out: Quix: no net" in text


def test_a_section_that_is_not_measured_again_keeps_its_figures() -> None:
    before = Figures(measured={"worker": "yesterday", "steps": "yesterday"}, cold_start_s=[2.0])
    now = Figures(measured={"steps": "today"}, steps={"apply": Steps(1, 2, 3)})

    keep(before, now)

    assert now.cold_start_s == [2.0]
    assert now.measured == {"worker": "yesterday", "steps": "today"}
    assert list(now.steps) == ["apply"]


def test_publications_are_a_table_beside_the_rates_of_their_phases() -> None:
    one = Publication(sessions=100_000, existing="adopt", call_s=0.756, agent_cpu_ms=40.2, changelog_offsets=32)
    rates = {BEFORE: [OURS], ADOPTING: [SLOW]}

    text = report(Figures(throughput={PUBLISHING: rates}, publications=[one]), {})

    assert "| 100,000 | adopt | 0.76 | 40 | 32 |" in text
    assert f"### Throughput: {PUBLISHING}" in text
    assert f"| {ADOPTING} | 2 / 2 / 2 |" in text


def test_a_section_whose_program_fails_is_left_out_and_the_next_one_runs() -> None:
    def fails(_suite: Suite) -> None:
        raise RuntimeError("celery ended with 2")

    def succeeds(suite: Suite) -> None:
        suite.figures.cold_start_s = [1.0]

    original = dict(SECTIONS)
    SECTIONS.update(celery=fails, worker=succeeds)
    try:
        figures = Suite(QUICK, "nowhere:1", None, lambda _: None).run(["celery", "worker"])
    finally:
        SECTIONS.update(original)

    assert figures.left_out == ["the rest of celery: celery ended with 2"]
    assert figures.cold_start_s == [1.0]
