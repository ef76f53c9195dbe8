"""The package has only the known consumers. docs/guarantees.md explains why none of them skips records."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "streams" / "triggers"
READ_RECORDS = {
    "celery/command_source.py",
    "client/decision_consumer.py",
    "client/topic_places.py",
    "client/topic_range.py",
    "kafka/witness.py",
    "processing/member.py",
    "processing/restore.py",
    "processing/second_restore.py",
}
READ_OFFSETS_ONLY = {"client/consumer_lag.py", "processing/predecessors.py"}


def sources() -> dict[str, str]:
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")}


def test_every_consumer_of_the_package_is_known() -> None:
    names = {name for name, text in sources().items() if re.search(r"\bConsumer\(", text)}

    assert names == READ_RECORDS | READ_OFFSETS_ONLY


def test_no_consumer_resets_its_offset_automatically() -> None:
    code = "\n".join(sources().values())

    assert set(re.findall(r'"auto.offset.reset": (.+?),', code)) == {'"error"'}
    assert re.findall(r"\bOFFSET_(?:BEGINNING|END|STORED|INVALID)\b", code) == []


def test_a_consumer_that_only_reads_offsets_is_never_assigned_a_partition() -> None:
    texts = sources()

    assert [name for name in READ_OFFSETS_ONLY if re.search(r"\.(assign|subscribe|consume|poll)\(", texts[name])] == []
