"""Finds every reason for which the engine refuses the rules, not only the first, each with its location."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from triggers.analysis.check.findings import CheckFinding, finding
from triggers.analysis.check.locations import START, JsonPath, Location, Locations
from triggers.analysis.check.refusals import block_refusals, refuse_directives
from triggers.core.config import DIRECTIVES, MANAGER_NAME, compile_plan, validate_configuration
from triggers.core.edition_2_config import compile_edition_2
from triggers.core.edition_2_plan import BLOCKS, EDITION, Edition2Plan, is_reserved
from triggers.core.kwargs import join_object, split_members
from triggers.core.limits import LIMITS_NAME
from triggers.core.plan import Rule
from triggers.errors import CallError, InvalidConfiguration

_MINIMUM: Final = {"after": b"[]", "run": b'"run"'}
"""The smallest rule that the engine accepts. Each directive is tried alone beside it."""
_NEAR: Final = 0.8


class Reading:
    """A file of rules, read as far as possible: the findings, and the tasks that the engine accepts."""

    def __init__(self, text: bytes) -> None:
        self.findings: list[CheckFinding] = []
        self.locations = Locations("{}")
        self.names: list[str] = []
        """The names of all tasks, accepted or not."""
        self.tasks: dict[str, Rule] = {}
        self.edition_2: Edition2Plan | None = None
        """The rules of edition 2, if that is their edition and nothing is refused."""
        try:
            decoded = text.decode()
            configuration = json.loads(decoded)
        except (ValueError, RecursionError) as error:
            self.findings.append(_no_json(error))
            return
        if not isinstance(configuration, dict):
            self.findings.append(_no_object(START))
            return
        self.locations = Locations(decoded)
        self._read(text)

    def _read(self, text: bytes) -> None:
        self.findings += [_repeated(path, location) for path, location in self.locations.repeated if len(path) < 3]
        members = _members(text)
        if members.get(EDITION) == b"2":
            self._read_edition_2(text, members)
            return
        members.pop(EDITION, None)
        if message := _refusal({LIMITS_NAME: members.pop(LIMITS_NAME, b"{}")}):
            self.findings.append(_invalid(self.locations, LIMITS_NAME, None, message, "correct or delete the limit"))
        if message := _refusal({MANAGER_NAME: members.pop(MANAGER_NAME, b"null")}):
            self.findings.append(_invalid(self.locations, MANAGER_NAME, None, message, "write the key of a manager"))
        for name, directives in members.items():
            self.names.append(name)
            refused = list(_refused(name, directives, self.locations))
            self.findings += refused
            if not refused:
                self.tasks |= compile_plan(join_object({name: directives})).tasks
        if not self.findings:
            self.findings += _find_other_refusal(text)

    def _read_edition_2(self, text: bytes, members: dict[str, bytes]) -> None:
        """Reads task by task, as in edition 1; what the engine accepts as a whole is compiled as a whole."""
        for name, message in block_refusals(members):
            self.findings.append(_invalid(self.locations, name, None, message, "correct what the message names"))
        tasks = {name: directives for name, directives in members.items() if name not in BLOCKS}
        self.names = [name for name in tasks if not name.startswith("$") and not is_reserved(name)]
        for name in self.names:
            refused = list(refuse_directives(name, tasks[name]))
            self.findings += [_invalid(self.locations, name, key, text, _fix_of(text)) for key, text in refused]
            if not refused:
                self.tasks |= compile_edition_2(join_object({EDITION: b"2", name: tasks[name]})).tasks
        if not self.findings:
            self.findings += _find_other_refusal(text)
        if not self.findings:
            plan = compile_edition_2(text)
            self.tasks, self.edition_2 = plan.tasks, plan.edition_2


def _fix_of(message: str) -> str:
    return "correct what the message names" if "; " not in message else message.partition("; ")[2]


def _members(text: bytes) -> dict[str, bytes]:
    try:
        return split_members(text)
    except CallError:
        return {}


def _no_json(error: Exception) -> CheckFinding:
    if isinstance(error, json.JSONDecodeError):
        location = Location(error.lineno, error.colno, error.lineno, error.colno + 1)
        return finding("invalid-json", location, f"this is not JSON: {error.msg}", "correct the JSON here")
    return finding("invalid-json", START, f"this is not JSON: {error}", "save the rules as JSON in UTF-8")


def _no_object(location: Location) -> CheckFinding:
    fix = 'write {"<task>": {"after": [...], "run": "..."}, ...}'
    return finding("invalid-json", location, "a configuration must be a JSON object: task name -> directives", fix)


def _repeated(path: JsonPath, location: Location) -> CheckFinding:
    task, directive = path[0], path[1] if len(path) > 1 else None
    message = f"the key {path[-1]!r} appears twice, and JSON parsers disagree about which one counts"
    return finding("duplicate-key", location, message, "delete one of them", task=task, directive=directive)


def _refused(task: str, directives: bytes, locations: Locations) -> Iterator[CheckFinding]:
    try:
        members = split_members(directives)
    except CallError as error:
        yield _invalid(
            locations, task, None, f"task {task!r}: its directives: {error}", "write an object of directives"
        )
        return
    yield from _missing(task, members, locations)
    for key, value in members.items():
        if message := _refusal({task: join_object(_MINIMUM | {key: value})}):
            yield _invalid(locations, task, key, message, _fix(message, key))


def _missing(task: str, members: dict[str, bytes], locations: Locations) -> Iterator[CheckFinding]:
    for key in _MINIMUM:
        if key not in members:
            message = _refusal({task: join_object({name: value for name, value in _MINIMUM.items() if name != key})})
            meant = get_close_matches(key, [name for name in members if name not in DIRECTIVES], n=1, cutoff=0.6)
            fix = f"rename {meant[0]!r} to {key!r}" if meant else f"add {key!r}"
            yield _invalid(locations, task, meant[0] if meant else None, message, fix)


def _refusal(configuration: dict[str, bytes]) -> str:
    """Returns the engine's reason for refusing it; empty if it accepts it."""
    try:
        validate_configuration(join_object(configuration))
    except InvalidConfiguration as error:
        return str(error)
    return ""


def _invalid(locations: Locations, task: str, directive: str | None, message: str, fix: str) -> CheckFinding:
    location = locations.find(task, directive)
    return finding("invalid-directive", location, message, fix, task=task, directive=directive)


def _fix(message: str, key: str) -> str:
    wanted = message.partition("must be ")[2].partition(", but it is ")[0]
    return f"make {key!r} {wanted}" if wanted else f"change or delete {key!r}"


def _find_other_refusal(text: bytes) -> Iterator[CheckFinding]:
    """Finds a reason for refusal that no single directive has."""
    try:
        validate_configuration(text)
    except InvalidConfiguration as error:
        yield finding("invalid-json", START, str(error), "correct what the message names")


def misspelt(key: str) -> str | None:
    """Returns the directive that an application's own key resembles so closely that it must be meant, or None."""
    lower = {directive.lower(): directive for directive in DIRECTIVES}
    plain = key.lower().replace("_", "").replace("-", "")
    near = get_close_matches(plain, lower, n=1, cutoff=_NEAR)
    return lower[near[0]] if near else None
