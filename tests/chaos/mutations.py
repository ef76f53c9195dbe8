"""Faults that are planted in a copy of the package. If a campaign misses one, its verdict proves nothing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "streams"

Change = tuple[str, str, str]
"""File in the package, text in the file, replacement."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A fault to plant, and the campaign that must catch it."""

    name: str
    changes: tuple[Change, ...]
    faults: tuple[str, ...]
    """The faults of the campaign that reveal the mutation."""
    events_per_s: float = 80
    """With few, sessions stay open longer and some rebalances abort no transaction."""
    light_per_s: float = 0.0
    """Additional events per second, few of which cause a command, so that members seek while they fetch much."""
    ruled: float = 0.3
    """Share of the events that are of sessions with published rules or rules of edition 2."""
    is_healed: bool = False
    """True if the product repairs the fault: nothing is lost or wrong, and the agents' metrics count it."""
    calm_s: float = 0.0
    """Seconds without a fault after each one, so that partitions are reassigned twice before the next."""
    least_s: float = 0.0
    """Minimum number of seconds of faults."""

    def plant(self, folder: Path) -> Path:
        """Copies the package, plants the fault and returns the copy's folder. Raises ValueError if it does not fit."""
        copy = folder / "streams"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(PACKAGE.parent / "schemas", folder / "schemas")
        for file, old, new in self.changes:
            path = copy / "triggers" / file
            text = path.read_text()
            if text.count(old) != 1:
                raise ValueError(f"{self.name}: {file} has this text {text.count(old)} times, not once:\n{old}")
            path.write_text(text.replace(old, new))
        return copy


_TRANSACTION = "reached = self._transactions.commit(batch, self._member.group_metadata())"
_COMMIT_ALONE = """    def commit_alone(self, offsets: dict[int, int]) -> None:
        places = [TopicPartition(self._topic, p, offset) for p, offset in offsets.items()]
        self._kafka.commit(offsets=places, asynchronous=False)

"""
_ROWS_FIRST = """for early, found in batch.rows.items():
            self._rows_of(early).write(found, None)
        """
_KILLS = ("agent killed", "all agents killed")
_LATE = ("offset lookups late",)
_ASSIGN_AT_THE_END: tuple[Change, ...] = (
    ("agent/consumer/member.py", "self._fetched.accept_gained()", "self._fetched.accept_gained(gained)"),
    ("agent/consumer/fetched_partitions.py", "accept_gained(self)", "accept_gained(self, gained: Iterable[int])"),
    (
        "agent/consumer/fetched_partitions.py",
        "        self._kafka.incremental_assign([])\n",
        """        self._kafka.incremental_assign([TopicPartition(self._topic, p, -1) for p in gained])
        self._kafka.pause([TopicPartition(self._topic, p) for p in gained])
        self._assigned.update(gained)
""",
    ),
    (
        "agent/consumer/fetched_partitions.py",
        "            self._kafka.seek(start)\n",
        """            for attempt in range(_ATTEMPTS):
                try:
                    self._kafka.seek(start)
                    break
                except KafkaException:
                    if attempt == _ATTEMPTS - 1:
                        raise
                    __import__("time").sleep(0.05)
            self._kafka.resume([start])
""",
    ),
    (
        "agent/consumer/fetched_partitions.py",
        "class FetchedPartitions:\n",
        "_ATTEMPTS = 40\n\n\nclass FetchedPartitions:\n",
    ),
    (
        "agent/consumer/fetched_partitions.py",
        "            self._kafka.incremental_assign([start])\n",
        """            self._kafka.incremental_assign([start])
            self._kafka.resume([start])
""",
    ),
)
"""How agents sought before the defect of docs/faults.md was found. -1 is the end of the log, which needs a look-up."""
_NO_GUARD: tuple[Change, ...] = (
    ("agent/consumer/member.py", "            self._guard.check_records(records)\n", ""),
    ("agent/consumer/member.py", "self._standstills.look(", "(lambda *_, **__: None)("),
    ("agent/consumer/member.py", "return self._guard.check_positions(ahead) if ahead else {}", "return ahead"),
)
_RESTORE = 'return cast("Changes", dict(zip(map(Message.key, messages), map(Message.value, messages), strict=True)))'
_SEND_CANCELS = "outputs += self._cancellations(key, decision.cancels, traced)"
_SEND_FORWARDS = "outputs += self._forwards(record, decision.forwards, traced)"


def _restore_without(prefix: str) -> Change:
    """Returns the change with which a restore leaves the rows of this prefix out."""
    left = (
        f"dict(row for row in zip(map(Message.key, messages), map(Message.value, messages)) if row[0][:1] != {prefix})"
    )
    return "store/restored_rows.py", _RESTORE, f'return cast("Changes", {left})'


_SKIP_SOME: Change = (
    "agent/consumer/member.py",
    "return {p: fetched for p, fetched in records.items() if p in self.consuming}",
    """return {
            p: fetched[3:] if len(fetched) > 3 and __import__("random").random() < 0.1 else fetched
            for p, fetched in records.items()
            if p in self.consuming
        }""",
)
"""One fetch in ten leaves out its first three records."""

MUTATIONS = (
    Mutation(
        "offsets committed outside the transaction",
        (
            (
                "agent/consumer/pump.py",
                _TRANSACTION,
                f"self._member.commit_alone(batch.offsets)\n        {_TRANSACTION}",
            ),
            (
                "agent/consumer/member.py",
                "    def group_metadata(self)",
                _COMMIT_ALONE + "    def group_metadata(self)",
            ),
            ("store/transaction.py", "            if batch.offsets:\n", "            if not batch.offsets:\n"),
        ),
        _KILLS,
    ),
    Mutation(
        "RocksDB written before the commit",
        (
            (
                "agent/consumer/pump.py",
                _TRANSACTION,
                _ROWS_FIRST + _TRANSACTION,
            ),
        ),
        ("agent stopped", "scaled 1-3-1"),  # a killed worker loses the rows that RocksDB has only in memory
    ),
    Mutation(
        "nothing restored on assignment",
        (
            (
                "agent/faust/recovery.py",
                "restoring = asyncio.to_thread(self.restorer.restore, request)",
                "restoring = asyncio.to_thread(frozenset, epochs)",
            ),
        ),
        ("agent stopped", "disk wiped"),
    ),
    Mutation(
        "session cache kept across a revoke",
        (
            ("worker/app.py", "            self._processor.forget(partitions)\n", "            pass\n"),
            ("agent/consumer/pump.py", "self._processor.forget()\n", "self._processor.forget(self._ready)\n"),
        ),
        ("agent stopped",),
        events_per_s=8,
        calm_s=10,
        least_s=90,
    ),
    Mutation(
        "applied on the wrong partition",
        (
            (
                "agent/turns/routing.py",
                "return record.partition() != partition_of(key, partitions)",
                "return False",
            ),
        ),
        ("agent killed",),
    ),
    Mutation(
        "a result counted twice",
        (("core/results.py", "if not instance.awaits(event.attempt) or", "if not instance.attempt or"),),
        ("Celery worker killed",),
    ),
    Mutation(
        "a timer that comes too early is not published again",
        (("agent/turns/agent.py", "self._timers.postpone(partition, timer, early_ms)", "pass"),),
        ("clock off by seconds",),  # a jump of an hour makes the client lose its partitions, which heals it
        ruled=0.8,
    ),
    Mutation(
        "a timer fires twice",
        (
            ("agent/turns/timers.py", "dict.fromkeys(fresh, inf)", "dict.fromkeys(fresh, 0.0)"),
            (
                "core/edition_2_timers.py",
                "if (loaded.instance.timers or {}).get(event.kind) != event.due:",
                "if not event.kind:",
            ),
        ),
        ("agent killed",),
        ruled=0.8,
    ),
    Mutation("timers left out of a restore", (_restore_without('b"t"'),), ("disk wiped",), ruled=0.8),
    Mutation("published rules left out of a restore", (_restore_without('b"g"'),), ("disk wiped",), ruled=0.8),
    Mutation(
        "a cached session does not see published rules",
        (("agent/turns/partition_turn.py", "self._context.cache.forget_catalogs(self._partition)", "pass"),),
        ("Celery worker killed",),  # a killed agent loses its cache
        ruled=0.8,
        least_s=60,
    ),
    Mutation(
        "forwarded twice",
        (("agent/turns/decision_records.py", _SEND_FORWARDS, _SEND_FORWARDS.replace("self", "2 * self")),),
        ("agent killed",),
        ruled=0.8,
    ),
    Mutation(
        "a cancellation is not sent",
        (("agent/turns/decision_records.py", _SEND_CANCELS, "pass"),),
        ("agent killed",),
        ruled=0.8,
    ),
    Mutation(
        "assigned at the end, then set to an offset; no guard",
        (*_ASSIGN_AT_THE_END, *_NO_GUARD),
        _LATE,
        light_per_s=3000,
        least_s=60,
    ),
    Mutation(
        "assigned at the end, then set to an offset; with the guard",
        _ASSIGN_AT_THE_END,
        _LATE,
        light_per_s=3000,
        least_s=60,
        is_healed=True,
    ),
    Mutation(
        "a fetch that leaves records out; no guard",
        (_SKIP_SOME, *_NO_GUARD),
        ("agent killed",),
        light_per_s=500,
    ),
    Mutation(
        "a fetch that leaves records out; with the guard",
        (_SKIP_SOME,),
        ("agent killed",),
        light_per_s=500,
        is_healed=True,
    ),
)
