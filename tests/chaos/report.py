"""The report of a campaign, as tables and as JSON."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.chaos.campaign import Outcome
from tests.chaos.verdict import OracleVerdict


def report_fields(outcome: Outcome) -> dict[str, Any]:
    """Returns the report as a JSON object."""
    plan, verdict = outcome.plan, outcome.verdict
    return {
        "seed": plan.seed,
        "duration_s": plan.duration_s,
        "agents": plan.agents,
        "celery_workers": plan.celery_workers,
        "brokers": plan.brokers,
        "dispatcher": plan.dispatcher,
        "schedule": [{"at_s": s.at_s, "fault": s.kind, "target": s.target, "hold_s": s.hold_s} for s in outcome.shots],
        "faults": dict(outcome.struck),
        "stalls_s": outcome.stalls,
        "light_per_s": plan.light_per_s,
        "answers": outcome.answers,
        "published": outcome.published,
        "repeated": outcome.repeated,
        **_counts_of(verdict),
        "drained": outcome.is_drained,
        "drain_s": round(outcome.drain_s, 1),
        "peak_mb": outcome.peak_mb,
        "gaps": outcome.gaps,
        "lags": [str(lag) for lag in outcome.lags],
        "worker_exits": dict(outcome.ends),
        "lost": dict(verdict.lost),
        "wrong": dict(verdict.wrong),
        "samples": verdict.samples,
        "clean": outcome.is_clean,
    }


def _counts_of(verdict: OracleVerdict) -> dict[str, Any]:
    """Returns what was counted when the installation was judged."""
    return {
        "events": verdict.events,
        "sessions": verdict.sessions,
        "rows": verdict.rows,
        "commands": verdict.commands,
        "executions": verdict.executions,
        "duplicates": verdict.duplicates,
        "lost_with_their_process": verdict.lost_tasks,
        "dead_letters": verdict.dead_letters,
        "forwarded": verdict.forwarded,
        "published_rules": verdict.publications,
        "sessions_with_published_rules": verdict.ruled,
        "sessions_of_the_second_model": verdict.modelled,
        "timers": verdict.timers,
        "idle_timers": verdict.idle_timers,
        "longest_wait_s": round(verdict.longest_wait_s, 1),
        "cancelled": verdict.cancelled,
        "forwards": verdict.forwards,
    }


def dump_json(outcome: Outcome) -> str:
    """Returns the report as indented JSON."""
    return json.dumps(report_fields(outcome), indent=2)


def print_report(outcome: Outcome, console: Console) -> None:
    """Prints two tables and samples of what was lost or wrong."""
    console.print(_faults(outcome))
    console.print(_counts(outcome))
    for what, samples in outcome.verdict.samples.items():
        console.print(f"[red]{what}[/]", *samples, sep="\n  ", markup=True, highlight=False)
    if not outcome.is_drained:
        console.print(f"[red]not everything was done {outcome.drain_s:.0f} s after the last fault[/]")


def _faults(outcome: Outcome) -> Table:
    table = Table(title=f"Faults, seed {outcome.plan.seed}, {outcome.plan.duration_s:.0f} s", title_justify="left")
    table.add_column("fault")
    for column in ("times", "longest stall of state, s", "of partitions not struck, s", "of tasks, s"):
        table.add_column(column, justify="right")
    for name in sorted(outcome.struck.keys() | outcome.stalls.keys()):
        stalls = outcome.stalls.get(name, {})
        table.add_row(
            name, str(outcome.struck[name]), *(_seconds(stalls.get(what)) for what in ("state", "others", "tasks"))
        )
    return table


def _seconds(stall: float | None) -> str:
    return "-" if stall is None else f"{stall:.1f}"


def _counts(outcome: Outcome) -> Table:
    verdict, table = outcome.verdict, Table(show_header=False)
    table.add_column("what")
    table.add_column("number", justify="right")
    rows = (
        ("faults", outcome.struck.total()),
        ("events published", outcome.published),
        ("events on the topic, results included", verdict.events),
        *((f"requests that were {how}", sum(counts.values())) for how, counts in outcome.answers.items()),
        ("sessions", verdict.sessions),
        ("rows", verdict.rows),
        ("commands", verdict.commands),
        ("executions of tasks", verdict.executions),
        ("duplicates at the task", verdict.duplicates),
        ("tasks reported as lost with their process", verdict.lost_tasks),
        ("dead letters, all planted", verdict.dead_letters),
        ("events forwarded to their partition", verdict.forwarded),
        ("versions of published rules", verdict.publications),
        ("sessions with published rules", verdict.ruled),
        ("sessions that the second model judged, too", verdict.modelled),
        ("timers that fired", verdict.timers),
        ("events of timers without effect", verdict.idle_timers),
        ("seconds by which a timer was late, at most", round(verdict.longest_wait_s)),
        ("attempts cancelled by rules", verdict.cancelled),
        ("triggers forwarded by rules", verdict.forwards),
        (
            "peak memory of an agent, MB",
            max((mb for name, mb in outcome.peak_mb.items() if "worker-" in name), default=0),
        ),
        *((f"gaps in the events that agents read, {how}", count) for how, count in sorted(outcome.gaps.items())),
        ("lags compared", len(outcome.lags)),
        ("seconds to drain", round(outcome.drain_s)),
        ("lost", verdict.lost.total()),
        ("wrong", verdict.wrong.total()),
    )
    for what, number in rows:
        table.add_row(what, f"{number:,}")
    return table
