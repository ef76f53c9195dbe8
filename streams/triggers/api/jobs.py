"""Changes many sessions or dead letters by jobs: shows what a filter finds, creates jobs, shows and resumes them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct
from starlette.responses import Response

from triggers.api.authentication import require_scope
from triggers.api.call import Call
from triggers.api.identity import Scope
from triggers.api.json_objects import JsonObject, no_members
from triggers.api.names import IDEMPOTENCY_KEY, JOB
from triggers.api.operations import JSON, Body, DocumentedResponse, Handler, Media, Operation
from triggers.api.parameters import choice, integer
from triggers.api.problems import Kind, ProblemError
from triggers.api.services import Services, json_response
from triggers.client.letter_query import LetterQuery
from triggers.codec.json_payloads import check_payload
from triggers.core.published_rules import MAX_VERSION
from triggers.jobs.job import Job
from triggers.jobs.planner import MAX_RATE, Selection
from triggers.jobs.records import DEFAULT_RATE, LETTERS, MAX_ITEMS, Action, ItemState, JobChange, result_option
from triggers.jobs.selection import check_filter, require_same_job
from triggers.jobs.views import JobPreview, JobSummary, JobView, preview, summarize, view_job
from triggers.queries import SessionQuery

_ANY: Final = "any"
STATE: Final = choice("state", "Only items in this state.", *ItemState, _ANY, default=_ANY)
FIRST: Final = integer("first", "Number of the first item.", default=0, minimum=0, maximum=MAX_ITEMS)
LIMIT: Final = integer("limit", "Maximum number of items.", default=100, minimum=1, maximum=1000)
JOB_LIMIT: Final = integer("limit", "Maximum number of jobs.", default=50, minimum=1, maximum=1000)


class JobBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A change of everything that a filter finds."""

    action: Action
    where: SessionQuery = SessionQuery()
    """The filter of sessions; at least one of its members must be set. Replay and skip apply to failed instances."""
    letters: LetterQuery | None = None
    """Redrive and discard: the filter of open dead letters, instead of `where`. At least one member must be set."""
    kwargs: dict[str, JsonObject] | None = None
    """Replay: trigger -> kwargs that replaces all kwargs of each instance."""
    cascade: bool = False
    """Skip: whether the task's name is fired, as if the task had finished."""
    result: JsonObject = no_members()
    """Skip: JSON object with the simulated result."""
    terminate: bool = False
    """Cancel: whether running tasks are ended, too. It needs rules of edition 2."""
    rules: str = ""
    """Adopt: name of the published rules."""
    version: Annotated[int, Meta(ge=0, le=MAX_VERSION)] = 0
    """Adopt: the version. 0 means the newest one."""
    rate: Annotated[float, Meta(gt=0, le=MAX_RATE)] = DEFAULT_RATE
    """Maximum number of items per second."""
    max_items: Annotated[int, Meta(ge=1, le=MAX_ITEMS)] = MAX_ITEMS
    """If more items match, nothing is done. Set it to the number of a preview to change no more than that."""


class JobList(Struct, frozen=True, kw_only=True):
    """Jobs, the newest first."""

    jobs: list[JobSummary]


class Jobs:
    """The operations on jobs."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """Returns the operations of this class."""
        body = Body({JSON: Media(JobBody, _EXAMPLE)})
        return [
            Operation(
                method="POST", path="/v1/jobs/preview", handler=self.preview_job, scope=Scope.OPERATE, tag="jobs",
                summary="Count what a job would change, and show some of it. Nothing is changed.",
                description=_DELETING, body=body, responses={200: _PREVIEWED},
                problems=_OF_CREATING,
            ),
            Operation(
                method="POST", path="/v1/jobs", handler=self.create_job, scope=Scope.OPERATE, tag="jobs",
                summary="Replay, skip, cancel, delete, adopt rules, redrive or discard everything that a filter finds.",
                description=_CREATING + " " + _DELETING, parameters=(IDEMPOTENCY_KEY,), body=body,
                responses={202: _RECORDED}, problems=_OF_CREATING,
            ),
            Operation(
                method="GET", path="/v1/jobs", handler=self.list_jobs, scope=Scope.READ, tag="jobs",
                summary="List the newest jobs.", query=(JOB_LIMIT,),
                responses={200: DocumentedResponse("The jobs.", JobList)}, problems=_UNAVAILABLE,
            ),
            Operation(
                method="GET", path="/v1/jobs/{job}", handler=self.show_job, scope=Scope.READ, tag="jobs",
                summary="Show a job, its progress and the state of its items.",
                parameters=(JOB,), query=(STATE, FIRST, LIMIT),
                responses={200: DocumentedResponse("The job and some of its items.", JobView)},
                problems=(Kind.NOT_FOUND, *_UNAVAILABLE),
            ),
            _job_control(
                "resume", self.resume_job,
                "Resume a job that has ended early. What was published is not published again.",
                {202: DocumentedResponse("The job runs, unless it is finished.", JobSummary)},
            ),
            _job_control(
                "cancel", self.cancel_job,
                "Cancel the pending items of a job, wherever it runs. Items that are published are not undone.",
                {200: DocumentedResponse("The job afterwards.", JobSummary)},
            ),
        ]  # fmt: skip

    async def preview_job(self, call: Call) -> Response:
        """Shows what a job would change."""
        body = await self._read(call)
        selection = await self._services.blocking.run(self._select, body)
        return json_response(preview(selection))

    async def create_job(self, call: Call) -> Response:
        """Creates a job and runs it."""
        body, principal = await self._read(call), call.principal.name
        job_id = None if call.event_id is None else _id_of(principal, call.event_id)
        job = await self._services.blocking.run(self._create, body, principal, job_id)
        return json_response(summarize(job), 202)

    async def list_jobs(self, call: Call) -> Response:
        """Lists jobs."""
        jobs = await self._services.blocking.run(self._services.jobs.log.read_jobs)
        return json_response(JobList(jobs=[summarize(job) for job in jobs[: call.query(JOB_LIMIT)]]))

    async def show_job(self, call: Call) -> Response:
        """Shows a job with its items."""
        job, state = await self._find(call), call.query(STATE)
        wanted = None if state == _ANY else ItemState(state)
        return json_response(view_job(job, state=wanted, first=call.query(FIRST), limit=call.query(LIMIT)))

    async def resume_job(self, call: Call) -> Response:
        """Resumes a job."""
        job = await self._find(call)
        _require_scope_for(call, job.head.change.action)
        if not job.is_finished:
            self._services.jobs.start(job.id)
        return json_response(summarize(job), 202)

    async def cancel_job(self, call: Call) -> Response:
        """Cancels what is pending in a job."""
        _require_scope_for(call, (await self._find(call)).head.change.action)
        cancel = self._services.jobs.log.cancel
        return json_response(
            summarize(await self._services.blocking.run(cancel, call.name("job"), call.principal.name))
        )

    async def _find(self, call: Call) -> Job:
        return await self._services.blocking.run(self._services.jobs.log.find, call.name("job"))

    async def _read(self, call: Call) -> JobBody:
        """Reads and checks a request, so that a wrong one is refused without the workers and Kafka."""
        body = await call.read(JobBody)
        _require_scope_for(call, body.action)
        _change_of(body)
        check_filter(body.action, _filter_of(body))
        return body

    def _select(self, body: JobBody) -> Selection:
        """Returns what a job would change. Blocks."""
        planner, change = self._services.jobs.planner, _change_of(body)
        where = _filter_of(body)
        if isinstance(where, LetterQuery):
            return planner.select_letters(change, where, body.max_items)
        return planner.select(change, where, body.max_items)

    def _create(self, body: JobBody, actor: str, job_id: str | None) -> Job:
        """Records a job and begins to run it. A repeated request finds the job of the first one. Blocks."""
        jobs = self._services.jobs
        jobs.check_free()
        job = None if job_id is None else jobs.planner.existing(job_id)
        if job is not None:
            require_same_job(job.head, _change_of(body), _filter_of(body))
        else:
            job = jobs.planner.create(self._select(body), actor=actor, rate=body.rate, job_id=job_id)
        if not job.is_finished:
            jobs.start(job.id)
        return job


def _job_control(name: str, handler: Handler, summary: str, responses: Mapping[int, DocumentedResponse]) -> Operation:
    """Returns an operation that resumes or cancels a job."""
    return Operation(
        method="POST",
        path=f"/v1/jobs/{{job}}/{name}",
        handler=handler,
        scope=Scope.OPERATE,
        tag="jobs",
        summary=summary,
        description=_DELETING,
        parameters=(JOB,),
        responses=responses,
        problems=(Kind.NOT_FOUND, *_UNAVAILABLE),
    )


def _require_scope_for(call: Call, action: Action) -> None:
    """Raises a problem unless the token allows the same action on a single session."""
    require_scope(call.principal, Scope.ADMIN if action is Action.DELETE else Scope.OPERATE)


def _change_of(body: JobBody) -> JobChange:
    """Returns the action with its options. Raises a problem for an option of another action."""
    change = JobChange(
        action=body.action,
        kwargs=body.kwargs,
        cascade=body.cascade,
        result=result_option(bytes(body.result)),
        terminate=body.terminate,
        rules=body.rules,
        version=body.version,
    )
    if body.kwargs is not None:
        check_payload(msgspec.json.encode(body.kwargs), "kwargs")
    check_payload(bytes(body.result), "result")
    for name, action, is_set in (
        ("kwargs", Action.REPLAY, change.kwargs is not None),
        ("cascade", Action.SKIP, change.cascade),
        ("result", Action.SKIP, change.result is not UNSET),
        ("terminate", Action.CANCEL, change.terminate),
        ("rules", Action.ADOPT, bool(change.rules)),
        ("version", Action.ADOPT, bool(change.version)),
    ):
        if is_set and body.action is not action:
            detail = f"{name} is an option of {action}, not of {body.action}; remove it"
            raise ProblemError(Kind.INVALID_REQUEST, detail)
    _check_filters(body)
    return change


def _filter_of(body: JobBody) -> SessionQuery | LetterQuery:
    return body.letters or LetterQuery() if body.action in LETTERS else body.where


def _check_filters(body: JobBody) -> None:
    """Raises a problem if the filter is not about what the action changes."""
    is_about_letters = body.action in LETTERS
    if is_about_letters and not body.where.is_empty:
        raise ProblemError(Kind.INVALID_REQUEST, f"{body.action} changes dead letters: write `letters`, not `where`")
    if not is_about_letters and body.letters is not None:
        raise ProblemError(Kind.INVALID_REQUEST, f"{body.action} changes sessions: write `where`, not `letters`")


def _id_of(principal: str, key: str) -> str:
    """Returns the id of the job of an `Idempotency-Key`. Each principal has keys of its own."""
    return "key-" + blake2b(f"{principal}\n{key}".encode(), digest_size=12).hexdigest()


_UNAVAILABLE: Final = (Kind.UNAVAILABLE, Kind.OVERLOADED)
_PREVIEWED: Final = DocumentedResponse("The items that match now.", JobPreview)
_RECORDED: Final = DocumentedResponse("The job is recorded and runs.", JobSummary)
_OF_CREATING: Final = (
    Kind.INVALID_EVENT, Kind.BODY_TIMEOUT, Kind.CONFLICT, Kind.TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE, Kind.KEY_REUSED,
    *_UNAVAILABLE,
)  # fmt: skip
_EXAMPLE: Final = {
    "action": "replay",
    "where": {"status": "failed", "exception": "TimeoutError", "prefix": "order-"},
    "max_items": 50,
}
_CREATING: Final = (
    "The filter is evaluated once, when the job is created: its items are recorded, and each of them is changed once."
    " `GET /v1/jobs/{job}` shows the progress. The job runs in this server; if that ends, the job can be resumed."
)
_DELETING: Final = "Jobs that delete sessions need the scope `admin`."
