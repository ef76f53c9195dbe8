"""Load on an API: fires at a rate, and readers beside them.

The load is open: a request is due at its time, whether or not earlier ones are answered, and its latency counts from
then. So a server that stalls cannot hide it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from benchmarks.http_client import HttpConnection, connect, get, post

_KWARGS: Final = {"amount": 3, "customer": "c-17", "items": ["a", "b", "c"]}
_FIRE: Final = json.dumps({"kwargs": _KWARGS}).encode()
_TICK_S: Final = 0.002
_REFUSED: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent."""

    rate: int
    """Fires per second."""
    seconds: float
    connections: int
    sessions: int
    events: int = 1
    """Events of a request. Several are sent as lines of JSON."""
    readers: int = 0
    reads_per_s: float = 0.0
    """Reads of all readers together."""


@dataclass(slots=True)
class Tally:
    """What the clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    accepted: list[bytes] = field(default_factory=list)
    """Ids of the events whose response was 202."""
    refusals_without_retry_after: int = 0
    reads: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Latencies of the reads by their kind."""
    read_statuses: Counter[int] = field(default_factory=Counter)


async def run_load(port: int, load: Load, name: str) -> Tally:
    """Sends the load and returns when all of it is answered. `name` begins the ids of its events."""
    tally = Tally()
    requests = int(load.rate * load.seconds / load.events)

    async def fire(connection: HttpConnection, number: int, due: float) -> None:
        key = f"{name}-{number}".encode()
        answer = await connection.request(_fire(load, number, key))
        tally.latencies.append(time.monotonic() - due)
        tally.statuses[answer.status] += 1
        if answer.status == 202:
            tally.accepted += [key] if load.events == 1 else [b"%s/%d" % (key, n) for n in range(load.events)]
        elif answer.status in _REFUSED and b"\r\nretry-after: " not in answer.head:
            tally.refusals_without_retry_after += 1

    async def read(connection: HttpConnection, number: int, due: float) -> None:
        kind, path = _read(load, number)
        answer = await connection.request(get(path))
        tally.reads[kind].append(time.monotonic() - due)
        tally.read_statuses[answer.status] += 1

    async with _connections(port, load.connections) as firing, _connections(port, load.readers) as reading:
        await asyncio.gather(
            _send(fire, firing, requests, load.rate / load.events),
            _send(read, reading, int(load.reads_per_s * load.seconds), load.reads_per_s),
        )
    return tally


def _fire(load: Load, number: int, key: bytes) -> bytes:
    if load.events == 1:
        path = b"/v1/sessions/s-%d/triggers/orderPaid" % (number % load.sessions)
        return post(path, _FIRE, b"application/json", key)
    sessions = (f"s-{(number * load.events + n) % load.sessions}" for n in range(load.events))
    lines = (json.dumps({"session": uid, "trigger": "orderPaid", "kwargs": _KWARGS}) for uid in sessions)
    return post(b"/v1/events", "\n".join(lines).encode(), b"application/x-ndjson", key)


def _read(load: Load, number: int) -> tuple[str, str]:
    """Returns the kind and the path of a read: three quarters read a session, the others ask about many."""
    if number % 4:
        return "session", f"/v1/sessions/s-{number * 7919 % load.sessions}"
    return ("counts", "/v1/counts") if number % 8 else ("search", "/v1/sessions?status=scheduled&limit=20")


Send = Callable[[HttpConnection, int, float], Awaitable[None]]


async def _send(send: Send, connections: list[HttpConnection], total: int, rate: float) -> None:
    """Sends numbered requests at a rate, each on the first connection that is free when it is due."""
    due = asyncio.Queue[tuple[float, int] | None]()

    async def work(connection: HttpConnection) -> None:
        while (item := await due.get()) is not None:
            await send(connection, item[1], item[0])

    workers = [asyncio.create_task(work(connection)) for connection in connections]
    begin, sent = time.monotonic(), 0
    while sent < total:
        now = time.monotonic()
        while sent < total and begin + sent / rate <= now:
            due.put_nowait((begin + sent / rate, sent))
            sent += 1
        await asyncio.sleep(_TICK_S)
    for _ in workers:
        due.put_nowait(None)
    await asyncio.gather(*workers)


@asynccontextmanager
async def _connections(port: int, number: int) -> AsyncIterator[list[HttpConnection]]:
    connections = [await connect(port) for _ in range(number)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()
