"""Describes a run that differs in a back-test."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from triggers.analysis.backtest.assumptions import ResultSource
from triggers.analysis.backtest.difference import RunChange, RunDifference, SessionDifference, ShownRun
from triggers.analysis.times import moment
from triggers.analysis.view_changes import changes_between

_WIDEST = 400
_SIGNS = {RunChange.ADDED: "+", RunChange.REMOVED: "-"}


def sign_of(change: RunDifference) -> str:
    """Returns + for an added run, - for a removed one, and ~ for any other change."""
    return _SIGNS.get(change.change, "~")


def change_words(change: RunDifference) -> str:
    """Says what differs, and whether it is judged."""
    return f"{_words(change)}{'' if change.judged else ' (not judged)'}"


def _words(change: RunDifference) -> str:
    old, new = change.old, change.new
    if old is None or new is None:
        return _run(new or old)
    match change.change:
        case RunChange.KWARGS:
            return f"{new.instance} has different kwargs{_known(new)}"
        case RunChange.TARGET:
            return f"{new.instance} runs {_target(new)} instead of {_target(old)}"
        case RunChange.CANCELLED:
            at = "not cancelled any more" if new.cancelled is None else f"cancelled at {moment(new.cancelled)}"
            return f"{new.instance} is {at}{_known(new)}"
        case RunChange.TIMING:
            return f"{new.instance} runs at {moment(new.time)} instead of {moment(old.time)}"
        case _:
            return f"{new.instance} runs before a run that it followed"


def remark_lines(difference: SessionDifference) -> Iterator[str]:
    """Yields a line for everything else that differs in a session, and for everything that is not known."""
    for forward in difference.forwards:
        sign = _SIGNS[forward.change]
        yield f"{sign} $forward fires {forward.trigger} in {forward.session} {_short(forward.kwargs)}"
    for timer in difference.open:
        what = timer.kind or "timer"
        yield f"not known: the {what} of {timer.instance} is due at {moment(timer.due)}, after the last event"
    for failure in difference.failures:
        times = "once" if failure.times == 1 else f"{failure.times:,} times"
        yield f"counted as false, {times}: {failure.expression}: {failure.reason}"
    if difference.unjudged:
        yield (f"not judged because they wait for an unknown result or a later time: {', '.join(difference.unjudged)}")


def change_details(change: RunDifference) -> Iterator[str]:
    """Yields a line for each difference in the kwargs: + for new values, - for removed ones, → for changed ones."""
    if change.change is RunChange.KWARGS and change.old is not None and change.new is not None:
        for one in changes_between(change.old.kwargs, change.new.kwargs):
            if one.before is None or one.after is None:
                yield f"{'+' if one.before is None else '-'} {one.path}: {_short(one.after or one.before)}"
            else:
                yield f"  {one.path}: {_short(one.before)} → {_short(one.after)}"


def _run(run: ShownRun | None) -> str:
    return "" if run is None else f"{run.instance} at {moment(run.time)} {_short(run.kwargs)}{_known(run)}"


def _known(run: ShownRun) -> str:
    return "" if run.result in {None, ResultSource.RECORDED} else f" (result: {run.result})"


def _target(run: ShownRun) -> str:
    return run.run if run.using is None else f"{run.run} using {run.using}"


def _short(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
