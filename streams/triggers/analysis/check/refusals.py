"""Finds why the engine refuses directives and blocks of edition 2, one by one, so that all are reported at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from triggers.core.edition_2_directives import parse_task
from triggers.core.edition_2_plan import BLOCKS, EDITION, is_reserved, parse_edition_2_plan
from triggers.core.kwargs import join_object
from triggers.errors import InvalidConfiguration

_MINIMUM: Final[Mapping[str, object]] = {"after": ["x"], "run": "run"}
"""A small rule beside which each directive is tried alone."""
_WITH_ALIASES: Final = frozenset({"after", "andEvery"})


def block_refusals(members: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Yields the blocks, and names like those of blocks or outcomes, that are refused, with the engine's reason."""
    for name, text in members.items():
        if (name in BLOCKS or name.startswith("$") or is_reserved(name)) and name != EDITION:
            try:
                parse_edition_2_plan(json.loads(join_object({EDITION: b"2", name: text})))
            except InvalidConfiguration as error:
                yield name, str(error)


def refuse_directives(task: str, directives: bytes) -> Iterator[tuple[str | None, str]]:
    """Yields the directives of a task that are refused, with the engine's reason; None for the task as a whole."""
    written = json.loads(directives)
    refused = False
    for key in written if isinstance(written, dict) else ():
        if message := _refusal(task, _alone(key, written)):
            refused = True
            yield (key, message)
    if not refused and (message := _refusal(task, written)):
        yield None, message


def _alone(key: str, written: Mapping[str, object]) -> dict[str, object]:
    """Returns the smallest rule with that directive."""
    if key in _WITH_ALIASES:
        return {"run": "run", "after": [], key: written[key]}
    return dict(_MINIMUM) | {key: written[key]}


def _refusal(task: str, written: object) -> str:
    try:
        parse_task(task, written)
    except InvalidConfiguration as error:
        return str(error)
    return ""
