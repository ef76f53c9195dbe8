"""Logging handlers that remember levels and records, for tests and tasks."""

from __future__ import annotations

import logging
from collections.abc import Iterator


class LogLevelHandler(logging.Handler):
    """A handler that remembers the highest level of its records."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.max_level_emitted = logging.NOTSET

    def clear(self) -> None:
        """Resets the highest level to NOTSET."""
        self.max_level_emitted = logging.NOTSET

    def emit(self, record: logging.LogRecord) -> None:
        self.max_level_emitted = max(self.max_level_emitted, record.levelno)


class MemoryHandler(LogLevelHandler):
    """A handler that also remembers every record. It stores tracebacks as text, so that no frame is kept alive."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._records: list[logging.LogRecord] = []

    def __getitem__(self, index: int) -> logging.LogRecord:
        return self._records[index]

    def __iter__(self) -> Iterator[logging.LogRecord]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    @property
    def records(self) -> list[logging.LogRecord]:
        """A new list of all records, in order."""
        return list(self._records)

    def clear(self) -> None:
        """Discards all records and resets the highest level."""
        super().clear()
        self._records.clear()

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        self._records.append(record)
