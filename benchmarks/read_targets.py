"""What an operator reads: the console's pages, the API's reads, and searches by each filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import urlencode

from benchmarks.orders import kind_of, uid_of

CONSOLE: Final = "console"
API: Final = "api"
_PRIME: Final = 7919
_HOUR_MS: Final = 3_600_000


class Target(NamedTuple):
    """A page, or another read."""

    server: str
    """`CONSOLE` or `API`."""
    name: str
    path_of: Callable[[int], str]
    """Returns the path of the n-th request. Different requests ask for different sessions, so that no cache helps."""


class Searched(NamedTuple):
    """A search, as parameters of `GET /v1/sessions`."""

    name: str
    parameters: dict[str, str]

    def path(self, limit: int = 50, cursor: str | None = None) -> str:
        """Returns the path of the first page, or of the page at a cursor."""
        more = {} if cursor is None else {"cursor": cursor}
        return f"/v1/sessions?{urlencode(self.parameters | {'limit': str(limit)} | more)}"


def searches(sessions: int, now: int) -> list[Searched]:
    """Returns a search by each filter: for what many sessions have, what few have, and what none has."""
    last = f"order-{sessions - 5:07d}"[:-1]
    return [
        Searched("all", {}),
        Searched("UID prefix", {"prefix": last}),
        Searched("UID prefix that no session has", {"prefix": "zzz"}),
        Searched("status: finished (nearly all)", {"status": "finished"}),
        Searched("status: failed (4 %)", {"status": "failed"}),
        Searched("status: scheduled (2 %)", {"status": "scheduled"}),
        Searched("status: running (none)", {"status": "running"}),
        Searched("task: t_ship (nearly all)", {"task": "t_ship"}),
        Searched("task: t_wrap (0.2 %)", {"task": "t_wrap"}),
        Searched("task: unknown", {"task": "t_unknown"}),
        Searched("exception: Declined (3 %)", {"exception": "Declined"}),
        Searched("exception: NoCarrier (0.1 %)", {"exception": "NoCarrier"}),
        Searched("exception: unknown", {"exception": "KeyError"}),
        Searched("message: no carrier (0.1 %)", {"message": "no carrier"}),
        Searched("seen: orderPlaced (all)", {"seen": "orderPlaced"}),
        Searched("seen: giftChosen (0.2 %)", {"seen": "giftChosen"}),
        Searched("seen: unknown", {"seen": "unknown"}),
        Searched("missing: giftChosen (nearly all)", {"missing": "giftChosen"}),
        Searched("missing: t_pack (5 %)", {"missing": "t_pack"}),
        Searched("missing: orderPlaced (none)", {"missing": "orderPlaced"}),
        Searched("rules: orders@2 (99 %)", {"rules": "orders", "version": "2"}),
        Searched("rules: orders@1 (1 %)", {"rules": "orders", "version": "1"}),
        Searched("rules: unknown version", {"rules": "orders", "version": "9"}),
        Searched("begun in the last hour (none)", {"created_since": str(now + _HOUR_MS)}),
        Searched("changed in the last hour (none)", {"changed_since": str(now + _HOUR_MS)}),
        Searched("unchanged (all)", {"changed_until": str(now + _HOUR_MS)}),
        Searched("stuck for a day, or behind a failure (4 %)", {"stuck_ms": "86400000"}),
    ]


PathOf = Callable[[int], str]
"""Number of a request -> its path."""


def pages(sessions: int) -> list[Target]:
    """Returns all pages of the console, and the reads of the API, of an installation that has so many orders."""

    def order(kind: str, path: str) -> PathOf:
        numbers = [number for number in range(min(sessions, 100_000)) if kind_of(number) == kind]
        return lambda n: path.replace("UID", uid_of(numbers[n * _PRIME % len(numbers)]).decode())

    return [
        *(Target(CONSOLE, name, path_of) for name, path_of in _pages_of_console(order).items()),
        *(Target(API, name, path_of) for name, path_of in _reads_of_api(order).items()),
    ]


def _same(path: str) -> PathOf:
    return lambda _: path


def _pages_of_console(order: Callable[[str, str], PathOf]) -> dict[str, PathOf]:
    """Returns name -> path of each page. `order` makes the paths of orders of a kind."""
    return {
        "overview": _same("/"),
        "search: all": _same("/sessions"),
        "search: failed": _same("/sessions?status=failed"),
        "search: exception, rare": _same("/sessions?exception=NoCarrier"),
        "search: exception, none": _same("/sessions?exception=KeyError"),
        "search: scheduled": _same("/sessions?status=scheduled"),
        "search: task, rare": _same("/sessions?task=t_wrap"),
        "search: trigger seen, rare": _same("/sessions?seen=giftChosen"),
        "search: trigger missing": _same("/sessions?missing=t_pack"),
        "search: trigger missing, none": _same("/sessions?missing=orderPlaced"),
        "search: rules": _same("/sessions?rules=orders%401"),
        "search: age, none": _same("/sessions?older_than=30d"),
        "search: stuck": _same("/sessions?stuck=1d"),
        "search: prefix": order("done", "/sessions?prefix=UID"),
        "session, done": order("done", "/sessions/UID"),
        "session, failed": order("declined", "/sessions/UID"),
        "dead letters": _same("/dead-letters"),
        "published rules": _same("/rules/published"),
        "published rules, two versions": _same("/rules/published/orders"),
        "jobs": _same("/jobs"),
        "preview of a job": _same("/jobs/new?action=replay&exception=NoCarrier"),
        "rules": _same("/rules"),
    }


def _reads_of_api(order: Callable[[str, str], PathOf]) -> dict[str, PathOf]:
    """Returns name -> path of each read. `order` makes the paths of orders of a kind."""
    return {
        "/v1/sessions": _same("/v1/sessions"),
        "/v1/sessions?limit=1000": _same("/v1/sessions?limit=1000"),
        "/v1/sessions?status=failed": _same("/v1/sessions?status=failed"),
        "/v1/counts": _same("/v1/counts"),
        "/v1/failures": _same("/v1/failures"),
        "/v1/sessions/UID": order("done", "/v1/sessions/UID"),
        "/v1/sessions/UID/instances": order("declined", "/v1/sessions/UID/instances"),
        "/v1/sessions/UID/timeline": order("done", "/v1/sessions/UID/timeline"),
        "/v1/sessions/UID/explanation": order("waiting", "/v1/sessions/UID/explanation"),
        "/v1/lag": _same("/v1/lag"),
        "/v1/dead-letters": _same("/v1/dead-letters"),
        "/v1/rules": _same("/v1/rules"),
        "/v1/jobs": _same("/v1/jobs"),
    }
