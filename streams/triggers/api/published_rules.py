"""Publishes rules and shows what has been published."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Raw, Struct
from starlette.responses import Response

from triggers.analysis.check.findings import Severity
from triggers.analysis.check.rules import check_rules
from triggers.api.call import Call
from triggers.api.identity import Scope
from triggers.api.json_objects import JsonObject
from triggers.api.names import RULES
from triggers.api.operations import JSON, Body, DocumentedResponse, Media, Operation
from triggers.api.parameters import optional_integer
from triggers.api.problems import ItemError, Kind, ProblemError
from triggers.api.services import SOURCE, Services, json_response
from triggers.client.published_rules import StreamRules, find_version, newest_versions, versions_of
from triggers.codec.json_payloads import check_payload
from triggers.core.config import validate_configuration
from triggers.core.events import RulesPublished
from triggers.core.published_rules import KEEP, MAX_VERSION

VERSION: Final = optional_integer("version", "Version to show. Default: the newest.", minimum=1, maximum=MAX_VERSION)


class RulesVersion(Struct, frozen=True, kw_only=True):
    """A version of published rules."""

    name: str
    version: int
    configuration: JsonObject
    """JSON object, task name -> directives."""
    match: list[str]
    """UIDs of the sessions that begin with these rules, or patterns with `*` at the end."""
    is_default: bool
    existing: str
    locked: bool
    time: int
    """When it was published, in milliseconds since 1970-01-01 UTC."""
    actor: str | None
    """Who published it."""


class RulesList(Struct, frozen=True, kw_only=True):
    """All published rules, each with its newest version, by name."""

    rules: list[RulesVersion]


class PublishBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Rules to publish."""

    configuration: JsonObject
    """JSON object, task name -> directives."""
    match: list[str] = []
    """UIDs of the sessions that begin with these rules, or patterns with `*` at the end."""
    is_default: bool = False
    """Whether new sessions that nothing matches take the rules."""
    existing: Literal["keep", "adopt"] = "keep"
    """Whether sessions with an earlier version keep it, or adopt this one at their next event."""
    locked: bool = False
    """Whether sessions with the rules refuse updates of their configuration."""


class Published(Struct, frozen=True, kw_only=True):
    """The effect of a publication."""

    name: str
    version: int
    """The version that has these rules."""
    changed: bool
    """False if it was published before, so that nothing has changed."""


class RulesOperations(Struct, frozen=True):
    """The operations for published rules."""

    services: Services

    def operations(self) -> list[Operation]:
        """Returns the operations of this class."""
        unavailable = (Kind.UNAVAILABLE, Kind.OVERLOADED)
        return [
            Operation(
                method="GET",
                path="/v1/rules",
                handler=self.list_rules,
                scope=Scope.READ,
                tag="rules",
                summary="List all published rules, each with its newest version.",
                responses={200: DocumentedResponse("The rules.", RulesList)},
                problems=unavailable,
            ),
            Operation(
                method="GET",
                path="/v1/rules/{rules}",
                handler=self.show_rules,
                scope=Scope.READ,
                tag="rules",
                summary="Show a version of published rules.",
                parameters=(RULES,),
                query=(VERSION,),
                responses={200: DocumentedResponse("The version.", RulesVersion)},
                problems=(Kind.NOT_FOUND, *unavailable),
            ),
            Operation(
                method="POST",
                path="/v1/rules/{rules}",
                handler=self.publish_rules,
                scope=Scope.ADMIN,
                tag="rules",
                summary="Publish rules under a name, which new sessions take automatically.",
                description=_PUBLISH_DESCRIPTION,
                parameters=(RULES,),
                body=Body({JSON: Media(PublishBody, {"configuration": _RULES, "match": ["order-*"]})}),
                responses={200: DocumentedResponse("The effect of a publication.", Published, _PUBLISHED)},
                problems=_REFUSALS,
            ),
        ]

    async def list_rules(self, _: Call) -> Response:
        """Lists published rules."""
        publications = await self.services.blocking.run(StreamRules(self.services.settings).publications)
        return json_response(RulesList(rules=list(map(_view, newest_versions(publications)))))

    async def show_rules(self, call: Call) -> Response:
        """Shows a version of published rules."""
        name, number = call.name("rules"), call.query(VERSION)
        publications = await self.services.blocking.run(StreamRules(self.services.settings).publications)
        return json_response(_view(find_version(versions_of(publications, name), number)))

    async def publish_rules(self, call: Call) -> Response:
        """Publishes rules."""
        name, body = call.name("rules"), await call.read(PublishBody)
        event = RulesPublished(
            name=name,
            version=0,
            configuration=bytes(body.configuration),
            match=body.match,
            is_default=body.is_default,
            existing=body.existing or KEEP,
            locked=body.locked,
            actor=call.principal.name,
        )
        return json_response(await self.services.blocking.run(self._publish, event))

    def _publish(self, event: RulesPublished) -> Published:
        check_payload(event.configuration, "configuration")
        _check(event.configuration)
        rules = StreamRules(self.services.settings, SOURCE)
        if (published := rules.publish(event)) is not None:
            return Published(name=event.name, version=published.version, changed=True)
        newest = find_version(versions_of(rules.publications(), event.name), None)
        return Published(name=event.name, version=newest.version, changed=False)


def _check(rules: bytes) -> None:
    """Raises InvalidConfiguration, or a problem that lists the errors that `triggers check` finds."""
    validate_configuration(rules)
    errors = [finding for finding in check_rules(rules).findings if finding.severity is Severity.ERROR]
    if errors:
        details = [f"{each.rule}: {each.message}; {each.fix}" for each in errors]
        items = [ItemError(index=number, detail=detail) for number, detail in enumerate(details)]
        raise ProblemError(Kind.INVALID_CONFIGURATION, "`triggers check` finds errors in the rules", errors=items)


def _view(event: RulesPublished) -> RulesVersion:
    return RulesVersion(
        name=event.name,
        version=event.version,
        configuration=Raw(event.configuration),
        match=event.match,
        is_default=event.is_default,
        existing=event.existing,
        locked=event.locked,
        time=event.time,
        actor=event.actor,
    )


_RULES: Final = {"t_ship": {"after": ["orderPaid"], "run": "ship"}}
_PUBLISHED: Final = {"name": "orders", "version": 2, "changed": True}
_REFUSALS: Final = (
    Kind.INVALID_EVENT,
    Kind.BODY_TIMEOUT,
    Kind.TOO_LARGE,
    Kind.UNSUPPORTED_MEDIA_TYPE,
    Kind.INVALID_CONFIGURATION,
    Kind.UNAVAILABLE,
    Kind.OVERLOADED,
)
_PUBLISH_DESCRIPTION: Final = (
    "The rules are checked first, as by `triggers check`. Publishing the same again changes"
    " nothing; other rules become the next version."
)
