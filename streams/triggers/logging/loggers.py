"""Loggers that are independent of the process's logging configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any, Self

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
