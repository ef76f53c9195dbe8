"""Faults of answers: one kind of request is lost, or its answers are late or lost, while partitions are reassigned."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from random import Random

from tests.chaos.agent_faults import Steps
from tests.chaos.doors import Answers, Door
from tests.chaos.group_faults import invite_guest
from tests.chaos.schedule import Shot
from tests.chaos.wire import Api
from tests.chaos.world import CELERY, World

TRANSACTIONS = "transactions"
KINDS: Mapping[str, Sequence[Api]] = {
    "offset lookups": (Api.LIST_OFFSETS, Api.OFFSET_FOR_LEADER_EPOCH),
    "group offsets": (Api.OFFSET_FETCH, Api.OFFSET_COMMIT),
    "fetches": (Api.FETCH,),
    "group calls": (Api.JOIN_GROUP, Api.SYNC_GROUP, Api.HEARTBEAT),
    TRANSACTIONS: (
        Api.INIT_PRODUCER_ID,
        Api.ADD_PARTITIONS_TO_TXN,
        Api.ADD_OFFSETS_TO_TXN,
        Api.TXN_OFFSET_COMMIT,
        Api.END_TXN,
    ),
    "produces": (Api.PRODUCE,),
    "metadata": (Api.METADATA, Api.FIND_COORDINATOR),
}
"""Kind -> requests. The seed decides whether all of a kind's requests are struck or only one of them."""

_KILLS = 0.25
"""Share of rebalances that the kill of a worker causes. The others are caused by a guest that joins and leaves."""
_MOVES_EVERY_S = (1.0, 3.0)
_DELAYS_S = (0.3, 1.2)
_DELAYS_OF_KIND_S: Mapping[str, tuple[float, float]] = {
    "group calls": (0.3, 0.4),  # with a longer delay the heartbeats queue up, and the member leaves the group
    "offset lookups": (1.0, 4.0),  # an answer must come after a takeover, which takes seconds on a busy machine
}
"""Kind -> shortest and longest delay of its answers, where they differ from those of the other kinds."""
_STEPS = 3
_CLIENTS = (b"@", b"@", b"")
"""Parts of the `client.id` of the struck clients: two times out of three the members of the agents' group alone.

Only then can a member wait longer than the restore that runs beside it, so that events happen in another order."""
_LOSSES = (0.05, 0.3)


def late(kind: str) -> Callable[[World, Shot], Steps]:
    """Returns the fault in which answers to this kind of request are late."""

    def strike(world: World, shot: Shot) -> Steps:
        """Answers to one kind of request are late on some connections while partitions are reassigned."""
        chance = Random(shot.seed)  # noqa: S311  # repeatable
        doors, delay_s = _doors(world, chance, kind), chance.uniform(*_DELAYS_OF_KIND_S.get(kind, _DELAYS_S))
        client = chance.choice(_CLIENTS) if world.brokers.doors[CELERY] not in doors else b""
        yield from _hold(world, shot, doors, Answers(apis=_apis(chance, kind), client=client, delay_s=delay_s))

    return strike


def lost(kind: str) -> Callable[[World, Shot], Steps]:
    """Returns the fault in which answers to this kind of request are lost."""

    def strike(world: World, shot: Shot) -> Steps:
        """Connections break before the answer, after the broker has executed the request."""
        yield from _lose(world, shot, kind, lambda apis, share: Answers(apis=apis, loss=share))

    return strike


def unheard(kind: str) -> Callable[[World, Shot], Steps]:
    """Returns the fault in which requests of this kind are lost."""

    def strike(world: World, shot: Shot) -> Steps:
        """Connections break before the broker has received the request."""
        yield from _lose(world, shot, kind, lambda apis, share: Answers(apis=apis, unheard=share))

    return strike


def _lose(world: World, shot: Shot, kind: str, answers: Callable[[frozenset[int], float], Answers]) -> Steps:
    """Loses a share of the requests or answers of a kind; `answers` says which of the two."""
    chance = Random(shot.seed)  # noqa: S311  # repeatable
    chosen = answers(_apis(chance, kind), chance.uniform(*_LOSSES))
    yield from _hold(world, shot, _doors(world, chance, kind), chosen)


def _apis(chance: Random, kind: str) -> frozenset[int]:
    """Returns the requests of the kind, or with even chance only one of them if there are several."""
    apis = KINDS[kind]
    return frozenset(apis) if len(apis) < _STEPS or chance.random() < 0.5 else frozenset({chance.choice(apis)})


def _hold(world: World, shot: Shot, doors: Sequence[Door], answers: Answers) -> Steps:
    """Delays or loses answers, or loses requests, while partitions are reassigned every few seconds.

    The longer the delay, the longer partitions remain where they are: an answer has an effect only on a partition that
    is still owned when it arrives.
    """
    chance = Random(shot.seed)  # noqa: S311  # repeatable
    shortest_s, longest_s = _MOVES_EVERY_S
    for door in doors:
        door.answers = answers
    left_s = shot.hold_s
    while left_s > 0:
        if chance.random() < _KILLS:
            chance.choice(world.agents).signal(signal.SIGKILL)
        else:
            invite_guest(world.settings, after_s=0.0)
        yield (pause := min(chance.uniform(shortest_s, longest_s + 2 * answers.delay_s), left_s))
        left_s -= pause
    for door in doors:
        door.answers = None


def _doors(world: World, chance: Random, kind: str) -> list[Door]:
    """Chooses the connections of one agent, of all agents, of the Celery workers or of all of them."""
    doors = world.brokers.doors
    agents = [door for name, door in doors.items() if name != CELERY]
    lot = chance.random()
    if lot < 0.25:
        return [chance.choice(agents)]
    if lot < 0.6:
        return agents
    return [doors[CELERY]] if lot < 0.7 and kind != TRANSACTIONS else list(doors.values())
