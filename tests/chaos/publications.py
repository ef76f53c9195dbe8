"""Publishes rules while faults strike: their first versions before any session begins, later ones again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from random import Random

from tests.chaos.orders import claim_rules, desk_rules, order_rules, stray_rules, visit_rules
from tests.chaos.questionnaire import NO_LIMITS, Fields

from triggers import publish_rules
from triggers.client.published_rules import StreamRules
from triggers.core.published_rules import ADOPT, KEEP
from triggers.errors import TryAgain
from triggers.settings import Settings

_SHORTEST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 8.0
_RETRY_PAUSE_S = 0.5
_GIVE_UP_AFTER_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Rules of which the campaign publishes one version after another."""

    name: str
    rules: Callable[[int], Fields]
    """Number of the version -> configuration. Each differs from the one before."""
    match: tuple[str, ...] = ()
    is_default: bool = False
    locked: bool = False
    is_late: bool = False
    """True if its first version is published while sessions that would take it have begun without rules."""


SUBJECTS = (
    Subject(name="orders", rules=order_rules, match=("order-*",)),
    Subject(name="claims", rules=claim_rules),
    Subject(name="desks", rules=desk_rules, match=("desk-*",)),
    Subject(name="two-desks", rules=lambda version: desk_rules(version + 1), match=("desk-0", "desk-1")),
    Subject(name="visits", rules=visit_rules, match=("visit-*",), locked=True),
    Subject(name="strays", rules=stray_rules, is_default=True, is_late=True),
)


class Publications(threading.Thread):
    """A thread that publishes until `finish` is called."""

    def __init__(self, settings: Settings, seed: int, limits: Fields = NO_LIMITS) -> None:
        """`limits` are part of all rules."""
        super().__init__(name="publications")
        self.published: list[tuple[str, int]] = []
        """Name and number of each version that a call of `publish_rules` has confirmed, in order."""
        self.refused: list[str] = []
        """Calls that raised for another reason than the brokers'. There must be none."""
        self.repeated = 0
        """Number of calls that were repeated because the brokers did not answer, or not clearly."""
        self._settings = settings
        self._limits = limits
        self._chance = Random(f"{seed}/publications")  # noqa: S311  # repeatable
        self._versions: dict[str, int] = {}
        self._finishing = threading.Event()
        self._give_up_at = inf

    def begin(self) -> None:
        """Publishes the first version of all rules that sessions have from the beginning, and starts the thread."""
        for subject in SUBJECTS:
            if not subject.is_late:
                self._publish(subject, KEEP)
        self.start()

    def run(self) -> None:
        for subject in self._turns():
            if self._finishing.wait(self._chance.uniform(_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S)):
                return
            self._publish(subject, self._chance.choice((KEEP, ADOPT)))

    def finish(self) -> None:
        """Waits until the last call is confirmed, but no longer than brokers need to start."""
        self._give_up_at = time.monotonic() + _GIVE_UP_AFTER_S
        self._finishing.set()
        self.join()

    def on_topic(self) -> list[tuple[str, int]]:
        """Returns name and number of each version that the topic of the rules has, in order."""
        return [(event.name, event.version) for event in StreamRules(self._settings).publications()]

    def _turns(self) -> Iterator[Subject]:
        """Yields all rules in random order, again and again, but the default ones first of all."""
        yield next(subject for subject in SUBJECTS if subject.is_late)
        while True:
            yield from self._chance.sample(SUBJECTS, len(SUBJECTS))

    def _publish(self, subject: Subject, existing: str) -> None:
        """Publishes the next version, and repeats the call until it is confirmed: a repeated call adds no version."""
        version = self._versions[subject.name] = self._versions.get(subject.name, 0) + 1
        rules = subject.rules(version) | self._limits
        while time.monotonic() < self._give_up_at:
            try:
                publish_rules(
                    subject.name,
                    rules,
                    match=subject.match,
                    is_default=subject.is_default,
                    existing=existing,
                    locked=subject.locked,
                    settings=self._settings,
                )
            except TryAgain:
                self.repeated += 1
                self._finishing.wait(_RETRY_PAUSE_S)
            except Exception as error:  # noqa: BLE001  # the verdict has it
                self.refused.append(f"{subject.name} {version}: {type(error).__name__}: {error}")
                return
            else:
                self.published.append((subject.name, version))
                return
        self.refused.append(f"{subject.name} {version}: the brokers have not confirmed it")
