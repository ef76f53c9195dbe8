"""Some suspects run together, others run alone."""

from __future__ import annotations

from confluent_kafka import Message

from triggers.celery.command_source import CommandInHand, Delivery
from triggers.celery.ledger import Ledger
from triggers.celery.suspects import Suspects
from triggers.core.commands import RunTask

ROOM = 3


def _lost(count: int, *running: int) -> tuple[Ledger, list[CommandInHand]]:
    """Makes a ledger with `count` commands of a vanished worker. Those in `running` had run as suspects before."""
    ledger = Ledger()
    for _ in range(2):
        for offset in range(count):
            ledger.accept(offset)
        for offset in running:
            ledger.count_run(offset)
        checkpoint = ledger.checkpoint()
        assert checkpoint is not None
        ledger = Ledger(*checkpoint)
        if not running:
            break
    for offset in range(count):
        ledger.accept(offset)
    return ledger, [_command(ledger, offset) for offset in range(count)]


def _command(ledger: Ledger, offset: int) -> CommandInHand:
    command = RunTask(session="s", instance=f"t#{offset}", attempt=1, run="x")
    return CommandInHand(Delivery(ledger, Message(), 0, offset, 1), command)


def _offsets(commands: list[CommandInHand]) -> list[int]:
    return [command.delivery.offset for command in commands]


def test_suspects_that_may_not_have_started_share_the_pool() -> None:
    ledger, commands = _lost(5)
    suspects = Suspects(ROOM)
    for command in commands:
        suspects.add_suspect(command)

    assert _offsets(suspects.take_runnable()) == [0, 1, 2]
    assert _offsets(suspects.take_runnable()) == []
    suspects.forget(commands[1].delivery)
    assert _offsets(suspects.take_runnable()) == [3]
    assert ledger.pending == {0: 1, 1: 1, 2: 1, 3: 1, 4: 0}


def test_suspects_that_ran_when_their_worker_was_lost_run_one_after_the_other() -> None:
    _, commands = _lost(4, 0, 1)
    suspects = Suspects(ROOM)
    for command in commands:
        suspects.add_suspect(command)

    assert _offsets(suspects.take_runnable()) == [0]
    suspects.forget(commands[0].delivery)
    assert _offsets(suspects.take_runnable()) == [1], "another one would be counted, too, if this one kills the worker"
    suspects.forget(commands[1].delivery)
    assert _offsets(suspects.take_runnable()) == [2, 3]


def test_a_suspect_that_ran_before_waits_for_the_others_that_run() -> None:
    _, commands = _lost(3, 1)
    suspects = Suspects(ROOM)
    for command in commands:
        suspects.add_suspect(command)

    assert _offsets(suspects.take_runnable()) == [0]
    suspects.forget(commands[0].delivery)
    assert _offsets(suspects.take_runnable()) == [1]
    suspects.forget(commands[1].delivery)
    assert _offsets(suspects.take_runnable()) == [2]
