"""The worker's HTTP views: sessions of its partitions, health, metrics."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import islice
from typing import TypeVar

import msgspec
import rocksdict
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from triggers.commit.ownership import Ownership
from triggers.commit.progress import Progress
from triggers.core.state.plans import Plans
from triggers.core.state.rows import header_key
from triggers.core.state.session import Session
from triggers.core.view import SessionSummary, SessionView, summarize_header, view_session
from triggers.process.exits import Stop, exit_now
from triggers.table.partition_rows import PartitionClosed, PartitionRows
from triggers.telemetry.metrics import Metrics
from triggers.topology import partition_of

T = TypeVar("T")

_SILENT_S = 120.0
"""A pump that has not gone round for so long is stuck; longer than any broker restart it waits out."""
_MAX_LISTED = 1000
_LONGEST_WAIT_S = 60.0


class Queries:
    """Answers about the sessions whose partitions this worker owns."""

    def __init__(
        self, ownership: Ownership, progress: Progress, rows_of: Callable[[int], PartitionRows], metrics: Metrics
    ) -> None:
        self._ownership = ownership
        self._progress = progress
        self._rows_of = rows_of
        self._metrics = metrics
        self._plans = Plans()
        self.partitions: int | None = None
        """Number of partitions of the events; None until the topics are known."""

    def routes(self) -> list[web.RouteDef]:
        """All views."""
        return [
            web.get("/sessions", self.list_sessions),
            web.get("/sessions/{uid:.+}", self.show_session),
            web.get("/events/{uid:.+}", self.list_events),
            web.get("/ready", self.ready),
            web.get("/live", self.live),
            web.get("/metrics", self.metrics),
        ]

    async def show_session(self, request: web.Request) -> web.Response:
        """`?after=<offset>&timeout=<s>` waits until that record of the session's partition is processed."""
        uid = request.match_info["uid"]
        partition = self._owned_partition(uid)
        if "after" in request.query:
            await self._wait_for_offset(partition, request)
        found = await _off_loop(lambda: self._read_session(partition, uid))
        if found is None:
            raise http_problem(web.HTTPNotFound, f"there is no session {uid!r}")
        return json_response(found)

    async def list_events(self, request: web.Request) -> web.Response:
        """Where the session's events are: `{partition, offsets}`, in the order in which they were applied."""
        uid = request.match_info["uid"]
        partition = self._owned_partition(uid)
        offsets = await _off_loop(lambda: self._read_offsets(partition, uid))
        if not offsets:
            raise http_problem(web.HTTPNotFound, f"there is no session {uid!r}")
        return json_response({"partition": partition, "offsets": offsets})

    async def list_sessions(self, request: web.Request) -> web.Response:
        """`?prefix=&limit=`: headers of sessions of this worker's partitions, by UID."""
        prefix = request.query.get("prefix", "")
        limit = min(int(_number(request, "limit", 100)), _MAX_LISTED)
        found = await _off_loop(lambda: self._list_headers(prefix, limit))
        return json_response({"sessions": found})

    async def ready(self, request: web.Request) -> web.Response:  # noqa: ARG002  # aiohttp's signature
        """200 when every owned partition can be processed and asked."""
        if self.partitions is None:
            raise http_problem(web.HTTPServiceUnavailable, "waiting for the broker and the topics")
        if recovering := sorted(self._ownership.owned - self._progress.partitions):
            raise http_problem(web.HTTPServiceUnavailable, f"recovering partitions {recovering}")
        if not self._ownership.joined:
            raise http_problem(web.HTTPServiceUnavailable, "joining the consumer group")
        return json_response({"partitions": sorted(self._ownership.owned)})

    async def live(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """200 while the pump goes round; before it starts, the worker waits for a broker."""
        if self.partitions is not None and self._progress.idle_s > _SILENT_S:
            raise http_problem(web.HTTPServiceUnavailable, f"no batch for {self._progress.idle_s:.0f} s")
        return json_response({})

    async def metrics(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Prometheus' text format."""
        self._metrics.partitions.set(len(self._ownership.owned))
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _owned_partition(self, uid: str) -> int:
        if self.partitions is None:
            raise http_problem(web.HTTPServiceUnavailable, "the worker is starting")
        partition = partition_of(uid.encode(), self.partitions)
        if partition not in self._ownership.owned:
            raise http_problem(web.HTTPMisdirectedRequest, f"another worker owns partition {partition}")
        if partition not in self._progress.partitions:
            raise http_problem(web.HTTPServiceUnavailable, f"partition {partition} is recovering")
        return partition

    async def _wait_for_offset(self, partition: int, request: web.Request) -> None:
        after = int(_number(request, "after", 0))
        timeout = min(_number(request, "timeout", 10), _LONGEST_WAIT_S)
        if not await self._progress.wait_for(partition, after, timeout):
            raise http_problem(
                web.HTTPServiceUnavailable, f"offset {after} of partition {partition} is not processed yet"
            )

    def _read_session(self, partition: int, uid: str) -> SessionView | None:
        session = Session(uid, self._rows_of(partition).copy_session(uid), self._plans)
        return view_session(session) if session.exists else None

    def _read_offsets(self, partition: int, uid: str) -> list[int]:
        session = Session(uid, self._rows_of(partition).copy_session(uid), self._plans)
        return list(session.event_positions()) if session.exists else []

    def _list_headers(self, prefix: str, limit: int) -> list[SessionSummary]:
        start = header_key(prefix)
        parts = [self._rows_of(p).scan(start) for p in sorted(self._progress.partitions)]
        found = (summarize_header(key[1:].decode(), row) for key, row in heapq.merge(*parts))
        return list(islice((session for session in found if session is not None), limit))


async def _off_loop(call: Callable[[], T]) -> T:
    """Run a read beside the pump; a revoked partition is unavailable, a broken file ends the worker."""
    try:
        return await asyncio.to_thread(call)
    except Stop as stop:
        exit_now(stop.code, stop.why, stop.__cause__)
    except (PartitionClosed, rocksdict.DbClosedError) as error:
        raise http_problem(web.HTTPServiceUnavailable, "the partition is moving to another worker") from error


def json_response(body: object) -> web.Response:
    """A JSON response."""
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


def http_problem(status: type[web.HTTPException], why: str) -> web.HTTPException:
    """A response to raise."""
    return status(text=msgspec.json.encode({"error": why}).decode(), content_type="application/json")


def _number(request: web.Request, name: str, default: float) -> float:
    try:
        number = float(request.query.get(name, default))
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise http_problem(web.HTTPBadRequest, f"{name} must be a number, not negative")
    return number
