"""Counts the instructions of an event for each kind of rule, and the memory of a session that remembers a thousand.

Instructions are counted by callgrind. They do not depend on what else the machine does, and differ by less than 1 %
between runs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import msgspec
import psutil

from benchmarks.compiled import agent_environment
from benchmarks.micro.rule_cases import CASES, LONG_PAGES, PAGES, Case, measured_events, page, stored_case
from benchmarks.micro.stored_session import PLANS, UID
from benchmarks.processes import ROOT
from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, Event, TriggerFired
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session

REMEMBERED = 1000
_REMEMBERING = Case(rule={"after": [{"trigger": "page", "count": "all"}, "end"]})
"""Its session remembers a thousand contributions, and its waiting instance holds them."""
_COLLECTED = re.compile(r"Collected : (\d+)")


class RuleCost(msgspec.Struct, frozen=True):
    """The cost of one event, from the event to its rows and encoded commands."""

    instructions: float
    """Thousands of instructions after five pages."""
    instructions_long: float | None
    """The same after five thousand pages, or None if the number of pages belongs to the case."""
    rows: float
    """Rows that are written, with those that are deleted."""


class MemoryCost(msgspec.Struct, frozen=True):
    """The memory of a session that remembers a thousand contributions of 200 bytes, in kB."""

    rows: float
    """Its rows, in RocksDB and in the changelog."""
    cached: float
    """The session in an agent's cache, between two batches."""
    event: float
    """What an event of its task needs beyond that while its batch is decided."""


def measure_rules(say: Callable[[str], None]) -> dict[str, RuleCost]:
    """Measures all cases. Raises RuntimeError without valgrind."""
    if shutil.which("valgrind") is None:
        raise RuntimeError("valgrind is not installed")
    costs: dict[str, RuleCost] = {}
    for name, case in CASES.items():
        long = _count(name, LONG_PAGES) if case.pages is None else None
        costs[name] = RuleCost(_count(name, PAGES), long, _rows_of(name))
        say(f"{name}: {costs[name].instructions:.1f} thousand instructions, {costs[name].rows:g} rows")
    return costs


def _count(case: str, pages: int) -> float:
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null"]
    command += [sys.executable, "-m", "benchmarks.programs.rule_events", case, str(pages)]
    env = psutil.Process().environ() | agent_environment() | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    counted = _COLLECTED.search(done.stderr)
    if counted is None:
        raise RuntimeError(f"callgrind has not counted {case!r}:\n{done.stderr[-2000:]}")
    return round(int(counted[1]) / int(done.stdout) / 1000, 1)


def _rows_of(name: str) -> float:
    stored = stored_case(name)
    session, rows = stored.load()
    events, written = measured_events(name, stored), 0
    for event in events:
        apply(session, event)
        changes = session.changes()
        rows.write(changes)
        written += len(changes)
    return written / len(events)


def measure_memory() -> MemoryCost:
    """Measures a session that remembers a thousand contributions."""
    rows, position = MemoryRows(), 0
    _step(rows, Session(UID, rows, PLANS), ConfigurationUpdated(configuration=_REMEMBERING.configuration()), 1)
    for position in range(2, REMEMBERED + 10):
        _step(rows, Session(UID, rows, PLANS), page(position), position)
    tracemalloc.start()
    try:
        session = Session(UID, rows, PLANS)
        _step(rows, session, TriggerFired(trigger="subject"), position + 1)
        cached, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        apply(session, msgspec.structs.replace(page(position), position=position + 2, time=position + 2))
        session.changes()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    stored = sum(len(key) + len(row) for key, row in rows.items() if UID.encode() in key)
    return MemoryCost(rows=stored / 1000, cached=cached / 1000, event=(peak - cached) / 1000)


def _step(rows: MemoryRows, session: Session, event: Event, position: int) -> None:
    apply(session, msgspec.structs.replace(event, position=position, time=position))
    rows.write(session.changes())
