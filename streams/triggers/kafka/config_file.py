"""Reads the file of librdkafka's properties that `TRIGGERS_KAFKA_CONFIG_FILE` names.

It is a file of Java's properties, like those of Kafka's tools. As in Kafka Connect and Kafka Streams, a property with
the prefix `consumer.`, `producer.` or `admin.` is for this kind of client only and takes precedence over the same
property without a prefix. A value may contain `${directory:<folder>:<file>}`, which stands for the content of a file,
so that secrets can be kept apart from the rest; this is the syntax of Kafka's DirectoryConfigProvider.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from triggers.core.nearest_name import suggestion
from triggers.errors import SettingsError
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.properties_file import Property, parse_properties
from triggers.kafka.property_names import (
    ALL_NAMES,
    CONSUMER_NAMES,
    JAVA_NAMES,
    PREFERRED_NAMES,
    PRODUCER_NAMES,
    REFUSED_NAMES,
)

_VARIABLE: Final = "TRIGGERS_KAFKA_CONFIG_FILE"
_IN_DIRECTORY: Final = re.compile(r"\$\{directory:([^:}]+):([^}]+)\}")
_ONLY_OF: Final = {ClientKind.CONSUMER: CONSUMER_NAMES, ClientKind.PRODUCER: PRODUCER_NAMES}


def read_config_file(path: str, kind: ClientKind) -> list[Property]:
    """Returns the properties of clients of a kind, without prefixes and with secrets filled in. Empty without a path.

    Raises SettingsError, which names file and line, for a file that cannot be read and for a property of any kind that
    operators may not set or that no client has.
    """
    chosen: dict[str, Property] = {}
    specific: dict[str, Property] = {}
    for entry in _read(path) if path else ():
        only, name = _split(path, entry)
        renamed = entry._replace(name=name)
        if only is None and _suits(name, kind):
            chosen[name] = renamed
        elif only is kind:
            specific[name] = renamed
    return [_fill_in(path, entry) for entry in (chosen | specific).values()]


def _read(path: str) -> list[Property]:
    try:
        return list(parse_properties(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(f"{_VARIABLE} names {path!r}, which cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{_VARIABLE} names {path!r}, which is not UTF-8") from error


def _split(path: str, entry: Property) -> tuple[ClientKind | None, str]:
    """Returns the kind that the prefix names, if there is one, and the checked name."""
    prefix, _, rest = entry.name.partition(".")
    only = ClientKind(prefix) if prefix in set(ClientKind) else None
    name = PREFERRED_NAMES.get(rest if only else entry.name, rest if only else entry.name)
    if problem := _problem(only, name):
        raise SettingsError(f"{path}:{entry.line}: {entry.name!r} {problem}")
    return only, name


def _problem(only: ClientKind | None, name: str) -> str:
    """Returns what is wrong with a property, or nothing."""
    if name in JAVA_NAMES:
        return f"is a property of Java's clients; with librdkafka, use {JAVA_NAMES[name]}"
    if name in REFUSED_NAMES:
        return f"cannot be set here: {REFUSED_NAMES[name]}"
    if name.endswith("_cb") or name in {"logger", "on_commit", "on_delivery", "default.topic.config"}:
        return "cannot be set in a file: it is a callback"
    if only is not None and not _suits(name, only):
        return f"is no property of {only}s; write it without the prefix, or with the right one"
    if name not in ALL_NAMES and (near := suggestion(name, ALL_NAMES)):
        return f"is no property of librdkafka{near}"
    return ""


def _suits(name: str, kind: ClientKind) -> bool:
    """Returns whether clients of a kind have the property. An unknown property may be a new one of all clients."""
    return all(name not in names for other, names in _ONLY_OF.items() if other is not kind)


def _fill_in(path: str, entry: Property) -> Property:
    def content(match: re.Match[str]) -> str:
        file = Path(match[1], match[2])
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path}:{entry.line}: the secret {str(file)!r} cannot be read") from error

    return entry._replace(value=_IN_DIRECTORY.sub(content, entry.value))
