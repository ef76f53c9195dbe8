"""A logger that adds a context to every message and tells the highest level it was used with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from triggers.itertools import merge_dict_recursive

Note: TypeAlias = Callable[[int], None]
"""Called with the level of every message."""


class ContextLogger(logging.LoggerAdapter[logging.Logger]):
    """Merges `context` and each message's `extra={"context": …}` into the record's `context`."""

    def __init__(self, logger: logging.Logger, context: Mapping[str, Any], note: Note) -> None:
        super().__init__(logger, {})
        self.context = dict(context)
        self._note = note

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # handlers and filters are the logger's
        return getattr(self.logger, name)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:  # noqa: ANN401  # as in logging
        """Every other method of a logger ends here. The level counts even where nobody listens."""
        self._note(level)
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1  # the caller's line, not this one
        super().log(level, msg, *args, **kwargs)

    def process(self, msg: object, kwargs: MutableMapping[str, Any]) -> tuple[object, MutableMapping[str, Any]]:
        """Put the merged context into the record; `extras` is what the framework's own guide calls `extra`."""
        rest = dict(kwargs)
        extra = {**(rest.pop("extras", None) or {}), **(rest.pop("extra", None) or {})}
        extra["context"] = merge_dict_recursive(self.context, extra.get("context") or {})
        return msg, {**rest, "extra": extra}


@contextmanager
def logging_to(logger: logging.Logger, context: Mapping[str, Any], note: Note) -> Iterator[ContextLogger]:
    """A logger for a `with` block: an exception that leaves the block is logged with its own `context`, and goes on."""
    adapter = ContextLogger(logger, context, note)
    try:
        yield adapter
    except Exception as error:
        own = getattr(error, "context", None)
        adapter.exception(str(error), extra={"context": own if isinstance(own, Mapping) else {}})
        raise
