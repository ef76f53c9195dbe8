"""Faults planted in a copy of the package: what a campaign must catch, or its verdict is worth nothing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "streams"

Change = tuple[str, str, str]
"""File below the package, text in it, text instead."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A planted fault."""

    name: str
    changes: tuple[Change, ...]
    faults: tuple[str, ...]
    """What brings it to light."""
    events_per_s: float = 80
    """A few keep sessions open for longer, and let a rebalance pass without an aborted transaction."""
    light_per_s: float = 0.0
    """More events, few of which cause a command: a member that is set to a place while it fetches much."""
    is_healed: bool = False
    """The product makes up for it: nothing is lost, nothing is wrong, and the agents' metrics count it."""
    calm_s: float = 0.0
    """After each fault, so that partitions go and come back before the next one."""
    least_s: float = 0.0
    """Seconds of faults that it takes at least."""

    def plant(self, folder: Path) -> Path:
        """A copy of the package with the fault in it; the folder to import from. Raises ValueError: it does not fit."""
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
    ("processing/member.py", "self._fetched.accept_gained()", "self._fetched.accept_gained(gained)"),
    ("processing/fetched_partitions.py", "accept_gained(self)", "accept_gained(self, gained: Iterable[int])"),
    (
        "processing/fetched_partitions.py",
        "        self._kafka.incremental_assign([])\n",
        """        self._kafka.incremental_assign([TopicPartition(self._topic, p, -1) for p in gained])
        self._kafka.pause([TopicPartition(self._topic, p) for p in gained])
        self._assigned.update(gained)
""",
    ),
    (
        "processing/fetched_partitions.py",
        "            self._kafka.seek(place)\n",
        """            self._kafka.seek(place)
            self._kafka.resume([place])
""",
    ),
    (
        "processing/fetched_partitions.py",
        """reason=error.args[0].str())
            return False
""",
        """reason=error.args[0].str())
            __import__("time").sleep(0.05)
            return self._seek(place)
""",
    ),
)
"""What the agents did before the defect was found (docs/faults.md): -1 is the end of the log, which is looked up."""
_NO_GUARD: tuple[Change, ...] = (
    ("processing/member.py", "            self._guard.check_records(records)\n", ""),
    ("processing/member.py", "self._standstills.look(", "(lambda *_, **__: None)("),
    ("processing/member.py", "return self._guard.check_positions(ahead) if ahead else {}", "return ahead"),
)
_SKIP_SOME: Change = (
    "processing/member.py",
    "return {p: found for p, found in records.items() if p in self.running}",
    """return {
            p: found[3:] if len(found) > 3 and __import__("random").random() < 0.1 else found
            for p, found in records.items()
            if p in self.running
        }""",
)
"""A fetch of ten leaves its first three records out."""

MUTATIONS = (
    Mutation(
        "offsets committed outside of the transaction",
        (
            ("processing/pump.py", _TRANSACTION, f"self._member.commit_alone(batch.offsets)\n        {_TRANSACTION}"),
            (
                "processing/member.py",
                "    def group_metadata(self)",
                _COMMIT_ALONE + "    def group_metadata(self)",
            ),
            ("processing/transaction.py", "            if batch.offsets:\n", "            if not batch.offsets:\n"),
        ),
        _KILLS,
    ),
    Mutation(
        "RocksDB written before the commit",
        (
            (
                "processing/pump.py",
                _TRANSACTION,
                _ROWS_FIRST + _TRANSACTION,
            ),
        ),
        ("agent stopped", "scaled 1-3-1"),  # a worker that is killed loses what RocksDB has only in memory
    ),
    Mutation(
        "nothing restored on assignment",
        (
            (
                "processing/recovery.py",
                "restoring = asyncio.to_thread(self.restorer.restore, sorted(epochs), stop)",
                "restoring = asyncio.to_thread(frozenset, epochs)",
            ),
        ),
        ("agent stopped", "disk wiped"),
    ),
    Mutation(
        "session cache kept across a revoke",
        (
            ("processing/app.py", "            self._processor.forget(partitions)\n", "            pass\n"),
            ("processing/pump.py", "self._processor.forget()\n", "self._processor.forget(self._ready)\n"),
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
                "processing/routing.py",
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
        "assigned at the end, then set to a place; no guard",
        (*_ASSIGN_AT_THE_END, *_NO_GUARD),
        _LATE,
        light_per_s=3000,
        least_s=60,
    ),
    Mutation(
        "assigned at the end, then set to a place; with the guard",
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
