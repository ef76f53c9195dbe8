"""Drains a campaign: it waits until everything runs and nothing is left to do."""

from __future__ import annotations

import time

from tests.chaos.orders import LONGEST_WAIT_S
from tests.chaos.producers import PasserBy
from tests.chaos.watch import Watch
from tests.chaos.world import World

from triggers.celery.ledger import finished_beyond
from triggers.client.consumer_lag import measure_lag
from triggers.errors import TryAgain
from triggers.settings import Settings
from triggers.topology import Topology

_POLL_INTERVAL_S = 0.2
_STILL_S = 5.0
_QUIET_S = LONGEST_WAIT_S + 4.0
"""Longer than any delay of the campaign's rules, so that no timer is left."""


def drain(world: World, watch: Watch, passer_by: PasserBy) -> bool:
    """Starts everything and waits. Returns whether everything was done in time.

    If nothing moves although work is left, an application publishes an event now and then, because a worker with a
    wrong position shows its fault only with the next event. A lag that becomes 0 too early hides nothing: the oracle
    checks every acknowledged event.
    """
    for machine in world.machines():
        machine.up()
    began = quiet_since = moved_at = time.monotonic()
    last_progress: tuple[int, ...] = ()
    while time.monotonic() - began < world.plan.drain_s:
        world.tend()
        time.sleep(_POLL_INTERVAL_S)
        progress = (watch.events, watch.outstanding(), _lag(world.settings))
        moved = progress != last_progress
        last_progress = progress
        now = time.monotonic()
        moved_at = now if moved else moved_at
        has_work = any(progress[1:]) or not world.is_complete()
        if moved or has_work:
            quiet_since = now
        elif now - quiet_since > _QUIET_S:
            return True
        if has_work and now - moved_at > _STILL_S:
            passer_by.pass_by()
            world.relay.write("chaos", f"nothing moves: {_describe_rest(world, watch)}")
            moved_at = now
    world.relay.write("chaos", f"not everything is done: {_describe_rest(world, watch)}")
    return False


def _describe_rest(world: World, watch: Watch) -> str:
    """Describes what is left to do, and which worker owns it."""
    owners = {agent.service.name: agent.partitions() for agent in world.agents}
    try:
        rows = [row for row in measure_lag(world.settings, 0) if row.lag]
    except TryAgain as error:
        return f"{owners}, {watch.outstanding()} commands without a result; {error}"
    lags = [f"{row.group} {row.partition}: {row.committed} of {row.end}" for row in rows]
    return f"{owners}, {watch.outstanding()} commands without a result, {lags}"


def _lag(settings: Settings) -> int:
    """Returns the number of events that workers have not processed, or 1 if it is unknown."""
    try:
        rows = measure_lag(settings, 1000, finished_beyond)
    except TryAgain:
        return 1
    topic = Topology(settings.namespace).events
    return sum(row.lag if row.records is None else row.records for row in rows if row.topic == topic)
