"""Hooks on Kafka run after their decisions, in order and at least once, and are never skipped silently."""

from __future__ import annotations

import json
import signal
from collections import defaultdict
from itertools import groupby

import msgspec
import pytest
from tests.support.bad_header import send_bad_header
from tests.support.celery_process import CeleryProcess
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.worker_process import WorkerProcess

from triggers.client.dead_letters import DeadLetters
from triggers.codec import decode_decision
from triggers.hooks.decision_consumer import HOOK_FAILED
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = pytest.mark.broker

RULES = {"t_a": {"after": ["go"], "andEvery": "echo", "run": "app.a"}, "$manager": "noting"}


@pytest.fixture
def with_feed(settings: Settings) -> Settings:
    made = msgspec.structs.replace(settings, decisions=True, hook_attempts=2)
    create_topics(made)
    return made


def hook_process(settings: Settings) -> CeleryProcess:
    process = CeleryProcess(settings, "hooks", "tests.support.hook_program", TRIGGERS_HOOK_ATTEMPTS="2")
    process.notes_file.touch()
    return process


def notes(process: CeleryProcess, uid: str) -> list[str]:
    """Returns the calls of the session's hooks, in order."""
    lines = [line.split(" ", 1) for line in process.notes_file.read_text().splitlines()]
    return [line[1] for line in lines if line[0] == uid]


def once(told: list[str]) -> list[str]:
    """Returns the calls without immediate repetitions."""
    return [key for key, _ in groupby(told)]


def test_hooks_run_for_fires_replays_and_skips_in_order(with_feed: Settings) -> None:
    application = Application(with_feed)
    for event in (
        {"configuration": RULES},
        {"trigger": "go"},
        {"trigger": "echo"},
        {"type": "failed", "instance": "t_a#0", "exception_type": "app.Bad"},
        {"type": "replay", "instance": "t_a#0"},
        {"type": "failed", "instance": "t_a#1", "exception_type": "app.Bad"},
        {"type": "skip", "instance": "t_a#1", "cascade": True},
    ):
        application.fire("s1", event)
    application.flush()

    with WorkerProcess(with_feed, "w0"):
        wait_until_processed(with_feed)
        with hook_process(with_feed) as hooks:  # hooks also run for decisions from before the process started
            wait_until(lambda: len(notes(hooks, "s1")) >= 6, f"the hooks have run; see {hooks.log}")

    assert once(notes(hooks, "s1")) == [
        "noting fire go",
        "noting fire echo t_a#0",
        "noting replay t_a#0 t_a#1",
        "noting fire t_a",
        "noting skip t_a#1 True",
        "noting fire back",
    ]


def test_a_killed_hook_process_loses_no_hook_and_what_hooks_fire_is_applied_once(with_feed: Settings) -> None:
    application, sessions, rounds = Application(with_feed), [f"s{n}" for n in range(20)], 10
    for uid in sessions:
        application.fire(uid, {"configuration": RULES})
    for number in range(rounds):
        for uid in sessions:
            application.fire(uid, {"trigger": f"echo{number}"})
    application.flush()

    with WorkerProcess(with_feed, "w0"), hook_process(with_feed) as hooks:
        for least in (30, 90, 150):
            wait_until(lambda least=least: len(hooks.notes_file.read_text().splitlines()) > least, "hooks run")  # type: ignore[misc]
            hooks.kill()
            hooks.start()
        expected = [f"noting fire echo{number}" for number in range(rounds)]
        wait_until(lambda: all(set(expected) <= set(notes(hooks, uid)) for uid in sessions), "every hook has run")
        wait_until_processed(with_feed)

    for uid in sessions:
        echoes = [line for line in notes(hooks, uid) if "echo" in line]
        assert sorted(set(echoes), key=echoes.index) == expected
    backs = backs_by_session(with_feed)
    assert {uid: sorted(backs[uid]) for uid in sessions} == {uid: list(range(rounds)) for uid in sessions}


def backs_by_session(settings: Settings) -> dict[str, list[int]]:
    """Returns the numbers of the echoes whose answer was applied, by session."""
    names = Topology(settings.namespace)
    applied = {
        (d.partition, d.offset)
        for d in (decode_decision(message.value()) for message in read_topic(settings, names.decisions))
        if [fire.trigger for fire in d.fires] == ["back"]
    }
    numbers = defaultdict(list)
    for message in read_topic(settings, names.events):
        if (message.partition(), message.offset()) in applied:
            value = message.value() or b""
            number = json.loads(value[value.index(b'{"to"') : value.index(b"}") + 1])["to"].removeprefix("echo")
            numbers[(message.key() or b"").decode()].append(int(number))
    return numbers


def test_a_hook_that_raises_is_retried_and_then_becomes_a_dead_letter_that_can_be_redriven(with_feed: Settings) -> None:
    application = Application(with_feed)
    for trigger in ("flaky", "bad", "go"):
        application.fire("s1", {"trigger": trigger})
    application.flush()

    with WorkerProcess(with_feed, "w0"), hook_process(with_feed) as hooks:
        wait_until(lambda: "- fire go" in notes(hooks, "s1"), f"the hook behind the bad one runs; see {hooks.log}")
        told = ["- raised flaky", "- fire flaky", "- raised bad", "- raised bad", "- fire go"]
        assert notes(hooks, "s1") == told
        [letter] = DeadLetters(with_feed).read_newest()
        DeadLetters(with_feed).redrive([letter])
        wait_until(lambda: len(notes(hooks, "s1")) == len(told) + 2, "the redriven decision is tried again, twice")

    assert letter.letter.reason == HOOK_FAILED
    assert "the hook of bad is broken" in letter.letter.detail


def test_a_malformed_decision_with_a_header_whose_name_is_not_utf8_does_not_end_the_runner(with_feed: Settings) -> None:
    partition = partition_of(b"s1", with_feed.partitions)
    send_bad_header(with_feed, Topology(with_feed.namespace).decisions, "s1", "garbage", partition)
    application = Application(with_feed)
    application.fire("s1", {"trigger": "go"})
    application.flush()

    with WorkerProcess(with_feed, "w0"), hook_process(with_feed) as hooks:
        wait_until(lambda: notes(hooks, "s1") == ["- fire go"], f"the hook behind it runs; see {hooks.log}")
        [stored] = DeadLetters(with_feed).read_newest()

    assert (stored.letter.reason, stored.letter.value, stored.letter.headers) == ("unknown format", b"garbage", [])


def test_a_stopped_hook_runner_commits_finished_decisions(with_feed: Settings) -> None:
    application = Application(with_feed)
    for number in range(20):
        application.fire("s1", {"trigger": f"t{number}"})
    application.flush()

    with WorkerProcess(with_feed, "w0"), hook_process(with_feed) as hooks:
        wait_until(lambda: len(notes(hooks, "s1")) == 20, "the hooks have run")
        hooks.signal(signal.SIGTERM)
        wait_until(lambda: not hooks.running, "it ends")
        application.fire("s1", {"trigger": "later"})
        application.flush()
        hooks.start()
        wait_until(lambda: "- fire later" in notes(hooks, "s1"), "the later one has run")

    assert notes(hooks, "s1") == [*(f"- fire t{number}" for number in range(20)), "- fire later"]
