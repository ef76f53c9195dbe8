"""Configures the log of a process: text or JSON, with lines of libraries only from warnings up."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

import structlog
from structlog.typing import EventDict, Processor

from triggers.core.trace_context import TraceContext
from triggers.settings import Settings
from triggers.telemetry.current_trace import current_trace


def configure_logging(settings: Settings, **context: object) -> None:
    """Sends all log lines to stderr in `settings.log_format`, each with `context`. Call it once per process."""
    shared: list[Processor] = [
        _with(context),
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=_rendering(settings), foreign_pre_chain=shared))
    handler.addFilter(_ours_or_serious)
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)


def json_formatter(*processors: Processor) -> logging.Formatter:
    """Returns a formatter that makes one JSON object of a record of the standard library, after these processors.

    The object has the time, the level, the logger's name, the text as `event`, a traceback as `exception`, and the
    `context` that a `ContextLogger` adds.
    """
    chain: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=["context"]),
        _add_trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *processors,
    ]
    return structlog.stdlib.ProcessorFormatter(processors=_json_rendering(), foreign_pre_chain=chain)


def _with(context: Mapping[str, object]) -> Processor:
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, **context}

    return add


def _add_trace(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Adds the ids of the trace and of the span that the running code belongs to, if it belongs to one."""
    trace = current_trace()
    return event if trace is None else {**trace_fields(trace), **event}


def trace_fields(trace: TraceContext) -> EventDict:
    """Returns the fields that name a trace in log lines, as OpenTelemetry's conventions for logs call them."""
    return {"trace_id": trace.trace_id.hex(), "span_id": trace.span_id.hex()}


def _ours_or_serious(record: logging.LogRecord) -> bool:
    """Returns whether the line is ours, or at least a warning.

    Ours are dictionaries, and all lines of `triggers.celery`. The names of other loggers do not tell: Faust logs the
    start and stop of services under the names of our subclasses.
    """
    is_serious = record.levelno >= logging.WARNING
    return is_serious or isinstance(record.msg, dict) or record.name.startswith("triggers.celery")


def _rendering(settings: Settings) -> list[Processor]:
    if settings.log_format == "json":
        return _json_rendering()
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the default one shows variables, and so payloads
        ),
    ]


def _json_rendering() -> list[Processor]:
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=str),
    ]
