"""`CommandSender`: sends commands into the application's own broker, and distinguishes bad commands from outages."""

from __future__ import annotations

import logging
from typing import Any, Final

import msgspec
from celery.result import denied_join_result
from kombu import Connection

from triggers.celery import no_broker
from triggers.celery.command_headers import command_headers, command_name
from triggers.celery.command_source import Delivery
from triggers.celery.command_traces import trace_of_delivery
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.routing import execution_options
from triggers.codec import trace_attributes
from triggers.core.commands import CancelTask, RunTask
from triggers.core.events import with_trace
from triggers.results.result_events import failed_event
from triggers.telemetry.spans import sending_attributes
from triggers.telemetry.tracing import sending_span

_MAX_REFUSALS: Final = 5
"""Number of times that the broker refuses a command, and accepts others in between, before the command fails."""

log = logging.getLogger(__name__)


class CommandSender:
    """Sends commands through Celery's `send_task`. It fails a command that cannot be sent. Not thread-safe."""

    def __init__(self, app: Any, publisher: ResultPublisher) -> None:
        no_broker.register()
        self._app = app
        self._publisher = publisher
        self._refusals: dict[str, int] = {}
        self._is_accepting = True

    def send(self, delivery: Delivery, command: RunTask | CancelTask) -> Exception | None:
        """Sends the command of a delivery, or reports its failure.

        Returns the broker's error if it must be sent again later. A cancellation is sent to all workers of the app.
        Blocks until the broker, or Kafka for a failure, has accepted the command.
        """
        return self._revoke(command) if isinstance(command, CancelTask) else self._send(delivery, command)

    def _revoke(self, command: CancelTask) -> Exception | None:
        try:
            self._app.control.revoke(command.id, terminate=command.terminate)
        except Exception as error:  # noqa: BLE001  # transports raise anything
            return error
        return None

    def _send(self, delivery: Delivery, command: RunTask) -> Exception | None:
        trace = trace_of_delivery(delivery)
        if trace is None:
            return self._try_to_send(delivery, command, command_headers(command))
        attributes = sending_attributes("dispatch", command.run, command.session)
        with sending_span(f"dispatch {command.run}", trace, attributes | {"messaging.system": "celery"}) as sent:
            return self._try_to_send(delivery, command, command_headers(command) | trace_attributes(sent))

    def _try_to_send(self, delivery: Delivery, command: RunTask, headers: dict[str, object]) -> Exception | None:
        try:
            self._publish(command, headers)
        except Exception as error:  # noqa: BLE001  # routers, serializers and transports raise anything
            failure = self._rehearse(command, headers) or self._refused_for_good(command, error)
            if failure is None:
                return error
            self._report(delivery, command, failure)
        else:
            self._is_accepting = True
        self._refusals.pop(command.id, None)
        return None

    def _publish(self, command: RunTask, headers: dict[str, object], **options: Any) -> None:
        """Sends as `delay` would, but without subscribing to the result, so that a backend may be unavailable."""
        with denied_join_result():
            self._app.send_task(
                command.run,
                kwargs=msgspec.json.decode(command.kwargs),
                task_id=command.id,
                headers=headers,
                retries=command.depth,
                retry=False,
                task_type=self._app.tasks.get(command.run),
                **execution_options(self._app, command.run) | options,
            )

    def _rehearse(self, command: RunTask, headers: dict[str, object]) -> Exception | None:
        """Returns the exception with which the command fails on its way to any broker, or None if it has none.

        Routers, serializers and compressions run as for the real broker, and `none://` refuses the message in the end.
        So an error of the application's code is recognised even if its class is one that a broker raises.
        """
        with Connection(no_broker.URL) as nowhere:
            try:
                self._publish(command, headers, producer=self._app.amqp.Producer(nowhere))
            except no_broker.NoCeleryBroker:
                return None
            except Exception as error:  # noqa: BLE001  # it is the command's failure
                return error
        return None

    def _refused_for_good(self, command: RunTask, error: Exception) -> Exception | None:
        """Returns the error if the broker has refused the command often enough while it accepted others.

        Only the first refusal after an accepted command counts, so that no command fails because of an outage.
        """
        if self._is_accepting:
            self._refusals[command.id] = self._refusals.get(command.id, 0) + 1
        self._is_accepting = False
        return error if self._refusals.get(command.id, 0) >= _MAX_REFUSALS else None

    def _report(self, delivery: Delivery, command: RunTask, failure: Exception) -> None:
        name, limit = command_name(command), self._publisher.settings.max_payload_bytes
        log.warning("%s cannot be sent to the Celery broker, so its instance fails: %s", command.id, failure)
        event = failed_event(name, failure, max_payload_bytes=limit)
        self._publisher.publish(name, with_trace(event, trace_of_delivery(delivery)))
