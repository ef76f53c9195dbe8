"""Loggers apart from the process's logging."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any, Self

from triggers.itertools import merge_dict_recursive


class LocalLogger(logging.Logger):
    """A logger without handlers, parents or configuration; `logging.disable` does not reach it."""

    def __init__(self, name: str | None = None, level: int = logging.NOTSET) -> None:
        super().__init__(name or f"_{type(self).__name__}_{id(self)}", level)

    def addHandler(self, hdlr: logging.Handler) -> Self:  # type: ignore[override]  # noqa: N802  # logging's name
        """See `logging.Logger`; returns the logger."""
        super().addHandler(hdlr)
        return self

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # logging's name
        """See `logging.Logger`."""
        return level >= self.getEffectiveLevel()

    def close(self) -> None:
        """Flush and close the handlers: nobody else knows them."""
        for handler in self.handlers:
            handler.flush()
            handler.close()


class LoggerAdapter(logging.LoggerAdapter[logging.Logger]):
    """Adds its `extra` to every message's own, at every depth; otherwise it is the logger it adapts."""

    def __init__(self, logger: logging.Logger, extra: Mapping[str, Any] | None = None) -> None:
        self._values = dict(extra or {})
        super().__init__(logger, self._values)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the logger has
        return getattr(self.logger, name)

    @property
    def context(self) -> dict[str, Any]:
        """What `extra` holds under `context`; to be added to."""
        context: dict[str, Any] = self._values.setdefault("context", {})
        return context

    def process(self, msg: object, kwargs: MutableMapping[str, Any]) -> tuple[object, MutableMapping[str, Any]]:
        """See `logging.LoggerAdapter`."""
        kwargs["extra"] = merge_dict_recursive(self._values, kwargs.get("extra") or {})
        return msg, kwargs
