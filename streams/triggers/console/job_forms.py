"""The forms of jobs: the options of an action on many sessions, and the address of its preview."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from triggers.api.identity import Scope
from triggers.client.letter_query import LetterQuery
from triggers.client.repair_checks import parse_replacement_kwargs
from triggers.console.forms import ParameterValues
from triggers.console.letter_search import letter_search_of
from triggers.console.parameters import flag_of, needed_text, number_of, parsed, text_of
from triggers.console.repair_forms import object_of
from triggers.console.search_form import SearchForm, search_form_of
from triggers.errors import CallError
from triggers.jobs.planner import MAX_ID, MAX_RATE
from triggers.jobs.records import DEFAULT_RATE, LETTERS, MAX_ITEMS, Action, JobChange, result_option
from triggers.queries import SessionQuery
from triggers.queries.filter_values import parse_rules

_ID: Final = re.compile(rf"[A-Za-z0-9-]{{1,{MAX_ID}}}")


class Target(NamedTuple):
    """The sessions or dead letters of a job, and its action."""

    action: Action
    entered: Mapping[str, str]
    """The filters that are set, as they were entered."""
    query: SessionQuery | LetterQuery
    back: str
    """The address of the page that shows what the filter finds."""


def job_url(action: str, form: SearchForm) -> str:
    """Return the address of the preview of a job for all that a search finds. Its durations count from the search."""
    return f"/jobs/new?{urlencode({'action': action, **form.entered, 'asked_at': str(form.asked_at)})}"


def action_of(query: ParameterValues) -> Action:
    """Return the action that an address names. Raises CallError."""
    name = text_of(query, "action")
    if name not in set(Action):
        raise CallError(f"action is {name!r:.100}; it must be one of {', '.join(Action)}")
    return Action(name)


def scope_of(action: Action) -> Scope:
    """Return what a visitor must be allowed to do for an action. It is the same for one session and for many."""
    return Scope.ADMIN if action is Action.DELETE else Scope.OPERATE


def change_of(action: Action, form: ParameterValues) -> JobChange:
    """Return the action with the options of a form. Raises CallError for a wrong one."""
    match action:
        case Action.REPLAY:
            if not text_of(form, "kwargs").strip():
                return JobChange(action=action)
            return JobChange(action=action, kwargs=parse_replacement_kwargs(object_of(form, "kwargs")))
        case Action.SKIP:
            result = result_option(object_of(form, "result"))
            return JobChange(action=action, cascade=flag_of(form, "cascade"), result=result)
        case Action.CANCEL:
            return JobChange(action=action, terminate=flag_of(form, "terminate"))
        case Action.ADOPT:
            name, version = rules_to_adopt(form)
            return JobChange(action=action, rules=name, version=version)
        case Action.DELETE | Action.REDRIVE | Action.DISCARD:
            return JobChange(action=action)


def rules_to_adopt(given: ParameterValues) -> tuple[str, int]:
    """Return name and version of the rules that sessions adopt; 0 is the newest version. Raises CallError."""
    name, version = parse_rules(needed_text(given, "adopt").strip())
    return name, version or 0


def target_of(query: ParameterValues) -> Target:
    """Return what the filter of a job's address selects: sessions, or dead letters. Raises CallError."""
    action = action_of(query)
    if action in LETTERS:
        letters = letter_search_of(query)
        return Target(action, letters.entered, letters.query, letters.url())
    search = search_form_of(query)
    return Target(action, search.entered, search.query, search.first_url())


def job_id_of(form: ParameterValues) -> str:
    """Return the id that the form gives its job, so that a form that is sent twice makes one job."""
    if not _ID.fullmatch(job_id := text_of(form, "job")):
        raise CallError(f"job is {job_id!r:.100}; it must be letters, digits and -, at most {MAX_ID}")
    return job_id


def rate_of(form: ParameterValues) -> float:
    """Return the maximum number of items per second. Raises CallError."""
    rate = parsed(form, "rate", float, DEFAULT_RATE)
    if not 0 < rate <= MAX_RATE:
        raise CallError(f"rate is {rate:g}; it must be more than 0 and at most {MAX_RATE:g} items per second")
    return rate


def counted_of(form: ParameterValues) -> int:
    """Return how many items the preview has counted. More are not changed."""
    return number_of(form, "counted", MAX_ITEMS, MAX_ITEMS) or MAX_ITEMS


def options_of(change: JobChange) -> list[tuple[str, Any]]:
    """Return the options of a change that are not the default, for people."""
    options: list[tuple[str, Any]] = []
    if change.kwargs is not None:
        options.append(("kwargs", msgspec.json.encode(change.kwargs).decode()))
    if change.simulated_result != b"{}":
        options.append(("result", change.simulated_result.decode()))
    if change.rules:
        options.append(("rules", f"{change.rules}@{change.version}"))
    options += [
        (name, "yes") for name, is_set in (("cascade", change.cascade), ("terminate", change.terminate)) if is_set
    ]
    return options
