"""The worker's HTTP views about many sessions. Each answers for the partitions that the worker can read now."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from aiohttp import web

from triggers.agent.consumer.ownership import Ownership
from triggers.agent.consumer.progress import Progress
from triggers.client.session_search import MAX_LIMIT, PartitionAnswers
from triggers.core.state.plans import Plans
from triggers.errors import CallError
from triggers.queries.partition_search import PartitionSearch
from triggers.queries.partition_totals import count_statuses, group_failures
from triggers.queries.session_query import SessionQuery
from triggers.store.partition_rows import PartitionClosed, PartitionRows
from triggers.worker.http_responses import http_problem, json_response, number_of, run_off_loop

P = TypeVar("P")

MAX_ROWS: Final = 40_000
"""Number of rows that one request examines, over all partitions of the worker. That takes about a tenth of a second,
in which the worker's batches are decided more slowly."""
_LEAST_ROWS: Final = 500


class Searches:
    """The HTTP views that search, count and group the sessions of this worker."""

    def __init__(self, ownership: Ownership, progress: Progress, rows_of: Callable[[int], PartitionRows]) -> None:
        self._ownership = ownership
        self._progress = progress
        self._rows_of = rows_of
        self._plans = Plans()

    async def find(self, request: web.Request) -> web.Response:
        """Responds with a `PartitionPage` of each partition. `?query=<SessionQuery>&after=<uid>&limit=`."""
        try:
            query = SessionQuery.from_json(request.query.get("query", "{}"))
        except CallError as error:
            raise http_problem(web.HTTPBadRequest, str(error)) from error
        after, limit = request.query.get("after", ""), min(int(number_of(request, "limit", 50)), MAX_LIMIT)
        share = max(_LEAST_ROWS, MAX_ROWS // max(1, len(self._progress.partitions)))
        now = time.time_ns() // 1_000_000
        return await self._ask(
            lambda rows: PartitionSearch(rows, self._plans, query, now).find(after, max(1, limit), share)
        )

    async def count(self, request: web.Request) -> web.Response:  # noqa: ARG002  # aiohttp's signature
        """Responds with the `PartitionCounts` of each partition."""
        return await self._ask(count_statuses)

    async def group(self, request: web.Request) -> web.Response:
        """Responds with the `PartitionGroups` of each partition. `?task=` restricts them."""
        return await self._ask(partial(group_failures, task=request.query.get("task")))

    async def _ask(self, ask: Callable[[PartitionRows], P]) -> web.Response:
        ready = self._progress.partitions
        restoring = dict.fromkeys(self._ownership.owned - ready, "its worker is restoring it")
        return json_response(await run_off_loop(lambda: self._answer(sorted(ready), restoring, ask)))

    def _answer(
        self, ready: list[int], refused: dict[int, str], ask: Callable[[PartitionRows], P]
    ) -> PartitionAnswers[P]:
        answers: dict[int, P] = {}
        for partition in ready:
            try:
                answers[partition] = ask(self._rows_of(partition))
            except PartitionClosed:
                refused[partition] = "it is moving to another worker"
        return PartitionAnswers(answers, refused)
