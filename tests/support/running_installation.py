"""An installation in memory: partitions with the index that the agent keeps, asked through the query layer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec.structs import replace
from tests.support.indexed_rows import IndexedRows

from triggers.client.consumer_lag import PartitionLag
from triggers.client.dead_letters import StoredLetter
from triggers.client.lag_totals import total_lag
from triggers.client.letter_query import LetterQuery
from triggers.codec import DeadLetter
from triggers.codec.letter_mark_codec import LetterAction, LetterMark
from triggers.core.events import RulesPublished
from triggers.errors import NotFound
from triggers.overview.installation import InstallationLag, WorkerPartitions
from triggers.queries import FailureGroups, MissingPartition, Page, SessionQuery, StatusCounts
from triggers.queries.cursors import decode_cursor
from triggers.queries.merging import merge_counts, merge_groups, merge_pages, page_of
from triggers.queries.partition_search import PartitionSearch
from triggers.queries.partition_totals import count_statuses, group_failures

RULES = {
    "t_charge": {"after": ["orderPlaced"], "run": "shop.charge"},
    "t_pack": {"after": ["orderPlaced"], "run": "shop.pack"},
    "t_ship": {"after": ["t_charge", "t_pack"], "unless": ["orderCancelled"], "run": "shop.ship"},
}
HOSTILE = "order-<script>alert(1)</script>{{ 7*7 }}\u202e"
_MAX_ROWS = 100_000


class RunningInstallation:
    """Answers as `KafkaInstallation` does, from the rows of one partition."""

    def __init__(
        self,
        rows: IndexedRows,
        letters: Sequence[StoredLetter] = (),
        missing: Sequence[MissingPartition] = (),
        max_rows: int = _MAX_ROWS,
    ) -> None:
        """`max_rows` is the number of rows that one search examines."""
        self._rows = rows
        self._letters = letters
        self._missing = missing
        self._max_rows = max_rows
        self.now = rows.now

    def find(self, query: SessionQuery, limit: int, cursor: str | None, patience_s: float) -> Page:  # noqa: ARG002
        after = "" if cursor is None else decode_cursor(query, cursor)
        found = PartitionSearch(self._rows.rows, self._rows.plans, query, self.now).find(after, limit, self._max_rows)
        return page_of(query, merge_pages([found], limit), self._missing)

    def count_statuses(self) -> StatusCounts:
        return StatusCounts(counts=merge_counts(count_statuses(self._rows.rows).counts), missing=list(self._missing))

    def group_failures(self) -> FailureGroups:
        groups, omitted = merge_groups(group_failures(self._rows.rows).groups)
        return FailureGroups(groups=groups, omitted=omitted, missing=list(self._missing))

    def measure_lag(self) -> InstallationLag:
        before, now = ([_lag(p, 10_000 + ahead) for p in range(3)] for ahead in (0, 240))
        return InstallationLag(total_lag(now, before, 2.0), now)

    def list_workers(self) -> WorkerPartitions:
        return WorkerPartitions({"http://worker-1:6066": [0, 2]}, [each.partition for each in self._missing])

    def list_letters(self, limit: int, query: LetterQuery, state: str | None) -> list[StoredLetter]:
        chosen = [s for s in self._letters if query.admits(s.letter) and state in (None, s.state)]
        return chosen[-limit:]

    def read_letter(self, partition: int, offset: int) -> StoredLetter:
        for stored in self._letters:
            if (stored.partition, stored.offset) == (partition, offset):
                return stored
        raise NotFound(f"there is no dead letter at {partition}/{offset}")

    def count_letters(self) -> dict[str, int]:
        reasons = [stored.letter.reason for stored in self._letters if stored.mark is None]
        return {reason: reasons.count(reason) for reason in reasons}

    def list_rules(self) -> list[RulesPublished]:
        return [
            RulesPublished(
                name=name, version=version, configuration=json.dumps(rules).encode(), match=["order-*"], time=self.now,
                actor="ada@ops",
            )
            for name, version, rules in (("orders", 1, {"t_charge": RULES["t_charge"]}), ("orders", 2, RULES),
                                         (HOSTILE, 1, {"t_<b>": {"after": ["{{ 7*7 }}"], "run": "</pre><script>"}}))
        ]  # fmt: skip


def shop(orders: int = 60, start: int = 0) -> IndexedRows:
    """Returns the rows of a shop whose first event comes after `start`.

    Every fifth charge is declined, some orders wait for a task, and one has a hostile name.
    """
    rows = IndexedRows()
    rows.now = start
    for number in range(orders):
        uid = f"order-{number:03}"
        rows.configure(uid, RULES)
        rows.fire(uid, "orderPlaced")
        if number % 5 == 0:
            rows.fail(uid, "t_charge#0", "shop.errors.Declined", "the card ending in 4242 was declined")
        elif number % 7 == 0:
            rows.fail(uid, "t_pack#0", "builtins.TimeoutError", "warehouse 3 does not answer")
        elif number % 3:
            rows.finish(uid, "t_charge#0")
            rows.finish(uid, "t_pack#0")
    rows.configure(HOSTILE, RULES)
    rows.fire(HOSTILE, "orderPlaced")
    rows.fail(HOSTILE, "t_charge#0", "shop.<b>Broken</b>", '"><img src=x onerror=alert(2)>\n{{ config }}')
    return rows


def shop_letters(time: int) -> list[StoredLetter]:
    """Returns an open dead letter, one with hostile bytes and one that was redriven."""
    letter = DeadLetter(
        reason="bad json", detail="the value ends at byte 17", topic="shop.events", partition=1, offset=41,
        time=time, key=b"order-007", value=b'{"trigger": "orde', headers=[("source", b"checkout")],
    )  # fmt: skip
    hostile = replace(letter, reason="bad key", detail="<script>alert(3)</script>", key=b"\xff<b>", offset=44)
    mark = LetterMark(partition=0, offset=2, action=LetterAction.REDRIVEN, actor="ada@ops", time=time)
    return [StoredLetter(0, 1, letter), StoredLetter(1, 5, hostile), StoredLetter(0, 2, letter, mark)]


def _lag(partition: int, end: int) -> PartitionLag:
    return PartitionLag(
        group="shop.agents", topic="shop.events", partition=partition, committed=end - 12 * partition, end=end,
        records=6 * partition,
    )  # fmt: skip
