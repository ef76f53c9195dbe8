"""Health, readiness and lag."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from starlette.responses import Response

from triggers.api.call import Call
from triggers.api.identity import Scope
from triggers.api.operations import DocumentedResponse, Operation
from triggers.api.problems import Kind
from triggers.api.services import Services, json_response
from triggers.client.consumer_lag import Finished, measure_lag
from triggers.errors import BrokerUnavailable
from triggers.kafka.reachability import check_reachable
from triggers.topology import Topology


class Health(Struct, frozen=True, kw_only=True):
    """The state of the API's own process."""

    status: str
    in_flight: int
    """Number of events that Kafka has not acknowledged yet."""


class Lag(Struct, frozen=True, kw_only=True):
    """The lag of a consumer group on one partition."""

    group: str
    topic: str
    partition: int
    committed: int
    end: int
    lag: int
    """Distance in offsets."""
    records: int | None
    """Number of unfinished records, or None if there are too many to count."""


class LagReport(Struct, frozen=True, kw_only=True):
    """The lag of the workers and of the executors of each queue."""

    partitions: list[Lag]
    unfinished: int | None
    """Sum of the unfinished records, or None if there are too many to count."""


class Monitoring:
    """The operations for monitors and deployments."""

    def __init__(self, services: Services, finished: Callable[[int, str], Finished] | None = None) -> None:
        """`finished` reads the ledger in the executors' commits, as for `measure_lag`."""
        self._services = services
        self._finished = finished

    def operations(self) -> list[Operation]:
        """Returns the operations of this class."""
        return [
            Operation(
                method="GET",
                path="/health",
                handler=self.check_health,
                scope=None,
                tag="monitoring",
                summary="Check that the API's process is alive.",
                responses={
                    200: DocumentedResponse(
                        "It is alive. This says nothing about Kafka or the workers.", Health, _ALIVE
                    )
                },
            ),
            Operation(
                method="GET",
                path="/ready",
                handler=self.check_readiness,
                scope=None,
                tag="monitoring",
                summary="Check that a broker answers and that the topic of the events exists.",
                responses={200: DocumentedResponse("Events can be published.", Health, _READY)},
                problems=(Kind.UNAVAILABLE, Kind.OVERLOADED),
            ),
            Operation(
                method="GET",
                path="/v1/lag",
                handler=self.show_lag,
                scope=Scope.READ,
                tag="monitoring",
                summary="Measure the lag of workers and executors by topic and partition.",
                responses={200: DocumentedResponse("The lag.", LagReport)},
                problems=(Kind.UNAVAILABLE, Kind.OVERLOADED),
            ),
        ]

    async def check_health(self, _: Call) -> Response:
        """Reports that the process is alive."""
        return json_response(Health(status="alive", in_flight=self._services.publisher.in_flight))

    async def check_readiness(self, _: Call) -> Response:
        """Checks the broker and the topic of the events."""
        publisher, settings = self._services.publisher, self._services.settings
        if publisher.is_broker_unavailable:
            raise BrokerUnavailable
        await self._services.blocking.run(check_reachable, settings, Topology(settings.namespace).events)
        return json_response(Health(status="ready", in_flight=publisher.in_flight))

    async def show_lag(self, _: Call) -> Response:
        """Measures the lag."""
        rows = await self._services.blocking.run(measure_lag, self._services.settings, finished=self._finished)
        partitions = [
            Lag(
                group=row.group,
                topic=row.topic,
                partition=row.partition,
                committed=row.committed,
                end=row.end,
                lag=row.lag,
                records=row.records,
            )
            for row in rows
        ]
        known = [row.records for row in partitions if row.records is not None]
        unfinished = sum(known) if len(known) == len(partitions) else None
        return json_response(LagReport(partitions=partitions, unfinished=unfinished))


_ALIVE: Final = {"status": "alive", "in_flight": 0}
_READY: Final = {"status": "ready", "in_flight": 0}
