"""Jobs: what one would change, the list of them, and one with its progress and the result of each item."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.responses import RedirectResponse, Response

from triggers.api.identity import Scope
from triggers.api.problems import Kind, ProblemError
from triggers.api.services import Services
from triggers.client.letter_query import LetterQuery
from triggers.client.published_rules import StreamRules
from triggers.console.forms import ParameterValues
from triggers.console.gate import PageRoute
from triggers.console.job_forms import (
    Target,
    change_of,
    counted_of,
    job_id_of,
    options_of,
    rate_of,
    scope_of,
    target_of,
)
from triggers.console.parameters import number_of, text_of
from triggers.console.rendering import Renderer
from triggers.console.visit import Visit
from triggers.errors import CallError
from triggers.jobs.job import Job
from triggers.jobs.job_log import JobLog
from triggers.jobs.planner import Selection, new_job_id
from triggers.jobs.records import DEFAULT_RATE, LETTERS, MAX_ITEMS, Action, ItemState, JobChange
from triggers.jobs.selection import check_filter, require_same_job
from triggers.jobs.views import PARTICIPLES, SAMPLE, count_items, summarize, view_job

_JOBS: Final = 100
_ITEMS: Final = 100
_MAX_ROWS: Final = 1_000


class JobPages:
    """Handlers of the pages that every visitor with the scope `read` sees."""

    def __init__(self, log: JobLog, renderer: Renderer) -> None:
        self._log = log
        self._renderer = renderer

    def routes(self) -> list[PageRoute]:
        """Return the routes of all handlers."""
        return [PageRoute("GET", "/jobs", self.list_jobs), PageRoute("GET", "/jobs/{job}", self.show_job)]

    async def list_jobs(self, visit: Visit) -> Response:
        """Show the newest jobs: `?limit=`."""
        limit = number_of(visit.query, "limit", _JOBS, _MAX_ROWS) or _JOBS
        jobs = await asyncio.to_thread(self._log.read_jobs)
        values = {"jobs": [summarize(job) for job in jobs[:limit]], "more": len(jobs) > limit, "limit": limit}
        return self._renderer.page(visit, "jobs.html", values)

    async def show_job(self, visit: Visit) -> Response:
        """Show a job with its items: `?state=&first=`."""
        job = await asyncio.to_thread(self._log.find, visit.name("job"))
        state, first = text_of(visit.query, "state"), number_of(visit.query, "first", None, MAX_ITEMS) or 0
        if state and state not in set(ItemState):
            raise CallError(f"state is {state!r:.100}; it must be one of {', '.join(ItemState)}")
        view = view_job(job, state=ItemState(state) if state else None, first=first, limit=_ITEMS)
        values = {
            "view": view, "job": view.job, "finished": job.finished, "state": state, "first": first,
            "options": options_of(job.head.change), "what": count_items(job.head.change.action, len(job.items)),
            "is_about_letters": job.head.change.action in LETTERS, "may_act": _may_act(visit, job),
        }  # fmt: skip
        return self._renderer.page(visit, "job.html", values)


class JobActions:
    """Handlers of the pages that create, cancel and resume jobs."""

    def __init__(self, services: Services, renderer: Renderer) -> None:
        self._services = services
        self._renderer = renderer

    def routes(self) -> list[PageRoute]:
        """Return the routes of all handlers."""
        return [
            PageRoute("GET", "/jobs/new", self.preview_job, Scope.OPERATE),
            PageRoute("POST", "/jobs/new", self.create_job, Scope.OPERATE),
            PageRoute("POST", "/jobs/{job}/cancel", self.cancel_job, Scope.OPERATE),
            PageRoute("POST", "/jobs/{job}/resume", self.resume_job, Scope.OPERATE),
        ]

    async def preview_job(self, visit: Visit) -> Response:
        """Show how many items a job would change, some of them, and its options: `?action=` and a search.

        An adoption needs `?adopt=`, the rules; without it, the page asks for them.
        """
        target = _allowed_target(visit)
        if target.action is Action.ADOPT and not text_of(visit.query, "adopt"):
            rules = await self._services.blocking.run(StreamRules(self._services.settings).publications)
            return self._renderer.page(visit, "job_rules.html", {"target": target, "rules": rules[::-1]})
        selection = await self._services.blocking.run(self._select, _plain_change(visit, target), target, MAX_ITEMS)
        fields = {"rate": [f"{DEFAULT_RATE:g}"], "result": ["{}"], "job": [new_job_id()]}
        return self._preview(visit, target, selection, fields)

    async def create_job(self, visit: Visit) -> Response:
        """Record a job of at most as many items as the preview has counted, and begin to run it."""
        target = _allowed_target(visit)
        try:
            change = change_of(target.action, visit.form)
            rate_of(visit.form)
        except CallError as error:
            selection = await self._services.blocking.run(self._select, _plain_change(visit, target), target, MAX_ITEMS)
            return self._preview(visit, target, selection, visit.form, str(error))
        job = await self._services.blocking.run(self._create, change, target, visit.form, visit.actor)
        return RedirectResponse(f"/jobs/{job.id}", 303)

    async def cancel_job(self, visit: Visit) -> Response:
        """Cancel what is pending in a job."""
        job = await self._find(visit)
        await self._services.blocking.run(self._services.jobs.log.cancel, job.id, visit.actor)
        return RedirectResponse(f"/jobs/{job.id}", 303)

    async def resume_job(self, visit: Visit) -> Response:
        """Continue a job that has ended early."""
        job = await self._find(visit)
        if not job.is_finished:
            self._services.jobs.start(job.id)
        return RedirectResponse(f"/jobs/{job.id}", 303)

    async def _find(self, visit: Visit) -> Job:
        job = await self._services.blocking.run(self._services.jobs.log.find, visit.name("job"))
        _require(visit, job.head.change.action)
        return job

    def _select(self, change: JobChange, target: Target, max_items: int) -> Selection:
        """Return what a job would change. Blocks."""
        planner = self._services.jobs.planner
        if isinstance(target.query, LetterQuery):
            return planner.select_letters(change, target.query, max_items)
        return planner.select(change, target.query, max_items)

    def _create(self, change: JobChange, target: Target, form: ParameterValues, actor: str) -> Job:
        """Record a job and begin to run it. A form that is sent again finds the job of the first time. Blocks."""
        jobs, job_id = self._services.jobs, job_id_of(form)
        jobs.check_free()
        job = jobs.planner.existing(job_id)
        if job is not None:
            require_same_job(job.head, change)  # the filter is in the address; its durations end later each time
        else:
            selection = self._select(change, target, counted_of(form))
            job = jobs.planner.create(selection, actor=actor, rate=rate_of(form), job_id=job_id)
        if not job.is_finished:
            jobs.start(job.id)
        return job

    def _preview(
        self, visit: Visit, target: Target, selection: Selection, fields: ParameterValues, why: str = ""
    ) -> Response:
        action = selection.change.action
        values: Mapping[str, object] = {
            "target": target, "selection": selection, "action": action, "change": selection.change, "fields": fields,
            "why": why, "what": count_items(action, len(selection.items)), "is_about_letters": action in LETTERS,
            "participle": PARTICIPLES[action], "sample": selection.items[:SAMPLE],
            "address": f"/jobs/new?{visit.request.scope['query_string'].decode('ascii')}",
        }  # fmt: skip
        return self._renderer.page(visit, "job_preview.html", values, 400 if why else 200)


def _allowed_target(visit: Visit) -> Target:
    """Return what the address is about. Raises a problem unless the visitor may do the same with a single item."""
    target = target_of(visit.query)
    _require(visit, target.action)
    check_filter(target.action, target.query)
    return target


def _plain_change(visit: Visit, target: Target) -> JobChange:
    """Return the action with those options that decide what it selects."""
    return change_of(target.action, visit.query) if target.action is Action.ADOPT else JobChange(action=target.action)


def _require(visit: Visit, action: Action) -> None:
    if not visit.visitor.principal.may(scope_of(action)):
        raise ProblemError(Kind.FORBIDDEN, f"jobs that {action} need the scope {scope_of(action)}")


def _may_act(visit: Visit, job: Job) -> bool:
    return visit.visitor.principal.may(scope_of(job.head.change.action))
