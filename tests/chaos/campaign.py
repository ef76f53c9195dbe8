"""A campaign: start everything, strike by the schedule, let it drain, judge."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.chaos.evidence import gather
from tests.chaos.faults import FAULTS
from tests.chaos.oracle import Verdict, judge
from tests.chaos.plan import Plan
from tests.chaos.schedule import Kind, Shot, schedule
from tests.chaos.watch import Stall, Watch
from tests.chaos.world import LOG, World, started

from triggers.celery.ledger import finished_beyond
from triggers.client.consumer_lag import consumer_lag
from triggers.errors import TryAgain
from triggers.processing.exits import ExitCode
from triggers.settings import Settings
from triggers.topology import Topology

_LOOK_EVERY_S = 0.2
_QUIET_S = 4.0
"""Longer than any cooldown of the campaign's tasks: nothing comes any more."""


@dataclass
class Outcome:
    """Everything that is worth telling of a campaign."""

    plan: Plan
    shots: list[Shot]
    verdict: Verdict = field(default_factory=Verdict)
    struck: Counter[str] = field(default_factory=Counter)
    stalls: dict[str, dict[str, float]] = field(default_factory=dict)
    """Fault -> `state`, `tasks` and `others` (state of partitions whose owner it did not strike) -> longest stall in
    seconds."""
    peak_mb: dict[str, int] = field(default_factory=dict)
    """Service -> the most memory one of its processes had."""
    published: int = 0
    repeated: int = 0
    drain_s: float = 0.0
    is_drained: bool = False
    ends: Counter[str] = field(default_factory=Counter)
    """How workers ended, as their supervisors say."""

    @property
    def is_clean(self) -> bool:
        """Everything was done, nothing lost, nothing wrong."""
        return self.is_drained and self.verdict.is_clean


def run(plan: Plan) -> Outcome:
    """Run the campaign of a plan. Blocks for its duration and some minutes more. Raises NotStarted."""
    with started(plan) as world:
        world.wait_until_ready()
        outcome = Outcome(plan, schedule(plan.seed, plan.duration_s, _kinds(plan), world.things(), plan.calm_s))
        watch = Watch(world.settings)
        watch.start()
        for producer in world.producers:
            producer.start()
        hits = _strike_all(world, outcome)
        _drain(world, watch, outcome)
        watch.finish()
        outcome.verdict = judge(gather(world, is_drained=outcome.is_drained))
        _note(world, outcome, watch.stalls, hits)
    return outcome


@dataclass
class _Hit:
    """A fault under way."""

    shot: Shot
    steps: Iterator[float]
    began: float
    next_at: float
    struck: frozenset[int]
    """Partitions of the agent that it strikes."""
    is_over: bool = False


def _kinds(plan: Plan) -> list[Kind]:
    names = plan.faults or tuple(FAULTS)
    return [FAULTS[name].kind for name in names]


def _strike_all(world: World, outcome: Outcome) -> list[_Hit]:
    """Strike when it is time, and tend to everything else, until the duration is over and every fault has ended."""
    began, waiting, hits = time.monotonic(), list(outcome.shots), list[_Hit]()
    while True:
        now = time.monotonic()
        while waiting and now - began >= waiting[0].at_s:
            hits.append(_begin(world, waiting.pop(0), now))
            outcome.struck[hits[-1].shot.kind] += 1
        for hit in hits:
            if not hit.is_over and time.monotonic() >= hit.next_at:
                _go_on(world, hit)
        if not waiting and now - began >= world.plan.duration_s and all(hit.is_over for hit in hits):
            return hits
        world.tend()
        time.sleep(_LOOK_EVERY_S)


def _begin(world: World, shot: Shot, now: float) -> _Hit:
    struck = (world.agents[shot.target].partitions() or ()) if shot.on == "agent" else range(world.plan.partitions)
    return _Hit(shot, FAULTS[shot.kind].strike(world, shot), now, now, frozenset(struck))


def _go_on(world: World, hit: _Hit) -> None:
    pause = next(hit.steps, None)
    hit.is_over = pause is None
    hit.next_at = time.monotonic() + (pause or 0.0)
    world.relay.write(
        "chaos", f"{hit.shot.kind} on {hit.shot.on} {hit.shot.target}: {'over' if hit.is_over else pause}"
    )


def _drain(world: World, watch: Watch, outcome: Outcome) -> None:
    """Heal everything, let the producers finish, and wait until nothing is left to do."""
    began = time.monotonic()
    for producer in world.producers:
        producer.finish()
    for machine in world.machines():
        machine.up()
    quiet_since, seen = time.monotonic(), -1
    while time.monotonic() - began < world.plan.drain_s:
        world.tend()
        time.sleep(_LOOK_EVERY_S)
        busy = watch.outstanding() or watch.events != seen or not world.is_complete() or _lag(world.settings)
        seen = watch.events
        if busy:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > _QUIET_S:
            outcome.is_drained = True
            break
    outcome.drain_s = time.monotonic() - began


def _lag(settings: Settings) -> int:
    """Records that workers and executors have not done yet; 1 when nobody can say."""
    try:
        rows = consumer_lag(settings, 1000, finished_beyond)
    except TryAgain:
        return 1
    topic = Topology(settings.namespace).events
    return sum(row.lag if row.records is None else row.records for row in rows if row.topic == topic)


def _note(world: World, outcome: Outcome, stalls: list[Stall], hits: list[_Hit]) -> None:
    outcome.published = sum(len(producer.published.places) for producer in world.producers)
    outcome.repeated = sum(producer.published.repeated for producer in world.producers)
    outcome.peak_mb = {machine.service.name: machine.peak_mb for machine in world.machines()}
    outcome.ends = ends_of_workers(world)
    bugs = outcome.ends[str(int(ExitCode.ENGINE_BUG))]
    outcome.verdict.charge(outcome.verdict.wrong, "workers ended by a bug", ["see processes.log"] * bugs)
    for stall in stalls:
        hit = _blame(stall, hits)
        worst = outcome.stalls.setdefault(hit.shot.kind if hit else "none", {})
        for what in (stall.what, *_of_others(stall, hit)):
            worst[what] = round(max(worst.get(what, 0.0), stall.seconds), 1)


def _blame(stall: Stall, hits: list[_Hit]) -> _Hit | None:
    """The fault that began last before nothing moved any more."""
    before = [hit for hit in hits if hit.began <= stall.began + 1.5]
    return before[-1] if before else None


def _of_others(stall: Stall, hit: _Hit | None) -> tuple[str, ...]:
    """Survivors keep working: what their partitions wait for is told apart."""
    is_others = hit is not None and stall.what == "state" and stall.partition not in hit.struck
    return ("others",) if is_others else ()


def ends_of_workers(world: World) -> Counter[str]:
    """Exit code -> how many workers ended with it, as their supervisors say."""
    lines = (world.plan.folder / LOG).read_text(errors="replace").splitlines()
    ended = [line for line in lines if "worker ended" in line]
    return Counter(line.partition("code=")[2].split()[0] for line in ended if "code=" in line)
