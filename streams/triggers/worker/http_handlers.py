"""The worker's HTTP views: sessions of its partitions, health and metrics."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from triggers.agent.consumer.ownership import Ownership
from triggers.agent.consumer.progress import Progress
from triggers.core.state.header_codec import decode_header
from triggers.core.state.plans import Plans
from triggers.core.state.rows import header_key
from triggers.core.state.session import Session
from triggers.core.view import SessionSummary, SessionView, summarize_header, view_session
from triggers.queries.answers import RestoringPartition, WorkerState
from triggers.store.partition_rows import PartitionRows
from triggers.store.restore_run import PartitionRestore
from triggers.telemetry.metrics import Metrics
from triggers.topology import partition_of
from triggers.worker.access import Access, Handler
from triggers.worker.http_responses import http_problem, json_response, number_of, run_off_loop
from triggers.worker.read_relay import MAX_WAIT_S, ReadRelay
from triggers.worker.search_everywhere import SearchEverywhere
from triggers.worker.searches import Searches

_SILENT_S = 120.0
"""A pump without a cycle for this long is stuck. Waiting for a broker to restart takes less."""
_MAX_LISTED = 1000


class HttpHandlers:
    """The HTTP views. A read of a session that another worker owns is relayed to that worker."""

    def __init__(
        self,
        *,
        ownership: Ownership,
        progress: Progress,
        rows_of: Callable[[int], PartitionRows],
        metrics: Metrics,
        access: Access,
        relay: ReadRelay,
        everywhere: SearchEverywhere,
        restores: Callable[[], Mapping[int, PartitionRestore]],
    ) -> None:
        self._ownership = ownership
        self._progress = progress
        self._rows_of = rows_of
        self._metrics = metrics
        self._access = access
        self._relay = relay
        self._everywhere = everywhere
        self._restores = restores
        self._searches = Searches(ownership, progress, rows_of)
        self._plans = Plans()
        self.partitions: int | None = None
        """Number of partitions of the events; None until the topics are known."""

    def routes(self) -> list[web.RouteDef]:
        """Returns the routes of all views."""
        guarded: dict[str, Handler] = {
            "/sessions": self.list_sessions,
            "/sessions/{uid:(?s:.+)}": self.show_session,
            "/events/{uid:(?s:.+)}": self.list_events,
            "/rules": self.count_rules,
            "/partitions": self.list_partitions,
            "/find": self._searches.find,
            "/counts": self._searches.count,
            "/failures": self._searches.group,
            "/search": self._everywhere.find,
            "/search/counts": self._everywhere.count,
            "/search/failures": self._everywhere.group,
        }
        return [
            *(web.get(path, self._access.guard(handler)) for path, handler in guarded.items()),
            web.get("/ready", self.ready),
            web.get("/live", self.live),
            web.get("/metrics", self.metrics),
        ]

    async def show_session(self, request: web.Request) -> web.Response:
        """Responds with a session. `?after=<offset>&timeout=<s>` waits until its partition's record is processed."""
        uid = request.match_info["uid"]
        partition = self._partition_of(uid)
        if not self._is_readable(partition):
            return await self._relay.ask_owner(request, partition)
        if "after" in request.query:
            await self._wait_for_offset(partition, request)
        session = await run_off_loop(lambda: self._read_session(partition, uid))
        if session is None:
            raise http_problem(web.HTTPNotFound, f"there is no session {uid!r}")
        return json_response(session)

    async def list_events(self, request: web.Request) -> web.Response:
        """Responds with `{partition, offsets, rules}` of the session's events, in the order in which they were applied.

        `rules` says which of the offsets are those of published rules that the session took.
        """
        uid = request.match_info["uid"]
        partition = self._partition_of(uid)
        if not self._is_readable(partition):
            return await self._relay.ask_owner(request, partition)
        offsets, rules = await run_off_loop(lambda: self._read_offsets(partition, uid))
        if not offsets:
            raise http_problem(web.HTTPNotFound, f"there is no session {uid!r}")
        return json_response({"partition": partition, "offsets": offsets, "rules": rules})

    async def list_sessions(self, request: web.Request) -> web.Response:
        """Responds with summaries of this worker's sessions, ordered by UID. `?prefix=&limit=` restricts them."""
        prefix = request.query.get("prefix", "")
        limit = min(int(number_of(request, "limit", 100)), _MAX_LISTED)
        sessions = await run_off_loop(lambda: self._list_headers(prefix, limit))
        return json_response({"sessions": sessions})

    async def list_partitions(self, _: web.Request) -> web.Response:
        """Responds with the `WorkerState`: this worker's partitions, and how far those that it restores have come."""
        progress, ready = self._restores(), sorted(self._progress.partitions)
        restoring = [
            RestoringPartition(
                partition=partition, rows=None if (at := progress.get(partition)) is None else at.end - at.start,
                restored=0 if at is None else at.restored - at.start,
            )
            for partition in sorted(self._ownership.owned - self._progress.partitions)
        ]  # fmt: skip
        return json_response(WorkerState(ready=ready, restoring=restoring))

    async def ready(self, _: web.Request) -> web.Response:
        """Responds with 200 if every owned partition can be processed and queried, else with 503."""
        if self.partitions is None:
            raise http_problem(web.HTTPServiceUnavailable, "waiting for the broker and the topics")
        if restoring := sorted(self._ownership.owned - self._progress.partitions):
            raise http_problem(web.HTTPServiceUnavailable, f"restoring partitions {restoring}")
        if not self._ownership.has_joined:
            raise http_problem(web.HTTPServiceUnavailable, "joining the consumer group")
        return json_response({"partitions": sorted(self._ownership.owned)})

    async def live(self, _: web.Request) -> web.Response:
        """Responds with 200 while the pump runs, and before it starts. Responds with 503 if it is stuck."""
        if self.partitions is not None and self._progress.idle_s > _SILENT_S:
            raise http_problem(web.HTTPServiceUnavailable, f"the pump has been stuck for {self._progress.idle_s:.0f} s")
        return json_response({})

    async def metrics(self, _: web.Request) -> web.Response:
        """Responds with the metrics in Prometheus' text format."""
        self._metrics.partitions.set(len(self._ownership.owned))
        body = await run_off_loop(self._metrics.text)  # it reads the state from RocksDB
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _partition_of(self, uid: str) -> int:
        if self.partitions is None:
            raise http_problem(web.HTTPServiceUnavailable, "the worker is starting")
        return partition_of(uid.encode(), self.partitions)

    def _is_readable(self, partition: int) -> bool:
        """Returns False if another worker owns the partition. Raises a 503 while this worker is restoring it."""
        if partition not in self._ownership.owned:
            return False
        if partition not in self._progress.partitions:
            raise http_problem(web.HTTPServiceUnavailable, f"partition {partition} is being restored")
        return True

    async def _wait_for_offset(self, partition: int, request: web.Request) -> None:
        after = int(number_of(request, "after", 0))
        timeout = min(number_of(request, "timeout", 10), MAX_WAIT_S)
        if not await self._progress.wait_for(partition, after, timeout):
            raise http_problem(
                web.HTTPServiceUnavailable, f"offset {after} of partition {partition} is not processed yet"
            )

    def _read_session(self, partition: int, uid: str) -> SessionView | None:
        session = Session(uid, self._rows_of(partition).copy_session(uid), self._plans)
        return view_session(session) if session.exists else None

    def _read_offsets(self, partition: int, uid: str) -> tuple[list[int], list[dict[str, object]]]:
        session = Session(uid, self._rows_of(partition).copy_session(uid), self._plans)
        if not session.exists:
            return [], []
        offsets, catalog = list(session.positions()), self._plans.load_catalog(self._rows_of(partition))
        known = {rules.position: rules for name in catalog.names() for rules in catalog.versions(name)}
        rules = [known[offset] for offset in dict.fromkeys(offsets) if offset in known]
        return offsets, [{"offset": each.position, "name": each.name, "version": each.version} for each in rules]

    async def count_rules(self, request: web.Request) -> web.Response:  # noqa: ARG002  # aiohttp's signature
        """Responds with the number of this worker's sessions by the published rules that they have."""
        counts = await run_off_loop(self._count_sessions)
        sessions = [{"name": name, "version": version, "sessions": n} for (name, version), n in sorted(counts.items())]
        return json_response({"rules": sessions})

    def _count_sessions(self) -> Counter[tuple[str, int]]:
        counts: Counter[tuple[str, int]] = Counter()
        for partition in sorted(self._progress.partitions):
            for _, row in self._rows_of(partition).scan(header_key("")):
                header = decode_header(row)
                if header.published is not None and not header.deleted:
                    counts[header.published.name, header.published.version] += 1
        return counts

    def _list_headers(self, prefix: str, limit: int) -> list[SessionSummary]:
        start = header_key(prefix)
        parts = [self._rows_of(p).scan(start) for p in sorted(self._progress.partitions)]
        summaries = (summarize_header(key[1:].decode(), row) for key, row in heapq.merge(*parts))
        return list(islice((summary for summary in summaries if summary is not None), limit))
