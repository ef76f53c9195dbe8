from __future__ import annotations

from tests.support.records import PARTITIONS, record

from triggers.agent.turns.routing import forward_record, is_misplaced, was_forwarded
from triggers.agent.turns.size_limits import size_of_output
from triggers.kafka.own_headers import FORWARDED
from triggers.kafka.records import Header
from triggers.store.batch import Output
from triggers.topology import partition_of

HOME = partition_of(b"s1", PARTITIONS)
ELSEWHERE = (HOME + 1) % PARTITIONS


def test_a_record_on_its_keys_partition_is_not_misplaced() -> None:
    assert not is_misplaced(record(key=b"s1", partition=HOME), b"s1", PARTITIONS)
    assert is_misplaced(record(key=b"s1", partition=ELSEWHERE), b"s1", PARTITIONS)


def test_a_forwarded_record_is_unchanged_on_the_right_partition_but_for_a_header() -> None:
    lost = record(b"value", b"s1", partition=ELSEWHERE, headers=[("ce_id", b"7")], time=123)

    output = forward_record(lost, b"s1", "test.events", PARTITIONS)

    headers: list[Header] = [("ce_id", b"7"), (FORWARDED, str(ELSEWHERE).encode())]
    assert output == Output("test.events", b"s1", b"value", HOME, headers, 123)


def test_a_forwarded_record_is_recognised() -> None:
    assert was_forwarded(record(headers=[(FORWARDED, b"3")]))
    assert not was_forwarded(record(headers=[("other", None)]))
    assert not was_forwarded(record(headers=[(FORWARDED, None)]))
    assert not was_forwarded(record())


def test_the_size_of_an_output_counts_key_value_and_headers() -> None:
    assert size_of_output(Output("t", b"ab", b"cde")) == 5
    assert size_of_output(Output("t", None, None, headers=[("n", b"vv"), ("m", None)])) == 3 + 1 + 16
