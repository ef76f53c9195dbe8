"""Dead letters on a real Kafka are listed, shown, redriven and discarded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from triggers.cli import main
from triggers.cli.program import EXIT_CODES
from triggers.client.dead_letters import DeadLetters, StoredLetter, redrive_count
from triggers.client.letter_query import LetterQuery
from triggers.codec import DeadLetter, encode_dead_letter
from triggers.errors import CallError, IncompleteLetter, NotFound, TryAgain
from triggers.kafka.own_headers import REDRIVES
from triggers.kafka.range_reads import read_range
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = pytest.mark.broker


@pytest.fixture
def letters(settings: Settings) -> DeadLetters:
    create_topics(settings)
    return DeadLetters(settings)


def letter_of(settings: Settings, reason: str = "bad json", **fields: object) -> DeadLetter:
    values = {
        "topic": Topology(settings.namespace).events,
        "partition": 1,
        "offset": 2,
        "time": 3,
        "key": b"s",
    } | fields
    return DeadLetter(reason=reason, **values)  # type: ignore[arg-type]  # overridden by name


def publish(settings: Settings, *values: bytes, partition: int = 1) -> None:
    producer = Producer({"bootstrap.servers": settings.brokers, "message.max.bytes": 10_000_000})
    for value in values:
        producer.produce(Topology(settings.namespace).dead_letters, value, b"s", partition=partition)
    assert producer.flush(30) == 0


def test_an_empty_topic_has_no_dead_letters(letters: DeadLetters) -> None:
    assert letters.read_newest() == []


def test_the_newest_are_listed_and_can_be_filtered_by_reason(settings: Settings, letters: DeadLetters) -> None:
    sent = [letter_of(settings, reason="empty value" if n % 2 else "bad json", offset=n) for n in range(6)]
    publish(settings, *map(encode_dead_letter, sent))

    assert [(s.partition, s.offset, s.letter) for s in letters.read_newest(2)] == [(1, 4, sent[4]), (1, 5, sent[5])]
    assert [s.letter.offset for s in letters.read_newest(query=LetterQuery(reason="bad json"))] == [0, 2, 4]


def test_a_dead_letter_is_shown_by_its_coordinates(settings: Settings, letters: DeadLetters) -> None:
    sent = [letter_of(settings, offset=n) for n in range(3)]
    publish(settings, *map(encode_dead_letter, sent))

    assert letters.read_letter(1, 1).letter == sent[1]
    for partition, offset in [(1, 3), (0, 0), (99, 0)]:
        with pytest.raises(NotFound, match=f"{partition}/{offset}"):
            letters.read_letter(partition, offset)


def test_a_record_that_is_not_a_dead_letter_hides_no_dead_letter(settings: Settings, letters: DeadLetters) -> None:
    publish(settings, b"garbage", encode_dead_letter(letter_of(settings)))

    assert len(letters.read_newest()) == 1
    with pytest.raises(NotFound):
        letters.read_letter(1, 0)


def test_a_redriven_record_is_the_original_byte_for_byte_and_counts_its_redrives(
    settings: Settings, letters: DeadLetters
) -> None:
    headers: list[tuple[str, bytes | None]] = [
        ("h", b"\0"),
        ("h", None),
        ("triggers-forwarded-from", b"2"),
        ("triggers-of-an-app", b"3"),
    ]
    letter = letter_of(settings, key=b"session \xff", value=b"\xff{", headers=headers)

    again = letter_of(settings, value=b"", headers=[(REDRIVES, b"1"), ("h", b"\0")])
    publish(settings, encode_dead_letter(letter), encode_dead_letter(again))

    redriven = letters.redrive(letters.read_newest())

    def records() -> dict[bytes | None, object]:
        starts = dict.fromkeys(range(settings.partitions), 0)
        messages = read_range(settings, Topology(settings.namespace).events, starts)
        return {m.key(): (m.partition(), m.value(), m.headers()) for m in messages}

    first_headers = [("h", b"\0"), ("h", None), ("triggers-of-an-app", b"3"), (REDRIVES, b"1")]
    assert [stored.letter for stored in redriven] == [letter, again]
    assert records() == {
        b"session \xff": (partition_of(b"session \xff", settings.partitions), b"\xff{", first_headers),
        b"s": (partition_of(b"s", settings.partitions), b"", [("h", b"\0"), (REDRIVES, b"2")]),
    }


def test_a_letter_is_redriven_once_or_discarded_and_says_by_whom(settings: Settings, letters: DeadLetters) -> None:
    publish(settings, *(encode_dead_letter(letter_of(settings, offset=n, value=b"%d" % n)) for n in range(3)))
    first, second, third = letters.read_newest()

    assert [s.offset for s in DeadLetters(settings, "jane").redrive([first, second])] == [0, 1]
    assert [s.offset for s in DeadLetters(settings, "joe").redrive([first, second])] == []
    assert [s.offset for s in DeadLetters(settings, "joe").discard([second, third])] == [2]

    messages = read_range(settings, Topology(settings.namespace).events, dict.fromkeys(range(settings.partitions), 0))
    assert sorted(m.value() or b"" for m in messages) == [b"0", b"1"]
    states = [(s.state, s.mark and s.mark.actor) for s in letters.read_newest()]
    assert states == [("redriven", "jane"), ("redriven", "jane"), ("discarded", "joe")]
    assert letters.read_newest(state="open") == []
    assert letters.read_letter(1, 2).state == "discarded"


def test_letters_and_their_marks_are_read_in_parts_from_the_end(
    settings: Settings, letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [letter_of(settings, offset=n) for n in range(9)]
    for number, letter in enumerate(sent):
        publish(settings, encode_dead_letter(letter), partition=number % 2)
    stored = sorted(letters.read_all(), key=lambda each: each.letter.offset)
    letters.discard(stored[:3])
    letters.discard(stored[8:])
    whole = letters.read_all()
    monkeypatch.setattr("triggers.kafka.backward_reads._FIRST_PART", 2)
    monkeypatch.setattr("triggers.kafka.backward_reads._PART_BYTES", 1)

    in_parts = letters.read_all()

    assert [each.letter.offset for each in whole] == list(range(9))
    assert [each.state for each in whole] == ["discarded"] * 3 + ["open"] * 5 + ["discarded"]
    assert in_parts == whole
    assert [each.letter.offset for each in letters.read_newest(3, state="open")] == [5, 6, 7]
    assert letters.read_newest(1, state="discarded")[0].letter == sent[8]
    everything = [(partition, offset) for partition in range(2) for offset in range(20)]
    assert sorted(letters.read_letters_at(everything).values()) == sorted(whole)
    assert [each.letter for each in letters.read_newest(9, LetterQuery(topic="other"))] == []


def test_two_operators_at_the_same_moment_redrive_a_letter_once(settings: Settings, letters: DeadLetters) -> None:
    publish(settings, *(encode_dead_letter(letter_of(settings, offset=n, value=b"%d" % n)) for n in range(20)))
    every = letters.read_newest()

    def redrive(_: int) -> int:
        while True:
            with suppress(TryAgain):
                return len(DeadLetters(settings).redrive(every))

    with ThreadPoolExecutor(4) as pool:
        redriven = list(pool.map(redrive, range(4)))

    messages = read_range(settings, Topology(settings.namespace).events, dict.fromkeys(range(settings.partitions), 0))
    assert len(list(messages)) == sum(redriven) == 20


def test_a_dead_letter_without_the_whole_record_is_not_redriven(settings: Settings, letters: DeadLetters) -> None:
    cut = letter_of(settings, value=b"{", missing="part of the value, headers")

    with pytest.raises(IncompleteLetter, match=r"events 1/2 cannot be redriven.*missing: part of the value, headers"):
        letters.redrive([StoredLetter(1, 0, cut)])

    starts = dict.fromkeys(range(settings.partitions), 0)
    assert list(read_range(settings, Topology(settings.namespace).events, starts)) == []


def test_the_command_redrives_the_whole_records_and_names_the_others(settings: Settings, letters: DeadLetters) -> None:
    sent = [letter_of(settings, value=b"1"), letter_of(settings, value=b"2", missing="headers")]
    publish(settings, *map(encode_dead_letter, sent))
    options = ["--brokers", settings.brokers, "--namespace", settings.namespace]

    result = CliRunner().invoke(main, [*options, "dead-letters", "redrive", "--all"])

    starts = dict.fromkeys(range(settings.partitions), 0)
    assert [m.value() for m in read_range(settings, Topology(settings.namespace).events, starts)] == [b"1"]
    assert result.stdout == "Redrove 1 records.\n"
    assert "cannot be redriven: 1/1 (missing: headers); publish these records again" in result.stderr
    assert result.exit_code == EXIT_CODES[CallError]
    assert letters.read_letter(1, 1).letter.missing == "headers"


def test_a_record_without_a_value_is_redriven_without_one(settings: Settings, letters: DeadLetters) -> None:
    publish(settings, encode_dead_letter(letter_of(settings, key=None, value=None)))

    letters.redrive(letters.read_newest())

    [message] = read_range(settings, Topology(settings.namespace).events, dict.fromkeys(range(settings.partitions), 0))
    assert (message.key(), message.value()) == (None, None)


def test_a_dead_letter_of_the_largest_record_fits(settings: Settings, letters: DeadLetters) -> None:
    value = bytes(settings.max_payload_bytes + 100_000)
    publish(settings, encode_dead_letter(letter_of(settings, value=value, detail="x" * 4000)))

    assert letters.read_letter(1, 0).letter.value == value


def test_redrives_are_counted_from_the_header() -> None:
    def died(*values: bytes | None) -> DeadLetter:
        headers = [(REDRIVES, value) for value in values]
        return DeadLetter(reason="r", topic="t", partition=0, offset=0, time=0, headers=headers)

    assert [redrive_count(died()), redrive_count(died(b"2")), redrive_count(died(b"x")), redrive_count(died(None))] == [
        0,
        2,
        0,
        0,
    ]
