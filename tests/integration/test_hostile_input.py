"""One worker gets every attack of the table. It refuses each with the right reason, or the attack is harmless."""

from __future__ import annotations

import gzip
import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from click.testing import CliRunner
from confluent_kafka import Message, Producer
from tests.support.bad_header import send_bad_header
from tests.support.fold_oracle import assert_equals_fold
from tests.support.hostile_cases import CASES
from tests.support.hostile_records import ELSEWHERE, OWN, Case, Sent, text
from tests.support.settled import wait_until_processed
from tests.support.worker_process import WorkerProcess

from triggers.cli import main
from triggers.client.dead_letters import StoredLetter, read_letters
from triggers.codec import DeadLetter
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = pytest.mark.broker

BYSTANDER = b"bystander"
IDS = [case.name for case in CASES]


@dataclass
class Aftermath:
    """The state after the worker has processed all attacks."""

    settings: Settings
    worker: WorkerProcess
    letters: dict[str, list[DeadLetter]]
    """Case -> dead letters, in order."""
    of_nobody: list[DeadLetter]
    refused: Counter[str]
    """Reason -> number of dead letters, by the worker's metrics."""
    outcomes: Counter[str]


class Attacker:
    """Publishes cases and remembers the coordinates of their records."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.owners: dict[tuple[int, int], str] = {}
        self.producer = Producer(
            {
                "bootstrap.servers": settings.brokers,
                "partitioner": "murmur2_random",
                "message.max.bytes": 100_000_000,
                "enable.idempotence": True,
                "queue.buffering.max.kbytes": 1_000_000,
            }
        )

    def attack(self, case: Case) -> None:
        for sent in case.sent:
            self.send(sent, case.name)
        self.send(Sent(value=text(trigger="page"), key=BYSTANDER), "")

    def send(self, sent: Sent, owner: str) -> None:
        def note(error: object, message: Message) -> None:
            assert error is None, f"{owner}: {error}"
            self.owners[message.partition() or 0, message.offset() or 0] = owner

        key = owner.encode() if sent.key is OWN else sent.key
        partition = sent.partition
        if partition == ELSEWHERE:
            partition = (partition_of(key or b"", self.settings.partitions) + 1) % self.settings.partitions
        topic = Topology(self.settings.namespace).events
        headers: list[tuple[str, str | bytes | None]] = [*sent.headers]
        self.producer.produce(topic, sent.value, key, partition, note, timestamp=sent.time, headers=headers)
        self.producer.poll(0)


@pytest.fixture(scope="module")
def aftermath(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    settings = Settings(
        brokers=broker, namespace=f"t{uuid.uuid4().hex[:10]}", partitions=2, data_dir=tmp_path_factory.mktemp("data")
    )
    create_topics(settings)
    attacker = Attacker(settings)
    attacker.send(
        Sent(value=text(configuration={"t": {"after": [], "andEvery": "page", "run": "r"}}), key=BYSTANDER), ""
    )
    for case in CASES:
        attacker.attack(case)
    assert attacker.producer.flush(120) == 0
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wait_until_processed(settings)
        refused = counted(worker, "triggers_dead_letters_total", "reason")
        outcomes = counted(worker, "triggers_events_total", "outcome")
        yield Aftermath(settings, worker, *sorted_letters(settings, attacker), refused, outcomes)
        assert worker.running
        assert worker.terminate() == 0


def sorted_letters(settings: Settings, attacker: Attacker) -> tuple[dict[str, list[DeadLetter]], list[DeadLetter]]:
    by_case, others = defaultdict[str, list[DeadLetter]](list), []
    for stored in sorted(read_letters(settings), key=lambda s: (s.letter.partition, s.letter.offset)):
        owner = attacker.owners.get((stored.letter.partition, stored.letter.offset))
        if owner:
            by_case[owner].append(stored.letter)
        else:
            others.append(stored.letter)
    return by_case, others


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_an_attack_is_refused_with_its_reason_or_harmless(aftermath: Aftermath, case: Case) -> None:
    letters = aftermath.letters.get(case.name, [])

    assert [letter.reason for letter in letters] == list(case.letters)
    assert case.said in (letters[-1].detail if letters else "")
    if case.statuses is not None:
        status, session = aftermath.worker.session(case.name)
        statuses = {instance["name"]: instance["status"] for instance in session["instances"]}
        assert (status, statuses) == (200, case.statuses)


def test_there_are_no_other_dead_letters_and_every_one_is_counted(aftermath: Aftermath) -> None:
    expected = Counter(reason for case in CASES for reason in case.letters)

    assert aftermath.of_nobody == []
    assert aftermath.refused == expected
    outcomes = sum((Counter(case.outcomes) for case in CASES), Counter[str]())
    assert {outcome: aftermath.outcomes[outcome] for outcome in outcomes} == outcomes


def test_other_sessions_and_the_metrics_are_not_affected(aftermath: Aftermath) -> None:
    _, bystander = aftermath.worker.session(BYSTANDER.decode())

    assert len(bystander["instances"]) == len(CASES)
    assert aftermath.worker.metric("triggers_aborted_transactions_total") == 0
    too_large = [letter for letters in aftermath.letters.values() for letter in letters if "too large" in letter.reason]
    assert_equals_fold(aftermath.settings, without={(letter.partition, letter.offset) for letter in too_large})


def test_a_highly_compressed_payload_above_the_limit_is_refused(aftermath: Aftermath) -> None:
    attacker = Attacker(aftermath.settings)
    bomb = b'{"trigger": "go", "kwargs": {"n": [' + b"[]," * 10_000_000 + b"[]]}}"
    assert len(gzip.compress(bomb[:3_000_000])) < 10_000
    options = {"bootstrap.servers": aftermath.settings.brokers, "compression.type": "zstd"}
    attacker.producer = Producer({**options, "message.max.bytes": 100_000_000, "partitioner": "murmur2_random"})
    attacker.send(Sent(value=bomb, key=b"bomb"), "bomb")
    assert attacker.producer.flush(60) == 0
    wait_until_processed(aftermath.settings)

    (letter,) = sorted_letters(aftermath.settings, attacker)[0]["bomb"]

    assert letter.reason == "payload too large"
    assert "30000" in letter.detail
    assert aftermath.worker.running


@pytest.mark.parametrize("partition", [0, 1])
def test_a_header_whose_name_is_not_utf8_is_refused_on_any_partition(aftermath: Aftermath, partition: int) -> None:
    names, key = Topology(aftermath.settings.namespace), f"header-{partition}"
    send_bad_header(aftermath.settings, names.events, key, '{"trigger": "go"}', partition)
    wait_until_processed(aftermath.settings)

    (letter,) = [s.letter for s in read_letters(aftermath.settings) if s.letter.key == key.encode()]

    assert (letter.reason, letter.headers, letter.value) == ("bad headers", [], b'{"trigger": "go"}')
    assert aftermath.worker.running


def test_a_dead_letter_is_redriven_once_its_cause_is_gone(aftermath: Aftermath) -> None:
    attacker, uid = Attacker(aftermath.settings), "too early"
    attacker.send(Sent(value=text(type="finished", instance="t#0", result={"n": 1}), key=uid.encode()), uid)
    attacker.producer.flush(30)
    wait_until_processed(aftermath.settings)
    attacker.send(Sent(value=text(configuration={"t": {"after": ["go"], "run": "r"}}), key=uid.encode()), uid)
    attacker.send(Sent(value=text(trigger="go"), key=uid.encode()), uid)
    attacker.producer.flush(30)
    (stored,) = [s for s in read_letters(aftermath.settings) if s.letter.key == uid.encode()]

    redrive(aftermath.settings, stored)
    wait_until_processed(aftermath.settings)

    _, session = aftermath.worker.session(uid)
    assert [(i["name"], i["status"]) for i in session["instances"]] == [("t#0", "finished")]


def redrive(settings: Settings, stored: StoredLetter) -> None:
    coordinates = f"{stored.partition}/{stored.offset}"
    options = ["--brokers", settings.brokers, "--namespace", settings.namespace]
    result = CliRunner().invoke(main, [*options, "dead-letters", "redrive", coordinates, "--json"])
    assert json.loads(result.stdout) == {"redriven": [coordinates]}


def counted(worker: WorkerProcess, metric: str, label: str) -> Counter[str]:
    """Returns the values of a metric, by label."""
    lines = [line for line in worker.raw("/metrics").decode().splitlines() if line.startswith(metric + "{")]
    pairs = [line.removeprefix(metric + "{" + label + '="').split('"} ') for line in lines]
    return Counter({value: int(float(count)) for value, count in pairs})
