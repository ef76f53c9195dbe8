"""`ContextLogger`: adds a context to every record and reports the level of every call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from triggers.itertools import merge_dict_recursive

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
