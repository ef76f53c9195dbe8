"""Our list of property names is that of the installed librdkafka."""

from __future__ import annotations

import ctypes
from pathlib import Path

import confluent_kafka
import pytest

from triggers.kafka.property_names import (
    ALL_NAMES,
    CONSUMER_NAMES,
    PREFERRED_NAMES,
    PRODUCER_NAMES,
    REFUSED_NAMES,
)

_NOT_IN_FILES = ("_cb", "_cmp", "opaque", "interceptors", "default_topic_conf", "ssl_")
"""Endings and beginnings of what only a program can set."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Name -> C (consumers), P (producers) or *, from librdkafka's own table."""
    bundled = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    library = next(bundled.glob("librdkafka-*"), None)
    if library is None:
        pytest.skip("this confluent-kafka has no bundled librdkafka")
    table = tmp_path_factory.mktemp("librdkafka") / "properties.md"
    _write_table(str(library), table)
    cells = [[cell.strip() for cell in line.split("|")] for line in table.read_text().splitlines()]
    return {row[0]: row[1] for row in cells if len(row) > 5 and row[1] in {"C", "P", "*"} and _is_for_files(row[0])}


def _write_table(library: str, table: Path) -> None:
    c, rdkafka = ctypes.CDLL(None), ctypes.CDLL(library)
    c.fopen.restype = ctypes.c_void_p
    file = ctypes.c_void_p(c.fopen(str(table).encode(), b"w"))
    rdkafka.rd_kafka_conf_properties_show(file)
    c.fclose(file)


def _is_for_files(name: str) -> bool:
    return not name.endswith(_NOT_IN_FILES) and not name.startswith(_NOT_IN_FILES)


def test_the_names_are_those_of_librdkafka(installed: dict[str, str]) -> None:
    assert set(installed) == ALL_NAMES


def test_each_name_belongs_to_the_clients_that_have_it(installed: dict[str, str]) -> None:
    assert {name for name, kind in installed.items() if kind == "C"} == CONSUMER_NAMES
    assert {name for name, kind in installed.items() if kind == "P"} == PRODUCER_NAMES


def test_what_is_refused_or_renamed_exists() -> None:
    assert set(REFUSED_NAMES) <= ALL_NAMES
    assert PREFERRED_NAMES.keys() | set(PREFERRED_NAMES.values()) <= ALL_NAMES
    assert not PREFERRED_NAMES.keys() & REFUSED_NAMES.keys()
