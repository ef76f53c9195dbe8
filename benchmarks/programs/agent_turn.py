"""Runs the agent's turn under callgrind: `agent_turn KIND`, in the folder of a checkout, which is in PYTHONPATH.

The agent is that of the checkout's own test (`test_agent.py` below `tests/unit`), so the program can measure commits
whose modules had other names. Prints the number of events whose instructions were counted.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tests.support.records import record

from benchmarks.workload import opening, pages
from triggers.codec import encode_event
from triggers.core.events import Event, TaskFinished, TaskStarted, TriggerFired

if TYPE_CHECKING:
    from triggers.agent.turns.session_cache import SessionCache  # its module has another name in other commits

_SESSIONS = 100
_BATCHES = 4
_EVENTS_OF_A_SESSION = {"four": 4, "json": 4, "one": 1, "loaded": 1, "lives": 3}
"""Kind of batches -> events of each session in a batch. In `lives`, these are a page and both results of its task."""


class Bench(Protocol):
    """What the program uses of the test's agent."""

    cache: SessionCache

    def commit(self, *records: object) -> object:
        """Decides a batch and writes its rows."""


async def main(kind: str) -> None:
    """Decides as many batches twice, and lets callgrind count the second time."""
    time.monotonic = float  # it stands still, because how often an agent looks for timers depends on the clock
    bench = _load_bench()
    batches = _open_sessions(bench, kind)
    gc.collect()
    gc.disable()
    for records in batches[:_BATCHES]:
        bench.commit(*records)
    command = ["callgrind_control", "-i", "on", str(os.getpid())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: ASYNC221  # nothing else runs
    for records in batches[_BATCHES:]:
        if kind == "loaded":
            bench.cache.forget()
        bench.commit(*records)
    sys.stdout.write(f"{sum(map(len, batches[_BATCHES:]))}\n")
    sys.stdout.flush()
    os._exit(0)  # what Python does at its end must not count


def _load_bench() -> Bench:
    (file,) = Path("tests/unit").rglob("test_agent.py")
    sys.path.insert(0, str(file.parent))
    bench: Bench = import_module("test_agent").Bench(largest_row=100_000, largest_command=100_000)
    return bench


def _open_sessions(bench: Bench, kind: str) -> list[list[object]]:
    """Opens sessions and returns the batches that follow."""
    keys = [b"questionnaire-1-%06d" % number for number in range(_SESSIONS)]
    offsets = iter(range(1_000_000))
    for value in (*opening(), *pages()[:2]):
        bench.commit(*[record(value, key, offset=next(offsets)) for key in keys])
    return [
        [
            record(_event(kind, batch, turn, session), key, offset=next(offsets))
            for turn in range(_EVENTS_OF_A_SESSION[kind])
            for session, key in enumerate(keys)
        ]
        for batch in range(2 * _BATCHES)
    ]


def _event(kind: str, batch: int, turn: int, session: int) -> bytes:
    if kind != "lives" or turn == 0:
        encode = _encode_json if kind == "json" else encode_event
        return pages(encode)[7 * batch + 3 * turn + session]
    instance = f"t_importResponses#{batch + 2}"
    if turn == 1:
        return encode_event(TaskStarted(instance=instance, attempt=1))
    return encode_event(TaskFinished(instance=instance, attempt=1, result=b'{"x":1}'))


def _encode_json(event: Event) -> bytes:
    """Encodes a page as an application without a library of ours writes it."""
    if not isinstance(event, TriggerFired):
        raise TypeError(f"a page fires a trigger; {event!r} does not")
    return b'{"trigger":"%s","kwargs":%s}' % (event.trigger.encode(), event.kwargs)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
