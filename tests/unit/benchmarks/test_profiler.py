"""The profiler assigns samples to steps."""

from __future__ import annotations

import pytest

from benchmarks.profiler import share_cpu, stacks_by_thread, step_of

DECODE = "_take (triggers/agent/turns/partition_turn.py:111);EventDecoder.decode (triggers/codec/event_codec.py:49)"
READ = "apply (triggers/core/engine.py:43);OwnRows.get (session_rows.py:24);PartitionRows.get (rows.py:5)"


@pytest.mark.parametrize(
    ("stack", "step"),
    [
        (DECODE, "decode the event"),
        (READ, "RocksDB: read"),
        ("apply (triggers/core/engine.py:43);_fire (triggers/core/engine.py:77)", "apply"),
        ("Transactions.commit (triggers/store/transaction.py:60);Transactions._send (x)", "produce"),
        ("Transactions.commit (triggers/store/transaction.py:60)", "commit"),
        ("_take (triggers/agent/turns/partition_turn.py:111)", "the turn around them"),
        ("Runner.run (asyncio/runners.py:118)", "pump, Faust, event loop"),
    ],
)
def test_a_stack_belongs_to_the_most_specific_hop(stack: str, step: str) -> None:
    assert step_of(stack) == step


def test_samples_are_counted_by_thread() -> None:
    found = stacks_by_thread(
        [f"process 1:python;thread (7): MainThread;{DECODE} 3", "process 1:python;thread (8): kafka_0;x (y) 2"]
    )

    assert {thread: sum(stacks.values()) for thread, stacks in found.items()} == {"7": 3, "8": 2}


def test_the_cpu_time_of_a_thread_is_divided_completely() -> None:
    shares = share_cpu({"7": {DECODE: 3, READ: 1}}, {"7": 20.0, "9": 5.0}, {"7": "python", "9": "rdk"})

    assert shares == {"decode the event": 15.0, "RocksDB: read": 5.0, "rdk": 5.0}
