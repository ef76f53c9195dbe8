"""What a task logs, and how serious it was."""

from triggers.logging.context_logger import ContextLogger, logging_to

__all__ = ["ContextLogger", "logging_to"]
