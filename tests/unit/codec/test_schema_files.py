"""The schemas are found in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggers.codec.avro_records import schema_folder, schema_versions


def test_the_schemas_are_found_beside_the_sources_or_in_the_package() -> None:
    assert sorted(path.name for path in schema_folder().glob("*.avsc") if path.name.count(".") == 1) == [
        "dead_letter.avsc",
        "decision.avsc",
        "task_cancellation.avsc",
        "task_command.avsc",
        "trigger_event.avsc",
    ]


def test_earlier_versions_follow_the_current_one(tmp_path: Path) -> None:
    for name in ("event.avsc", "event.1.avsc", "event.2.avsc", "event_log.avsc"):
        (tmp_path / name).write_text(name)

    assert schema_versions("event", tmp_path) == ["event.avsc", "event.1.avsc", "event.2.avsc"]


def test_a_missing_schema_is_reported_as_a_broken_installation(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        schema_versions("event", tmp_path)
