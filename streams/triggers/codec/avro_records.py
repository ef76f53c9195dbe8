"""Avro records in single-object encoding: the bytes `C3 01`, the schema's fingerprint and the record.

`avro` parses the schemas and computes their fingerprints. `fastavro` reads and writes the records, because it is about
20 times as fast.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import avro.schema
from fastavro import parse_schema, schemaless_reader, schemaless_writer

from triggers.codec.reasons import Reason
from triggers.errors import CallError, Undecodable

MARKER = b"\xc3\x01"


HEADER_BYTES = 10


_MALFORMED = (EOFError, IndexError, KeyError, OverflowError, TypeError, ValueError, struct.error)


Schema = dict[str, Any]


Record = dict[str, Any]


class AvroRecords:
    """Encodes records with one schema and decodes records of all its released versions."""

    def __init__(self, current: str, *earlier: str) -> None:
        """Takes the text of the current schema, and of earlier versions whose records may still be in a topic."""
        self.schema = parsed(current)
        self.fingerprint = fingerprint(current)
        self._head = MARKER + self.fingerprint
        self._writers = {fingerprint(text): parsed(text) for text in earlier} | {self.fingerprint: self.schema}

    def encode(self, record: Mapping[str, object]) -> bytes:
        """Encodes a record, ignoring unknown fields. Raises CallError if a value does not fit its field."""
        stream = BytesIO()
        stream.write(self._head)
        try:
            schemaless_writer(stream, self.schema, record)
        except UnicodeEncodeError as error:
            raise CallError(f"{error.object[:40]!r}: {error.reason}") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise CallError(str(error)) from error
        return stream.getvalue()

    def decode(self, data: bytes) -> Record:
        """Decodes a record of any version. Raises Undecodable."""
        writer = self._writers.get(data[2:HEADER_BYTES])
        if writer is None:
            raise Undecodable(Reason.UNKNOWN_SCHEMA, f"no schema has the fingerprint {data[2:HEADER_BYTES].hex()}")
        return read_record(data, HEADER_BYTES, writer, self.schema)


def read_record(data: bytes, start: int, writer: Schema, reader: Schema) -> Record:
    """Decodes the record from `start` to the end of the data; a member of a union becomes a pair (name, fields).

    Raises Undecodable. A length that the data claims is not allocated unless the data has that many bytes.
    """
    stream = BytesIO(data)
    stream.seek(start)
    try:
        record: Record = schemaless_reader(stream, writer, None if writer is reader else reader, True)  # type: ignore[assignment]  # a record schema reads as a dict
    except _MALFORMED as error:
        raise Undecodable(Reason.BAD_AVRO, f"{type(error).__name__}: {error}" if str(error) else "truncated") from error
    if stream.tell() != len(data):
        raise Undecodable(Reason.BAD_AVRO, f"{len(data) - stream.tell()} bytes after the end of the record")
    return record


def fingerprint(text: str) -> bytes:
    """Returns the CRC-64-AVRO of the schema's canonical form, in little-endian order as in single-object encoding."""
    return avro.schema.parse(text).fingerprint("CRC-64-AVRO")


def parsed(text: str) -> Schema:
    """Parses a schema for fastavro."""
    schema: Schema = parse_schema(json.loads(text))  # type: ignore[assignment]  # all schemas here are records
    return schema


def avro_codec(name: str) -> AvroRecords:
    """Returns the codec of a schema file, such as `decision`, and its earlier versions."""
    return AvroRecords(*schema_versions(name))


_PACKAGE = Path(__file__).resolve().parents[1]


_FOLDERS = (_PACKAGE / "schemas", _PACKAGE.parents[1] / "schemas")


def schema_folder() -> Path:
    """Returns the folder of the `.avsc` files. Raises FileNotFoundError if the installation is broken."""
    for folder in _FOLDERS:
        if (folder / "trigger_event.avsc").is_file():
            return folder
    raise FileNotFoundError(f"trigger_event.avsc is in none of {', '.join(map(str, _FOLDERS))}")


def schema_versions(name: str, folder: Path | None = None) -> list[str]:
    """Returns the texts of a schema: the current version, then the earlier ones from `<name>.<version>.avsc`."""
    folder = folder or schema_folder()
    earlier = sorted(folder.glob(f"{name}.*.avsc"))
    return [path.read_text(encoding="utf-8") for path in (folder / f"{name}.avsc", *earlier)]
