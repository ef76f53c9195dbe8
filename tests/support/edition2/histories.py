"""Histories of edition 2: what a driver answers to each step, compared with what the history expects."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from tests.support.edition2.state import Json
from tests.support.histories import spaced

DATA = Path(__file__).parents[2] / "conformance" / "data" / "edition2"
CURATED, RANDOM = "curated.jsonl", "random_public.jsonl.gz"


class Driver(Protocol):
    """An implementation that keeps sessions by the rules."""

    def apply(self, step: Json) -> Json:
        """Apply a step and return what its `expect` must be."""

    def final(self) -> Json:
        """Return what `final` must say of the session `main`."""


def histories(file: str, every: int = 1) -> Iterator[Json]:
    """Yields every n-th history of the file, or more of them if the environment says so (`spaced`)."""
    content = (DATA / file).read_bytes()
    lines = (gzip.decompress(content) if file.endswith(".gz") else content).splitlines()
    for line in lines[:: spaced(every)]:
        yield json.loads(line)


def is_embeddable(history: Json) -> bool:
    """Return whether an embedded storage can carry out all rules of the history."""
    configurations = [step.get("configuration") or {} for step in history["steps"]]
    return all(_is_carried_out(name, own) for each in configurations for name, own in each.items())


def _is_carried_out(name: str, own: object) -> bool:
    if not isinstance(own, dict):
        return name != "$forward"
    cancel = own.get("cancelOn")
    return "queue" not in own and not (isinstance(cancel, dict) and cancel.get("terminate"))


def difference(history: Json, driver: Driver) -> str:
    """Return the first difference, empty if there is none."""
    for number, step in enumerate(history["steps"]):
        given = {key: value for key, value in step.items() if key != "expect"}
        if found := different(driver.apply(given), step["expect"]):
            return f"{history['id']} ({history['title']}), step {number} {given}: {found}"
    found = different(driver.final(), history["final"])
    return f"{history['id']} ({history['title']}), at the end: {found}" if found else ""


def differences(file: str, driver: Callable[[], Driver], every: int = 1) -> tuple[int, list[str]]:
    """Return how many histories were compared, and the first difference of each that differs."""
    found = [difference(history, driver()) for history in histories(file, every)]
    return len(found), [text for text in found if text]


def different(answer: Json, expected: Json) -> str:
    got = _comparable(json.loads(json.dumps(answer)))
    wanted = _comparable(expected)
    assert isinstance(got, dict)
    assert isinstance(wanted, dict)
    keys = [key for key in {**wanted, **got} if got.get(key) != wanted.get(key)]
    return "; ".join(f"{key}: expected {expected.get(key)}, got {answer.get(key)}" for key in keys)


def _comparable(value: object) -> object:
    """Return a value that compares numbers by value and tells `true` from `1`."""
    match value:
        case bool():
            return "true" if value else "false", "boolean"
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _comparable(own) for name, own in value.items()}
        case list():
            return [_comparable(own) for own in value]
        case _:
            return value
