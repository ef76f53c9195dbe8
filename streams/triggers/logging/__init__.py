"""Loggers and handlers for tasks: they add a context to records and remember the highest level."""

from triggers.logging.handlers import LogLevelHandler, MemoryHandler
from triggers.logging.loggers import ContextLogger, LocalLogger, LoggerAdapter, logging_to

__all__ = ["ContextLogger", "LocalLogger", "LogLevelHandler", "LoggerAdapter", "MemoryHandler", "logging_to"]
