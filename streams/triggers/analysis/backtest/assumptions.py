"""The assumptions of a back-test: the new rules, and the results of runs that never happened."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from triggers.codec.json_payloads import check_payload
from triggers.core.events import AdoptionRequested, ConfigurationUpdated, Event, RulesPublished, SessionImported
from triggers.errors import CallError, Undecodable


class ResultSource(StrEnum):
    """The source of the result of a run under the new rules."""

    RECORDED = "recorded"
    """The log has the same run, with the same kwargs and caused by the same event; its results keep their times."""
    MOVED = "recorded, at another time"
    """The log has the same run, with the same kwargs, at another time; its results come after the same delay."""
    STUB = "stub"
    """The user declared the result; it comes at once."""
    REUSED = "reused"
    """The result is that of another run of the task, with other kwargs; it comes after the same delay."""
    UNKNOWN = "unknown"
    """The result is not known. Tasks that depend on it are not judged."""


class Assumptions(Struct, frozen=True, kw_only=True):
    """The results to assume for runs that were not recorded. By default, they stay unknown."""

    stubs: Mapping[str, bytes] = field(default_factory=dict)
    """The result (a JSON object) of runs that are not in the log, by task."""
    reuse: bool = False
    """If true, use the result of another run of the same task in the session."""


def parse_stub(text: str) -> tuple[str, bytes]:
    """Parses a task and its result, such as `t_import={"rows": 3}`. Raises CallError."""
    task, _, result = (part.strip() for part in text.partition("="))
    if not task or not result:
        raise CallError(f'{text!r} must be a task and its result, such as t_import={{"rows": 3}}')
    try:
        check_payload(result.encode(), f"the result of {task}")
    except (Undecodable, msgspec.DecodeError) as error:
        raise CallError(f"{text!r}: {error}") from error
    return task, result.encode()


def check_stubs(stubs: Iterable[str], tasks: Collection[str]) -> None:
    """Raises CallError if a stub is for a task that is not in `tasks`."""
    for task in stubs:
        if task not in tasks:
            near = get_close_matches(task, tasks, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"they have {', '.join(tasks)}"
            raise CallError(f"the new rules have no task {task!r}, so it cannot have a stub; {hint}")


class NewRules(Struct, frozen=True, kw_only=True):
    """The rules that a back-test tries."""

    rules: bytes
    added: bool = False
    """True if they are added to the recorded rules, as `update_configuration` does. Otherwise they replace them."""

    def substitute(self, events: list[Event]) -> Iterator[tuple[int, Event]]:
        """Yields the events with these rules, each with the number of the recorded event that it is or comes from.

        The rules come in place of the session's first configuration or published rules, or before all events if it
        has neither. An imported session brings its rules with it, so the new ones are added to those.
        """
        configures = (ConfigurationUpdated, SessionImported, RulesPublished, AdoptionRequested)
        configured = [number for number, event in enumerate(events) if isinstance(event, configures)]
        if not configured and events:
            yield 0, self._event(events[0])
        for number, event in enumerate(events):
            if not isinstance(event, configures):
                yield number, event
            elif self.added or isinstance(event, SessionImported):
                yield number, event
                yield number, self._event(event)
            elif number == configured[0]:
                yield number, self._event(event)

    def _event(self, where: Event) -> Event:
        named = where.name if isinstance(where, RulesPublished) else None
        event = ConfigurationUpdated(configuration=self.rules, rules=named)
        return replace(event, position=where.position, time=where.time)
