"""A cancellation is settled with its command, and a command that is read after its cancellation does not begin."""

from __future__ import annotations

from typing import cast

from confluent_kafka import Message

from triggers.celery.cancellations import Cancellations
from triggers.celery.command_source import CommandInHand, Delivery
from triggers.celery.ledger import Ledger
from triggers.core.commands import CancelTask, RunTask

CANCELLATION = CancelTask(session="s1", instance="t_a#0", attempt=1)


def delivery(offset: int) -> Delivery:
    return Delivery(Ledger(), cast("Message", None), 0, offset, 10)


def command(offset: int = 0, *, attempt: int = 1) -> CommandInHand:
    return CommandInHand(delivery(offset), RunTask(session="s1", instance="t_a#0", attempt=attempt, run="app.a"))


def test_a_cancellation_waits_for_its_command_and_both_are_settled_together() -> None:
    cancellations, running, cancelling = Cancellations(), command(), delivery(1)
    cancellations.add_command(running)

    assert cancellations.add_cancellation(CANCELLATION, cancelling)

    assert cancellations.is_cancelled(running)
    assert cancellations.take() == CANCELLATION
    assert cancellations.take() is None
    assert cancellations.settle(running) == [cancelling]
    assert cancellations.settle(running) == []


def test_a_cancellation_of_a_settled_command_can_be_settled_at_once() -> None:
    cancellations, done = Cancellations(), command()
    cancellations.add_command(done)
    cancellations.settle(done)

    assert not cancellations.add_cancellation(CANCELLATION, delivery(1))
    assert cancellations.take() is None


def test_another_attempt_is_not_cancelled() -> None:
    cancellations, other = Cancellations(), command(attempt=2)
    cancellations.add_command(other)

    assert not cancellations.add_cancellation(CANCELLATION, delivery(1))

    assert not cancellations.is_cancelled(other)


def test_a_command_that_is_read_again_after_its_cancellation_does_not_begin() -> None:
    cancellations, late = Cancellations(), command()
    cancellations.add_cancellation(CANCELLATION, delivery(1))

    cancellations.add_command(late)

    assert cancellations.is_cancelled(late)


def test_a_command_that_is_delivered_again_keeps_its_cancellation() -> None:
    cancellations, before, again = Cancellations(), command(), command()
    cancellations.add_command(before)
    cancellations.add_command(again)

    cancellations.settle(before)

    assert cancellations.add_cancellation(CANCELLATION, delivery(1))


def test_the_memory_of_cancellations_is_bounded() -> None:
    cancellations = Cancellations()
    for attempt in range(1, 20_001):
        named = CancelTask(session="s1", instance="t_a#0", attempt=attempt)
        cancellations.add_cancellation(named, delivery(attempt))

    assert not cancellations.is_cancelled(command(attempt=1))
    assert cancellations.is_cancelled(command(attempt=20_000))
