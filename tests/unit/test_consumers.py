"""The package has only the known consumers. docs/guarantees.md explains why none of them skips records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from triggers.celery import command_source
from triggers.hooks import decision_consumer
from triggers.kafka import gap_reader, offset_reads, reading_options, worker_options
from triggers.settings import Settings

PACKAGE = Path(__file__).parents[2] / "streams" / "triggers"
SETTINGS = Settings(brokers="broker:9092", namespace="ns")
READ_RECORDS = {
    "celery/command_source.py",
    "hooks/decision_consumer.py",
    "kafka/offset_reads.py",
    "kafka/range_reads.py",
    "kafka/gap_reader.py",
    "agent/consumer/member.py",
    "store/restore.py",
    "store/second_reader.py",
}
READ_OFFSETS_ONLY = {"client/consumer_lag.py", "kafka/group_offsets.py", "store/orphaned_transactions.py"}


def sources() -> dict[str, str]:
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")}


def test_every_consumer_of_the_package_is_known() -> None:
    names = {name for name, text in sources().items() if re.search(r"\bConsumer\(", text)}

    assert names == READ_RECORDS | READ_OFFSETS_ONLY


OPTIONS = {
    "commands": command_source._options(SETTINGS, "executors"),
    "decisions": decision_consumer._options(SETTINGS, "hooks"),
    "events": worker_options.member_options(SETTINGS, "w0"),
    "offsets": offset_reads._options(SETTINGS),
    "ranges": reading_options.reader_options(SETTINGS),
    "rows": worker_options.restore_options(SETTINGS),
    "rows once more": worker_options.second_restore_options(SETTINGS),
    "gaps": dict(gap_reader._OPTIONS),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_consumer_chooses_no_offset_and_delivers_no_damaged_record(name: str) -> None:
    assert OPTIONS[name].items() >= {("auto.offset.reset", "error"), ("check.crcs", True)}


def test_no_consumer_is_given_a_logical_offset() -> None:
    code = "\n".join(sources().values())

    assert re.findall(r'"auto\.offset\.reset": ("\w+")', code) == ['"error"']
    assert re.findall(r"\bOFFSET_(?:BEGINNING|END|STORED|INVALID)\b", code) == []


def test_a_consumer_that_only_reads_offsets_is_never_assigned_a_partition() -> None:
    texts = sources()

    assert [name for name in READ_OFFSETS_ONLY if re.search(r"\.(assign|subscribe|consume|poll)\(", texts[name])] == []
