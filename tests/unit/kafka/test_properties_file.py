"""The syntax of Java's properties, as Kafka's own tools read it."""

from __future__ import annotations

import pytest

from triggers.kafka.properties_file import Property, parse_properties


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("linger.ms=5", "linger.ms", "5"),
        ("  linger.ms = 5", "linger.ms", "5"),
        ("linger.ms: 5", "linger.ms", "5"),
        ("linger.ms 5", "linger.ms", "5"),
        ("linger.ms", "linger.ms", ""),
        ("sasl.password=a=b:c d", "sasl.password", "a=b:c d"),
        ("sasl.password= # no comment", "sasl.password", "# no comment"),
        ("sasl.password=trailing ", "sasl.password", "trailing "),
        (r"a\:b\=c=1", "a:b=c", "1"),
        (r"sasl.password=a\\b\u0041\tc", "sasl.password", "a\\bA\tc"),
        ("ssl.cipher.suites=A,\\\n    B,\\\n    C", "ssl.cipher.suites", "A,B,C"),
        ("sasl.password=ends with a backslash\\\\", "sasl.password", "ends with a backslash\\"),
    ],
)
def test_a_line_is_read_as_java_reads_it(text: str, name: str, value: str) -> None:
    assert list(parse_properties(text)) == [Property(1, name, value)]


def test_comments_and_empty_lines_are_not_properties_but_count_as_lines() -> None:
    text = "# a comment \\\r\n\r\n  ! another\nlinger.ms=5\racks=all"

    assert list(parse_properties(text)) == [Property(4, "linger.ms", "5"), Property(5, "acks", "all")]


def test_a_property_that_is_continued_has_the_number_of_its_first_line() -> None:
    assert [each.line for each in parse_properties("a=1\\\n2\nb=3")] == [1, 3]
