"""Configures the log of a worker or dispatcher: text or JSON, with lines of libraries only from warnings up."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

import structlog
from structlog.typing import EventDict, Processor

from triggers.settings import Settings


def configure_logging(settings: Settings, **context: object) -> None:
    """Sends all log lines to stderr in `settings.log_format`, each with `context`. Call it once per process."""
    shared: list[Processor] = [
        _with(context),
        structlog.contextvars.merge_contextvars,
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


def _with(context: Mapping[str, object]) -> Processor:
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, **context}

    return add


def _ours_or_serious(record: logging.LogRecord) -> bool:
    """Returns whether the line is ours, or at least a warning.

    Ours are dictionaries, and all lines of `triggers.celery`. The names of other loggers do not tell: Faust logs the
    start and stop of services under the names of our subclasses.
    """
    is_serious = record.levelno >= logging.WARNING
    return is_serious or isinstance(record.msg, dict) or record.name.startswith("triggers.celery")


def _rendering(settings: Settings) -> list[Processor]:
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if settings.log_format == "json":
        return [strip, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        strip,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the default one shows variables, and so payloads
        ),
    ]
