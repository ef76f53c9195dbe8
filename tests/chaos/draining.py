"""The end of a campaign: everything runs, and nothing is left to do."""

from __future__ import annotations

import time

from tests.chaos.producers import PasserBy
from tests.chaos.watch import Watch
from tests.chaos.world import World

from triggers.celery.ledger import finished_beyond
from triggers.client.consumer_lag import consumer_lag
from triggers.errors import TryAgain
from triggers.settings import Settings
from triggers.topology import Topology

_LOOK_EVERY_S = 0.2
_STILL_S = 5.0
_QUIET_S = 4.0
"""Longer than any cooldown of the campaign's tasks: nothing comes any more."""


def drain(world: World, watch: Watch, passer_by: PasserBy) -> bool:
    """Start whatever is down, and wait; return whether everything was done in time.

    While nothing moves although something is left, an application goes on with an event now and then: a worker that has
    lost its place stands still until then, and goes wrong with the next event.
    A lag that says too early that nothing is left is no way out: the oracle asks for whatever was acknowledged.
    """
    for machine in world.machines():
        machine.up()
    began = quiet_since = moved_at = time.monotonic()
    last: tuple[int, ...] = ()
    while time.monotonic() - began < world.plan.drain_s:
        world.tend()
        time.sleep(_LOOK_EVERY_S)
        seen = (watch.events, watch.outstanding(), _lag(world.settings))
        moved = seen != last
        last = seen
        now = time.monotonic()
        moved_at = now if moved else moved_at
        if moved or any(seen[1:]) or not world.is_complete():
            quiet_since = now
        elif now - quiet_since > _QUIET_S:
            return True
        if now - moved_at > _STILL_S:
            passer_by.pass_by()
            world.relay.write("chaos", f"nothing moves: {_left(world, watch)}")
            moved_at = now
    world.relay.write("chaos", f"not everything is done: {_left(world, watch)}")
    return False


def _left(world: World, watch: Watch) -> str:
    """What is left to do and who is to do it, for people."""
    owners = {agent.service.name: agent.partitions() for agent in world.agents}
    try:
        rows = [row for row in consumer_lag(world.settings, 0) if row.lag]
    except TryAgain as error:
        return f"{owners}, {watch.outstanding()} commands without a result; {error}"
    lags = [f"{row.group} {row.partition}: {row.committed} of {row.end}" for row in rows]
    return f"{owners}, {watch.outstanding()} commands without a result, {lags}"


def _lag(settings: Settings) -> int:
    """Events that workers have not done yet; 1 when nobody can say."""
    try:
        rows = consumer_lag(settings, 1000, finished_beyond)
    except TryAgain:
        return 1
    topic = Topology(settings.namespace).events
    return sum(row.lag if row.records is None else row.records for row in rows if row.topic == topic)
