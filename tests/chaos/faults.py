"""All kinds of faults, by name, with what they strike and for how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.chaos import agent_faults, answer_faults, group_faults, other_faults
from tests.chaos.agent_faults import Steps
from tests.chaos.schedule import Kind, Shot
from tests.chaos.world import World

Strike = Callable[[World, Shot], Steps]


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault and the function that causes it."""

    kind: Kind
    strike: Strike
    family: str

    @property
    def meaning(self) -> str:
        """A sentence that describes the fault."""
        return (self.strike.__doc__ or "").strip()


PROCESSES, ANSWERS, GROUP = "processes", "answers", "group"
FAMILIES = (PROCESSES, ANSWERS, GROUP)
"""Groups of faults: of processes with their disks, clocks and networks, of brokers' answers, of the workers' group."""


def _fault(
    name: str,
    on: str,
    strike: Strike,
    shortest_s: float = 0.0,
    longest_s: float = 0.0,
    *,
    family: str = PROCESSES,
    **more: float,
) -> Fault:
    kind = Kind(name=name, on=on, shortest_s=shortest_s, longest_s=longest_s or shortest_s, **more)
    return Fault(kind, strike, family)


_PROCESSES: Sequence[Fault] = (
    _fault("agent killed", "agent", agent_faults.killed),
    _fault("agent's machine lost", "agent", agent_faults.machine_lost, 0, 15),
    _fault("agent stopped", "agent", agent_faults.stopped, 3, 8),
    _fault("agent frozen", "agent", agent_faults.frozen, 8, 18),
    _fault("all agents killed", "agents", agent_faults.all_killed),
    _fault("scaled 1-3-1", "agents", agent_faults.scaled, 24, 36, after_s=10),
    _fault("disk wiped", "agent", agent_faults.disk_wiped, 0, 8),
    _fault("disk stale", "agent", agent_faults.disk_stale, 8, 12, after_s=18),
    _fault("disk corrupt", "agent", agent_faults.disk_corrupt),
    _fault("disk full", "disk", agent_faults.disk_full, 3, 10),
    _fault("clock jumps", "clock", agent_faults.clock_jumps, 8, 16),
    _fault("clock off by seconds", "clock", agent_faults.clock_off, 8, 16),
    _fault("agent's network slow", "agent", agent_faults.network_slow, 8, 20),
    _fault("agent's network cut", "agent", agent_faults.network_cut, 3, 20),
    _fault("broker killed", "broker", other_faults.broker_killed, 0, 6, after_s=25),
    _fault("broker frozen", "broker", other_faults.broker_frozen, 5, 60, after_s=20),
    _fault("leader changes", "cluster", other_faults.leader_changes, 2, 8, after_s=25),
    _fault("brokers slow", "broker", other_faults.brokers_slow, 10, 20, after_s=10),
    _fault("brokers unreachable", "broker", other_faults.brokers_unreachable, 5, 30, after_s=15),
    _fault("Celery worker killed", "celery", other_faults.celery_killed, 0, 10),
    _fault("Celery worker stopped", "celery", other_faults.celery_stopped, 2, 6),
    _fault("Celery worker frozen", "celery", other_faults.celery_frozen, 8, 15),
    _fault("pool child killed", "celery", other_faults.pool_child_killed),
    _fault("all Celery workers down", "celeries", other_faults.celery_all_down, 10, 30),
    _fault("Celery's network cut", "celeries", other_faults.celery_cut, 5, 20),
    _fault("flood", "producers", other_faults.flood, 5, 15),
    _fault("Redis killed", "redis", other_faults.redis_killed, 0, 5),
)

_ANSWERS: Sequence[Fault] = tuple(
    _fault(f"{kind} {how}", "answers", strike(kind), 8, 16, family=ANSWERS)
    for kind in answer_faults.KINDS
    for how, strike in (
        ("late", answer_faults.late),
        ("unanswered", answer_faults.lost),
        ("unheard", answer_faults.unheard),
    )
)

_GROUP: Sequence[Fault] = (
    _fault("guests come and go", "group", group_faults.guests_come_and_go, 4, 8, family=GROUP),
    _fault("agents killed in turns", "agents", group_faults.killed_in_turns, 8, 16, family=GROUP, after_s=10),
    _fault("started before a backlog", "agents", group_faults.started_before_a_backlog, 5, 10, family=GROUP),
    _fault("a backlog inherited", "agents", group_faults.inherits_a_backlog, 10, 14, family=GROUP, after_s=10),
    _fault("broker just started", "broker", group_faults.broker_just_started, 0, 3, family=GROUP, after_s=25),
)

FAULTS = {fault.kind.name: fault for fault in (*_PROCESSES, *_ANSWERS, *_GROUP)}
"""Name -> fault."""
