"""What a back-test takes for granted: the rules it tries, and results of runs that never were."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from triggers.codec.json_payloads import check_payload
from triggers.core.events import ConfigurationUpdated, Event, SessionImported
from triggers.errors import CallError, Undecodable


class Known(StrEnum):
    """How the result of a run under the new rules is known."""

    RECORDED = "recorded"
    """The same run, with the same kwargs and by the same event, is in the log; its results stand where they stood."""
    MOVED = "recorded, at another time"
    """The same run, with the same kwargs, came at another time; its results are as long after it as they were."""
    STUB = "stub"
    """A result that was declared, at once."""
    REUSED = "reused"
    """Another run of the task, with other kwargs, had this result; as long after it as it was."""
    UNKNOWN = "unknown"
    """Nobody knows. What waits for it is not judged."""


class Assumptions(Struct, frozen=True, kw_only=True):
    """How to fill in what was not recorded. Nothing given: stop at the unknown."""

    stubs: Mapping[str, bytes] = field(default_factory=dict)
    """Task -> the result (a JSON object) of its runs that are not in the log."""
    reuse: bool = False
    """Take the result of another run of the same task in the session."""


def parse_stub(text: str) -> tuple[str, bytes]:
    """Task and result of `t_import={"rows": 3}`. Raises CallError."""
    task, _, result = (part.strip() for part in text.partition("="))
    if not task or not result:
        raise CallError(f'{text!r} must be a task and its result, like t_import={{"rows": 3}}')
    try:
        check_payload(result.encode(), f"the result of {task}")
    except (Undecodable, msgspec.DecodeError) as error:
        raise CallError(f"{text!r}: {error}") from error
    return task, result.encode()


def check_stubs(stubs: Iterable[str], tasks: Collection[str]) -> None:
    """Refuse a stub of a task that is not among these. Raises CallError."""
    for task in stubs:
        if task not in tasks:
            near = get_close_matches(task, tasks, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"they have {', '.join(tasks)}"
            raise CallError(f"the new rules have no task {task!r} whose result could be assumed; {hint}")


class NewRules(Struct, frozen=True, kw_only=True):
    """The rules that are tried."""

    rules: bytes
    added: bool = False
    """Whether they are added to the recorded ones, as by `update_configuration`; else they stand in their place."""

    def instead(self, events: list[Event]) -> Iterator[tuple[int, Event]]:
        """The events with these rules, each with the number of the recorded event that it comes from, or is.

        They come where the session's first configuration is, or, if it has none, first of all. The rules of an imported
        session come with it, so to them they are added.
        """
        configures = (ConfigurationUpdated, SessionImported)
        places = [number for number, event in enumerate(events) if isinstance(event, configures)]
        if not places and events:
            yield 0, self._event(events[0])
        for number, event in enumerate(events):
            if not isinstance(event, configures):
                yield number, event
            elif self.added or isinstance(event, SessionImported):
                yield number, event
                yield number, self._event(event)
            elif number == places[0]:
                yield number, self._event(event)

    def _event(self, where: Event) -> Event:
        event = ConfigurationUpdated(configuration=self.rules)
        return replace(event, position=where.position, time=where.time)
