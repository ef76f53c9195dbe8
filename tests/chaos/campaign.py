"""Runs a campaign: it starts everything, strikes by the schedule, drains and judges."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.chaos.draining import drain
from tests.chaos.ending import ending
from tests.chaos.evidence import gather
from tests.chaos.faults import FAULTS
from tests.chaos.gap_counts import GapCounts
from tests.chaos.lag_census import Count, take_census
from tests.chaos.oracle import judge
from tests.chaos.plan import Plan
from tests.chaos.producers import PasserBy
from tests.chaos.schedule import Kind, Shot, schedule
from tests.chaos.verdict import OracleVerdict
from tests.chaos.watch import Stall, Watch
from tests.chaos.world import LOG, World, start_world

from triggers.process.exits import ExitCode

_POLL_INTERVAL_S = 0.2


@dataclass
class Outcome:
    """The result of a campaign, from which its report is made."""

    plan: Plan
    shots: list[Shot]
    verdict: OracleVerdict = field(default_factory=OracleVerdict)
    struck: Counter[str] = field(default_factory=Counter)
    stalls: dict[str, dict[str, float]] = field(default_factory=dict)
    """Fault -> `state`, `tasks` or `others` -> longest stall in seconds.

    `others` is the state of partitions whose owner the fault did not strike."""
    peak_mb: dict[str, int] = field(default_factory=dict)
    """Service -> peak memory of one of its processes, in MB."""
    published: int = 0
    repeated: int = 0
    answers: dict[str, dict[str, int]] = field(default_factory=dict)
    """`answered late`, `unanswered` or `unheard` -> name of a request -> how often that happened to it."""
    gaps: dict[str, int] = field(default_factory=dict)
    """Outcome -> number of gaps in the events that the agents have examined, by their metrics."""
    lags: list[Count] = field(default_factory=list)
    """Every lag that was compared with the number of unfinished records."""
    drain_s: float = 0.0
    is_drained: bool = False
    ends: Counter[str] = field(default_factory=Counter)
    """Exit code -> number of workers that ended with it, by their supervisors' logs."""

    @property
    def is_clean(self) -> bool:
        """True if everything was done, nothing was lost and nothing was wrong."""
        return self.is_drained and self.verdict.is_clean


def run(plan: Plan) -> Outcome:
    """Runs the campaign of a plan. Blocks for its duration and some more minutes. Raises NotStarted."""
    with start_world(plan) as world:
        world.wait_until_ready()
        outcome = Outcome(plan, schedule(plan.seed, plan.duration_s, _kinds(plan), world.things(), plan.calm_s))
        watch, gaps = Watch(world.settings), GapCounts(world.agents)
        with ending(watch), ending(gaps):
            hits = _publish_and_strike(world, watch, outcome)
            _finish_work(world, watch, outcome)
        outcome.gaps = dict(gaps.total)
        outcome.verdict = judge(gather(world, is_drained=outcome.is_drained, tallies=watch.tallies))
        _fill_outcome(world, outcome, watch.stalls, hits)
    return outcome


def _publish_and_strike(world: World, watch: Watch, outcome: Outcome) -> list[_Hit]:
    """Lets the applications publish while faults strike."""
    if world.publications is not None:
        world.publications.begin()
    for producer in world.producers:
        producer.start()
    hits = _strike_all(world, outcome)
    watch.end_stalls()
    for producer in world.producers:
        producer.finish()
    if world.publications is not None:
        world.publications.finish()
    return hits


def _finish_work(world: World, watch: Watch, outcome: Outcome) -> None:
    """Waits until everything is done, and counts what is left at some moments."""
    world.producers.append(passer_by := PasserBy(world.settings, world.plan.seed))
    _drain(world, watch, passer_by, outcome)
    if world.plan.census and outcome.is_drained and not world.plan.dispatcher:
        outcome.lags = take_census(world, watch)
        _drain(world, watch, passer_by, outcome)


@dataclass
class _Hit:
    """A fault that has begun."""

    shot: Shot
    steps: Iterator[float]
    began: float
    next_at: float
    struck: frozenset[int]
    """Partitions of the agent that the fault strikes."""
    is_over: bool = False


def _kinds(plan: Plan) -> list[Kind]:
    names = plan.faults or tuple(FAULTS)
    return [FAULTS[name].kind for name in names]


def _strike_all(world: World, outcome: Outcome) -> list[_Hit]:
    """Strikes by the schedule until the duration is over and every fault has ended."""
    began, waiting, hits = time.monotonic(), list(outcome.shots), list[_Hit]()
    while True:
        now = time.monotonic()
        while waiting and now - began >= waiting[0].at_s:
            hits.append(_begin(world, waiting.pop(0), now))
            outcome.struck[hits[-1].shot.kind] += 1
        for hit in hits:
            if not hit.is_over and time.monotonic() >= hit.next_at:
                _step_on(world, hit)
        if not waiting and now - began >= world.plan.duration_s and all(hit.is_over for hit in hits):
            return hits
        world.tend()
        time.sleep(_POLL_INTERVAL_S)


def _begin(world: World, shot: Shot, now: float) -> _Hit:
    struck = (world.agents[shot.target].partitions() or ()) if shot.on == "agent" else range(world.plan.partitions)
    return _Hit(shot, FAULTS[shot.kind].strike(world, shot), now, now, frozenset(struck))


def _step_on(world: World, hit: _Hit) -> None:
    pause = next(hit.steps, None)
    hit.is_over = pause is None
    hit.next_at = time.monotonic() + (pause or 0.0)
    world.relay.write(
        "chaos", f"{hit.shot.kind} on {hit.shot.on} {hit.shot.target}: {'over' if hit.is_over else pause}"
    )


def _drain(world: World, watch: Watch, passer_by: PasserBy, outcome: Outcome) -> None:
    """Starts everything and waits until nothing is left to do. Called again after the census, which leaves work."""
    began = time.monotonic()
    outcome.is_drained = drain(world, watch, passer_by)
    outcome.drain_s += time.monotonic() - began


def _fill_outcome(world: World, outcome: Outcome, stalls: list[Stall], hits: list[_Hit]) -> None:
    outcome.published = sum(len(producer.published) for producer in world.producers)
    outcome.repeated = sum(producer.published.repeated for producer in world.producers)
    doors = world.brokers.doors.values()
    outcome.answers = {
        "answered late": dict(sum((door.late for door in doors), Counter())),
        "unanswered": dict(sum((door.lost for door in doors), Counter())),
        "unheard": dict(sum((door.unheard for door in doors), Counter())),
    }
    outcome.peak_mb = {machine.service.name: machine.peak_mb for machine in world.machines()}
    outcome.ends = ends_of_workers(world)
    bugs = outcome.ends[str(int(ExitCode.ENGINE_BUG))]
    outcome.verdict.charge(outcome.verdict.wrong, "lags", (lag for lag in outcome.lags if not lag.is_right))
    outcome.verdict.charge(outcome.verdict.wrong, "workers ended by a bug", ["see processes.log"] * bugs)
    for stall in stalls:
        hit = _blame(stall, hits)
        worst = outcome.stalls.setdefault(hit.shot.kind if hit else "none", {})
        for what in (stall.what, *_of_others(stall, hit)):
            worst[what] = round(max(worst.get(what, 0.0), stall.seconds), 1)


def _blame(stall: Stall, hits: list[_Hit]) -> _Hit | None:
    """Returns the last fault that began before the stall."""
    before = [hit for hit in hits if hit.began <= stall.began + 1.5]
    return before[-1] if before else None


def _of_others(stall: Stall, hit: _Hit | None) -> tuple[str, ...]:
    """Returns ("others",) if the stall is one of a partition whose owner the fault did not strike."""
    is_others = hit is not None and stall.what == "state" and stall.partition not in hit.struck
    return ("others",) if is_others else ()


def ends_of_workers(world: World) -> Counter[str]:
    """Returns how many workers ended with each exit code, by their supervisors' logs."""
    lines = (world.plan.folder / LOG).read_text(errors="replace").splitlines()
    ended = [line for line in lines if "worker ended" in line]
    return Counter(line.partition("code=")[2].split()[0] for line in ended if "code=" in line)
