"""The queries that the API and the pages share. They block while they read and fold events; they change nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from triggers.analysis.backtest.assumptions import Assumptions, NewRules
from triggers.analysis.backtest.report import Backtest, BacktestReport, scope_of
from triggers.analysis.check.rules import Arrivals, Checked, check_rules
from triggers.analysis.event_log import GroupedLog
from triggers.analysis.explain.explanation import Explanation
from triggers.analysis.explain.proofs import explain
from triggers.analysis.graph.causes import CausedInstance, causes_of, picture_of_session
from triggers.analysis.graph.picture import Picture
from triggers.analysis.graph.rules import picture_of_rules
from triggers.analysis.graph.session_rules import picture_of_session_rules
from triggers.analysis.stats.statistics import Statistics, compute_statistics
from triggers.analysis.time_travel import NOW, Moment, view_at
from triggers.analysis.verify.capsules import capture
from triggers.analysis.view_changes import ChangedValue, changes_between
from triggers.console.recent_logs import RecentLogs
from triggers.console.sources import Source
from triggers.core.config import compile_plan, validate_configuration
from triggers.core.events import Event
from triggers.core.view import SessionSummary, SessionView


class BacktestRequest(Struct, frozen=True, kw_only=True):
    """The parameters of a back-test."""

    rules: bytes
    added: bool = False
    since: int | None = None
    """The first moment, as `times.point_in_time` returns it; None for the whole log."""
    sample: int | None = None
    """The maximum number of sessions."""
    stubs: Mapping[str, bytes] = {}
    reuse: bool = False


class Questions:
    """Queries over a source. Thread-safe.

    Every method raises what the source raises, CallError for a wrong parameter, and NotFound if the session, the task
    or the instance does not exist.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._logs = RecentLogs(source)

    def summaries(self, prefix: str, limit: int) -> list[SessionSummary]:
        """Return the first `limit` sessions by UID."""
        return self._source.list_sessions(prefix, limit)

    def log(self, uid: str, moment: Moment = NOW) -> list[Event]:
        """Return the session's events up to the moment, and perhaps later ones."""
        return self._logs.whole(uid, moment)

    def view(self, uid: str, moment: Moment = NOW) -> SessionView:
        """Return the session at the moment."""
        return view_at(uid, self._logs.events(uid, moment))

    def explanation(self, uid: str, moment: Moment = NOW, task: str | None = None) -> Explanation:
        """Explain the session, or one of its tasks, at the moment."""
        return explain(uid, self._logs.events(uid, moment), task)

    def changes(self, uid: str, before: Moment, after: Moment) -> list[ChangedValue]:
        """Return the changes of the session between two moments."""
        return changes_between(self.view(uid, before), self.view(uid, after))

    def causes(self, uid: str, moment: Moment = NOW, instance: str | None = None) -> list[CausedInstance]:
        """Return the causes of each instance, or of one."""
        return list(causes_of(uid, self._logs.events(uid, moment), instance))

    def picture(self, uid: str, moment: Moment = NOW, instance: str | None = None) -> Picture:
        """Draw the causes of each instance, or of one."""
        return picture_of_session(self.causes(uid, moment, instance), uid)

    def rules_picture(self, uid: str, moment: Moment = NOW) -> Picture:
        """Draw the session's rules, with what has fired and what is missing."""
        return picture_of_session_rules(uid, self._logs.events(uid, moment))

    def capsule(self, uid: str, masked: Collection[str] = ()) -> bytes:
        """Return the session as a capsule, with masked values."""
        return capture(uid, self._logs.events(uid, NOW), masked)

    def statistics(self, since: int | None, until: int | None, stuck_after: int) -> Statistics:
        """Count over all sessions. Reads all events."""
        with GroupedLog(self._source.read_all()) as log:
            return compute_statistics(log, since, until, stuck_after)

    def backtest(self, request: BacktestRequest) -> BacktestReport:
        """Run a back-test. Reads all events and folds each chosen session twice."""
        validate_configuration(request.rules)
        new = NewRules(rules=request.rules, added=request.added)
        backtest = Backtest(
            new, Assumptions(stubs=request.stubs, reuse=request.reuse), scope_of(request.since, request.sample)
        )
        with GroupedLog() as log:
            backtest.gather(self._source.read_all(), log)
            for _ in backtest.differences(log):
                pass
        return backtest.report()


def check(rules: bytes, declared: Collection[str], arrivals: Arrivals) -> Checked:
    """Check rules. `declared` names all triggers that the application fires; it is empty if they are unknown."""
    return check_rules(rules, declared or None, arrivals)


def picture_of(rules: bytes) -> Picture:
    """Draw rules. Raises InvalidConfiguration."""
    validate_configuration(rules)
    return picture_of_rules(compile_plan(rules), "rules")
