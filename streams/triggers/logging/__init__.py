"""Loggers and handlers for tasks: they add a context to records and remember the highest level."""

from triggers.logging.context_logger import ContextLogger, logging_to
from triggers.logging.handlers import LogLevelHandler, MemoryHandler
from triggers.logging.loggers import LocalLogger, LoggerAdapter

__all__ = ["ContextLogger", "LocalLogger", "LogLevelHandler", "LoggerAdapter", "MemoryHandler", "logging_to"]
