"""The end of a campaign: everything runs, and nothing is left to do."""

from __future__ import annotations

import time

from tests.chaos.watch import Watch
from tests.chaos.world import World

from triggers.client.consumer_lag import consumer_lag
from triggers.errors import TryAgain
from triggers.settings import Settings
from triggers.topology import Topology

_LOOK_EVERY_S = 0.2
_QUIET_S = 4.0
"""Longer than any cooldown of the campaign's tasks: nothing comes any more."""


def drain(world: World, watch: Watch) -> bool:
    """Start whatever is down, and wait; return whether everything was done in time.

    A lag that says too early that nothing is left is no way out: the oracle asks for whatever was acknowledged.
    """
    for machine in world.machines():
        machine.up()
    began = quiet_since = time.monotonic()
    seen = -1
    while time.monotonic() - began < world.plan.drain_s:
        world.tend()
        time.sleep(_LOOK_EVERY_S)
        busy = watch.outstanding() or watch.events != seen or not world.is_complete() or _lag(world.settings)
        seen = watch.events
        if busy:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > _QUIET_S:
            return True
    return False


def _lag(settings: Settings) -> int:
    """Events that workers have not done yet; 1 when nobody can say."""
    try:
        rows = consumer_lag(settings, 1000)
    except TryAgain:
        return 1
    topic = Topology(settings.namespace).events
    return sum(row.lag if row.records is None else row.records for row in rows if row.topic == topic)
