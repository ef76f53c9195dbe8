"""Runs the agent's turn under callgrind with more or less telemetry: `measured_turn VARIANT`.

The variants are those of `benchmarks/telemetry_costs.py`. Prints the number of events whose instructions were counted.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import time

from tests.support.agent_bench import Bench
from tests.support.records import record

from benchmarks.workload import opening, pages
from triggers.kafka.records import Header, Record

_SESSIONS = 100
_BATCHES = 8
_FLAGS = {"unsampled": b"00", "sampled": b"01", "exported": b"01"}
"""Variant -> flags of the context that each page has. The pages of other variants have none."""


class _Uncounted:
    """Stands for any metric, and counts nothing."""

    def __getattr__(self, name: str) -> _Uncounted:
        return self

    def __call__(self, *_values: object) -> _Uncounted:
        return self

    def __enter__(self) -> None:
        """Begins what would be timed."""

    def __exit__(self, *_error: object) -> None:
        """Ends what would be timed."""


async def main(variant: str) -> None:
    """Decides as many batches twice, and lets callgrind count the second time."""
    time.monotonic = float  # it stands still, because how often an agent looks for timers depends on the clock
    bench = Bench(largest_row=100_000, largest_command=100_000, exports=variant == "exported")
    if variant == "uncounted":
        vars(bench.metrics).update(dict.fromkeys(vars(bench.metrics), _Uncounted()))
    batches = _open_sessions(bench, variant)
    gc.collect()
    gc.disable()
    for records in batches[: _BATCHES // 2]:
        bench.commit(*records)
    command = ["callgrind_control", "-i", "on", str(os.getpid())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: ASYNC221  # nothing else runs
    for records in batches[_BATCHES // 2 :]:
        bench.commit(*records)
    sys.stdout.write(f"{_SESSIONS * _BATCHES // 2}\n")
    sys.stdout.flush()
    os._exit(0)  # what Python does at its end must not count


def _open_sessions(bench: Bench, variant: str) -> list[list[Record]]:
    """Opens sessions and returns the batches that follow: each has an event of each session."""
    keys = [b"questionnaire-1-%06d" % number for number in range(_SESSIONS)]
    offsets = iter(range(1_000_000))
    for value in (*opening(), *pages()[:2]):
        bench.commit(*[record(value, key, offset=next(offsets)) for key in keys])
    values = pages()
    return [
        [
            record(values[7 * batch + number], key, offset=(offset := next(offsets)), headers=_headers(variant, offset))
            for number, key in enumerate(keys)
        ]
        for batch in range(_BATCHES)
    ]


def _headers(variant: str, offset: int) -> list[Header] | None:
    flags = _FLAGS.get(variant)
    return None if flags is None else [("traceparent", b"00-%032x-%016x-%s" % (offset + 1, offset + 1, flags))]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
