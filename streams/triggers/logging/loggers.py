"""Loggers of tasks: those that are independent of the process's logging configuration, and those that add a context."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Self, TypeAlias

from typing_extensions import override

from triggers.itertools import merge_dict_recursive


class LocalLogger(logging.Logger):
    """A logger without parent or configuration. `logging.disable` does not affect it."""

    def __init__(self, name: str | None = None, level: int = logging.NOTSET) -> None:
        super().__init__(name or f"_{type(self).__name__}_{id(self)}", level)

    @override
    def addHandler(self, hdlr: logging.Handler) -> Self:  # type: ignore[override]  # logging's own returns None
        """Adds a handler and returns the logger."""
        super().addHandler(hdlr)
        return self

    @override
    def isEnabledFor(self, level: int) -> bool:
        return level >= self.getEffectiveLevel()

    def close(self) -> None:
        """Flushes and closes all handlers."""
        for handler in self.handlers:
            handler.flush()
            handler.close()


class LoggerAdapter(logging.LoggerAdapter[logging.Logger]):
    """Merges its `extra` into that of every call, at every depth. All other attributes are those of the logger."""

    def __init__(self, logger: logging.Logger, extra: Mapping[str, Any] | None = None) -> None:
        self._values = dict(extra or {})
        super().__init__(logger, self._values)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # any attribute of the logger
        return getattr(self.logger, name)

    @property
    def context(self) -> dict[str, Any]:
        """The dictionary under `context` in `extra`. Keys that are added to it appear in all later records."""
        context: dict[str, Any] = self._values.setdefault("context", {})
        return context

    def process(self, msg: object, kwargs: MutableMapping[str, Any]) -> tuple[object, MutableMapping[str, Any]]:
        kwargs["extra"] = merge_dict_recursive(self._values, kwargs.get("extra") or {})
        return msg, kwargs


LevelCallback: TypeAlias = Callable[[int], None]
"""Callback that receives the level of every call."""


class ContextLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that merges its `context` and that of each call, `extra={"context": …}`, into the record's `context`."""

    def __init__(self, logger: logging.Logger, context: Mapping[str, Any], on_level: LevelCallback) -> None:
        super().__init__(logger, {})
        self.context = dict(context)
        self._on_level = on_level

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # any attribute of the logger
        return getattr(self.logger, name)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Reports the level and logs the message; all other methods call this one.

        The level is reported even if no handler receives the record.
        """
        self._on_level(level)
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1  # the caller's line, not this one
        super().log(level, msg, *args, **kwargs)

    def process(self, msg: object, kwargs: MutableMapping[str, Any]) -> tuple[object, MutableMapping[str, Any]]:
        """Merges the contexts. It also accepts `extras` instead of `extra`, as the framework's guide writes it."""
        rest = dict(kwargs)
        extra = {**(rest.pop("extras", None) or {}), **(rest.pop("extra", None) or {})}
        extra["context"] = merge_dict_recursive(self.context, extra.get("context") or {})
        return msg, {**rest, "extra": extra}


@contextmanager
def logging_to(logger: logging.Logger, context: Mapping[str, Any], on_level: LevelCallback) -> Iterator[ContextLogger]:
    """Returns a logger for a `with` block.

    An exception that leaves the block is logged with the exception's `context` and propagates.
    """
    adapter = ContextLogger(logger, context, on_level)
    try:
        yield adapter
    except Exception as error:
        details = getattr(error, "context", None)
        adapter.exception(str(error), extra={"context": details if isinstance(details, Mapping) else {}})
        raise
