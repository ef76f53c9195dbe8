"""Publishes the rules in a file again whenever the file changes, for `triggers rules publish --watch`."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from triggers.analysis.input_file import InputFile
from triggers.codec.json_payloads import check_payload
from triggers.errors import TriggersError, TryAgain


def check_watchable(path: Path) -> None:
    """Raise UsageError for what cannot be read again: JSON text, standard input, a pipe, a folder."""
    try:
        readable_again = stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        readable_again = False
    if not readable_again:
        raise click.UsageError(f"{str(path)!r:.300} is not a file that can be read again when it changes")


class WatchedRules:
    """A file of rules. Each change is published once; publishing is repeated while Kafka does not answer."""

    def __init__(self, path: Path, publish: Callable[[bytes], None]) -> None:
        """`publish` checks the rules, too, and raises TriggersError."""
        self._path = path
        self._publish = publish
        self._handled: bytes | None = None
        self._reported = ""

    def check(self) -> None:
        """Publish the rules if they have changed. Print why they cannot be published, each reason once."""
        problem = self._try()
        if problem and problem != self._reported:
            click.echo(f"Error: {problem}", err=True)
        self._reported = problem

    def _try(self) -> str:
        try:
            rules = InputFile(self._path).read().strip()
            if rules == self._handled:
                return self._reported
            self._publish_new(rules)
        except (TriggersError, ValueError) as error:
            return str(error)
        return ""

    def _publish_new(self, rules: bytes) -> None:
        try:
            check_payload(rules, str(self._path))
            self._publish(rules)
        except TryAgain:
            raise
        except (TriggersError, msgspec.DecodeError):
            self._handled = rules
            raise
        self._handled = rules
