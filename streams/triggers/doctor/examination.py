"""Runs all checks in the order in which people fix their problems: connection, permissions, topics, processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from triggers.doctor.access import check_access
from triggers.doctor.brokers import check_brokers, check_client, check_connection
from triggers.doctor.findings import DoctorVerdict, Finding
from triggers.doctor.machine import check_folder
from triggers.doctor.processes import check_agents, check_clocks, check_executors, check_rules
from triggers.doctor.topics import check_timestamps, check_topic_configurations
from triggers.errors import AccessDenied, TriggersError
from triggers.kafka.permissions import Process
from triggers.settings import Settings

Check = Callable[[], Iterable[Finding]]


def examine(settings: Settings, process: Process | None, retention_days: int) -> Iterator[Finding]:
    """Yields the findings of all checks. Blocks for some seconds.

    `process` is the kind of process whose permissions are checked; the default is the operator's. Without a connection,
    only the checks of this machine are made.
    """
    yield from check_client(settings)
    if process in {None, Process.AGENT}:
        yield from check_folder(settings)
    connected = [*_run("connection", lambda: check_connection(settings))]
    yield from connected
    if any(each.verdict is DoctorVerdict.PROBLEM for each in connected):
        return
    checks: dict[str, Check] = {
        "brokers": lambda: check_brokers(settings),
        "permissions": lambda: check_access(settings, process or Process.OPERATOR),
        "topics": lambda: check_topic_configurations(settings, retention_days),
        "timestamps": lambda: check_timestamps(settings),
        "rules": lambda: check_rules(settings),
        "agents": lambda: check_agents(settings),
        "clocks": lambda: check_clocks(settings),
        "executors": lambda: check_executors(settings),
    }
    for name, check in checks.items():
        yield from _run(name, check)


def _run(name: str, check: Check) -> list[Finding]:
    """Returns the findings of a check, or one about the error that it raises."""
    try:
        return list(check())
    except AccessDenied as error:
        verdict = DoctorVerdict.PROBLEM if name == "connection" else DoctorVerdict.UNKNOWN
        return [Finding(name, verdict, str(error), "" if name == "connection" else "run it as the operator")]
    except TriggersError as error:
        return [Finding(name, DoctorVerdict.PROBLEM, str(error))]
